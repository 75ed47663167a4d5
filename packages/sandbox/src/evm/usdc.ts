import { type Address, concat, domainSeparator, type Hex, keccak256, pad, toHex } from 'viem'
import {
  fiatTokenProxyRuntime,
  fiatTokenRuntime,
  signatureCheckerAddress,
  signatureCheckerRuntime,
} from '../generated/circle.js'

/** Where USDC is on every sandbox chain: its address on Base Sepolia. 6 decimals. */
export const usdcAddress: Address = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'

// Neither has a key. The admin may upgrade the proxy and nothing else.
const implementation: Address = '0x05dc000000000000000000000000000000000001'
const proxyAdmin: Address = '0x05dc000000000000000000000000000000000003'

// Where FiatTokenProxy keeps the two.
const implementationSlot: Hex = '0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3'
const adminSlot: Hex = '0x10d6a54a4754c8869d6886b5f5d7fbfa5b4522237ea5c60d11bc4e7a1ff9390b'

/** One word of a contract's storage. */
export type StorageWrite = readonly [slot: Hex, value: Hex]

/** The runtime codes that together are USDC. */
export const usdcCode: ReadonlyArray<readonly [Address, Hex]> = [
  [usdcAddress, fiatTokenProxyRuntime],
  [implementation, fiatTokenRuntime],
  [signatureCheckerAddress, signatureCheckerRuntime],
]

/**
 * The storage that Circle's initializers leave behind, with one issuer in every office and as a minter. A test runs the
 * real initializers and compares. Balances and the total supply are not in it.
 */
export function usdcStorage(chainId: number, issuer: Address): StorageWrite[] {
  const separator = domainSeparator({
    domain: { name: 'USDC', version: '2', chainId, verifyingContract: usdcAddress },
  })
  return [
    [implementationSlot, word(implementation)],
    [adminSlot, word(proxyAdmin)],
    [word(0n), word(issuer)], // owner
    [word(1n), word(issuer)], // pauser, and `paused` above it: false
    [word(2n), word(issuer)], // blacklister
    [word(4n), shortString('USDC')], // name
    [word(5n), shortString('USDC')], // symbol
    [word(6n), word(6n)], // decimals
    [word(7n), shortString('USD')], // currency
    [word(8n), word(BigInt(issuer) | (1n << 160n))], // master minter, and `initialized` above it: true
    [usdcBalanceSlot(usdcAddress), word(1n << 255n)], // the token itself is blacklisted
    [mappingSlot(issuer, 12n), word(1n)], // minters
    [mappingSlot(issuer, 13n), word((1n << 256n) - 1n)], // minter allowances
    [word(14n), word(issuer)], // rescuer
    [word(15n), separator], // kept by the token, not used by it any more
    [word(18n), word(3n)], // initialized version
  ]
}

/** Storage slot of an account's balance; the highest bit of the word means blacklisted. */
export function usdcBalanceSlot(account: Address): Hex {
  return mappingSlot(account, 9n)
}

/** Storage slot of what a spender may take of an account. */
export function usdcAllowanceSlot(account: Address, spender: Address): Hex {
  return mappingSlot(spender, mappingSlot(account, 10n))
}

/** Storage slot of the total supply. */
export const usdcSupplySlot: Hex = word(11n)

/** A 32-byte word. */
export function word(value: bigint | Hex): Hex {
  return typeof value === 'bigint' ? toHex(value, { size: 32 }) : pad(value, { size: 32 })
}

function mappingSlot(key: Address, base: bigint | Hex): Hex {
  return keccak256(concat([word(key), word(base)]))
}

/** Solidity keeps a string of up to 31 bytes in one word, its doubled length in the last byte. */
function shortString(text: string): Hex {
  const bytes = Buffer.from(text, 'utf8')
  return `0x${bytes.toString('hex').padEnd(62, '0')}${(bytes.length * 2).toString(16).padStart(2, '0')}`
}
