import { type ErrorCode, network, type Pid, paymentId, X402Error } from '@groat/core'
import { openMemoryStore } from '@groat/store'
import { expect, test } from 'vitest'
import { claimed, request } from '../../test/one-payment.js'
import { createJournal, type Hold, type Journal } from '../journal/journal.js'
import type { Leases } from '../journal/leases.js'
import type { JournalTables } from '../journal/tables.js'
import type { Timers } from '../timers.js'
import { createKeeper, type KeeperEvent } from './keeper.js'
import type { Lane } from './lane.js'
import type { Serving } from './route.js'

const NETWORK = network('base-sepolia')

/** A lane whose node answers, or does not. */
function laneOf(signer: string, { isOrdered = true } = {}) {
  let hold: Hold | undefined
  const node = {
    answers: true,
    hangs: false,
    asked: 0,
    reopened: 0,
    unsure: false,
    cutOff: false,
    idle: true,
    draining: false,
    blocked: undefined as ErrorCode | undefined,
  }
  const lane = {
    ...{ network: NETWORK, signer, isOrdered },
    get idle() {
      return node.idle
    },
    drain(isWanted: boolean) {
      node.draining = isWanted
    },
    get blocked() {
      return node.blocked
    },
    get held() {
      return hold !== undefined
    },
    get unsure() {
      return node.unsure
    },
    get cutOff() {
      return node.cutOff
    },
    async take(mine: Hold) {
      node.asked += 1
      if (node.hangs) await new Promise(() => {})
      if (!node.answers) throw new Error(`the node of ${signer} does not answer`)
      hold = mine
    },
    lose() {
      hold = undefined
      node.draining = false
    },
    async weigh() {},
    async reopen() {
      node.unsure = false
      if (!node.answers) throw new Error(`the node of ${signer} does not answer`)
      node.reopened += 1
    },
  } as unknown as Lane
  return { lane, node }
}

async function keeping(
  lanes: readonly Lane[],
  over: (leases: Leases) => Partial<Leases> = () => ({}),
  serves: readonly Serving[] = [{ network: NETWORK, scheme: 'exact', lanes }],
) {
  const store = await openMemoryStore()
  const journal = createJournal({ store, clock: () => 1000, replica: 'r' })
  await journal.migrate()
  const due: { readonly run: () => void }[] = []
  const timers = {
    background(_: number, run: () => void) {
      const mine = { run }
      due.push(mine)
      return () => void due.splice(due.indexOf(mine), 1)
    },
    after: () => () => {},
  } as unknown as Timers
  let now = 0
  const faults: unknown[] = []
  const adopted: string[] = []
  const carried: Pid[] = []
  const told: KeeperEvent[] = []

  /** Another replica on the same journal. */
  async function join(replica: string, reaches = [NETWORK]): Promise<Journal> {
    const other = createJournal({ store, clock: () => 1000, replica })
    await other.leases.renew(60_000, reaches)
    return other
  }

  /** Lets everything that is due happen, until `condition` holds. */
  async function until(condition: () => boolean) {
    for (let turns = 0; turns < 1000 && !condition(); turns++) {
      now += 1000
      for (const { run } of due.splice(0)) run()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(condition()).toBe(true)
  }

  /** The same, until another can take a lane. */
  async function untilFree({ leases }: Journal, signer: string) {
    let taken: unknown
    void (async () => {
      while (taken === undefined) taken = await leases.acquire(NETWORK, signer, 60_000)
    })()
    await until(() => taken !== undefined)
  }

  const keeper = createKeeper({
    journal: {
      ...journal,
      leases: { ...journal.leases, ...over(journal.leases) },
      async adopt() {
        adopted.push('asked')
        return []
      },
    },
    ...{
      lanes: () => lanes,
      serves: () => serves,
      watched: () => [],
      lease: 60_000,
      clock: () => now,
      timers,
      isCarried: () => true,
    },
    carry: ({ pid }) => void carried.push(pid),
    tell: (event) => void told.push(event),
    onError: (error) => void faults.push(error),
  })
  return {
    ...{ keeper, journal, store, faults, adopted, carried, told, join, until, untilFree },
    async end() {
      await keeper.stop()
      await store.close()
    },
  }
}

test('ENG-5 a lane that could not be taken when it was free is taken when its node answers', async () => {
  const { lane, node } = laneOf('0xf1')
  node.answers = false
  const { keeper, until, end } = await keeping([lane])
  await expect(keeper.start()).rejects.toThrow('does not answer')
  node.answers = true
  await keeper.start()
  await until(() => lane.held)
  await end()
})

test('ENG-5 a node that is gone keeps no other lane, and nothing that others left, from being taken', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  const { keeper, journal, store, faults, adopted, join, until } = await keeping([first.lane, second.lane])
  const other = await join('other')
  await other.leases.acquire(NETWORK, '0xf1', 60_000)
  await other.leases.acquire(NETWORK, '0xf2', 60_000)
  await keeper.start()
  expect([first.lane.held, second.lane.held]).toEqual([false, false])
  first.node.answers = false
  await other.leases.leave()
  await until(() => second.lane.held && adopted.length > 0)
  expect(first.lane.held).toBe(false)
  expect(faults.length).toBeGreaterThan(0)
  // Whoever has a node that answers may have it.
  expect(await other.leases.acquire(NETWORK, '0xf1', 0)).toMatchObject({ signer: '0xf1' })
  first.node.answers = true
  await until(() => first.lane.held)
  await keeper.stop()
  expect(await journal.leases.renew(1)).toMatchObject({ held: [] })
  await store.close()
})

