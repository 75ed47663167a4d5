import { createHash } from 'node:crypto'
import { type Address, formatAddress } from './address.js'
import { formatBase58 } from './base58.js'
import { type ByteReader, createReader, DecodeError } from './reader.js'

/** A transaction as it came, taken apart. Account indexes are not checked. */
export type Transaction = {
  /** Its own bytes, without what followed them. */
  readonly wire: Uint8Array
  readonly signatures: readonly Uint8Array[]
  /** The first signature, base58: the transaction's id. */
  readonly id: string
  readonly message: Message
}

/** What is signed. */
export type Message = {
  readonly bytes: Uint8Array
  /** SHA-256 of the bytes, base64. */
  readonly hash: string
  readonly version: 'legacy' | 0
  readonly requiredSignatures: number
  readonly readonlySigned: number
  readonly readonlyUnsigned: number
  readonly staticKeys: readonly Address[]
  readonly blockhash: string
  readonly instructions: readonly CompiledInstruction[]
  readonly lookups: readonly TableLookup[]
}

/** An instruction that names accounts by their place in the transaction. */
export type CompiledInstruction = {
  readonly programIndex: number
  readonly accounts: readonly number[]
  readonly data: Uint8Array
}

/** Accounts that a transaction takes from a lookup table, by their place in it. */
export type TableLookup = {
  readonly table: Address
  readonly writable: readonly number[]
  readonly readonly: readonly number[]
}

/** Takes a transaction apart; what follows it is ignored. Throws {@link DecodeError}. */
export function decodeTransaction(source: Uint8Array): Transaction {
  const reader = createReader(source)
  const signatures = many(reader, () => reader.bytes(64))
  const message = decodeMessage(source.subarray(reader.offset))
  const wire = source.subarray(0, reader.offset + message.bytes.length)
  return { wire, signatures, id: formatBase58(signatures[0] ?? new Uint8Array(64)), message }
}

/** Takes a message apart, legacy or version 0; what follows it is ignored. Throws {@link DecodeError}. */
export function decodeMessage(source: Uint8Array): Message {
  const reader = createReader(source)
  const first = reader.u8()
  const version = first < 0x80 ? 'legacy' : 0
  if (first > 0x80) throw new DecodeError(`unsupported message version ${first & 0x7f}`)
  const requiredSignatures = version === 'legacy' ? first : reader.u8()
  const readonlySigned = reader.u8()
  const readonlyUnsigned = reader.u8()
  const staticKeys = many(reader, () => formatAddress(reader.bytes(32)))
  const blockhash = formatBase58(reader.bytes(32))
  const instructions = many(reader, () => ({
    programIndex: reader.u8(),
    accounts: [...reader.bytes(reader.compactU16())],
    data: reader.bytes(reader.compactU16()),
  }))
  const lookups = version === 'legacy' ? [] : many(reader, () => decodeLookup(reader))
  const bytes = source.subarray(0, reader.offset)
  const hash = createHash('sha256').update(bytes).digest('base64')
  return {
    ...{ bytes, hash, version, requiredSignatures, readonlySigned, readonlyUnsigned },
    ...{ staticKeys, blockhash, instructions, lookups },
  }
}

/** The same transaction with another blockhash; its signatures do not fit any more. */
export function withBlockhash(transaction: Transaction, blockhash: Uint8Array): Transaction {
  const { message, wire } = transaction
  const keysAt = wire.length - message.bytes.length + (message.version === 'legacy' ? 3 : 4)
  const lengthPrefix = message.staticKeys.length < 0x80 ? 1 : 2
  const replaced = Uint8Array.from(wire)
  replaced.set(blockhash, keysAt + lengthPrefix + 32 * message.staticKeys.length)
  return decodeTransaction(replaced)
}

function decodeLookup(reader: ByteReader): TableLookup {
  return {
    table: formatAddress(reader.bytes(32)),
    writable: [...reader.bytes(reader.compactU16())],
    readonly: [...reader.bytes(reader.compactU16())],
  }
}

function many<T>(reader: ByteReader, read: () => T): T[] {
  return Array.from({ length: reader.compactU16() }, read)
}
