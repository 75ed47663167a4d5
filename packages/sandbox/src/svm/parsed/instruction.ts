import { programs } from '../programs.js'
import type { Address } from '../wire/address.js'
import { formatBase58 } from '../wire/base58.js'
import { tolerant } from '../wire/reader.js'
import type { CompiledInstruction } from '../wire/transaction.js'
import { parseSystemInstruction } from './system-instruction.js'
import { type ParsedInstruction, parseTokenInstruction } from './token-instruction.js'

/** An instruction as nodes write it under `jsonParsed`: what it means, or its accounts and data when nobody knows. */
export function encodeParsedInstruction(
  instruction: CompiledInstruction,
  keys: readonly Address[],
  stackHeight: number,
) {
  const programId = keys[instruction.programIndex] ?? ''
  const accounts = instruction.accounts.flatMap((index) => keys[index] ?? [])
  const known = parsers[programId]
  const parsed = known && tolerant(() => known.parse(instruction.data, accounts))
  return parsed === undefined
    ? { programId, accounts, data: formatBase58(instruction.data), stackHeight }
    : { program: known?.program, programId, parsed, stackHeight }
}

/** An instruction as nodes write it otherwise. */
export function encodeInstruction({ programIndex, accounts, data }: CompiledInstruction, stackHeight: number) {
  return { programIdIndex: programIndex, accounts, data: formatBase58(data), stackHeight }
}

/** The text of a memo; undefined when it is none. */
export function parseMemo(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return undefined
  }
}

type Parser = {
  readonly program: string
  readonly parse: (data: Uint8Array, accounts: readonly Address[]) => ParsedInstruction | string | undefined
}

const token: Parser = { program: 'spl-token', parse: parseTokenInstruction }
const memo: Parser = { program: 'spl-memo', parse: parseMemo }

const parsers: Readonly<Record<Address, Parser>> = {
  [programs.system]: { program: 'system', parse: parseSystemInstruction },
  [programs.token]: token,
  [programs.token2022]: token,
  [programs.memo]: memo,
  [programs.memoV1]: memo,
  [programs.associatedToken]: { program: 'spl-associated-token-account', parse: parseAssociatedToken },
}

function parseAssociatedToken(data: Uint8Array, accounts: readonly Address[]): ParsedInstruction | undefined {
  const shape = associatedTokenShapes[data[0] ?? 0]
  if (shape === undefined || accounts.length < shape.accounts.length) return undefined
  return { type: shape.type, info: Object.fromEntries(shape.accounts.map((name, i) => [name, accounts[i]])) }
}

const creation = ['source', 'account', 'wallet', 'mint', 'systemProgram', 'tokenProgram']
const associatedTokenShapes = [
  { type: 'create', accounts: creation },
  { type: 'createIdempotent', accounts: creation },
  {
    type: 'recoverNested',
    accounts: ['nestedSource', 'nestedMint', 'destination', 'nestedOwner', 'ownerMint', 'wallet', 'tokenProgram'],
  },
]
