import { joinBytes } from '@groat/core'
import { encodeCall } from '../abi.js'
import type { TypedData } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import { defineStruct, domainSeparator, type Eip712Domain, typedDataDigest } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import { type Hex, parseHex } from '../hex.js'

/** A limit: `enforcer` is the contract that knows what `terms` mean. */
export type Caveat = { readonly enforcer: Address; readonly terms: Hex }

/** `delegator` lets `delegate` act within `caveats`, by the delegation with the hash `authority`, or by its own account ({@link ROOT}). */
export type Delegation = {
  readonly delegate: Address
  readonly delegator: Address
  readonly authority: Hex
  readonly caveats: readonly Caveat[]
  readonly salt: bigint
}

/** A delegation that its delegator has signed. */
export type SignedDelegation = Delegation & { readonly signature: Hex }

/** Authority of the account itself. */
export const ROOT: Hex = `0x${'f'.repeat(64)}`

/** A delegate that is anybody; the manager knows it by this number. */
export const ANYBODY: Address = addressOf('0x0000000000000000000000000000000000000a11')

/**
 * The hash by which other delegations name this one as their authority.
 *
 * @example
 * const authority = formatHex(delegationHash(engine, root))
 */
export function delegationHash(engine: SigningEngine, delegation: Delegation): Uint8Array {
  const { delegate, delegator, authority, caveats, salt } = delegation
  const hashes = caveats.map(({ enforcer, terms }) => hashCaveat(engine, enforcer, engine.keccak256(bytesOf(terms))))
  return hashDelegation(engine, delegate, delegator, authority, engine.keccak256(joinBytes(hashes)), salt)
}

/** What a delegator signs, in both forms in which accounts take it. */
export function signableDelegation(engine: SigningEngine, domain: Eip712Domain, delegation: Delegation) {
  return {
    digest: () => typedDataDigest(engine, domainSeparator(engine, domain), delegationHash(engine, delegation)),
    typedData: (): TypedData => ({
      domain: { ...domain, chainId: Number(domain.chainId) },
      types,
      primaryType: 'Delegation',
      message: delegation,
    }),
  }
}

/**
 * The permission context of a chain of delegations, `abi.encode(Delegation[])`: from the one that the redeemer holds to the one of the account
 * that pays.
 *
 * @example
 * encodeContext([leaf, root])
 */
export function encodeContext(chain: readonly SignedDelegation[]): Hex {
  return `0x${word(32n)}${array(chain.map(encodeDelegation))}`
}

/** The call by which a delegator ends a delegation: `disableDelegation`. */
export function disableCall(delegation: SignedDelegation): Hex {
  return `${DISABLE_DELEGATION}${word(32n)}${encodeDelegation(delegation)}`
}

function encodeDelegation({ delegate, delegator, authority, caveats, salt, signature }: SignedDelegation): string {
  const limits = array(caveats.map(({ enforcer, terms }) => dynamic([enforcer], [bytes(terms), bytes('0x')])))
  // The members in their order: three words, the caveats, the salt, the signature.
  const head = 6 * 32
  const at = [word(BigInt(head)), word(BigInt(head + limits.length / 2))]
  const words = [word(delegate), word(delegator), word(authority), at[0], word(salt), at[1]]
  return words.join('') + limits + bytes(signature)
}

/** An array of things of any length. */
const array = (items: readonly string[]): string => word(BigInt(items.length)) + dynamic([], items)

/** Words, and behind them things of any length, with where each of these begins. */
function dynamic(words: readonly (Hex | bigint)[], parts: readonly string[]): string {
  let at = 32 * (words.length + parts.length)
  const offsets = parts.map((part) => {
    const offset = word(BigInt(at))
    at += part.length / 2
    return offset
  })
  return [...words.map(word), ...offsets, ...parts].join('')
}

function bytes(value: Hex): string {
  const size = (value.length - 2) / 2
  return word(BigInt(size)) + value.slice(2).padEnd(64 * Math.ceil(size / 32), '0')
}

const word = (value: Hex | bigint): string => encodeCall('0x', value).slice(2)

const hashCaveat = defineStruct<[enforcer: Address, terms: Uint8Array]>('Caveat(address enforcer,bytes terms)')
const hashDelegation = defineStruct<
  [delegate: Address, delegator: Address, authority: Hex, caveats: Uint8Array, salt: bigint]
>(
  'Delegation(address delegate,address delegator,bytes32 authority,Caveat[] caveats,uint256 salt)Caveat(address enforcer,bytes terms)',
)

const types = {
  Caveat: [
    { name: 'enforcer', type: 'address' },
    { name: 'terms', type: 'bytes' },
  ],
  Delegation: [
    { name: 'delegate', type: 'address' },
    { name: 'delegator', type: 'address' },
    { name: 'authority', type: 'bytes32' },
    { name: 'caveats', type: 'Caveat[]' },
    { name: 'salt', type: 'uint256' },
  ],
} as const

const DISABLE_DELEGATION: Hex = '0x49934047'

function bytesOf(text: Hex): Uint8Array {
  const read = parseHex(text)
  if (read === undefined) throw new TypeError('not hexadecimal')
  return read
}

function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError('not an address')
  return address
}
