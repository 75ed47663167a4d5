import { isJsonObject, type Json, type JsonObject, networkFamily, type PaymentPayload } from '@groat/core'
import { decodeBase64, decodeTransaction, programs } from '@groat/svm/wire'

/**
 * What a payment has drawn, in hex, out of the place where its scheme writes a nonce that the payer signs: the nonce of EIP-3009 and of Permit2 (32 bytes), the memo on Solana
 * (16 bytes). `undefined` where a scheme has no such place, or uses it for something else, and where a payload could be read in two ways: only one of them is signed.
 *
 * @example
 * drawnBy(payment) // '9f86d081…'
 */
export function drawnBy({ scheme, network, payload }: PaymentPayload): string | undefined {
  if (!SCHEMES.includes(scheme)) return undefined
  return networkFamily(network) === 'solana' ? memoOf(payload) : nonceOf(payload)
}

/** The schemes whose first draw is the nonce. */
const SCHEMES: readonly string[] = ['exact', 'upto']

/** What payments on EVM chains are made by; the last has no nonce. */
const METHODS = ['authorization', 'permit2Authorization', 'delegationManager'] as const

function nonceOf(payload: JsonObject): string | undefined {
  // Schemes take the method by the member that is there, and never look at what else is.
  if (METHODS.filter((name) => Object.hasOwn(payload, name)).length !== 1) return undefined
  const { authorization, permit2Authorization } = payload
  const nonce = memberOf(authorization, 'nonce')
  if (typeof nonce === 'string') return /^0x[0-9a-fA-F]{64}$/.test(nonce) ? nonce.slice(2).toLowerCase() : undefined
  const number = memberOf(permit2Authorization, 'nonce')
  if (typeof number !== 'string' || !/^(0|[1-9][0-9]{0,77})$/.test(number)) return undefined
  return BigInt(number).toString(16).padStart(64, '0')
}

function memoOf({ transaction }: JsonObject): string | undefined {
  const bytes = typeof transaction === 'string' ? decodeBase64(transaction) : undefined
  const decoded = bytes && decodeTransaction(bytes)
  if (decoded === undefined || typeof decoded === 'string') return undefined
  const { keys, instructions } = decoded.message
  const memos = instructions.filter(({ program }) => isSame(keys[program], programs.memo))
  const [memo] = memos
  if (memo === undefined || memos.length !== 1) return undefined
  const text = new TextDecoder().decode(memo.data)
  return /^[0-9a-f]{32}$/.test(text) ? text : undefined
}

const memberOf = (value: Json | undefined, name: string): Json | undefined =>
  isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined

const isSame = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
  a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i])