test('A14 blocks that another replica learnt are undone are looked after here too, as soon as the node answers, and once', async () => {
  const { lane, node } = laneOf('0xf1')
  const { keeper, store, faults, adopted, until, end } = await keeping([lane])
  const raise = (undone: number) =>
    store.withTables<JournalTables>().transaction((trx) =>
      trx
        .insertInto('chain')
        .values({ network: NETWORK, undone })
        .onConflict((conflict) => conflict.column('network').doUpdateSet({ undone }))
        .execute(),
    )
  await raise(3)
  await keeper.start()
  // What it takes it takes as it stands.
  expect(node.reopened).toBe(0)
  node.answers = false
  await raise(4)
  await until(() => faults.length > 1)
  node.answers = true
  await until(() => node.reopened === 1)
  const asked = adopted.length
  await until(() => adopted.length > asked + 3)
  expect(node.reopened).toBe(1)
  await end()
})

test('INV-7 a lane with a write that was not answered is read anew until it could be, and nobody takes it meanwhile', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  const { keeper, faults, told, adopted, join, until, end } = await keeping([first.lane, second.lane])
  await keeper.start()
  let goOn = () => {}
  const asked = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const { reopen } = second.lane
  second.lane.reopen = async () => {
    await asked
    await reopen()
  }
  second.node.unsure = true
  const before = adopted.length
  await until(() => adopted.length > before + 1)
  second.node.answers = false
  const other = await join('other')
  await until(() => adopted.length > before + 6)
  // It is the first that is let go for the other.
  expect(told.flatMap(({ type, signer }) => (type === 'lane_left' ? signer : []))).toEqual(['0xf1'])
  expect(await other.leases.acquire(NETWORK, '0xf2', 60_000)).toBeUndefined()
  goOn()
  await until(() => faults.length > 0)
  second.node.answers = true
  await until(() => second.node.reopened === 1)
  await end()
})

