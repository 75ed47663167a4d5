import type { Address } from '../wire/address.js'
import { formatAddress } from '../wire/address.js'
import { type ByteReader, createReader } from '../wire/reader.js'
import { tokenAmount } from './token-amount.js'

/** What an instruction means: its name and what it is about. */
export type ParsedInstruction = { readonly type: string; readonly info: Readonly<Record<string, unknown>> }

/** What an instruction of either token program means; undefined when it is not known here. */
export function parseTokenInstruction(data: Uint8Array, accounts: readonly Address[]): ParsedInstruction | undefined {
  const shape = data[0] === 6 && (data[1] ?? 0) < 2 ? setMintAuthority : shapes[data[0] ?? -1]
  if (shape === undefined || accounts.length < shape.accounts.length + (shape.authority ? 1 : 0)) return undefined
  const named = shape.accounts.map((name, i) => [name, accounts[i]] as const)
  const info = { ...Object.fromEntries(named), ...shape.read?.(createReader(data.subarray(1))) }
  return { type: shape.type, info: { ...info, ...authorities(shape, accounts) } }
}

type Shape = {
  readonly type: string
  /** The names of the first accounts. */
  readonly accounts: readonly string[]
  /** The name of the account after them, which signs, or whose signers follow it. */
  readonly authority?: string
  readonly read?: (reader: ByteReader) => Readonly<Record<string, unknown>>
}

const amount = (reader: ByteReader) => ({ amount: reader.u64().toString() })
const checkedAmount = (reader: ByteReader) => {
  const atomic = reader.u64()
  return { tokenAmount: tokenAmount(atomic, reader.u8()) }
}
const owner = (reader: ByteReader) => ({ owner: formatAddress(reader.bytes(32)) })
const mint = (reader: ByteReader) => {
  const decimals = reader.u8()
  const mintAuthority = formatAddress(reader.bytes(32))
  const freezeAuthority = reader.u8() === 1 ? { freezeAuthority: formatAddress(reader.bytes(32)) } : {}
  return { decimals, mintAuthority, ...freezeAuthority }
}
const newAuthority = (reader: ByteReader) => ({
  authorityType: authorityTypes[reader.u8()],
  newAuthority: reader.u8() === 1 ? formatAddress(reader.bytes(32)) : null,
})
const authorityTypes = ['mintTokens', 'freezeAccount', 'accountOwner', 'closeAccount']

const shapes: Readonly<Record<number, Shape>> = {
  0: { type: 'initializeMint', accounts: ['mint', 'rentSysvar'], read: mint },
  1: { type: 'initializeAccount', accounts: ['account', 'mint', 'owner', 'rentSysvar'] },
  3: { type: 'transfer', accounts: ['source', 'destination'], authority: 'authority', read: amount },
  4: { type: 'approve', accounts: ['source', 'delegate'], authority: 'owner', read: amount },
  5: { type: 'revoke', accounts: ['source'], authority: 'owner' },
  6: { type: 'setAuthority', accounts: ['account'], authority: 'authority', read: newAuthority },
  7: { type: 'mintTo', accounts: ['mint', 'account'], authority: 'mintAuthority', read: amount },
  8: { type: 'burn', accounts: ['account', 'mint'], authority: 'authority', read: amount },
  9: { type: 'closeAccount', accounts: ['account', 'destination'], authority: 'owner' },
  10: { type: 'freezeAccount', accounts: ['account', 'mint'], authority: 'freezeAuthority' },
  11: { type: 'thawAccount', accounts: ['account', 'mint'], authority: 'freezeAuthority' },
  12: {
    type: 'transferChecked',
    accounts: ['source', 'mint', 'destination'],
    authority: 'authority',
    read: checkedAmount,
  },
  13: { type: 'approveChecked', accounts: ['source', 'mint', 'delegate'], authority: 'owner', read: checkedAmount },
  14: { type: 'mintToChecked', accounts: ['mint', 'account'], authority: 'mintAuthority', read: checkedAmount },
  15: { type: 'burnChecked', accounts: ['account', 'mint'], authority: 'authority', read: checkedAmount },
  16: { type: 'initializeAccount2', accounts: ['account', 'mint', 'rentSysvar'], read: owner },
  17: { type: 'syncNative', accounts: ['account'] },
  18: { type: 'initializeAccount3', accounts: ['account', 'mint'], read: owner },
  20: { type: 'initializeMint2', accounts: ['mint'], read: mint },
  22: { type: 'initializeImmutableOwner', accounts: ['account'] },
}

/** The first two kinds of authority are over mints. */
const setMintAuthority: Shape = { type: 'setAuthority', accounts: ['mint'], authority: 'authority', read: newAuthority }

function authorities({ accounts: names, authority }: Shape, accounts: readonly Address[]) {
  if (authority === undefined) return {}
  const [first, ...signers] = accounts.slice(names.length)
  if (signers.length === 0) return { [authority]: first }
  return { [`multisig${authority.charAt(0).toUpperCase()}${authority.slice(1)}`]: first, signers }
}
