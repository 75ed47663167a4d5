import { isTokenProgram } from '../bank/token-balances.js'
import { programs } from '../programs.js'
import type { AccountState } from '../vm/vm.js'
import type { Address } from '../wire/address.js'
import { formatAddress } from '../wire/address.js'
import { formatBase58 } from '../wire/base58.js'
import { decodeLookupTable } from '../wire/lookup-table.js'
import { createReader, tolerant } from '../wire/reader.js'
import { decodeMint, decodeTokenAccount } from '../wire/token-layout.js'
import { tokenAmount } from './token-amount.js'
import { tokenExtensions } from './token-extensions.js'

/** How an account's data is written; `binary` is base58 without saying so. */
export type AccountEncoding = 'binary' | 'base58' | 'base64' | 'base64+zstd' | 'jsonParsed'

/** The part of an account's data that is asked for. */
export type DataSlice = { readonly offset: number; readonly length: number }

/** An account as nodes write it. `read` finds the mint of a token account. */
export function encodeAccount(
  state: AccountState,
  encoding: AccountEncoding,
  read: (address: Address) => AccountState | undefined,
  slice?: DataSlice,
) {
  const { lamports, owner, executable, rentEpoch, data } = state
  const encoded =
    (encoding === 'jsonParsed' && tolerant(() => parseAccount(state, read))) || encodeData(data, encoding, slice)
  return { lamports, data: encoded, owner, executable, rentEpoch, space: data.length }
}

function encodeData(data: Uint8Array, encoding: AccountEncoding, slice: DataSlice | undefined) {
  const bytes = slice ? data.subarray(slice.offset, slice.offset + slice.length) : data
  if (encoding === 'binary') return shortBase58(bytes)
  if (encoding === 'base58') return [shortBase58(bytes), 'base58']
  return [Buffer.from(bytes).toString('base64'), 'base64']
}

/** Methods refuse to write so much; subscriptions cannot, and so say it in place of the data. */
function shortBase58(bytes: Uint8Array): string {
  return bytes.length <= mostBase58 ? formatBase58(bytes) : 'error: data too large for bs58 encoding'
}

/** Bytes that nodes write as base58 at most. */
export const mostBase58 = 128

/** What an account means, of the kinds that are known here: tokens, lookup tables, nonces. */
function parseAccount({ owner, data }: AccountState, read: (address: Address) => AccountState | undefined) {
  const parsed = isTokenProgram(owner)
    ? parseToken(data, read)
    : owner === programs.lookupTable
      ? parseLookupTable(data)
      : owner === programs.system && data.length === 80
        ? parseNonce(data)
        : undefined
  return parsed && { program: programNames[owner], parsed, space: data.length }
}

const programNames: Readonly<Record<Address, string>> = {
  [programs.token]: 'spl-token',
  [programs.token2022]: 'spl-token-2022',
  [programs.lookupTable]: 'address-lookup-table',
  [programs.system]: 'nonce',
}

function parseToken(data: Uint8Array, read: (address: Address) => AccountState | undefined) {
  const extensions = tokenExtensions(data)
  const more = extensions.length > 0 ? { extensions } : {}
  const mint = decodeMint(data)
  if (mint) {
    const { mintAuthority = null, supply, decimals, freezeAuthority = null } = mint
    const info = { mintAuthority, supply: supply.toString(), decimals, isInitialized: true, freezeAuthority, ...more }
    return { type: 'mint', info }
  }
  const account = decodeTokenAccount(data)
  const decimals = account && decodeMint(read(account.mint)?.data ?? new Uint8Array())?.decimals
  if (account === undefined || decimals === undefined) return undefined
  const { delegate, nativeReserve, closeAuthority } = account
  const info = {
    mint: account.mint,
    owner: account.owner,
    tokenAmount: tokenAmount(account.amount, decimals),
    delegate,
    state: account.state,
    isNative: nativeReserve !== undefined,
    rentExemptReserve: nativeReserve === undefined ? undefined : tokenAmount(nativeReserve, decimals),
    delegatedAmount: delegate && tokenAmount(account.delegatedAmount, decimals),
    closeAuthority,
    ...more,
  }
  return { type: 'account', info }
}

function parseLookupTable(data: Uint8Array) {
  const table = decodeLookupTable(data)
  if (table === undefined) return undefined
  const info = {
    deactivationSlot: table.deactivationSlot.toString(),
    lastExtendedSlot: table.lastExtendedSlot.toString(),
    lastExtendedSlotStartIndex: table.lastExtendedStartIndex,
    authority: table.authority,
    addresses: table.addresses,
  }
  return { type: 'lookupTable', info }
}

function parseNonce(data: Uint8Array) {
  const reader = createReader(data.subarray(4))
  if (reader.u32() !== 1) return { type: 'uninitialized' }
  const info = {
    authority: formatAddress(reader.bytes(32)),
    blockhash: formatBase58(reader.bytes(32)),
    feeCalculator: { lamportsPerSignature: reader.u64().toString() },
  }
  return { type: 'initialized', info }
}
