import { assetByTicker, network, type PaymentRequirements, paymentId, type SchemeClient } from '@groat/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseSpending, type SpendingPolicy } from './buyer/spending-policy.js'
import { type ChooseInput, choose } from './choose.js'

const url = new URL('https://api.example/weather')
const usdc = assetByTicker(network('base'), 'USDC')!
const usdcOnPolygon = assetByTicker(network('polygon'), 'USDC')!
const megaUsd = assetByTicker(network('megaeth'), 'MegaUSD')!

test('CLI-025 G12 the cheapest offer is chosen, wherever it stands and whatever its decimals', async () => {
  const accepts = [
    offer(usdc, 9_000n),
    offer(megaUsd, 8_000_000_000_000_001n),
    offer(usdcOnPolygon, 8_000n),
    offer(usdc, 8_001n),
  ]
  expect(await chosen(accepts)).toEqual(['eip155:137', 8_000n])
  expect(await chosen([...accepts].reverse())).toEqual(['eip155:137', 8_000n])
})

test('G17 a token with 18 decimals is not priced as if it had 6', async () => {
  expect(await chosen([offer(megaUsd, 1_000_000n)])).toEqual(['eip155:4326', 1_000_000n])
  expect(await chosen([offer(megaUsd, 100_000_000_000_000_001n)])).toBe('amount_over_limit')
})

test('offers of one value are taken in the order of schemes, then of networks, then as they stand', async () => {
  const accepts = [offer(usdc, 5n), offer(usdcOnPolygon, 5n), offer(usdcOnPolygon, 5n, 'other')]
  expect(await chosen(accepts, {}, [half('exact'), half('other')])).toEqual(['eip155:8453', 5n])
  expect(await chosen(accepts, { networks: ['polygon', 'base'] }, [half('exact'), half('other')])).toEqual([
    'eip155:137',
    5n,
  ])
  expect(await choose(input(accepts, {}, [half('other'), half('exact')]))).toMatchObject({ offer: { scheme: 'other' } })
})

test('CL-5 CLI-025 what a payment costs on top decides with its amount, and counts in no limit', async () => {
  const accepts = [offer(usdc, 5_000n), offer(usdcOnPolygon, 6_000n)]
  expect(await chosen(accepts)).toEqual(['eip155:8453', 5_000n])
  expect(await chosen(accepts, { fees: { base: '$0.0011' } })).toEqual(['eip155:137', 6_000n])
  expect(await chosen(accepts, { fees: { base: '$0.0011', 'eip155:137': '$0.0002' } })).toEqual(['eip155:8453', 5_000n])
  expect(await chosen(accepts.slice(0, 1), { perPayment: '$0.005', fees: { base: '$7' } })).toEqual([
    'eip155:8453',
    5_000n,
  ])
  expect(() => parseSpending({ fees: { base: '1 EURC' } })).toThrow(/policy.fees.base/)
  expect(() => parseSpending({ fees: { nowhere: '$1' } })).toThrow()
})

test('CL-5 CLI-025 law: nothing that may be paid costs less than what is chosen, and the order of the list changes nothing', () => {
  const assets = [usdc, usdcOnPolygon, megaUsd]
  const arbOffer = fc.record({ at: fc.nat(2), cents: fc.nat(2_000) })
  const arbFees = fc.record({ base: fc.nat(1_000), polygon: fc.nat(1_000), megaeth: fc.nat(1_000) })
  const network = ['base', 'polygon', 'megaeth'] as const
  return fc.assert(
    fc.asyncProperty(fc.array(arbOffer, { minLength: 1, maxLength: 8 }), arbFees, async (made, fees) => {
      const accepts = made.map(({ at, cents }) => {
        const asset = assets[at]!
        return offer(asset, BigInt(cents) * 10n ** BigInt(asset.decimals - 4))
      })
      const policy = { perPayment: '$1', fees: mapped(fees) }
      const cost = ({ at, cents }: { at: number; cents: number }) => cents + fees[network[at]!]
      const least = Math.min(...made.map(cost))
      for (const list of [accepts, [...accepts].reverse()]) {
        const choice = await choose(input(list, policy))
        if (!choice.ok) throw new Error(choice.code)
        expect(cost(made[accepts.indexOf(choice.offer)]!)).toBe(least)
      }
    }),
    { numRuns: 60 },
  )
})

