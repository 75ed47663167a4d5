import type { KeyAccount } from './account.js'
import { type Address, parseAddress, recoverAddress } from './address.js'
import type { CryptoEngine } from './crypto/engine.js'
import { formatHex, type Hex, parseHex } from './hex.js'

/** A transaction with a base fee and a tip (EIP-1559). Amounts in wei, fees in wei per gas. */
export type Transaction = {
  readonly chainId: bigint
  readonly nonce: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly maxFeePerGas: bigint
  readonly gas: bigint
  readonly to: Address
  readonly data: Hex
}

/**
 * Signs a transaction: the bytes to send and the hash they will be known by.
 * Throws a `TypeError` when the account signs with another key than its address's.
 *
 * @example
 * const { raw, hash } = await signTransaction(engine, transaction, account)
 */
export async function signTransaction(
  engine: CryptoEngine,
  transaction: Transaction,
  account: KeyAccount,
): Promise<{ readonly raw: Hex; readonly hash: Hex }> {
  const { chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gas, to, data } = transaction
  const fields = [chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gas].map(rlpInteger)
  // No value, and an empty access list.
  fields.push(rlpBytes(to.slice(2)), rlpInteger(0n), rlpBytes(data.slice(2)), rlpList([]))
  const digest = engine.keccak256(bytesOf(`0x02${rlpList(fields)}`))
  const signature = await account.signDigest(digest)
  if (recoverAddress(engine, digest, signature) !== parseAddress(account.address)) {
    throw new TypeError(`the account ${account.address} signed with another key`)
  }
  const part = (from: number, to: number) => rlpInteger(BigInt(formatHex(signature.subarray(from, to))))
  const signed = [...fields, rlpInteger(BigInt((signature[64] ?? 0) - 27)), part(0, 32), part(32, 64)]
  const raw: Hex = `0x02${rlpList(signed)}`
  return { raw, hash: formatHex(engine.keccak256(bytesOf(raw))) }
}

// RLP over hexadecimal digits without `0x`.

function rlpInteger(value: bigint): string {
  const digits = value === 0n ? '' : value.toString(16)
  return rlpBytes(digits.length % 2 === 0 ? digits : `0${digits}`)
}

function rlpBytes(digits: string): string {
  return digits.length === 2 && Number.parseInt(digits, 16) < 0x80 ? digits : rlpLength(0x80, digits) + digits
}

function rlpList(items: readonly string[]): string {
  const digits = items.join('')
  return rlpLength(0xc0, digits) + digits
}

function rlpLength(base: number, digits: string): string {
  const length = digits.length / 2
  if (length < 56) return (base + length).toString(16)
  const text = length.toString(16)
  const even = text.length % 2 === 0 ? text : `0${text}`
  return (base + 55 + even.length / 2).toString(16) + even
}

/** The digits above are ours, so they are digits. */
function bytesOf(hex: Hex): Uint8Array {
  return parseHex(hex) ?? new Uint8Array()
}
