import { assetByTicker, type FacilitatorRequest, network, type Settlement, systemRandom } from '@groat/core'
import { batchEvm } from '@groat/evm/batch-settlement/facilitator'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { uptoEvm as payer, privateKeyAccount } from '@groat/evm/upto/client'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { sqlExposures } from '@groat/evm/upto/facilitator/sql'
import { uptoEvm as seller } from '@groat/evm/upto/server'
import { openStore, type Store } from '@groat/store'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../store/test/embedded-postgres.js'
import type { FacilitatorService } from '../src/index.js'
import type { JournalTables } from '../src/journal/tables.js'
import { settlingChain, useFacilitator } from './chain-kit.js'
import { payIn } from './hostile/payments.js'

// One signed ceiling, and one purse, at two replicas at once: on one PostgreSQL, on one chain.

const on = useFacilitator()
const usdc = assetByTicker(network('base-sepolia'), 'USDC')!
const CEILING = 50_000n
let server: EmbeddedPostgres
let stores: Store[] = []
let replicas: FacilitatorService[] = []

beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
beforeEach(async () => {
  await on.approvePermit2('payer')
  const url = await server.database()
  stores = await Promise.all([1, 2].map(() => openStore(url)))
  replicas = []
  for (const store of stores) {
    const chains = [await settlingChain(on.chain.rpcUrl, ['facilitator'])]
    const schemes = [
      uptoEvm({ chains, exposures: await sqlExposures(store) }),
      exactEvm({ chains }),
      batchEvm({ chains }),
    ]
    replicas.push(await on.serve({ store, schemes, settleTimeout: 5_000 }))
  }
})
afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()))
  for (const store of stores) await store.close()
})
afterAll(() => server?.remove())

async function sign(amount = CEILING): Promise<FacilitatorRequest> {
  const kind = { x402Version: 2, scheme: 'upto', network: usdc.network } as const
  const extra = { facilitatorAddress: on.chain.account('facilitator').address }
  const terms = { network: usdc.network, asset: usdc, amount, maxTimeoutSeconds: 120, kind, extra }
  const requirements = seller.offer({ ...terms, payTo: on.chain.account('seller').address })
  const context = { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 120 }
  const prepared = payer({ account: privateKeyAccount(on.chain.account('payer').privateKey) }).prepare(
    requirements,
    context,
  )
  if (!prepared.ok) throw new Error(prepared.code)
  const { scheme, network: where } = requirements
  const payload = await prepared.sign()
  return { requirements, payment: { x402Version: 2, scheme, network: where, accepted: requirements, payload } }
}

const charging = (request: FacilitatorRequest, amount: bigint): FacilitatorRequest => ({
  ...request,
  requirements: { ...request.requirements, amount },
})
const at = (i: number) => replicas[i % replicas.length]!
const moved = async () => (await on.chain.balance(on.chain.account('seller').address)) - on.before

/** Until nobody answers that it is not known yet. */
async function ended(i: number, request: FacilitatorRequest): Promise<Settlement> {
  for (;;) {
    const answer = await at(i).settle(request)
    if (answer.status !== 'unknown') return answer
  }
}

test('EVM-UPTO-054 EVM-UPTO-051 of 64 who charge one ceiling nothing, a part, all or more, at two replicas, one is heard', async () => {
  for (const first of [0n, 1n]) {
    const before = await moved()
    const request = await sign()
    expect(await at(0).verify(request)).toMatchObject({ ok: true })
    const amounts = [first, 0n, 7n, CEILING, CEILING + 1n]
    const asked = Array.from({ length: 64 }, (_, i) => amounts[i % amounts.length]!)
    const answers = await Promise.all(asked.map((amount, i) => ended(i, charging(request, amount))))
    const charged = new Set(answers.flatMap((each) => (each.status === 'settled' ? String(each.receipt.amount) : [])))
    expect(charged.size).toBe(1)
    const [amount] = charged
    expect((await moved()) - before).toBe(BigInt(amount ?? -1))
    // Whoever asked for something else was told so, and none of it is there to be had later.
    expect(answers.every((each, i) => each.status !== 'settled' || String(asked[i]) === amount)).toBe(true)
    for (const i of [0, 1]) expect(await at(i).settle(charging(request, 9n))).toMatchObject({ status: 'refused' })
    expect((await moved()) - before).toBe(BigInt(amount ?? -1))
  }
})

test('EVM-UPTO-045 of 32 ceilings that are verified at two replicas at once no more are open than the purse covers', async () => {
  const purse = await on.chain.balance(on.chain.account('payer').address)
  const requests = await Promise.all(Array.from({ length: 32 }, () => sign(purse / 3n)))
  const verdicts = await Promise.all(requests.map((request, i) => at(i).verify(request)))
  const good = verdicts.filter(({ ok }) => ok).length
  expect(good).toBeGreaterThan(0)
  expect(good).toBeLessThanOrEqual(3)
})

test('INV-11 exact, upto and a deposit of one payer at once: who comes too late costs no gas, and the books are those of the chain', async () => {
  const purse = await on.chain.balance(on.chain.account('payer').address)
  const half = purse / 2n + 1n
  const batch = on.chain.contracts.x402BatchSettlement.address
  const requests = [
    await payIn('exact by EIP-3009', on.chain, usdc, half),
    await payIn('exact by Permit2', on.chain, usdc, half),
    await payIn('a deposit by EIP-3009', on.chain, usdc, half),
    await payIn('a deposit by Permit2', on.chain, usdc, half),
    await sign(half),
  ]
  await on.chain.setIntervalMining(1)
  const before = await on.chain.balance(batch)
  const answers = await Promise.all(requests.map((request, i) => at(i).settle(request)))
  expect(answers.filter(({ status }) => status === 'settled')).toHaveLength(1)
  expect((await moved()) + (await on.chain.balance(batch)) - before).toBe(half)
  const failed = await stores[0]!
    .withTables<JournalTables>()
    .db.selectFrom('attempt')
    .select('hash')
    .where('status', '=', 'failed')
    .execute()
  expect(failed).toEqual([])
})
