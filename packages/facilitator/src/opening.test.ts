import { type ChainDriver, network, X402Error } from '@groat/core'
import { expect, test } from 'vitest'
import { createOpening } from './opening.js'

const BASE = network('eip155:8453')
const POLYGON = network('eip155:137')

/** Chains that answer what `says` has for them: a code, or that they are there. */
function chainsThat(says: Map<string, 'ok' | 'rpc_unreachable' | 'rpc_wrong_chain'>) {
  const told: string[] = []
  const opened: string[] = []
  let due: (() => void)[] = []
  const chains = [...says.keys()].map((id) => {
    const ready = async () => {
      const said = says.get(id)
      if (said !== undefined && said !== 'ok') throw new X402Error(said)
    }
    return { network: id, ready } as unknown as ChainDriver // A codec: nothing else of it is asked.
  })
  const opening = createOpening({
    chains,
    timers: {
      background(_, call) {
        due.push(call)
        return () => {
          due = due.filter((each) => each !== call)
        }
      },
    },
    onOpen: async (chain) => void opened.push(chain.network),
    onError: (error, of) => void told.push(`${of} ${X402Error.is(error) ? error.code : error}`),
  })
  const wait = async () => {
    for (const call of due.splice(0)) call()
    await new Promise(setImmediate)
  }
  return { opening, told, opened, wait, waits: () => due.length }
}

test('a chain that is away is opened when it is back, and told of once', async () => {
  const says = new Map<string, 'ok' | 'rpc_unreachable'>([
    [BASE, 'ok'],
    [POLYGON, 'rpc_unreachable'],
  ])
  const { opening, told, opened, wait, waits } = chainsThat(says)
  await opening.start()
  expect([opening.isOpen(BASE), opening.isOpen(POLYGON)]).toEqual([true, false])
  await wait()
  await wait()
  expect([told, opened]).toEqual([[`${POLYGON} rpc_unreachable`], [BASE]])
  says.set(POLYGON, 'ok')
  await wait()
  expect([opening.isOpen(POLYGON), opened, waits()]).toEqual([true, [BASE, POLYGON], 0])
})

test('a chain that turns out to be another stays closed, and that is told', async () => {
  const says = new Map<string, 'ok' | 'rpc_unreachable' | 'rpc_wrong_chain'>([
    [BASE, 'ok'],
    [POLYGON, 'rpc_unreachable'],
  ])
  const { opening, told, wait } = chainsThat(says)
  await opening.start()
  says.set(POLYGON, 'rpc_wrong_chain')
  await wait()
  await wait()
  expect(opening.isOpen(POLYGON)).toBe(false)
  expect(told).toEqual([`${POLYGON} rpc_unreachable`, `${POLYGON} rpc_wrong_chain`])
})

test('nothing is opened where none is there, or one is another; nor after it was stopped', async () => {
  const none = chainsThat(new Map([[BASE, 'rpc_unreachable']]))
  await expect(none.opening.start()).rejects.toMatchObject({ code: 'rpc_unreachable', context: { network: BASE } })
  const wrong = chainsThat(
    new Map<string, 'ok' | 'rpc_wrong_chain'>([
      [BASE, 'ok'],
      [POLYGON, 'rpc_wrong_chain'],
    ]),
  )
  await expect(wrong.opening.start()).rejects.toMatchObject({ code: 'rpc_wrong_chain' })
  const stopped = chainsThat(
    new Map<string, 'ok' | 'rpc_unreachable'>([
      [BASE, 'ok'],
      [POLYGON, 'rpc_unreachable'],
    ]),
  )
  await stopped.opening.start()
  stopped.opening.stop()
  expect(stopped.waits()).toBe(0)
})
