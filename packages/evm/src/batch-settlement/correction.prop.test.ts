import { encodeChallenge, type JsonObject, type PaymentRequirements, type Pid } from '@groat/core'
import { openMemoryStore } from '@groat/store'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchOfferOf } from '../../testing/batch.js'
import { PAYER_KEY } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { nobleEngine } from '../crypto/index.js'
import { batchEvm, createMemoryChannels, type PayerChannels } from './client.js'
import { sqlChannels } from './client-channels.js'

// A seller that says what it likes of a channel, before a payment and after it. Whatever it says, the payer never has two deposits out that could
// both be made, and no voucher out for more than it has counted as spent.

/** What the seller claims of the channel; `voucher` picks one of the payer's own. */
const arbLie = fc.record({
  charged: fc.integer({ min: -1_000, max: 4_000 }),
  balance: fc.integer({ min: 0, max: 20_000 }),
  voucher: fc.nat({ max: 20 }),
})
const arbStep = fc.record({
  told: fc.option(arbLie, { nil: undefined }),
  answer: fc.constantFrom('settled', 'refused', 'corrected', 'lost'),
  correction: arbLie,
  takes: fc.nat({ max: 100 }),
  seconds: fc.constantFrom(0, 1, 30, 200),
})

test('EVM-BATCH-017 EVM-BATCH-016 EVM-BATCH-019 no seller gets a second deposit while the first may still be made, nor a voucher for what was not counted', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbStep, { minLength: 2, maxLength: 10 }), async (steps) => {
      let now = 2_000_000_000
      let seed = 0
      const channels = createMemoryChannels()
      const payer = batchEvm({ account: privateKeyAccount(PAYER_KEY), engine: nobleEngine, channels })
      const vouchers: { max: bigint; signature: string }[] = []
      const deposits = new Map<Pid, number>()
      let counted = 0n
      const extraOf = ({ charged, balance, voucher }: typeof arbLie extends fc.Arbitrary<infer T> ? T : never) => {
        const own = vouchers[voucher % Math.max(1, vouchers.length)]
        if (own === undefined) return {}
        const total = own.max + BigInt(charged)
        return {
          channelState: { chargedCumulativeAmount: `${total < 0n ? 0n : total}`, balance: `${balance}` },
          voucherState: { signedMaxClaimable: `${own.max}`, signature: own.signature },
        }
      }
      const withExtra = (extra: JsonObject): PaymentRequirements => {
        const offer = batchOfferOf()
        return { ...offer, extra: { ...offer.extra, ...extra } }
      }
      for (const { told, answer, correction, takes, seconds } of steps) {
        now += seconds
        const offer = withExtra(told === undefined ? {} : extraOf(told))
        const random = (length: number) => new Uint8Array(length).fill(++seed)
        const prepared = await payer.prepare(offer, { clock: () => now * 1000, random, maxLifetimeSeconds: 100 })
        if (!prepared.ok) {
          expect(prepared.code).toBe('payment_unresolved')
          continue
        }
        const payload = await prepared.sign()
        const { maxClaimableAmount, signature } = payload.voucher as { maxClaimableAmount: string; signature: string }
        vouchers.push({ max: BigInt(maxClaimableAmount), signature })
        if (payload.type === 'deposit') deposits.set(prepared.pid, prepared.expiresAt)
        counted += prepared.amount
        const alive = [...deposits.values()].filter((until) => until >= now)
        expect(alive.length).toBeLessThanOrEqual(1)
        expect(vouchers.every(({ max }) => max <= counted)).toBe(true)

        const { network, asset, payTo } = offer
        if (answer === 'settled') {
          deposits.delete(prepared.pid)
          const chargedAmount = `${(offer.amount * BigInt(takes)) / 100n}`
          const receipt = { payer: prepared.payer, network, transaction: '', extra: { chargedAmount } }
          await payer.settled?.(prepared.pid, receipt)
        } else if (answer === 'corrected') {
          const refusal = encodeChallenge({
            accepts: [withExtra(extraOf(correction))],
            resource: { url: 'https://shop.example/a' },
          })
          const end = await payer.corrected?.(
            { pid: prepared.pid, network, asset, payTo },
            (name) => refusal.headers[name] ?? null,
          )
          // Nobody can take anything by it: another voucher of the payer's says as much.
          if (end === 'void') {
            counted -= prepared.amount
            expect(payload.type).toBe('voucher')
          }
        }
      }
    }),
    { numRuns: 60, endOnFailure: true },
  )
})

/** First payments of several processes that share what they remember, in any order of their steps. */
async function firstPayments(channels: PayerChannels, count: number, scheduler: fc.Scheduler): Promise<void> {
  const slow: PayerChannels = {
    get: (id) => scheduler.schedule(channels.get(id), 'get'),
    change: (id, next) => scheduler.schedule(Promise.resolve(), 'change').then(() => channels.change(id, next)),
    list: () => channels.list(),
  }
  const signed = Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const payer = batchEvm({ account: privateKeyAccount(PAYER_KEY), engine: nobleEngine, channels: slow })
      const random = (length: number) => new Uint8Array(length).fill(index + 1)
      const prepared = await payer.prepare(batchOfferOf(), {
        ...{ clock: () => 2_000_000_000_000, random, maxLifetimeSeconds: 100 },
      })
      if (!prepared.ok) return prepared.code
      return prepared.sign().then(
        ({ type }) => type,
        ({ code }) => code,
      )
    }),
  )
  await scheduler.waitFor(signed)
  const ends = await signed
  expect(ends.filter((end) => end === 'deposit')).toHaveLength(1)
  for (const end of ends) expect(['deposit', 'payment_in_flight', 'payment_unresolved']).toContain(end)
}

describe('EVM-BATCH-017 of first payments that are made at once one deposits', () => {
  const arbCount = fc.integer({ min: 2, max: 4 })

  test('in the memory of one process', async () => {
    await fc.assert(
      fc.asyncProperty(arbCount, fc.scheduler(), (count, scheduler) =>
        firstPayments(createMemoryChannels(), count, scheduler),
      ),
      { numRuns: 60, endOnFailure: true },
    )
  })

  test('and over one database', async () => {
    await fc.assert(
      fc.asyncProperty(arbCount, fc.scheduler(), async (count, scheduler) => {
        const store = await openMemoryStore()
        try {
          await firstPayments(await sqlChannels(store), count, scheduler)
        } finally {
          await store.close()
        }
      }),
      { numRuns: 10, endOnFailure: true },
    )
  })
})
