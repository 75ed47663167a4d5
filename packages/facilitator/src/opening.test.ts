import { type ChainDriver, network, X402Error } from '@groat/core'
import { expect, test } from 'vitest'
import { createOpening } from './opening.js'

const BASE = network('eip155:8453')
const POLYGON = network('eip155:137')

type Said = 'ok' | 'rpc_unreachable' | 'rpc_wrong_chain' | 'signer_out_of_gas'

/** Chains that answer what `says` has for them: a code, or that they are there. */
function chainsThat(says: Map<string, Said>, networkOf = (id: string) => network(id)) {
  const told: string[] = []
  const opened: string[] = []
  let due: (() => void)[] = []
  const chains = [...says.keys()].map((id) => {
    const ready = async () => {
      const said = says.get(id)
      if (said !== undefined && said !== 'ok') throw new X402Error(said)
      opened.push(id)
    }
    return { network: networkOf(id), ready } as unknown as ChainDriver // A codec: nothing else of it is asked.
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
    onOpen: () => void opened.push('one more'),
    onError: (error, of) => void told.push(`${of} ${X402Error.is(error) ? error.code : error}`),
  })
  const wait = async () => {
    for (const call of due.splice(0)) call()
    await new Promise(setImmediate)
  }
  return { opening, told, opened, wait, waits: () => due.length }
}

test('a chain that is away is opened when it is back, and told of once', async () => {
  const says = new Map<string, Said>([
    [BASE, 'ok'],
    [POLYGON, 'rpc_unreachable'],
  ])
  const { opening, told, opened, wait, waits } = chainsThat(says)
  await opening.start()
  expect([opening.shut(BASE), opening.shut(POLYGON)]).toEqual([undefined, 'rpc_unreachable'])
  await wait()
  await wait()
  expect([told, opened]).toEqual([[`${POLYGON} rpc_unreachable`], [BASE]])
  says.set(POLYGON, 'ok')
  await wait()
  expect([opening.shut(POLYGON), opened, waits()]).toEqual([undefined, [BASE, POLYGON, 'one more'], 0])
})

test('a chain that turns out to be another stays closed, and that is told', async () => {
  const says = new Map<string, Said>([
    [BASE, 'ok'],
    [POLYGON, 'rpc_unreachable'],
  ])
  const { opening, told, wait } = chainsThat(says)
  await opening.start()
  says.set(POLYGON, 'rpc_wrong_chain')
  await wait()
  await wait()
  expect(opening.shut(POLYGON)).toBe('rpc_wrong_chain')
  expect(told).toEqual([`${POLYGON} rpc_unreachable`, `${POLYGON} rpc_wrong_chain`])
})

test('a network with two chains is open when both are', async () => {
  const says = new Map<string, Said>([
    ['here', 'ok'],
    ['one', 'rpc_unreachable'],
    ['two', 'rpc_unreachable'],
  ])
  const { opening, wait } = chainsThat(says, (id) => (id === 'here' ? BASE : POLYGON))
  await opening.start()
  says.set('one', 'ok')
  await wait()
  expect([opening.shut(BASE), opening.shut(POLYGON)]).toEqual([undefined, 'rpc_unreachable'])
  says.set('two', 'ok')
  await wait()
  expect(opening.shut(POLYGON)).toBeUndefined()
})

test('nothing is opened where none is there, or one is another; nor after it was stopped', async () => {
  const none = chainsThat(new Map([[BASE, 'rpc_unreachable']]))
  await expect(none.opening.start()).rejects.toMatchObject({ code: 'rpc_unreachable', context: { network: BASE } })
  const wrong = chainsThat(
    new Map<string, Said>([
      [BASE, 'ok'],
      [POLYGON, 'rpc_wrong_chain'],
    ]),
  )
  await expect(wrong.opening.start()).rejects.toMatchObject({ code: 'rpc_wrong_chain' })
  const stopped = chainsThat(
    new Map<string, Said>([
      [BASE, 'ok'],
      [POLYGON, 'rpc_unreachable'],
    ]),
  )
  await stopped.opening.start()
  stopped.opening.stop()
  // Who failed to start may hold what it has taken: nothing is done on a chain that was never proved.
  expect([stopped.waits(), stopped.opening.shut(POLYGON)]).toEqual([0, 'rpc_unreachable'])
})

test('a signer that is poor keeps no chain shut, neither at the start nor later', async () => {
  const says = new Map<string, Said>([
    [BASE, 'signer_out_of_gas'],
    [POLYGON, 'rpc_unreachable'],
  ])
  const { opening, wait } = chainsThat(says)
  await opening.start()
  expect([opening.shut(BASE), opening.shut(POLYGON)]).toEqual([undefined, 'rpc_unreachable'])
  says.set(POLYGON, 'signer_out_of_gas')
  await wait()
  expect(opening.shut(POLYGON)).toBeUndefined()
})

test('started again, each chain is asked by one only', async () => {
  const says = new Map<string, Said>([
    [BASE, 'ok'],
    [POLYGON, 'rpc_unreachable'],
  ])
  const { opening, waits } = chainsThat(says)
  await opening.start()
  await opening.start()
  expect(waits()).toBe(1)
  says.set(POLYGON, 'ok')
  await opening.start()
  expect([opening.shut(POLYGON), waits()]).toEqual([undefined, 0])
})
