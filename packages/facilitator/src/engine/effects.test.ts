import { type ChainOutcome, refuse, X402Error } from '@groat/core'
import { expect, test } from 'vitest'
import { claimed, request } from '../../test/one-payment.js'
import type { Checked, Journal } from '../journal/journal.js'
import type { Attempt } from '../journal/record.js'
import { createEffects } from './effects.js'
import { createMoves } from './moves.js'
import type { Route } from './route.js'

const rest = {
  clock: () => 1000,
  minRemainingSeconds: 6,
  finality: () => 1,
  onEvent: undefined,
  moves: createMoves(
    () => 1000,
    () => 5000,
  ),
}

test.each([
  [{ isAlone: false, named: undefined }, 'given away'],
  [{ isAlone: false, named: '0x0f' }, 'kept'],
  [{ isAlone: true, named: undefined }, 'kept'],
])(
  'a payment whose lane can send nothing is left to others, where others could sign for it: %o',
  async (where, becomes) => {
    const lane = { signer: '0x0f', blocked: 'signer_out_of_gas', expect: () => () => {} }
    const half = { verify: async () => ({ ok: false, code: 'invalid_payload' }) }
    const route = { half, laneOf: () => lane, signerOf: () => where.named }
    const given: unknown[] = []
    const journal = { give: async ({ pid }: { pid: unknown }) => given.push(pid) } as never as Journal
    const means = { reserved: 0n, undone: 0 }
    const effects = createEffects('0x03', request, route as never as Route, {
      ...{ ...rest, journal, means, isAlone: (on) => where.isAlone || on !== claimed.network },
    })
    await effects({ do: 'check' }, { record: claimed })
    expect(given.length === 1 ? 'given away' : 'kept').toBe(becomes)
  },
)

test('INV-11 a payment is signed for by what its own check went by: the claim said it for the first, the journal says it for each after that', async () => {
  const signedBy: number[] = []
  const lane = {
    signer: '0x0f',
    expect: () => () => {},
    async sign({ undone }: Checked) {
      signedBy.push(undone)
      return 'late'
    },
  }
  const half = { verify: async () => ({ ok: true, payer: '0x03' }), prepare: async () => ({}) }
  let undone = 3
  const journal = { means: async () => ({ reserved: 0n, undone: undone++ }) } as never as Journal
  const effects = createEffects('0x03', request, { half, laneOf: () => lane } as never as Route, {
    ...{ ...rest, journal, isAlone: () => true },
    means: { reserved: 0n, undone: 2 },
  })
  for (let check = 0; check < 3; check++) await effects({ do: 'check' }, { record: claimed })
  expect(signedBy).toEqual([2, 3, 4])
})

test('INV-11 what was given away and came back is checked by what the journal says then', async () => {
  const lane = {
    ...{ signer: '0x0f', blocked: 'signer_out_of_gas' as string | undefined },
    expect: () => () => {},
    sign: async () => 'late',
  }
  const reserved: unknown[] = []
  const half = {
    async verify(_: unknown, __: unknown, at: { reserved?: bigint }) {
      reserved.push(at.reserved)
      return { ok: true, payer: '0x03' }
    },
    prepare: async () => ({}),
  }
  // Meanwhile a later payment of the payer was signed for elsewhere.
  const journal = { give: async () => claimed, means: async () => ({ reserved: 7n, undone: 0 }) } as never as Journal
  const route = { half, laneOf: () => lane, signerOf: () => undefined } as never as Route
  const effects = createEffects('0x03', request, route, {
    ...{ ...rest, journal, isAlone: () => false, means: { reserved: 0n, undone: 0 } },
  })
  await effects({ do: 'check' }, { record: claimed })
  lane.blocked = undefined
  await effects({ do: 'check' }, { record: claimed })
  expect(reserved).toEqual([7n])
})

const attempt: Attempt = { transaction: { hash: 'a', signer: '0x0f', nonce: 7n, raw: '' }, status: 'sent', slot: 's' }
const sent = { ...claimed, state: 'sent', attempts: [attempt] } as const

test.each([
  [{ status: 'pending' }, { status: 'pending' }, ['outcome', 'gone', 'outcome'], true],
  [{ status: 'pending' }, { status: 'dead', refusal: refuse('payment_expired') }, ['outcome', 'gone', 'outcome'], true],
  [{ status: 'reverted', transaction: 'a' }, undefined, ['outcome'], false],
])('INV-8 whose number is gone is looked for once more after that: %o', async (first, second, asked, gone) => {
  const order: string[] = []
  const half = {
    async outcome() {
      order.push('outcome')
      return order.length === 1 ? first : second
    },
  }
  const lane = {
    outbids: () => 0,
    async isGone() {
      order.push('gone')
      return true
    },
  }
  const route = { half, chain: {}, laneBy: () => lane } as never as Route
  const journal = {} as never as Journal
  const effects = createEffects('0x03', request, route, { ...rest, journal, isAlone: () => true, means: undefined })
  expect(await effects({ do: 'look' }, { record: sent })).toMatchObject({ chain: second ?? first, gone })
  expect(order).toEqual(asked)
})