test('ENG-5 who was found dead is told, and each lane that is taken, from whom, lost, and left', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  const { keeper, store, told, until } = await keeping([first.lane, second.lane])
  const [dead, far] = ['dead', 'far'].map((replica) => createJournal({ store, clock: () => 1000, replica }))
  await dead?.leases.renew(60_000)
  await dead?.leases.acquire(NETWORK, '0xf1', 60_000)
  // No process of this machine; and one of another machine, which is only known not to have been heard of.
  await store.withTables<JournalTables>().transaction((trx) =>
    trx
      .updateTable('replica')
      .set({ process: 2 ** 30 })
      .execute(),
  )
  await far?.leases.acquire(NETWORK, '0xf2', -1)
  await keeper.start()
  const [one, other] = ['0xf1', '0xf2'].map((signer) => ({ network: NETWORK, signer }))
  expect(told.splice(0)).toEqual([
    { type: 'replica_gone', replica: 'dead' },
    { type: 'lane_taken', ...one },
    { type: 'lane_taken', ...other, from: 'far' },
  ])
  second.lane.lose()
  await until(() => told.length > 1)
  expect(told.splice(0)).toEqual([
    { type: 'lane_lost', ...other },
    { type: 'lane_taken', ...other },
  ])
  await keeper.stop()
  expect(told.map(({ type, signer }) => [type, signer])).toEqual([
    ['lane_left', '0xf1'],
    ['lane_left', '0xf2'],
  ])
  await store.close()
})

/** A payment that is nobody's, and names its signer, or does not. */
async function leave(
  journal: Journal,
  nonce: string,
  { signer, expiresAt = 2000 }: { signer?: string; expiresAt?: number },
) {
  const { rid, payer, requestText } = claimed
  const claim = { pid: paymentId([NETWORK, nonce]), rid, payer, expiresAt, request, requestText }
  await journal.claim(signer === undefined ? claim : { ...claim, signer }, null)
  return claim.pid
}

test('ENG-5 a lane whose chain cannot be asked is kept while it answers nobody else, let go when it does, and taken back when it can', async () => {
  const { lane, node } = laneOf('0xf1')
  const { keeper, adopted, told, join, until, end } = await keeping([lane])
  await keeper.start()
  node.cutOff = true
  node.answers = false
  const looks = () => adopted.length
  const start = looks()
  await until(() => looks() > start + 5)
  expect(lane.held).toBe(true)
  const other = await join('other', [])
  await until(() => looks() > start + 10)
  expect(lane.held).toBe(true)
  await other.leases.renew(60_000, [NETWORK])
  await until(() => told.some(({ type }) => type === 'lane_left'))
  expect(await other.leases.acquire(NETWORK, '0xf1', 60_000)).toMatchObject({ signer: '0xf1' })
  await other.leases.leave()
  node.cutOff = false
  node.answers = true
  await until(() => lane.held)
  await end()
})

test('ENG-5 who cannot ask a chain takes nothing on there that others can, be it to end it', async () => {
  const { lane, node } = laneOf('0xf1')
  const { keeper, journal, adopted, carried, join, until, end } = await keeping([lane])
  await keeper.start()
  await join('other')
  node.cutOff = true
  await until(() => !lane.held)
  const expired = await leave(journal, '1', { expiresAt: 1 })
  const asked = adopted.length
  await until(() => adopted.length > asked + 5)
  expect(carried).toEqual([])
  node.cutOff = false
  await until(() => carried.length > 0)
  expect(carried).toEqual([expired])
  await end()
})

test('ENG-5 a payment that names its signer is left to who holds its lane, also while that one can send nothing', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  const { keeper, journal, adopted, carried, join, until, end } = await keeping([first.lane, second.lane])
  const other = await join('other')
  await other.leases.acquire(NETWORK, '0xf1', 60_000)
  await keeper.start()
  expect([first.lane.held, second.lane.held]).toEqual([false, true])
  const theirs = await leave(journal, '1', { signer: '0xf1' })
  const [mine, anybodys] = [await leave(journal, '2', { signer: '0xf2' }), await leave(journal, '3', {})]
  second.node.blocked = 'signer_out_of_gas'
  await until(() => adopted.length > 2)
  expect(carried).toEqual([])
  second.node.blocked = undefined
  await until(() => carried.length > 1)
  expect(carried.sort()).toEqual([mine, anybodys].sort())
  await other.leases.leave()
  await until(() => first.lane.held && carried.length > 2)
  expect(carried.at(-1)).toBe(theirs)
  await end()
})

