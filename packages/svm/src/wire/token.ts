import { formatAddress, type Key } from './address.js'
import { readU16, readU32, readU64, sameBytes } from './bytes.js'
import { programs } from './programs.js'

/** A token account, as far as a payment has to know it. */
export type TokenAccount = {
  readonly mint: Key
  readonly owner: Key
  /** Atomic units. */
  readonly amount: bigint
  readonly frozen: boolean
}

/** A mint, as far as a payment has to know it. */
export type Mint = {
  readonly decimals: number
  /** What a Token-2022 mint can do beyond moving tokens; empty under the older program. */
  readonly extensions: readonly MintExtension[]
}

/** An extension of a mint: which, and its own data. */
export type MintExtension = { readonly type: number; readonly data: Uint8Array }

/**
 * A token account from the data of an account of either token program; `undefined` for anything else.
 *
 * @example
 * decodeTokenAccount(data)?.amount
 */
export function decodeTokenAccount(data: Uint8Array): TokenAccount | undefined {
  if (data.length !== ACCOUNT_BYTES && !(data.length > ACCOUNT_BYTES && data[ACCOUNT_BYTES] === KIND_ACCOUNT)) {
    return undefined
  }
  const state = data[108]
  if (state !== INITIALIZED && state !== FROZEN) return undefined
  return {
    mint: data.subarray(0, 32),
    owner: data.subarray(32, 64),
    amount: readU64(data, 64),
    frozen: state === FROZEN,
  }
}

/**
 * A mint from the data of an account of either token program; `undefined` for anything else.
 *
 * @example
 * decodeMint(data)?.decimals
 */
export function decodeMint(data: Uint8Array): Mint | undefined {
  const extended = data.length > ACCOUNT_BYTES && data[ACCOUNT_BYTES] === KIND_MINT
  if (!(data.length === MINT_BYTES || extended) || data[45] !== INITIALIZED) return undefined
  const extensions = extended ? readExtensions(data) : []
  return extensions && { decimals: data[44] ?? 0, extensions }
}

/**
 * The keys of a lookup table that is in use; `undefined` for any other account, and for a table that is being taken out of use.
 *
 * @example
 * decodeLookupTable(data)?.[3]
 */
export function decodeLookupTable(data: Uint8Array): readonly Key[] | undefined {
  const keys = (data.length - TABLE_HEAD_BYTES) / 32
  if (readU32(data, 0) !== 1 || !Number.isInteger(keys) || keys < 0) return undefined
  if (!data.subarray(4, 12).every((byte) => byte === 0xff)) return undefined
  return Array.from({ length: keys }, (_, i) =>
    data.subarray(TABLE_HEAD_BYTES + 32 * i, TABLE_HEAD_BYTES + 32 * i + 32),
  )
}

/**
 * The name of a token program, or `undefined` when it is none.
 *
 * @example
 * tokenProgramName(programs.token2022) // 'spl-2022'
 */
export function tokenProgramName(program: Key): 'spl' | 'spl-2022' | undefined {
  if (sameBytes(program, programs.token)) return 'spl'
  return sameBytes(program, programs.token2022) ? 'spl-2022' : undefined
}

/** The address of each token program. */
export const tokenPrograms = { spl: formatAddress(programs.token), 'spl-2022': formatAddress(programs.token2022) }

const MINT_BYTES = 82
const ACCOUNT_BYTES = 165
const TABLE_HEAD_BYTES = 56
const KIND_MINT = 1
const KIND_ACCOUNT = 2
const INITIALIZED = 1
const FROZEN = 2

/** Type, length, value, one after the other; a type of zero ends the list. */
function readExtensions(data: Uint8Array): readonly MintExtension[] | undefined {
  const found: MintExtension[] = []
  for (let at = ACCOUNT_BYTES + 1; at + 4 <= data.length; ) {
    const type = readU16(data, at)
    if (type === 0) return found
    const end = at + 4 + readU16(data, at + 2)
    if (end > data.length) return undefined
    found.push({ type, data: data.subarray(at + 4, end) })
    at = end
  }
  return found
}