test('what moved nothing in the place of a payment is no failure of the payment: its number is gone', async () => {
  const idle: Attempt = { ...attempt, transaction: { ...attempt.transaction, hash: 'b', details: { idle: true } } }
  const half = {
    outcome: async (_: unknown, __: unknown, of: readonly { readonly hash: string }[]) => {
      const failed = of.find(({ hash }) => hash === 'b')
      return failed === undefined ? { status: 'pending' } : { status: 'reverted', transaction: 'b' }
    },
  }
  const lane = { outbids: () => 1, isGone: async () => true }
  const route = { half, chain: {}, laneBy: () => lane } as never as Route
  const options = { ...rest, journal: {} as never as Journal, isAlone: () => true, means: undefined }
  const effects = createEffects('0x03', request, route, options)
  const record = { ...sent, attempts: [attempt, idle] }
  expect(await effects({ do: 'look' }, { record })).toMatchObject({ chain: { status: 'pending' }, gone: true })
})

test('D33 what is signed for again has as long as at first to wait for what earlier payments take', async () => {
  let now = 1000
  const half = {
    verify: async (_: unknown, __: unknown, { reserved = 0n }: { reserved?: bigint }) => ({ ok: reserved === 0n }),
  }
  const lane = { signer: '0x0f', expect: () => () => {}, forget() {} }
  const journal = { closed: async () => sent, means: async () => ({ reserved: 7n, undone: 0 }) } as never as Journal
  const effects = createEffects(
    '0x03',
    request,
    { half, chain: {}, laneOf: () => lane, laneBy: () => lane } as never as Route,
    {
      ...{ ...rest, journal, isAlone: () => true, means: undefined, clock: () => now },
    },
  )
  const check = () => effects({ do: 'check' }, { record: sent })
  now += 10_000
  expect(await check()).toMatchObject({ verdict: { ok: false } })
  await effects({ do: 'close', attempt, as: 'void' }, { record: sent })
  now += 9999
  expect(await check()).toMatchObject({ crowded: true })
  now += 1
  expect(await check()).toMatchObject({ verdict: { ok: false } })
})

/** A payment of 7 by a payer who has so much on chain, and earlier payments in blocks that are not deep; the node has these blocks. */
function beside(mined: readonly Block[], balance: () => bigint, blocks: (number: bigint, turn: number) => string) {
  const asked: bigint[] = []
  const signed: unknown[] = []
  const half = {
    async verify(_: unknown, __: unknown, { reserved = 0n }: { reserved?: bigint }) {
      return balance() >= 7n + reserved ? { ok: true } : { ok: false, code: 'insufficient_funds' }
    },
    prepare: async () => ({}),
  }
  const chain = {
    async blockHash(number: bigint) {
      asked.push(number)
      return blocks(number, asked.filter((each) => each === number).length)
    },
  }
  const lane = {
    signer: '0x0f',
    expect: () => () => {},
    async sign(each: unknown) {
      signed.push(each)
      return 'late'
    },
  }
  const means = { reserved: mined.reduce((sum, { amount }) => sum + amount, 0n), mined, undone: 0 }
  const effects = createEffects('0x03', request, { half, chain, laneOf: () => lane } as never as Route, {
    ...{ ...rest, journal: {} as never as Journal, isAlone: () => true, means },
  })
  return { asked, signed, check: () => effects({ do: 'check' }, { record: claimed }) }
}

type Block = { readonly blockNumber: bigint; readonly blockHash: string; readonly amount: bigint }

const blockOf = (blockNumber: bigint): Block => ({ blockNumber, blockHash: `0x${blockNumber}`, amount: 7n })
const standing = (number: bigint) => `0x${number}`

test('INV-11 what a payer has is asked at no block before that in which another replica has seen it pay', async () => {
  const asked: unknown[] = []
  const half = {
    async verify(_: unknown, __: unknown, { since }: { since?: bigint }) {
      asked.push(since)
      return { ok: false, code: 'invalid_payload' }
    },
  }
  const lane = { signer: '0x0f', expect: () => () => {} }
  const means = { reserved: 0n, mined: [blockOf(4n)], moved: 9n, undone: 0 }
  const effects = createEffects('0x03', request, { half, chain: {}, laneOf: () => lane } as never as Route, {
    ...{ ...rest, journal: {} as never as Journal, isAlone: () => true, means },
  })
  await effects({ do: 'check' }, { record: claimed })
  expect(asked).toEqual([9n])
})

test('INV-11 a payer with exactly enough goes on when the node has the blocks in which the rest went, each of which is asked for once', async () => {
  const mined = [blockOf(4n), blockOf(5n), blockOf(4n), blockOf(4n)]
  const { asked, signed, check } = beside(mined, () => 7n, standing)
  await check()
  expect(signed).toHaveLength(1)
  // Before the money is looked at, and after.
  expect(asked).toEqual([4n, 5n, 4n, 5n])
})