/** Ten-thousandths of a dollar, as a policy writes them. */
function mapped(fees: Record<string, number>): Record<string, string> {
  return Object.fromEntries(Object.entries(fees).map(([name, units]) => [name, `$${(units / 10_000).toFixed(4)}`]))
}

test('CORE-092 of offers of one cost the one that is settled after the work is taken', async () => {
  const early = { ...offer(usdc, 5n), extra: { ...offer(usdc, 5n).extra, paymentFlow: 'escrow' } }
  const flowing = { ...half('exact'), flows: ['escrow'] as const }
  const flowOf = async (...accepts: PaymentRequirements[]) => {
    const choice = await choose(input(accepts, {}, [flowing]))
    return choice.ok ? choice.offer.extra.paymentFlow : choice.code
  }
  expect(await flowOf(early, offer(usdc, 5n))).toBe(undefined)
  expect(await flowOf(early, offer(usdc, 6n))).toBe('escrow')
})

test('an offer that its scheme cannot prepare gives way to the next', async () => {
  const accepts = [offer(usdc, 1n), offer(usdcOnPolygon, 2n)]
  const picky = half('exact', (of) => of.network === 'eip155:8453')
  expect(await choose(input(accepts, {}, [picky]))).toMatchObject({
    ok: true,
    offer: { network: 'eip155:137' },
    refusals: [{ rule: 'scheme', code: 'domain_mismatch', offer: { network: 'eip155:8453' } }],
  })
})

test('a scheme without an account on the network does not hide one that has it', async () => {
  const poor: SchemeClient = { ...half('exact'), payer: () => undefined }
  expect(await chosen([offer(usdc, 1n)], {}, [poor, half('exact')])).toEqual(['eip155:8453', 1n])
  expect(await chosen([offer(usdc, 1n)], {}, [poor])).toBe('missing_scheme')
})

test('only the chosen offer costs randomness', async () => {
  let drawn = 0
  const random = (bytes: number) => {
    drawn++
    return new Uint8Array(bytes)
  }
  await choose({ ...input([offer(usdc, 3n), offer(usdc, 2n), offer(usdc, 1n)]), random })
  expect(drawn).toBe(1)
})

async function chosen(
  accepts: readonly PaymentRequirements[],
  policy?: SpendingPolicy,
  schemes?: readonly SchemeClient[],
) {
  const choice = await choose(input(accepts, policy, schemes))
  return choice.ok ? [choice.offer.network, choice.offer.amount] : choice.code
}

function input(
  accepts: readonly PaymentRequirements[],
  policy: SpendingPolicy = {},
  schemes: readonly SchemeClient[] = [half('exact')],
): ChooseInput {
  return {
    challenge: { x402Version: 2, accepts },
    schemes,
    policy: parseSpending(policy).policy,
    requested: url,
    challenged: url,
    clock: () => 0,
    random: (bytes) => new Uint8Array(bytes),
  }
}

function offer(asset: typeof usdc, amount: bigint, scheme = 'exact'): PaymentRequirements {
  const { network, address } = asset
  return { scheme, network, amount, asset: address, payTo: '0x11', maxTimeoutSeconds: 60, extra: {} }
}

function half(name: string, refuses: (offer: PaymentRequirements) => boolean = () => false): SchemeClient {
  return {
    scheme: { name, family: 'eip155' },
    payer: () => '0x22',
    asset: (of) =>
      [usdc, usdcOnPolygon, megaUsd].find(({ network, address }) => network === of.network && address === of.asset),
    prepare(of, { random }) {
      if (refuses(of)) return { ok: false, code: 'domain_mismatch' }
      const nonce = Buffer.from(random(32)).toString('hex')
      const { amount } = of
      return {
        ok: true,
        pid: paymentId([nonce]),
        payer: '0x22',
        amount,
        allowance: 0n,
        expiresAt: 60,
        preview: {},
        sign: async () => ({}),
      }
    },
  }
}
