import { assetByAddress, isJsonObject, type PaymentRequirements, type Refusal, refuse } from '@groat/core'
import { readMemo } from '../exact/terms.js'
import { isSvmNetwork } from '../network.js'
import { type Key, parseAddress } from '../wire/address.js'
import { MAX_U64 } from '../wire/bytes.js'
import { programs } from '../wire/programs.js'
import { tokenProgramName } from '../wire/token.js'

/** What an offer of a channel asks for, as bytes. */
export type UptoTerms = {
  readonly ok: true
  readonly mint: Key
  readonly payTo: Key
  /** Atomic units: the ceiling. */
  readonly amount: bigint
  readonly feePayer: Key
  /** Whose vouchers count. */
  readonly receiverAuthorizer: Key
  /** Seconds. */
  readonly withdrawDelay: number
  readonly tokenProgram: Key
  readonly memo?: Uint8Array
  /** A slot of just now. */
  readonly recentSlot?: bigint
  readonly maxTimeoutSeconds: number
}

/** Seconds that a channel may be open at the longest. */
export const MAX_LIFETIME_SECONDS = 3_600

/**
 * The parts of an offer that a channel is held against. Refuses `invalid_network` and `invalid_payment_requirements`, which names the part.
 *
 * @example
 * const terms = readUptoTerms(offer)
 */
export function readUptoTerms(offer: PaymentRequirements): UptoTerms | Refusal {
  const { network, asset, payTo, amount, maxTimeoutSeconds } = offer
  const extra = isJsonObject(offer.extra) ? offer.extra : {}
  if (!isSvmNetwork(network)) return refuse('invalid_network')
  const [mint, payee] = [parseAddress(asset), parseAddress(payTo)]
  const [feePayer, receiverAuthorizer] = [keyOf(extra.feePayer), keyOf(extra.receiverAuthorizer)]
  if (mint === undefined) return malformed('asset')
  if (payee === undefined) return malformed('payTo')
  if (amount < 1n || amount > MAX_U64) return malformed('amount')
  if (feePayer === undefined) return malformed('extra.feePayer')
  if (receiverAuthorizer === undefined) return malformed('extra.receiverAuthorizer')
  const { withdrawDelay } = extra
  if (
    typeof withdrawDelay !== 'number' ||
    !Number.isInteger(withdrawDelay) ||
    withdrawDelay < 1 ||
    withdrawDelay >= 2 ** 32
  ) {
    return malformed('extra.withdrawDelay')
  }
  const tokenProgram = tokenProgramOf(offer)
  if (tokenProgram === undefined) return malformed('extra.tokenProgram')
  const memo = readMemo(extra)
  if (memo === 'malformed') return malformed('extra.memo')
  const recentSlot = extra.recentSlot === undefined ? undefined : parseSlot(extra.recentSlot)
  if (extra.recentSlot !== undefined && recentSlot === undefined) return malformed('extra.recentSlot')
  if (!(maxTimeoutSeconds >= 1 && maxTimeoutSeconds <= MAX_LIFETIME_SECONDS)) return malformed('maxTimeoutSeconds')
  return {
    ...{ ok: true, mint, payTo: payee, amount, feePayer, receiverAuthorizer, withdrawDelay, tokenProgram },
    ...{ maxTimeoutSeconds },
    ...(memo === undefined ? {} : { memo }),
    ...(recentSlot === undefined ? {} : { recentSlot }),
  }
}

/**
 * A slot, from a number or from decimal text; `undefined` for anything else.
 *
 * @example
 * parseSlot('341000000') // 341000000n
 */
export function parseSlot(slot: unknown): bigint | undefined {
  if (typeof slot === 'number') return Number.isSafeInteger(slot) && slot >= 0 ? BigInt(slot) : undefined
  if (typeof slot !== 'string' || !/^(?:0|[1-9][0-9]{0,19})$/.test(slot)) return undefined
  return BigInt(slot) <= MAX_U64 ? BigInt(slot) : undefined
}

/** What the offer says, or what everybody knows of the token. */
function tokenProgramOf({ network, asset, extra }: PaymentRequirements): Key | undefined {
  if (extra.tokenProgram !== undefined) {
    const named = keyOf(extra.tokenProgram)
    return named && tokenProgramName(named) ? named : undefined
  }
  const known = assetByAddress(network, asset)?.transfer
  if (known === 'spl') return programs.token
  return known === 'spl-2022' ? programs.token2022 : undefined
}

const keyOf = (value: unknown) => (typeof value === 'string' ? parseAddress(value) : undefined)
const malformed = (part: string) => refuse('invalid_payment_requirements', part)
