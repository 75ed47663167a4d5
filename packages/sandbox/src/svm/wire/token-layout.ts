import { type Address, addressBytes, formatAddress } from './address.js'
import { createReader } from './reader.js'

/** A mint, as both token programs keep it; extensions follow it in the account. Amounts in atomic units. */
export type Mint = {
  readonly mintAuthority?: Address | undefined
  readonly supply: bigint
  readonly decimals: number
  readonly freezeAuthority?: Address | undefined
}

/** A token account, as both token programs keep it; extensions follow it. Amounts in atomic units. */
export type TokenAccount = {
  readonly mint: Address
  readonly owner: Address
  readonly amount: bigint
  readonly delegate?: Address | undefined
  readonly delegatedAmount: bigint
  readonly state: 'initialized' | 'frozen'
  /** Lamports that stay, of an account of wrapped SOL. */
  readonly nativeReserve?: bigint | undefined
  readonly closeAuthority?: Address | undefined
}

/** Bytes of a mint and of a token account without extensions. */
export const mintSize = 82
export const tokenAccountSize = 165

/** Where a mint keeps its supply and a token account its amount, both u64. */
export const supplyOffset = 36
export const amountOffset = 64

/** The mint in an account's data; undefined when there is none. */
export function decodeMint(data: Uint8Array): Mint | undefined {
  const fits = data.length === mintSize || kindOf(data) === 1
  if (!fits || data[45] !== 1) return undefined
  const reader = createReader(data)
  const mintAuthority = optionalAddress(reader)
  const [supply, decimals] = [reader.u64(), reader.u8()]
  reader.u8()
  return { mintAuthority, supply, decimals, freezeAuthority: optionalAddress(reader) }
}

/** The token account in an account's data; undefined when there is none. */
export function decodeTokenAccount(data: Uint8Array): TokenAccount | undefined {
  const fits = data.length === tokenAccountSize || kindOf(data) === 2
  const state = data[108]
  if (!fits || (state !== 1 && state !== 2)) return undefined
  const reader = createReader(data)
  const mint = formatAddress(reader.bytes(32))
  const owner = formatAddress(reader.bytes(32))
  const amount = reader.u64()
  const delegate = optionalAddress(reader)
  reader.u8()
  const isNative = reader.u32() === 1
  const reserve = reader.u64()
  return {
    ...{ mint, owner, amount, delegate, state: state === 1 ? 'initialized' : 'frozen' },
    nativeReserve: isNative ? reserve : undefined,
    delegatedAmount: reader.u64(),
    closeAuthority: optionalAddress(reader),
  }
}

/** The data of a mint without extensions. */
export function encodeMint({ mintAuthority, supply, decimals, freezeAuthority }: Mint): Uint8Array {
  const data = Buffer.alloc(mintSize)
  writeOptionalAddress(data, 0, mintAuthority)
  data.writeBigUInt64LE(supply, supplyOffset)
  data[44] = decimals
  data[45] = 1
  writeOptionalAddress(data, 46, freezeAuthority)
  return data
}

/** The data of a token account without extensions. */
export function encodeTokenAccount(mint: Address, owner: Address, amount: bigint): Uint8Array {
  const data = Buffer.alloc(tokenAccountSize)
  data.set(addressBytes(mint), 0)
  data.set(addressBytes(owner), 32)
  data.writeBigUInt64LE(amount, amountOffset)
  data[108] = 1
  return data
}

/** With extensions a byte after the length of a token account tells mints (1) and token accounts (2) apart. */
function kindOf(data: Uint8Array): number | undefined {
  return data.length > tokenAccountSize && data.length !== 355 ? data[tokenAccountSize] : undefined
}

function optionalAddress(reader: ReturnType<typeof createReader>): Address | undefined {
  const present = reader.u32() === 1
  const bytes = reader.bytes(32)
  return present ? formatAddress(bytes) : undefined
}

function writeOptionalAddress(data: Buffer, offset: number, address: Address | undefined): void {
  if (address === undefined) return
  data.writeUInt32LE(1, offset)
  data.set(addressBytes(address), offset + 4)
}
