import { network } from '@groat/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Lane } from './lane.js'
import { createShares } from './shares.js'

const NETWORK = network('base-sepolia')

/**
 * Replicas that beat in turn on one journal; `reaches` says which of them has which lane, and can take it: another's node may be away. To find that out takes `hangs`
 * seconds, for which the lane is leased.
 */
function world(
  reaches: readonly (readonly boolean[])[],
  { serves = reaches.map((lanes) => lanes.map(() => true)), hangs = 0 } = {},
) {
  const lanes = (reaches[0] ?? []).map((_, at) => ({ network: NETWORK, signer: `0xf${at}`, isOrdered: true }) as Lane) // A codec: nothing else of it is asked.
  const owners = new Map<Lane, number>()
  const dead = new Set<number>()
  let [moves, now] = [0, 0]
  const replicas = reaches.map((can, me) => {
    const mine = lanes.filter((_, at) => serves[me]?.[at])
    const [held, taking] = [new Map<Lane, true>(), new Map<Lane, number>()]
    const shares = createShares({ lanes: () => mine, held, taking, clock: () => now, leave: 5000 })
    return {
      held,
      state: shares.state,
      /** What hangs fails when it has hung for long enough. */
      fail() {
        for (const [lane, until] of taking) {
          if (now < until) continue
          taking.delete(lane)
          owners.delete(lane)
          shares.failed(lane)
        }
      },
      beat() {
        const theirs = [...owners].filter(([, owner]) => owner !== me).map(([lane]) => lane)
        const others = reaches.flatMap((_, at) => (at === me || dead.has(at) ? [] : `${at}`))
        shares.look({ alive: others.length + 1, reached: new Map([[NETWORK, others]]), theirs })
        for (const lane of [...held.keys()].reverse()) {
          if (!shares.spares(lane)) continue
          held.delete(lane)
          owners.delete(lane)
          shares.gave(lane)
          moves += 1
        }
        for (const lane of mine) {
          if (!shares.wants(lane) || owners.has(lane)) continue
          owners.set(lane, me)
          if (can[lanes.indexOf(lane)] !== true) {
            taking.set(lane, now + 1000 * hangs)
            continue
          }
          held.set(lane, true)
          shares.took(lane)
          moves += 1
        }
      },
      die() {
        dead.add(me)
        for (const [lane, owner] of owners) if (owner === me) owners.delete(lane)
        held.clear()
        taking.clear()
      },
    }
  })
  const due = replicas.map((_, me) => 250 * me)
  /** Each beats as often as it does at the most: who is short, four times a second; who waits, once; else every three seconds. */
  function pass(seconds: number): void {
    for (const end = now + 1000 * seconds; now < end; now += 250) {
      for (const [me, { fail, beat, state }] of replicas.entries()) {
        if (dead.has(me)) continue
        fail()
        if (now < (due[me] ?? 0)) continue
        beat()
        due[me] = now + { short: 250, waiting: 1000, even: 3000 }[state()]
      }
    }
  }
  return { lanes, owners, replicas, pass, isDead: (me: number) => dead.has(me), moves: () => moves }
}

const arbWorld = fc
  .record({ replicas: fc.integer({ min: 1, max: 4 }), lanes: fc.integer({ min: 1, max: 6 }) })
  .chain(({ replicas, lanes }) => {
    const table = fc.array(fc.array(fc.boolean(), { minLength: lanes, maxLength: lanes }), {
      minLength: replicas,
      maxLength: replicas,
    })
    return fc.record({
      reaches: table,
      serves: table,
      hangs: fc.nat(8),
      orders: fc.array(fc.nat(replicas - 1), { maxLength: 60 }),
      dies: fc.option(fc.nat(replicas - 1)),
    })
  })

test('ENG-5 a lane that somebody can take is somebody’s before long, however long others try, and they come to rest', () => {
  fc.assert(
    fc.property(arbWorld, ({ reaches, serves, hangs, orders, dies }) => {
      const { lanes, owners, replicas, pass, isDead, moves } = world(reaches, { serves, hangs })
      for (const me of orders) replicas[me]?.beat()
      pass(5)
      if (dies !== null) replicas[dies]?.die()
      pass(300)
      const before = moves()
      pass(30)
      expect(moves()).toBe(before)
      for (const [at, lane] of lanes.entries()) {
        const able = replicas.flatMap((_, me) => (!isDead(me) && reaches[me]?.[at] && serves[me]?.[at] ? [me] : []))
        if (able.length > 0) expect(able).toContain(owners.get(lane))
      }
    }),
    { numRuns: 300 },
  )
})

