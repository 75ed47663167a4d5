import type { Key } from './address.js'

/** One instruction of a message. Accounts and program are indexes into the message's keys. */
export type Instruction = {
  readonly program: number
  readonly accounts: Uint8Array
  readonly data: Uint8Array
}

/** Keys that a message takes from a table on chain. They stand after the message's own: all writable ones first, then the others. */
export type Lookup = { readonly table: Key; readonly writable: Uint8Array; readonly readonly: Uint8Array }

/** A message that reads as the runtime would read it. */
export type Message = {
  readonly version: 'legacy' | 0
  readonly requiredSignatures: number
  readonly readonlySigned: number
  readonly readonlyUnsigned: number
  /** The keys that stand in the message itself; the first pays the fee, the first `requiredSignatures` sign. */
  readonly keys: readonly Key[]
  readonly blockhash: Uint8Array
  readonly instructions: readonly Instruction[]
  readonly lookups: readonly Lookup[]
  /** What is signed. */
  readonly bytes: Uint8Array
}

/** A transaction as it travels: the signatures in the order of the keys, zeros where one is missing. */
export type Transaction = { readonly signatures: readonly Uint8Array[]; readonly message: Message }

/** Why bytes are no transaction that is read here. */
export type Unreadable = 'malformed' | 'unsupported_version'

/** The most bytes that a transaction has on the wire. */
export const MAX_TRANSACTION_BYTES = 1232

/**
 * Reads a legacy or version 0 transaction by the rules of the runtime: one spelling for lengths, every index in range, no key twice, nothing
 * left over. Never throws. The bytes are not copied.
 *
 * @example
 * const transaction = decodeTransaction(bytes)
 * if (typeof transaction === 'string') return refuse('invalid_exact_svm_payload_transaction_could_not_be_decoded')
 */
export function decodeTransaction(bytes: Uint8Array): Transaction | Unreadable {
  if (bytes.length > MAX_TRANSACTION_BYTES) return 'malformed'
  // Here stands the number of signatures, of which 1232 bytes hold 19; from version 1 on a transaction begins with its version.
  if ((bytes[0] ?? 0) >= VERSION_BIT) return 'unsupported_version'
  try {
    const reader = createReader(bytes)
    const signatures = reader.list(() => reader.take(SIGNATURE_BYTES))
    const message = readMessage(reader, bytes.subarray(reader.at()))
    if (message === 'unsupported_version') return message
    return message.requiredSignatures === signatures.length ? { signatures, message } : 'malformed'
  } catch (error) {
    if (error === MALFORMED) return 'malformed'
    throw error
  }
}

const SIGNATURE_BYTES = 64
const KEY_BYTES = 32
const VERSION_BIT = 0x80
const MAX_KEYS = 256
/** Thrown inside this file only: a reader that has to ask after every byte reads worse. */
const MALFORMED = Symbol('malformed')

function readMessage(reader: Reader, bytes: Uint8Array): Message | 'unsupported_version' {
  const first = bytes[0] ?? 0
  if (first > VERSION_BIT) return 'unsupported_version'
  const version = first === VERSION_BIT ? 0 : 'legacy'
  if (version === 0) reader.byte()
  const [requiredSignatures, readonlySigned, readonlyUnsigned] = [reader.byte(), reader.byte(), reader.byte()]
  const keys = reader.list(() => reader.take(KEY_BYTES))
  const blockhash = reader.take(KEY_BYTES)
  const instructions = reader.list(() => ({ program: reader.byte(), accounts: reader.bytes(), data: reader.bytes() }))
  const lookups =
    version === 0
      ? reader.list(() => ({ table: reader.take(KEY_BYTES), writable: reader.bytes(), readonly: reader.bytes() }))
      : []
  reader.end()
  const message = {
    requiredSignatures,
    readonlySigned,
    readonlyUnsigned,
    keys,
    blockhash,
    instructions,
    lookups,
    bytes,
  }
  if (!isSane(message)) throw MALFORMED
  return { version, ...message }
}

function isSane(message: Omit<Message, 'version'>): boolean {
  const { requiredSignatures, readonlySigned, readonlyUnsigned, keys, instructions, lookups } = message
  const all = lookups.reduce((count, { writable, readonly }) => count + writable.length + readonly.length, keys.length)
  return (
    readonlySigned < requiredSignatures &&
    requiredSignatures + readonlyUnsigned <= keys.length &&
    all <= MAX_KEYS &&
    lookups.every(({ writable, readonly }) => writable.length + readonly.length > 0) &&
    instructions.every(
      ({ program, accounts }) =>
        // The payer of the fee is no program, and programs are not looked up.
        program > 0 && program < keys.length && accounts.every((account) => account < all),
    ) &&
    areDistinct(keys)
  )
}

function areDistinct(keys: readonly Key[]): boolean {
  return new Set(keys.map((key) => String.fromCharCode(...key))).size === keys.length
}

type Reader = ReturnType<typeof createReader>

function createReader(source: Uint8Array) {
  let at = 0
  function byte(): number {
    const value = source[at++]
    if (value === undefined) throw MALFORMED
    return value
  }
  /** Lengths are written in groups of seven bits, in as few as possible, up to 16 bits. */
  function length(): number {
    const low = byte()
    if (low < 0x80) return low
    const middle = byte()
    if (middle === 0) throw MALFORMED
    if (middle < 0x80) return (low & 0x7f) | (middle << 7)
    const high = byte()
    if (high === 0 || high > 3) throw MALFORMED
    return (low & 0x7f) | ((middle & 0x7f) << 7) | (high << 14)
  }
  function take(bytes: number): Uint8Array {
    if (at + bytes > source.length) throw MALFORMED
    at += bytes
    return source.subarray(at - bytes, at)
  }
  return {
    at: () => at,
    byte,
    take,
    bytes: () => take(length()),
    list<T>(read: () => T): T[] {
      const items: T[] = []
      for (let left = length(); left > 0; left--) items.push(read())
      return items
    },
    end() {
      if (at !== source.length) throw MALFORMED
    },
  }
}
