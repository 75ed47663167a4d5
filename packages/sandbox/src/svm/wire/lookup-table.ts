import { type Address, formatAddress } from './address.js'
import { createReader } from './reader.js'

/** An address lookup table. */
export type LookupTable = {
  /** 2^64 - 1 while it is active. */
  readonly deactivationSlot: bigint
  readonly lastExtendedSlot: bigint
  readonly lastExtendedStartIndex: number
  readonly authority?: Address | undefined
  readonly addresses: readonly Address[]
}

/** The slot of a table that is not deactivated. */
export const neverDeactivated = 2n ** 64n - 1n

/** The lookup table in an account's data; undefined when there is none. */
export function decodeLookupTable(data: Uint8Array): LookupTable | undefined {
  if (data.length < headerSize || (data.length - headerSize) % 32 !== 0) return undefined
  const reader = createReader(data)
  if (reader.u32() !== 1) return undefined
  const [deactivationSlot, lastExtendedSlot] = [reader.u64(), reader.u64()]
  const lastExtendedStartIndex = reader.u8()
  const hasAuthority = reader.u8() === 1
  const authority = hasAuthority ? formatAddress(reader.bytes(32)) : undefined
  const addresses = Array.from({ length: (data.length - headerSize) / 32 }, (_, i) =>
    formatAddress(data.subarray(headerSize + 32 * i, headerSize + 32 * (i + 1))),
  )
  return { deactivationSlot, lastExtendedSlot, lastExtendedStartIndex, authority, addresses }
}

const headerSize = 56
