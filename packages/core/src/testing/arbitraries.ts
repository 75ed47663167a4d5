import * as fc from 'fast-check'
import type { JsonObject } from '../model/json.js'
import { MAX_ATOMIC } from '../model/money.js'
import { type Network, network } from '../model/network.js'
import type { PaymentPayload, PaymentRequirements } from '../model/payment.js'

/** Atomic amounts from 0 to 2^256 - 1, biased to the edges. */
export const arbAtomic: fc.Arbitrary<bigint> = fc.oneof(
  fc.bigInt({ min: 0n, max: MAX_ATOMIC }),
  fc.constantFrom(0n, 1n, 999_999n, 1_000_000n, MAX_ATOMIC - 1n, MAX_ATOMIC),
)

/** Lower-case EVM addresses. */
export const arbAddress: fc.Arbitrary<string> = arbHex(20)

/** Networks that both versions can name. */
export const arbNetwork: fc.Arbitrary<Network> = fc.constantFrom(
  network('base'),
  network('base-sepolia'),
  network('solana'),
)

/** Objects that hold any JSON, without the member names that JavaScript treats specially. */
export const arbObject: fc.Arbitrary<JsonObject> = fc
  .dictionary(
    fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
    fc.jsonValue({ maxDepth: 2 }),
    { maxKeys: 4 },
  )
  // A JSON round trip settles -0 and prototype-less objects, which no wire can carry.
  .map((object) => JSON.parse(JSON.stringify(object)))

/** Offers as a seller makes them. */
export const arbOffer: fc.Arbitrary<PaymentRequirements> = fc.record({
  scheme: fc.constantFrom('exact', 'upto'),
  network: arbNetwork,
  amount: arbAtomic,
  asset: arbAddress,
  payTo: arbAddress,
  maxTimeoutSeconds: fc.integer({ min: 1, max: 86_400 }),
  extra: arbObject,
})

/** Payments of version 2 for an offer. */
export function arbPayment(offer: PaymentRequirements): fc.Arbitrary<PaymentPayload> {
  return arbObject.map((payload) => ({
    x402Version: 2,
    scheme: offer.scheme,
    network: offer.network,
    accepted: offer,
    payload,
  }))
}

/** `0x` and that many random bytes. */
export function arbHex(bytes: number): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((array) => `0x${Array.from(array, (byte) => byte.toString(16).padStart(2, '0')).join('')}`)
}
