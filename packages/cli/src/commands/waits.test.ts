import type { Fetch } from '@groat/core'
import { expect, test } from 'vitest'
import { recordedIo } from '../../test/io.js'
import { tellingWaits } from './waits.js'

const busy = () =>
  Response.json({ code: 'facilitator_busy', title: 'a story' }, { status: 503, statusText: 'Service Unavailable' })

/** What is said while a payer asks and waits so many milliseconds after each answer. */
async function saidOf(answers: readonly (() => Response)[], ms: number): Promise<string> {
  const io = recordedIo()
  const left = [...answers]
  const fetch: Fetch = async () => (left.shift() ?? thrown)()
  const waits = tellingWaits(fetch, io, async () => {})
  for (const _ of answers) {
    await waits.fetch('http://shop.test').catch(() => undefined)
    await waits.sleep(ms)
  }
  return io.said()
}

const thrown = (): Response => {
  throw new TypeError('fetch failed')
}

test('a wait says for how long, after which answer, and what its code means', async () => {
  expect(await saidOf([busy], 7_000)).toBe(
    '  waits 7 s, then presents the same payment; the answer is 503 Service Unavailable: The facilitator takes no more for now (facilitator_busy)\n',
  )
  expect(await saidOf([thrown], 250)).toBe('  waits 0.25 s, then presents the same payment; there was no answer\n')
})

test('a stranger’s words are no words of ours, and move no cursor', async () => {
  const odd = () => Response.json({ code: '\u001b[2J' }, { status: 429, statusText: 'Too \u009b2J Many' })
  expect(await saidOf([odd], 1_000)).toBe(
    '  waits 1 s, then presents the same payment; the answer is 429 Too 2J Many\n',
  )
})

test('a look at what another command does is worth a word after a second, and once', async () => {
  const io = recordedIo()
  const { sleep } = tellingWaits(
    async () => busy(),
    io,
    async () => {},
  )
  for (let at = 0; at < 19; at++) await sleep(50)
  expect(io.said()).toBe('')
  for (let at = 0; at < 40; at++) await sleep(50)
  expect(io.said()).toBe('  waits: another command pays for the same request\n')
})

test('an answer is read by the payer as it came', async () => {
  const { fetch } = tellingWaits(async () => busy(), recordedIo())
  expect(await (await fetch('http://shop.test')).json()).toMatchObject({ code: 'facilitator_busy' })
})
