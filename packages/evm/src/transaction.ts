import type { KeyAccount } from './account.js'
import { type Address, parseAddress, recoverAddress } from './address.js'
import type { CryptoEngine } from './crypto/engine.js'
import type { SigningEngine } from './crypto/signing.js'
import { formatHex, type Hex, parseHex } from './hex.js'

/**
 * A transaction with a base fee and a tip (EIP-1559), and one that sets code where it carries authorizations (EIP-7702). Amounts in wei, fees in
 * wei per gas.
 */
export type Transaction = {
  readonly chainId: bigint
  readonly nonce: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly maxFeePerGas: bigint
  readonly gas: bigint
  readonly to: Address
  /** Wei; none unless told. */
  readonly value?: bigint
  readonly data: Hex
  readonly authorizations?: readonly [SignedAuthorization, ...SignedAuthorization[]]
}

/** An account's word that the code at an address is its own from now on; at the zero address, that it has none (EIP-7702). */
export type Authorization = {
  readonly chainId: bigint
  readonly address: Address
  /** The account's at the time; of the account that sends it too, the one after the transaction's. */
  readonly nonce: bigint
}

/** The same with r, s and v (27 or 28) of the account. */
export type SignedAuthorization = Authorization & { readonly signature: Uint8Array }

/** A transaction as it travels: who signed it is in the signature. */
export type ParsedTransaction = {
  readonly transaction: Transaction & { readonly value: bigint }
  readonly digest: Uint8Array
  /** r, s and v (27 or 28). */
  readonly signature: Uint8Array
  /** What it will be known by. */
  readonly hash: Hex
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
  const payload = payloadOf(transaction)
  const signature = await signedBy(engine, digestOf(engine, payload), account)
  const raw = rawOf(payload, signature)
  return { raw, hash: formatHex(engine.keccak256(bytesOf(raw))) }
}

/**
 * Signs that an account has the code at an address from now on, or, at the zero address, none.
 * Throws a `TypeError` when the account signs with another key than its address's.
 *
 * @example
 * const authorization = await signAuthorization(engine, { chainId: 84532n, address: delegate, nonce: nonce + 1n }, account)
 */
export async function signAuthorization(
  engine: CryptoEngine,
  authorization: Authorization,
  account: KeyAccount,
): Promise<SignedAuthorization> {
  const digest = engine.keccak256(bytesOf(`0x05${rlpList(authorizationFields(authorization))}`))
  return { ...authorization, signature: await signedBy(engine, digest, account) }
}

async function signedBy(engine: CryptoEngine, digest: Uint8Array, account: KeyAccount): Promise<Uint8Array> {
  const signature = await account.signDigest(digest)
  if (recoverAddress(engine, digest, signature) === parseAddress(account.address)) return signature
  throw new TypeError(`the account ${account.address} signed with another key`)
}

/**
 * Reads a signed EIP-1559 transaction without an access list, in its one spelling; `undefined` when it is anything else.
 *
 * @example
 * parseTransaction(engine, raw)?.transaction.nonce
 */
export function parseTransaction(engine: SigningEngine, raw: string): ParsedTransaction | undefined {
  const bytes = parseHex(raw)
  if (bytes === undefined || bytes.length > MAX_TRANSACTION_BYTES || bytes[0] !== 2) return undefined
  const items = listItems(bytes.subarray(1))
  if (items?.length !== 12) return undefined
  const [chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gas, to, value, data, accessList, parity, r, s] = items
  const address = to && parseAddress(formatHex(to))
  if (address === undefined || data === undefined || accessList?.length !== 0) return undefined
  const integer = (item: Uint8Array | undefined) => BigInt(item?.length ? formatHex(item) : 0)
  const transaction = {
    chainId: integer(chainId),
    nonce: integer(nonce),
    maxPriorityFeePerGas: integer(maxPriorityFeePerGas),
    maxFeePerGas: integer(maxFeePerGas),
    gas: integer(gas),
    to: address,
    value: integer(value),
    data: formatHex(data),
  }
  const [high, low, bit] = [integer(r), integer(s), integer(parity)]
  if (high >> 256n !== 0n || low >> 256n !== 0n || bit > 1n) return undefined
  const word = (part: bigint) => part.toString(16).padStart(64, '0')
  const signature = bytesOf(`0x${word(high)}${word(low)}${(27n + bit).toString(16)}`)
  const payload = payloadOf(transaction)
  // Written again it must be the same: zeros before a number and lengths in disguise are other spellings.
  if (rawOf(payload, signature) !== formatHex(bytes)) return undefined
  return { transaction, digest: digestOf(engine, payload), signature, hash: formatHex(engine.keccak256(bytes)) }
}

/** An approval has about 180. */
const MAX_TRANSACTION_BYTES = 1024

/** What is signed: the type's byte, and the fields. */
type Payload = { readonly type: '02' | '04'; readonly fields: readonly string[] }

function payloadOf(transaction: Transaction): Payload {
  const { chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gas, to, value = 0n, data, authorizations } = transaction
  const numbers = [chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gas].map(rlpInteger)
  // The last is an empty access list.
  const fields = [...numbers, rlpBytes(to.slice(2)), rlpInteger(value), rlpBytes(data.slice(2)), rlpList([])]
  if (authorizations === undefined) return { type: '02', fields }
  const signed = authorizations.map((each) =>
    rlpList([...authorizationFields(each), ...signatureFields(each.signature)]),
  )
  return { type: '04', fields: [...fields, rlpList(signed)] }
}

const authorizationFields = ({ chainId, address, nonce }: Authorization): readonly string[] => [
  rlpInteger(chainId),
  rlpBytes(address.slice(2)),
  rlpInteger(nonce),
]

function digestOf(engine: SigningEngine, { type, fields }: Payload): Uint8Array {
  return engine.keccak256(bytesOf(`0x${type}${rlpList(fields)}`))
}

function rawOf({ type, fields }: Payload, signature: Uint8Array): Hex {
  return `0x${type}${rlpList([...fields, ...signatureFields(signature)])}`
}

function signatureFields(signature: Uint8Array): readonly string[] {
  const part = (from: number, to: number) => rlpInteger(BigInt(formatHex(signature.subarray(from, to))))
  return [rlpInteger(BigInt((signature[64] ?? 0) - 27)), part(0, 32), part(32, 64)]
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

/** The payloads of the items of one list that is all there is; `undefined` when it is not that. */
function listItems(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const list = itemAt(bytes, 0)
  if (list === undefined || !list.isList || list.end !== bytes.length) return undefined
  const items: Uint8Array[] = []
  for (let at = list.start; at < list.end; ) {
    const item = itemAt(bytes, at)
    if (item === undefined || item.end > list.end) return undefined
    items.push(bytes.subarray(item.start, item.end))
    at = item.end
  }
  return items
}

type Item = { readonly start: number; readonly end: number; readonly isList: boolean }

function itemAt(bytes: Uint8Array, at: number): Item | undefined {
  const first = bytes[at]
  if (first === undefined) return undefined
  const isList = first >= 0xc0
  if (first < 0x80) return { start: at, end: at + 1, isList }
  const size = first - (isList ? 0xc0 : 0x80)
  const lengthBytes = Math.max(0, size - 55)
  if (lengthBytes > 2) return undefined
  let length = size
  if (lengthBytes > 0) {
    length = 0
    for (let i = 1; i <= lengthBytes; i++) length = length * 256 + (bytes[at + i] ?? 0)
  }
  const start = at + 1 + lengthBytes
  return start + length <= bytes.length ? { start, end: start + length, isList } : undefined
}
