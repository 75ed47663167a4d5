import { assetByAddress, defaultAssets, type JsonObject, MAX_ATOMIC, network, sameAddress } from '@groat/core'
import { arbAddress, arbAtomic, arbObject } from '@groat/core/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPayer, type Policy } from '../src/index.js'
import { rawChallenge, type Seller, startSeller } from './support/seller.js'
import { PAYER, type Signature, spyScheme } from './support/spy-scheme.js'

const NOW = 1_700_000_000_000
const networks = ['base', 'base-sepolia', 'celo', 'megaeth'].map(network)
const assets = networks.flatMap((of) => defaultAssets(of))
const recipients = [PAYER, '0xAbCdEfAbCdEfAbCdEfAbCdEfAbCdEfAbCdEfAbCd']

/** Near the limit, where mistakes live, as well as anywhere. */
const arbAmount = fc.oneof(
  fc.bigInt({ min: 0n, max: 200_000n }).map(String),
  fc.bigInt({ min: 0n, max: 2n * 10n ** 17n }).map(String),
  arbAtomic.map(String),
  fc.constantFrom('-1', '1e2', '01', '', '0x1', (MAX_ATOMIC + 1n).toString()),
)

/** A good offer with a few members replaced: close enough to be signed, different enough to be refused. */
const arbWireOffer: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.constantFrom(...assets),
    fc.constantFrom(...recipients),
    arbAmount,
    fc.record({
      scheme: fc.constantFrom('upto', 'EXACT'),
      network: fc.constantFrom<string>(...networks, 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp', 'base'),
      asset: arbAddress,
      payTo: arbAddress,
      maxTimeoutSeconds: fc.oneof(
        fc.integer({ min: -1, max: 1_000 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
      ),
      extra: fc.oneof(arbObject, fc.constantFrom({ paymentFlow: 'authorization' }, { paymentFlow: 'escrow' })),
    }),
    fc.subarray(['scheme', 'network', 'asset', 'payTo', 'maxTimeoutSeconds', 'extra'] as const, { maxLength: 2 }),
  )
  .map(([asset, payTo, amount, strange, replaced]) => ({
    scheme: 'exact',
    network: asset.network,
    asset: asset.address,
    payTo,
    amount,
    maxTimeoutSeconds: 300,
    extra: {},
    ...Object.fromEntries(replaced.map((member) => [member, strange[member]])),
  }))

const arbPolicy: fc.Arbitrary<Policy> = fc
  .tuple(
    fc.record({
      perPayment: fc.constantFrom('$0', '$0.01', '$0.0000001', '1', '$1000000000000'),
      recipients: fc.subarray(recipients),
      networks: fc.subarray<string>(networks),
      schemes: fc.subarray(['exact', 'upto']),
      maxLifetimeSeconds: fc.integer({ min: 1, max: 700 }),
      origins: fc.constantFrom([], ['http://127.0.0.1:1'], ['HERE']),
      resource: fc.constantFrom('path' as const, 'origin' as const, 'any' as const),
      allowance: fc.constantFrom('exact', '$0', '$0.05', '$2', 'unlimited'),
    }),
    fc.subarray(
      [
        ...(['perPayment', 'recipients', 'networks', 'schemes', 'maxLifetimeSeconds', 'origins', 'resource'] as const),
        'allowance' as const,
      ],
      { maxLength: 3 },
    ),
  )
  .map(([strict, said]) => Object.fromEntries(said.map((member) => [member, strict[member]])))

const arbResource = fc.option(
  fc.constantFrom('/weather', '/report', 'https://bank.example/weather', 'http://[', '//127.0.0.1/weather', 'data:x'),
  { nil: undefined, freq: 1 },
)

/** What a payment lets contracts take, as multiples of what it costs, near the limits and far above them; `most`: as much as the policy says. */
const arbGrant = fc.oneof(
  { weight: 3, arbitrary: fc.constant('payment' as const) },
  fc.constant('most' as const),
  fc.constantFrom(0n, 1n, 50_000n, 2_000_001n, MAX_ATOMIC),
)

test('CLI-002 INV-14 nothing outside the policy is ever signed, for any challenge', async () => {
  let wire: unknown
  const seller = await startSeller(({ payment }) => (payment === undefined ? rawChallenge(wire) : { body: 'sunny' }))
  let signatures = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(arbWireOffer, arbObject), { minLength: 1, maxLength: 4 }),
      arbPolicy,
      arbResource,
      fc.boolean(),
      arbGrant,
      async (accepts, chosen, resource, clamps, grant) => {
        wire = { x402Version: 2, accepts, ...(resource && { resource: { url: resource } }) }
        const origins = chosen.origins?.map((origin) => (origin === 'HERE' ? seller.origin : origin))
        const policy = { ...chosen, ...(origins && { origins }) }
        const scheme = spyScheme({
          clamps,
          allowance: (amount, most = amount) =>
            grant === 'payment' ? amount : grant === 'most' ? most : amount + grant,
        })
        const payer = createPayer({ schemes: [scheme], policy, clock: () => NOW })

        const response = await payer.fetch(seller.url)

        expect(scheme.signed.length).toBe(response.status === 200 ? 1 : 0)
        for (const signature of scheme.signed) expect(breach(signature, policy, seller, resource)).toEqual([])
        signatures += scheme.signed.length
      },
    ),
    { numRuns: 400 },
  )
  // The law would hold for a payer that never pays: it must have had something to hold for.
  expect(signatures).toBeGreaterThan(20)
})

/** What a signature breaks, told without any of the code under test. */
function breach(
  { offer, amount, allowance, expiresAt }: Signature,
  policy: Policy,
  seller: Seller,
  resource?: string,
): string[] {
  const asset = assetByAddress(offer.network, offer.asset)
  const limit = Number((policy.perPayment ?? '$0.10').replace('$', ''))
  const approved = policy.allowance ?? 'exact'
  const mostApproved =
    approved === 'unlimited' ? Number.POSITIVE_INFINITY : approved === 'exact' ? Number.NaN : Number(approved.slice(1))
  const flow = offer.extra.paymentFlow ?? 'authorization'
  const allowed: Record<string, boolean> = {
    asset: asset !== undefined,
    amount: amount === 0n || Number(amount) / 10 ** (asset?.decimals ?? 0) <= limit * (1 + 1e-12),
    allowance: allowance <= amount || Number(allowance) / 10 ** (asset?.decimals ?? 0) <= mostApproved * (1 + 1e-12),
    lifetime: expiresAt - NOW / 1000 <= (policy.maxLifetimeSeconds ?? 600) + 1,
    network: policy.networks?.includes(offer.network) ?? true,
    scheme: offer.scheme === 'exact' && (policy.schemes?.includes('exact') ?? true),
    flow: flow === 'authorization',
    recipient: policy.recipients?.some((to) => sameAddress(to, offer.payTo)) ?? true,
    origin: policy.origins?.includes(seller.origin) ?? true,
    resource:
      policy.resource === 'any' ||
      resource === undefined ||
      resource === '/weather' ||
      (policy.resource === 'origin' && resource === '/report'),
  }
  return Object.keys(allowed).filter((rule) => !allowed[rule])
}
