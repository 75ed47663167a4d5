import {
  assetByTicker,
  type ChainTransfer,
  type Facilitator,
  type FacilitatorRequest,
  network,
  type Pid,
  paymentId,
  refuse,
  type SchemeClient,
  type SchemeServer,
  type Settlement,
  type TransferReader,
  X402Error,
} from '@groat/core'
import { openMemoryStore } from '@groat/store'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLedger } from '../ledger/ledger.js'
import { createRefunds, type Refunds } from './refunds.js'

const chainId = network('base-sepolia')
const usdc = assetByTicker(chainId, 'USDC')?.address ?? ''
const start = 1_800_000_000_000
const scheme = { name: 'exact', family: 'eip155' } as const

/** What the world may do with one question to the facilitator, whatever it then says of it. */
type Fate = {
  readonly lands: 'now' | 'later' | 'never'
  readonly says: 'truth' | 'unknown' | 'refused' | 'nothing'
  /** The process dies before it hears the answer. */
  readonly dies: boolean
}

/** A chain, a facilitator that may do anything but let one signature land twice, and a clock. */
function createWorld(fates: Iterator<Fate>) {
  let now = start
  let kill = () => {}
  const landed = new Map<string, ChainTransfer & { readonly to: string }>()
  const held = new Map<string, { readonly to: string; readonly amount: bigint; readonly until: number }>()
  const idOf = ({ payment }: FacilitatorRequest) => String(payment.payload.nonce)
  const land = (id: string): void => {
    const one = held.get(id)
    // No signature lands twice, and none after its time.
    if (one === undefined || landed.has(id) || now / 1000 > one.until) return
    landed.set(id, { transaction: `0x${id}`, index: landed.size, from: '0xrefunds', to: one.to, amount: one.amount })
  }
  const client: SchemeClient = {
    scheme,
    payer: () => '0xrefunds',
    asset: () => undefined,
    prepare: (offer, { clock, random, maxLifetimeSeconds }) => {
      const nonce = Buffer.from(random(16)).toString('hex')
      const expiresAt = Math.floor(clock() / 1000) + maxLifetimeSeconds
      return {
        ok: true,
        pid: paymentId([chainId, nonce]),
        payer: '0xrefunds',
        amount: offer.amount,
        allowance: 0n,
        expiresAt,
        preview: {},
        sign: async () => ({ nonce, to: offer.payTo, value: offer.amount.toString(), until: expiresAt }),
      }
    },
  }
  const server: SchemeServer = {
    scheme,
    offer: ({ network: on, asset, amount, payTo, maxTimeoutSeconds }) => ({
      ...{ scheme: 'exact', network: on, asset: asset.address, amount, payTo, maxTimeoutSeconds, extra: {} },
    }),
    inspect: () => refuse('invalid_payload'),
  }
  const facilitator: Facilitator = {
    verify: async () => refuse('invalid_payload'),
    supported: async () => ({
      kinds: [{ x402Version: 2, scheme: 'exact', network: chainId }],
      extensions: [],
      signers: {},
    }),
    async settle(request): Promise<Settlement> {
      const fate: Fate = fates.next().value
      const id = idOf(request)
      const { to, value, until } = request.payment.payload as { to: string; value: string; until: number }
      held.set(id, { to, amount: BigInt(value), until })
      if (fate.lands === 'now') land(id)
      if (fate.dies) {
        kill()
        return new Promise(() => {})
      }
      if (fate.says === 'nothing') throw new X402Error('facilitator_unreachable')
      if (fate.says === 'refused') return { status: 'refused', ...refuse('invalid_exact_evm_insufficient_balance') }
      const transfer = landed.get(id)
      if (fate.says === 'unknown' || transfer === undefined) return { status: 'unknown', retryAfter: 1 }
      return { status: 'settled', receipt: { payer: '0xrefunds', network: chainId, transaction: transfer.transaction } }
    },
  }
  const reader: TransferReader = {
    network: chainId,
    isOver: async (_, expiresAt) => now / 1000 > expiresAt,
    brought: async (transaction) => [{ transaction, index: 0, amount: 1_000n }],
    received: async (_, account) => [...landed.values()].filter(({ to }) => to === account),
  }
  return {
    ...{ client, server, facilitator, reader, landed, land },
    clock: () => now,
    /** Does something, until it is done or the process dies over it. Tells whether it died. */
    run: (work: () => Promise<unknown>): Promise<boolean> =>
      new Promise((resolve, reject) => {
        kill = () => resolve(true)
        work().then(() => resolve(false), reject)
      }),
    pass: (ms: number) => {
      now += ms
    },
    /** Signatures that somebody else still has, and may hand in. */
    open: () => [...held.keys()].filter((id) => !landed.has(id)),
  }
}

