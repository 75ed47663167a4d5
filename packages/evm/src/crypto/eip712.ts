import type { Address } from '../address.js'
import { writeHex } from '../hex.js'
import type { SigningEngine } from './signing.js'

/** A value of one word: an address, an integer, or 32 bytes (a `bytes32`, or the hash of a dynamic or nested value). */
export type Word = Address | bigint | `0x${string}` | Uint8Array

/** Hashes the fields of one struct, in the order of its type. */
export type StructHasher<Fields extends readonly Word[]> = (engine: SigningEngine, ...fields: Fields) => Uint8Array

/** What a signature is bound to besides its message. Permit2's domain has no version. */
export type Eip712Domain = {
  readonly name: string
  readonly version?: string
  readonly chainId: bigint
  readonly verifyingContract: Address
}

/**
 * A hasher for one EIP-712 struct of fixed layout. The type string is the layout: its fields become words of one reused
 * buffer, so nothing is interpreted and nothing allocated per message but the digest. Strings, bytes, arrays and nested
 * structs come in as their hashes.
 *
 * A field that does not fit its type throws a `TypeError`: parse at the rim.
 *
 * @example
 * const hashCancel = defineStruct<[authorizer: Address, nonce: Uint8Array]>(
 *   'CancelAuthorization(address authorizer,bytes32 nonce)',
 * )
 * hashCancel(engine, authorizer, nonce) // 32 bytes
 */
export function defineStruct<Fields extends readonly Word[]>(type: string): StructHasher<Fields> {
  const kinds = (/\(([^)]*)\)/.exec(type)?.[1] ?? '').split(',').map((field) => kindOf(field.split(' ')[0] ?? ''))
  const buffer = new Uint8Array(32 + 32 * kinds.length)
  const view = new DataView(buffer.buffer)
  let typed = false

  return (engine, ...fields) => {
    if (!typed) {
      buffer.set(engine.keccak256(utf8(type)))
      typed = true
    }
    for (let i = 0; i < kinds.length; i++) writeWord(view, buffer, 32 + 32 * i, kinds[i], fields[i], type)
    return engine.keccak256(buffer)
  }
}

/**
 * The digest that is signed: keccak256(0x1901 ‖ domain separator ‖ struct hash).
 *
 * @example
 * typedDataDigest(engine, domainSeparator(engine, domain), hashCancel(engine, authorizer, nonce))
 */
export function typedDataDigest(engine: SigningEngine, separator: Uint8Array, structHash: Uint8Array): Uint8Array {
  envelope.set(separator, 2)
  envelope.set(structHash, 34)
  return engine.keccak256(envelope)
}

/**
 * The separator of a domain, remembered for the last 256 domains. The array is shared: do not write to it.
 *
 * @example
 * domainSeparator(engine, { name: 'USDC', version: '2', chainId: 84532n, verifyingContract: usdc })
 */
export function domainSeparator(engine: SigningEngine, domain: Eip712Domain): Uint8Array {
  const { name, version, chainId, verifyingContract } = domain
  const key = `${chainId} ${verifyingContract} ${version?.length} ${version} ${name}`
  const known = separators.get(key)
  if (known) return known

  const hash = (text: string) => engine.keccak256(utf8(text))
  const separator =
    version === undefined
      ? hashUnversioned(engine, hash(name), chainId, verifyingContract)
      : hashDomain(engine, hash(name), hash(version), chainId, verifyingContract)
  // The name comes from outside: a flood of names must push names out, not fill the memory.
  if (separators.size === 256) separators.delete(separators.keys().next().value ?? '')
  if (key.length <= 512) separators.set(key, separator)
  return separator
}

const hashDomain = defineStruct<[name: Uint8Array, version: Uint8Array, chainId: bigint, verifyingContract: Address]>(
  'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)',
)
const hashUnversioned = defineStruct<[name: Uint8Array, chainId: bigint, verifyingContract: Address]>(
  'EIP712Domain(string name,uint256 chainId,address verifyingContract)',
)

const separators = new Map<string, Uint8Array>()
const envelope = Uint8Array.of(0x19, 0x01, ...new Uint8Array(64))
const encoder = new TextEncoder()
const utf8 = (text: string) => encoder.encode(text)

type Kind = 'address' | 'integer' | 'bytes32'

function kindOf(type: string): Kind {
  return type === 'address' ? type : /^u?int\d+$/.test(type) ? 'integer' : 'bytes32'
}

function writeWord(
  view: DataView,
  buffer: Uint8Array,
  at: number,
  kind: Kind | undefined,
  value: Word | undefined,
  type: string,
): void {
  let fits = false
  if (kind === 'integer' && typeof value === 'bigint' && value >= 0n && value <= MAX_UINT256) {
    writeInteger(view, at, value)
    fits = true
  } else if (kind === 'bytes32' && value instanceof Uint8Array && value.length === 32) {
    buffer.set(value, at)
    fits = true
  } else if (kind !== 'integer' && typeof value === 'string') {
    // The twelve bytes before an address are zero from the start: only an address is ever written after them.
    fits = kind === 'address' ? writeHex(value, buffer, at + 12, 20) : writeHex(value, buffer, at, 32)
  }
  if (!fits) throw new TypeError(`a field does not fit ${type}`)
}

function writeInteger(view: DataView, at: number, value: bigint): void {
  const large = value > MAX_UINT64
  view.setBigUint64(at, large ? value >> 192n : 0n)
  view.setBigUint64(at + 8, large ? (value >> 128n) & MAX_UINT64 : 0n)
  view.setBigUint64(at + 16, large ? (value >> 64n) & MAX_UINT64 : 0n)
  view.setBigUint64(at + 24, large ? value & MAX_UINT64 : value)
}

const MAX_UINT64 = (1n << 64n) - 1n
const MAX_UINT256 = (1n << 256n) - 1n
