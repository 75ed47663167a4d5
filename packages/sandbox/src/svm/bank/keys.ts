import { programs } from '../programs.js'
import type { AccountState } from '../vm/vm.js'
import type { Address } from '../wire/address.js'
import { decodeLookupTable, type LookupTable, neverDeactivated } from '../wire/lookup-table.js'
import type { Message, TableLookup } from '../wire/transaction.js'

/** Every account of a transaction: its own, then those from lookup tables, first the writable ones. */
export type Keys = {
  readonly all: readonly Address[]
  readonly loaded: { readonly writable: readonly Address[]; readonly readonly: readonly Address[] }
  isWritable(index: number): boolean
}

/** What resolving accounts looks at. */
export type AccountReader = {
  readonly slot: number
  account(address: Address): AccountState | undefined
}

/** The accounts of a message, or why they cannot be had. */
export function resolveKeys(message: Message, reader: AccountReader): Keys | KeysError {
  const writable: Address[] = []
  const readonly: Address[] = []
  for (const lookup of message.lookups) {
    const found = lookUp(lookup, reader)
    if (typeof found === 'string') return found
    writable.push(...found.writable)
    readonly.push(...found.readonly)
  }
  const all = [...message.staticKeys, ...writable, ...readonly]
  if (new Set(all).size !== all.length) return 'AccountLoadedTwice'
  const invoked = new Set(message.instructions.map(({ programIndex }) => programIndex))
  const upgrades = all.includes(programs.upgradeableLoader)
  return {
    all,
    loaded: { writable, readonly },
    isWritable: (index) =>
      isAskedWritable(message, index, writable.length) &&
      !isReserved(all[index] ?? '') &&
      (upgrades || !invoked.has(index)),
  }
}

/** Why a transaction's accounts cannot be had. */
export type KeysError =
  | 'AccountLoadedTwice'
  | 'AddressLookupTableNotFound'
  | 'InvalidAddressLookupTableOwner'
  | 'InvalidAddressLookupTableData'
  | 'InvalidAddressLookupTableIndex'

type Found = { readonly writable: readonly Address[]; readonly readonly: readonly Address[] }
function lookUp(lookup: TableLookup, reader: AccountReader): Found | KeysError {
  const account = reader.account(lookup.table)
  if (account === undefined) return 'AddressLookupTableNotFound'
  if (account.owner !== programs.lookupTable) return 'InvalidAddressLookupTableOwner'
  const table = decodeLookupTable(account.data)
  if (table === undefined) return 'InvalidAddressLookupTableData'
  if (isDead(table, reader.slot)) return 'AddressLookupTableNotFound'
  const usable = usableAddresses(table, reader.slot)
  const places = [...lookup.writable, ...lookup.readonly]
  if (places.some((place) => place >= usable.length)) return 'InvalidAddressLookupTableIndex'
  const take = (indexes: readonly number[]) => indexes.flatMap((index) => usable[index] ?? [])
  return { writable: take(lookup.writable), readonly: take(lookup.readonly) }
}

/** A deactivated table works as long as its slot is among the slot hashes: 512 more. */
function isDead({ deactivationSlot }: LookupTable, slot: number): boolean {
  return deactivationSlot !== neverDeactivated && BigInt(slot) > deactivationSlot + 512n
}

/** What was added in this very slot cannot be used yet. */
function usableAddresses(table: LookupTable, slot: number): readonly Address[] {
  return BigInt(slot) > table.lastExtendedSlot
    ? table.addresses
    : table.addresses.slice(0, table.lastExtendedStartIndex)
}

function isAskedWritable(message: Message, index: number, loadedWritable: number): boolean {
  const { requiredSignatures, readonlySigned, readonlyUnsigned, staticKeys } = message
  if (index >= staticKeys.length) return index < staticKeys.length + loadedWritable
  return index < requiredSignatures
    ? index < requiredSignatures - readonlySigned
    : index < staticKeys.length - readonlyUnsigned
}

/** Nobody writes to built-in programs and sysvars, whatever a message asks. */
function isReserved(address: Address): boolean {
  return address.startsWith('Sysvar') || builtIn.has(address)
}

const { token, token2022, associatedToken, memo, memoV1, incinerator } = programs
const ordinary: readonly Address[] = [token, token2022, associatedToken, memo, memoV1, incinerator]
const builtIn = new Set<Address>(Object.values(programs).filter((address) => !ordinary.includes(address)))