test('ENG-5 a node that does not answer keeps no beat, no other lane and no stop waiting, and its lane is somebody else’s in time', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  const { keeper, journal, faults, adopted, carried, join, until, end } = await keeping([first.lane, second.lane])
  const other = await join('other')
  await other.leases.acquire(NETWORK, '0xf1', 60_000)
  await keeper.start()
  expect(second.lane.held).toBe(true)
  first.node.hangs = true
  const orphan = await leave(journal, '1', { signer: '0xf2' })
  await other.leases.leave()
  await until(() => first.node.asked > 0 && carried.length > 0)
  expect([carried, first.lane.held]).toEqual([[orphan], false])
  const asked = adopted.length
  await until(() => adopted.length > asked + 5)
  // It has been held for nothing for longer than some leases last.
  await until(() => faults.length > 0)
  expect(faults).toMatchObject([{ code: 'rpc_unreachable', context: { signer: '0xf1' } }])
  await until(() => adopted.length > asked + 70)
  expect(await other.leases.acquire(NETWORK, '0xf1', 60_000)).toMatchObject({ signer: '0xf1' })
  await end()
})

test('ENG-5 where chains have no nonces whoever has the signer takes what was left', async () => {
  const { lane, node } = laneOf('0xf3', { isOrdered: false })
  const { keeper, journal, carried, join, until, end } = await keeping([lane])
  await join('other')
  const mine = await leave(journal, '1', { signer: '0xf3' })
  await leave(journal, '2', { signer: '0xf4' })
  await keeper.start()
  await until(() => carried.length > 0)
  expect(carried).toEqual([mine])
  node.cutOff = true
  await until(() => !lane.held)
  const again = await leave(journal, '3', { signer: '0xf3' })
  node.cutOff = false
  await until(() => carried.length > 1)
  expect(carried).toEqual([mine, again])
  await end()
})

test('ENG-5 a payment is left alone by who serves its scheme by lanes that others hold, and by who serves another', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  const { keeper, journal, adopted, carried, join, until, end } = await keeping([first.lane, second.lane], undefined, [
    { network: NETWORK, scheme: 'upto', lanes: [first.lane] },
    { network: NETWORK, scheme: 'exact', lanes: [second.lane] },
  ])
  const other = await join('other')
  await other.leases.acquire(NETWORK, '0xf2', 60_000)
  await keeper.start()
  const theirs = await leave(journal, '1', {})
  await until(() => adopted.length > 2)
  expect([first.lane.held, carried]).toEqual([true, []])
  await other.leases.leave()
  await until(() => carried.length > 0)
  expect(carried).toEqual([theirs])
  await end()
})

test('what was given away, and nobody signed for in time, is ended by who cannot sign either', async () => {
  const { lane, node } = laneOf('0xf1')
  const { keeper, journal, carried, join, until, end } = await keeping([lane])
  await join('other')
  node.blocked = 'signer_out_of_gas'
  await keeper.start()
  await leave(journal, '1', {})
  const expired = await leave(journal, '2', { signer: '0xf2', expiresAt: 1 })
  await until(() => carried.length > 0)
  expect(carried).toEqual([expired])
  await end()
})

test('who can sign on a network is alone there when others hold lanes of other networks only', async () => {
  const { lane } = laneOf('0xf1')
  const { keeper, adopted, join, until, end } = await keeping([lane])
  const other = await join('other')
  await other.leases.acquire(network('base'), '0xf1', 60_000)
  await keeper.start()
  expect([keeper.isAlone(NETWORK), keeper.isAlone(network('base'))]).toEqual([true, false])
  await other.leases.acquire(NETWORK, '0xf2', 60_000)
  const asked = adopted.length
  await until(() => adopted.length > asked + 1)
  expect(keeper.isAlone(NETWORK)).toBe(false)
  await end()
})