const fate = fc.record<Fate>({
  lands: fc.constantFrom('now', 'later', 'never'),
  says: fc.constantFrom('truth', 'truth', 'unknown', 'refused', 'nothing'),
  dies: fc.boolean(),
})

type Step = { readonly type: 'work' | 'pass' | 'land' | 'ask' | 'approve'; readonly n: number }
const steps = fc.array(
  fc.record<Step>({ type: fc.constantFrom('work', 'work', 'pass', 'land', 'ask', 'approve'), n: fc.nat({ max: 2 }) }),
  { minLength: 5, maxLength: 30 },
)

test('SRV-065 whatever a facilitator does and whenever processes die: one refund at most for a payment, never above it, only to its payer', async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.infiniteStream(fate),
      fc.bigInt({ min: 1n, max: 1_500n }),
      async (plan, fates, amount) => {
        const world = createWorld(fates)
        const store = await openMemoryStore({ clock: world.clock })
        const ledger = await createLedger(store)
        const open = (): Promise<Refunds> =>
          createRefunds({
            ...{ ledger, facilitator: world.facilitator, clock: world.clock },
            ...{ pays: [world.client], sells: [world.server], readers: [world.reader], approveAbove: '$0.0005' },
          })
        let refunds = [await open(), await open()]
        const pids = [0, 1, 2].map((n): Pid => paymentId([chainId, String(n)]))
        // Two payments of one payer, alike to the unit, and one of another.
        const payers = ['0xann', '0xann', '0xbob']
        await store.withTables<never>().transaction(async (trx) => {
          for (const [n, pid] of pids.entries()) {
            const more = { route: 'r', resource: 'r', scheme: 'exact', network: chainId, asset: usdc, payTo: '0xshop' }
            const sale = { pid, ...more, payer: payers[n] ?? '', amount: 1_000n, at: start }
            await ledger.book.settled(trx as never, sale, { payer: '', network: chainId, transaction: `0xpaid${n}` })
          }
        })
        const work = async (n: number): Promise<void> => {
          // A death forgets everything but the database; its lease runs out.
          const died = await world.run(async () => refunds[n % 2]?.step())
          if (!died) return
          refunds = [await open(), await open()]
          world.pass(121_000)
        }
        for (const { type, n } of plan) {
          const pid = pids[n] ?? paymentId(['none'])
          if (type === 'work') await work(n)
          else if (type === 'pass') world.pass([1_000, 61_000, 1_000_000][n] ?? 0)
          else if (type === 'land') for (const id of world.open()) world.land(id)
          else if (type === 'ask')
            await refunds[0]?.ask({ pid, amount, reason: 'r', by: ['ann', 'bob', 'cy'][n] ?? '' })
          else await refunds[1]?.approve(pid, ['bob', 'bob', 'ann'][n] ?? '')
        }
        for (let i = 0; i < 6; i++) await work(i)

        const known = await refunds[0]?.list()
        const given = [...world.landed.values()]
        for (const payer of ['0xann', '0xbob', '0xshop', '0xrefunds']) {
          const asked = (known ?? []).filter(
            (each) => each.payer === payer && each.state !== 'asked' && each.state !== 'rejected',
          )
          const got = given.filter(({ to }) => to === payer)
          expect(got.length).toBeLessThanOrEqual(asked.length)
          expect(got.every((each) => each.amount === amount && each.amount <= 1_000n)).toBe(true)
          expect(asked.filter(({ state }) => state === 'settled').length).toBeLessThanOrEqual(got.length)
          // Above the limit two people have agreed.
          expect(
            asked.every(
              (each) => amount <= 500n || (each.approvedBy !== undefined && each.approvedBy !== each.askedBy),
            ),
          ).toBe(true)
        }
        await store.close()
      },
    ),
    { numRuns: 25 },
  )
}, 60_000)