test('INV-11 a payer with enough for everything is believed without a look at blocks', async () => {
  const { asked, signed, check } = beside([blockOf(4n)], () => 14n, standing)
  await check()
  expect([asked, signed.length]).toEqual([[], 1])
})

test('INV-11 A14 a block that is undone while the money is looked at has taken nothing from it: the payment waits', async () => {
  const { signed, check } = beside(
    [blockOf(4n), blockOf(5n)],
    () => 14n,
    (number, turn) => (turn > 1 && number === 5n ? '0xother' : standing(number)),
  )
  expect(await check()).toMatchObject({ crowded: true })
  expect(signed).toEqual([])
})

test('INV-11 nobody asks after blocks for a payment that is bad in itself', async () => {
  const { asked, check } = beside([blockOf(4n)], () => 6n, standing)
  expect(await check()).toMatchObject({ verdict: { ok: false, code: 'insufficient_funds' } })
  expect(asked).toEqual([])
})

test.each([
  ['a payment of it', { do: 'settle', evidence: { blockNumber: 7n } }, undefined],
  ['a payment of it, in a block that is not deep enough', { do: 'mine', evidence: { blockNumber: 7n } }, undefined],
  ['a transaction of it that failed', { do: 'close', attempt, as: 'failed' }, { status: 'reverted', blockNumber: 7n }],
] as const)(
  'INV-11 what a payer has is asked at no block before that of %s, and a node that is behind is waited for',
  async (_, step, chain) => {
    let now = 1000
    let isLate = true
    const asked: unknown[] = []
    const half = {
      async verify(__: unknown, ___: unknown, { since }: { since?: bigint }) {
        asked.push(since)
        if (isLate) throw new X402Error('rpc_invalid_answer')
        return { ok: false, code: 'invalid_payload' }
      },
    }
    const lane = { signer: '0x0f', expect: () => () => {}, forget() {}, leave() {} }
    const journal = {
      ...{ closed: async () => sent, settled: async () => sent, load: async () => sent },
      means: async () => ({ reserved: 0n, undone: 0 }),
    } as never as Journal
    const clock = () => now
    const moves = createMoves(clock, () => 60_000)
    const route = { half, chain: {}, laneOf: () => lane, laneBy: () => lane } as never as Route
    const effectsOf = () =>
      createEffects('0x03', request, route, {
        ...{ ...rest, clock, moves, journal, isAlone: () => true, means: undefined },
      })
    await effectsOf()(step as never, { record: sent, ...(chain && { chain: chain as never }) })
    // Another payment of the same payer.
    const effects = effectsOf()
    expect(await effects({ do: 'check' }, { record: claimed })).toMatchObject({ crowded: true })
    isLate = false
    expect(await effects({ do: 'check' }, { record: claimed })).toMatchObject({ verdict: { code: 'invalid_payload' } })
    isLate = true
    now += 10_000
    await expect(effects({ do: 'check' }, { record: claimed })).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
    expect(asked).toEqual([7n, 7n, 7n])
  },
)

/** A payment whose only transaction has failed, and what the chain says of it: without that transaction, and of that transaction. */
function failedOnce(without: ChainOutcome, ofIt: ChainOutcome, { latest = 7n } = {}) {
  const transaction = { hash: 'a', signer: 's', nonce: 0n, raw: '' }
  const record = { ...claimed, state: 'sent', attempts: [{ transaction, slot: 's 0', status: 'failed' }] } as const
  const half = {
    outcome: async (_: unknown, __: unknown, sent: readonly unknown[]) => (sent.length === 0 ? without : ofIt),
  }
  const chain = { head: async () => ({ latest, safe: 0n, final: 0n }) }
  const lane = { outbids: () => 0, isGone: async () => false }
  const effects = createEffects('0x03', request, { half, chain, laneBy: () => lane } as never as Route, {
    ...{ ...rest, finality: () => 3, journal: {} as Journal, isAlone: () => true, means: undefined },
  })
  return effects({ do: 'look' }, { record })
}

const evidence = { transaction: 'a', logIndex: 0, blockNumber: 7n, blockHash: 'b', amount: 7n }
const refusal = refuse('payment_expired')

test('INV-9 what has failed is looked at as well: its block may be undone, and then it lands after all', async () => {
  const settled = { status: 'settled', ...evidence } as const
  for (const without of [{ status: 'pending' }, { status: 'dead', refusal }] as const) {
    expect(await failedOnce(without, settled)).toMatchObject({ chain: settled })
  }
})

test('INV-9 what dies with its last transaction lives until the block of that failure is deep', async () => {
  const reverted = { status: 'reverted', transaction: 'a', blockNumber: 7n, refusal } as const
  const dead = { status: 'dead', refusal } as const
  expect(await failedOnce(dead, reverted)).toMatchObject({ chain: { status: 'pending', alone: true } })
  expect(await failedOnce(dead, reverted, { latest: 9n })).toMatchObject({ chain: dead })
  expect(await failedOnce({ status: 'pending' }, reverted)).toMatchObject({ chain: { status: 'pending' } })
})
