import { check, type JsonObject, parseAtomic, type Refusal, refuse } from '@groat/core'
import type { TypedData } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import { defineStruct, domainSeparator, type Eip712Domain, typedDataDigest } from '../crypto/eip712.js'
import { isCanonicalSignature } from '../crypto/engine.js'
import { parseSignature } from '../crypto/signature.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex, type Hex } from '../hex.js'
import { PERMIT2 } from '../permit2/contracts.js'
import { sponsoredInfo } from './info.js'
import { Eip2612Info } from './schema.shapes.js'

/** The extension's key. */
export const EIP2612_GAS_SPONSORING = 'eip2612GasSponsoring'

/** A permit as the proxies take it. */
export type Eip2612Permit = {
  readonly value: bigint
  /** Seconds since 1970. */
  readonly deadline: bigint
  readonly r: Hex
  readonly s: Hex
  readonly v: bigint
}

/** What a payment needs Permit2 to be allowed. */
export type AllowanceNeeded = {
  readonly payer: Address
  readonly token: Address
  /** Atomic units: what the Permit2 signature permits. */
  readonly amount: bigint
}

/** Seconds of life that a permit must have left. */
const MIN_REMAINING_SECONDS = 6

/**
 * The permit that a payment brings along, `undefined` when it brings none, or why it is not one for this payment (GAS-PERMIT-010 to 016).
 * Its signature and nonce are the token's affair: a permit that somebody else handed in first has done its work.
 *
 * Refuses `invalid_eip2612_extension_format`, `eip2612_from_mismatch`, `eip2612_asset_mismatch`, `eip2612_spender_not_permit2`,
 * `permit2_2612_amount_mismatch` and `eip2612_deadline_expired`. `now` in milliseconds.
 *
 * @example
 * const permit = readEip2612(payment.extensions, { payer, token, amount }, clock())
 */
export function readEip2612(
  extensions: JsonObject | undefined,
  { payer, token, amount }: AllowanceNeeded,
  now: number,
): Eip2612Permit | Refusal | undefined {
  const info = sponsoredInfo(extensions, EIP2612_GAS_SPONSORING, 'signature')
  if (info === undefined) return undefined
  const wire = check(Eip2612Info, info)
  const signature = wire.ok ? parseSignature(wire.value.signature) : undefined
  const [value, deadline] = wire.ok ? [wire.value.amount, wire.value.deadline].map(parseAtomic) : []
  if (!wire.ok || signature === undefined || value === undefined || deadline === undefined) {
    return refuse('invalid_eip2612_extension_format')
  }
  // Tokens take one form of a signature; another would only use up gas.
  if (!isCanonicalSignature(signature)) return refuse('invalid_eip2612_extension_format', 'signature')
  if (parseAddress(wire.value.from) !== payer) return refuse('eip2612_from_mismatch')
  if (parseAddress(wire.value.asset) !== token) return refuse('eip2612_asset_mismatch')
  if (parseAddress(wire.value.spender) !== PERMIT2) return refuse('eip2612_spender_not_permit2')
  if (value !== amount) return refuse('permit2_2612_amount_mismatch')
  if (deadline < BigInt(Math.floor(now / 1000) + MIN_REMAINING_SECONDS)) return refuse('eip2612_deadline_expired')
  const [r, s] = [formatHex(signature.subarray(0, 32)), formatHex(signature.subarray(32, 64))]
  return { value, deadline, r, s, v: BigInt(signature[64] ?? 0) }
}

/** What an owner of tokens signs under EIP-2612. */
export type PermitMessage = {
  readonly owner: Address
  readonly spender: Address
  /** Atomic units. */
  readonly value: bigint
  /** The owner's next one, as the token counts them. */
  readonly nonce: bigint
  /** Seconds since 1970. */
  readonly deadline: bigint
}

/**
 * The digest of a permit, under the token's own domain.
 *
 * @example
 * permitDigest(nobleEngine, domain, { owner, spender: PERMIT2, value, nonce, deadline }) // 32 bytes
 */
export function permitDigest(engine: SigningEngine, domain: Eip712Domain, message: PermitMessage): Uint8Array {
  const { owner, spender, value, nonce, deadline } = message
  const struct = hashPermit(engine, owner, spender, value, nonce, deadline)
  return typedDataDigest(engine, domainSeparator(engine, domain), struct)
}

/** The same as typed data, for wallets that show what they sign. */
export function permitTypedData(domain: Eip712Domain, message: PermitMessage): TypedData {
  return {
    domain: { ...domain, chainId: Number(domain.chainId) },
    types: { Permit: FIELDS },
    primaryType: 'Permit',
    message,
  }
}

const FIELDS = [
  { name: 'owner', type: 'address' },
  { name: 'spender', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'nonce', type: 'uint256' },
  { name: 'deadline', type: 'uint256' },
] as const

const hashPermit = defineStruct<[owner: Address, spender: Address, value: bigint, nonce: bigint, deadline: bigint]>(
  `Permit(${FIELDS.map(({ name, type }) => `${type} ${name}`).join(',')})`,
)