test('ENG-5 a lane whose taking was not answered is kept from nobody by a replica that has its share', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  let losses = 1
  let freed: unknown
  const { keeper, faults, join, until, end } = await keeping([first.lane, second.lane], (leases) => ({
    async acquire(...lane) {
      const taken = await leases.acquire(...lane)
      // It is taken, and nobody knows.
      if (taken?.signer === '0xf2' && losses-- > 0) throw new X402Error('store_unavailable', { committed: 'unknown' })
      return taken
    },
    async release(lane) {
      await leases.release(lane)
      if (lane.signer === '0xf2') freed = await other.leases.acquire(NETWORK, '0xf2', 60_000)
    },
  }))
  const other = await join('other')
  const theirs = await other.leases.acquire(NETWORK, '0xf1', 60_000)
  await keeper.start().catch((error) => faults.push(error))
  expect(faults).toMatchObject([{ code: 'store_unavailable' }])
  await other.leases.release(theirs!)
  await keeper.start()
  await until(() => first.lane.held)
  expect(freed).toMatchObject({ signer: '0xf2' })
  await end()
})

test('ENG-5 what was let go and nobody takes is taken back, and a network whose nodes are away keeps none from being taken at the start', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  const { keeper, told, faults, adopted, join, until, end } = await keeping([first.lane, second.lane])
  first.node.answers = false
  await keeper.start()
  expect([second.lane.held, faults.length]).toEqual([true, 1])
  first.node.answers = true
  await until(() => first.lane.held)
  // It is alive, and takes nothing.
  await join('other')
  await until(() => told.some(({ type }) => type === 'lane_left'))
  const [events, asked] = [told.length, adopted.length]
  await until(() => adopted.length > asked + 10)
  expect([first.lane.held, second.lane.held]).toEqual([true, true])
  // Each was offered once.
  await until(() => adopted.length > asked + 20)
  expect(told.slice(events).filter(({ type }) => type === 'lane_left')).toHaveLength(1)
  await end()
})

test('who is stopped while it starts holds nothing', async () => {
  const { lane } = laneOf('0xf1')
  const { keeper, journal, store } = await keeping([lane])
  const starting = keeper.start()
  await keeper.stop()
  await starting
  expect(lane.held).toBe(false)
  expect(await journal.leases.renew(1)).toMatchObject({ alive: 1, held: [] })
  await store.close()
})

test('ENG-5 a lane that could not be let go when there were too many is let go later', async () => {
  const [first, second] = [laneOf('0xf1'), laneOf('0xf2')]
  let faultsLeft = 1
  const { keeper, faults, join, until, untilFree, end } = await keeping([first.lane, second.lane], (leases) => ({
    async release(lane) {
      if (faultsLeft-- > 0) throw new X402Error('store_unavailable', { committed: false })
      await leases.release(lane)
    },
  }))
  await keeper.start()
  const other = await join('other')
  await until(() => faults.length > 0)
  await untilFree(other, '0xf2')
  await end()
})

test('ENG-5 a lane too many that is never idle drains while others stand in for it, is let go when it is, and stays when the other is gone', async () => {
  const made = ['0xf1', '0xf2', '0xf3', '0xf4'].map((signer) => laneOf(signer))
  const { keeper, join, until, untilFree, end } = await keeping(made.map(({ lane }) => lane))
  await keeper.start()
  for (const { node } of made) node.idle = false
  const draining = () => made.filter(({ node }) => node.draining).map(({ lane }) => lane.signer)
  const other = await join('b')
  await until(() => draining().length > 0)
  expect(draining()).toEqual(['0xf3', '0xf4'])
  await other.leases.leave()
  await until(() => draining().length === 0)
  await other.leases.renew(60_000, [NETWORK])
  await until(() => draining().length > 0)
  made[3]!.node.idle = true
  await untilFree(other, '0xf4')
  await until(() => draining().join() === '0xf3')
  await end()
})

test('a journal that cannot be reached is known until it can', async () => {
  let isThere = true
  const { lane } = laneOf('0xf1')
  const { keeper, until, faults, end } = await keeping([lane], ({ renew }) => ({
    async renew(...asked) {
      if (!isThere) throw new X402Error('store_unavailable', { reason: 'unreachable' })
      return renew(...asked)
    },
  }))
  await keeper.start()
  expect(keeper.isJournalAway()).toBe(false)
  isThere = false
  await until(() => keeper.isJournalAway())
  isThere = true
  await until(() => !keeper.isJournalAway())
  expect(faults).toMatchObject([{ code: 'store_unavailable' }])
  await end()
})