test('ENG-5 replicas that can all take all have as many as the next one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 9 }), (replicas, lanes) => {
      const all = Array.from({ length: replicas }, () => Array.from({ length: lanes }, () => true))
      const { owners, replicas: each } = world(all)
      for (let turn = 0; turn < 3; turn++) for (const { beat } of each) beat()
      expect(owners.size).toBe(lanes)
      for (const { held, state } of each) {
        expect(held.size).toBeLessThanOrEqual(Math.ceil(lanes / replicas))
        expect(state()).not.toBe('waiting')
      }
    }),
  )
})

test('what nobody else takes is kept when others go, and given again to those that are new', () => {
  const { owners, replicas, lanes, pass } = world([
    [true, true, true],
    [true, false, false],
    [false, false, false],
  ])
  const [first, second, third] = lanes
  replicas[0]?.beat()
  pass(20)
  expect([owners.get(first!), owners.get(second!), owners.get(third!)]).toEqual([1, 0, 0])
  replicas[2]?.die()
  const kept = owners.get(third!)
  pass(20)
  expect([kept, owners.get(second!), owners.get(third!)]).toEqual([0, 0, 0])
  replicas[1]?.die()
  pass(5)
  expect(owners.get(first!)).toBe(0)
})

test('a lane that failed while its chain could not be asked is wanted as soon as it can', () => {
  const [lane] = [{ network: NETWORK, signer: '0xf1', isOrdered: true, cutOff: true }] as unknown as [
    Lane & { cutOff: boolean },
  ]
  const nothing = new Map<Lane, true>()
  const shares = createShares({ lanes: () => [lane], held: nothing, taking: nothing, clock: () => 0, leave: 5000 })
  const look = () => shares.look({ alive: 2, reached: new Map(), theirs: [] })
  look()
  look()
  shares.failed(lane)
  look()
  expect(shares.wants(lane)).toBe(false)
  // It answers again before anybody has looked.
  shares.failed(lane)
  Object.assign(lane, { cutOff: false })
  look()
  expect(shares.wants(lane)).toBe(true)
})

test('nothing is let go for who cannot reach its network', () => {
  const lanes = ['0xf1', '0xf2'].map((signer) => ({ network: NETWORK, signer, isOrdered: true }) as Lane) // A codec: nothing else of it is asked.
  const held = new Map(lanes.map((lane) => [lane, true]))
  const shares = createShares({ lanes: () => lanes, held, taking: new Map<Lane, true>(), clock: () => 0, leave: 5000 })
  const spared = (reached: ReadonlyMap<string, readonly string[]>) => {
    shares.look({ alive: 2, reached, theirs: [] })
    return lanes.filter((lane) => shares.spares(lane)).length
  }
  expect([spared(new Map()), spared(new Map([[NETWORK, ['other']]]))]).toEqual([0, 2])
})

test('what was kept because nobody else could take it is given to who reaches its network again', () => {
  const lanes = ['0xf1', '0xf2'].map((signer) => ({ network: NETWORK, signer, isOrdered: true }) as Lane) // A codec: nothing else of it is asked.
  const held = new Map<Lane, true>()
  const shares = createShares({ lanes: () => lanes, held, taking: new Map<Lane, true>(), clock: () => 0, leave: 5000 })
  const look = (reached: ReadonlyMap<string, readonly string[]>) => {
    shares.look({ alive: 2, reached, theirs: [] })
    for (const lane of lanes) {
      if (!held.has(lane) || !shares.spares(lane)) continue
      held.delete(lane)
      shares.gave(lane)
    }
    for (const lane of lanes) {
      if (!shares.wants(lane)) continue
      held.set(lane, true)
      shares.took(lane)
    }
    return held.size
  }
  for (let times = 0; times < 5; times++) look(new Map())
  expect([look(new Map()), look(new Map()), look(new Map())]).toEqual([2, 2, 2])
  expect(look(new Map([[NETWORK, ['other']]]))).toBeLessThan(2)
})
