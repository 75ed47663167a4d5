import type { Address } from '../wire/address.js'
import { formatAddress } from '../wire/address.js'
import { type ByteReader, createReader } from '../wire/reader.js'
import type { ParsedInstruction } from './token-instruction.js'

/** What an instruction of the system program means; undefined when it is not known here. */
export function parseSystemInstruction(data: Uint8Array, accounts: readonly Address[]): ParsedInstruction | undefined {
  const reader = createReader(data)
  const shape = shapes[reader.u32()]
  if (shape === undefined || accounts.length < shape.accounts.length) return undefined
  const named = Object.fromEntries(shape.accounts.map((name, i) => [name, accounts[i]]))
  return { type: shape.type, info: { ...named, ...shape.read?.(reader) } }
}

type Shape = {
  readonly type: string
  readonly accounts: readonly string[]
  readonly read?: (reader: ByteReader) => Readonly<Record<string, unknown>>
}

const shapes: Readonly<Record<number, Shape>> = {
  0: {
    type: 'createAccount',
    accounts: ['source', 'newAccount'],
    read: (reader) => ({ lamports: reader.u64(), space: reader.u64(), owner: formatAddress(reader.bytes(32)) }),
  },
  1: { type: 'assign', accounts: ['account'], read: (reader) => ({ owner: formatAddress(reader.bytes(32)) }) },
  2: { type: 'transfer', accounts: ['source', 'destination'], read: (reader) => ({ lamports: reader.u64() }) },
  4: { type: 'advanceNonce', accounts: ['nonceAccount', 'recentBlockhashesSysvar', 'nonceAuthority'] },
  5: {
    type: 'withdrawFromNonce',
    accounts: ['nonceAccount', 'destination', 'recentBlockhashesSysvar', 'rentSysvar', 'nonceAuthority'],
    read: (reader) => ({ lamports: reader.u64() }),
  },
  6: {
    type: 'initializeNonce',
    accounts: ['nonceAccount', 'recentBlockhashesSysvar', 'rentSysvar'],
    read: (reader) => ({ nonceAuthority: formatAddress(reader.bytes(32)) }),
  },
  8: { type: 'allocate', accounts: ['account'], read: (reader) => ({ space: reader.u64() }) },
}
