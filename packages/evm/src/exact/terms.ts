import {
  type ErrorCode,
  type InspectContext,
  type Inspection,
  judgeAccepted,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  type Refusal,
  refuse,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { exactOnEvm } from './eip3009.js'

/** A way in which `exact` moves a token on EVM chains. */
export type MethodName = (typeof METHODS)[number]

const METHODS = ['eip3009', 'permit2', 'erc7710'] as const

/** Between whom and where money moves by these terms. */
export type Places = { readonly chainId: bigint; readonly token: Address; readonly payTo: Address }

/** What a payment would do, in whatever way it is signed. */
export type Claim = {
  readonly pid: Pid
  readonly payer: Address
  readonly to: Address
  /** Atomic units. */
  readonly amount: bigint
  /** Seconds since 1970. */
  readonly validAfter: bigint
  /** Seconds since 1970 after which it cannot be settled. */
  readonly expiresAt: bigint
}

/** In which words a method refuses. */
export type ClaimCodes = Readonly<Record<'recipient' | 'late' | 'early' | 'lifetime' | 'amount', ErrorCode>>

/** Seconds that must remain at the least: below that nothing reaches a block in time. */
export const MIN_REMAINING_SECONDS = 6

/** Seconds by which the clocks of payer and reader may differ. */
const CLOCK_ALLOWANCE_SECONDS = 60n

/** From here on some tokens read times as block numbers. */
const MAX_TIME = 1n << 40n

/**
 * The method that terms name: EIP-3009 where they name none (EVM-EXACT-005), `undefined` for one that is not known here.
 *
 * @example
 * methodOf(offer) // 'permit2'
 */
export function methodOf({ extra }: PaymentRequirements): MethodName | undefined {
  const { assetTransferMethod = 'eip3009' } = extra
  return METHODS.find((method) => method === assetTransferMethod)
}

/**
 * Whether payment and terms are of `exact`, and both of this method.
 * Refuses `invalid_exact_evm_scheme` and `unsupported_transfer_method`.
 */
export function judgeMethod(
  method: MethodName,
  { scheme, accepted, payload }: PaymentPayload,
  terms: PaymentRequirements,
): Refusal | undefined {
  const schemes = [scheme, terms.scheme, accepted?.scheme ?? exactOnEvm.name]
  if (schemes.some((name) => name !== exactOnEvm.name)) return refuse('invalid_exact_evm_scheme')
  const signed = 'permit2Authorization' in payload ? 'permit2' : 'delegationManager' in payload ? 'erc7710' : 'eip3009'
  const agreed = signed === method && methodOf(terms) === method && (!accepted || methodOf(accepted) === method)
  return agreed ? undefined : refuse('unsupported_transfer_method')
}

/**
 * The places of terms, and whether the payment is for them. Refuses `invalid_exact_evm_network_mismatch`, `invalid_network`,
 * `invalid_payment_requirements` and `no_matching_requirements`.
 */
export function readPlaces({ network, accepted }: PaymentPayload, terms: PaymentRequirements): Places | Refusal {
  if (network !== terms.network || (accepted && accepted.network !== terms.network)) {
    return refuse('invalid_exact_evm_network_mismatch')
  }
  const chainId = chainIdOf(terms.network)
  if (chainId === undefined) return refuse('invalid_network')
  const token = parseAddress(terms.asset)
  if (token === undefined) return refuse('invalid_payment_requirements', 'asset')
  const payTo = parseAddress(terms.payTo)
  if (payTo === undefined) return refuse('invalid_payment_requirements', 'payTo')
  if (terms.amount < 1n) return refuse('invalid_payment_requirements', 'amount')
  return judgeAccepted(accepted, terms) ?? { chainId, token, payTo }
}

/** Judges a claim by its terms and the clock. */
export function inspectClaim(
  claim: Claim,
  terms: PaymentRequirements,
  now: InspectContext,
  codes: ClaimCodes,
): Inspection {
  const { pid, payer } = claim
  const good = { ok: true, pid, payer, expiresAt: Number(claim.expiresAt) } as const
  const code = judgeClaim(claim, terms, now, codes)
  if (code === undefined) return good
  if (code !== codes.late || !wasGood(claim, terms, codes)) return { ...refuse(code), payer }
  return { ...refuse(code), payer, late: good }
}

/** Whether nothing spoke against it when it had just so much life left as a payment must have. */
function wasGood(claim: Claim, terms: PaymentRequirements, codes: ClaimCodes): boolean {
  const now = (Number(claim.expiresAt) - MIN_REMAINING_SECONDS) * 1000
  return judgeClaim(claim, terms, { now }, codes) === undefined
}

function judgeClaim(
  { to, amount, validAfter, expiresAt }: Claim,
  terms: PaymentRequirements,
  { now, minRemainingSeconds = 0 }: InspectContext,
  codes: ClaimCodes,
): ErrorCode | undefined {
  const seconds = BigInt(Math.floor(now / 1000))
  const remaining = BigInt(Math.ceil(Math.max(minRemainingSeconds, MIN_REMAINING_SECONDS)))
  const life = BigInt(Math.ceil(Math.min(terms.maxTimeoutSeconds, Number(MAX_TIME))))
  if (to !== parseAddress(terms.payTo)) return codes.recipient
  if (expiresAt < seconds + remaining) return codes.late
  if (validAfter > seconds) return codes.early
  if (expiresAt > seconds + life + CLOCK_ALLOWANCE_SECONDS || expiresAt >= MAX_TIME) return codes.lifetime
  return amount === terms.amount ? undefined : codes.amount
}

/**
 * Reading of a payment by its terms, remembered per payment, since every step of a settlement reads it again.
 *
 * @example
 * export const readExact = remembered(readParts)
 */
export function remembered<T>(
  read: (payment: PaymentPayload, terms: PaymentRequirements) => T,
): (payment: PaymentPayload, terms: PaymentRequirements) => T {
  const lastRead = new WeakMap<PaymentPayload, { readonly terms: PaymentRequirements; readonly result: T }>()
  return (payment, terms) => {
    const known = lastRead.get(payment)
    if (known?.terms === terms) return known.result
    const result = read(payment, terms)
    lastRead.set(payment, { terms, result })
    return result
  }
}

/**
 * Whether a text is an account that can be paid in a token: an address, and neither zero nor the token itself.
 *
 * @example
 * isPayable('0x7099…79C8', token) // true
 */
export function isPayable(payTo: string, token: Address): boolean {
  const address = parseAddress(payTo)
  return address !== undefined && address !== token && BigInt(address) !== 0n
}
