import { type Address, parseAddress } from '../address.js'
import { formatHex, parseHex } from '../hex.js'

/** The longest signature that is read: a contract wallet's proof fits, a flood does not. */
export const MAX_SIGNATURE_BYTES = 4096

/** A signature of a wallet that does not exist yet, and the call that would create it (ERC-6492). */
export type Erc6492 = {
  readonly factory: Address
  readonly factoryCalldata: Uint8Array
  readonly signature: Uint8Array
}

/**
 * Signature text to bytes, or `undefined` when it is not hex or longer than 4096 bytes. What the bytes mean is the payer's
 * affair: 65 canonical bytes for a key, anything for a contract wallet.
 *
 * @example
 * parseSignature('0xd6f6…9a1c')?.length // 65
 */
export function parseSignature(text: string): Uint8Array | undefined {
  return text.length <= 2 + 2 * MAX_SIGNATURE_BYTES ? parseHex(text) : undefined
}

/**
 * True when the bytes end in the ERC-6492 mark, whether or not the envelope before it can be opened.
 *
 * @example
 * isErc6492(signature) // false for every ordinary signature
 */
export function isErc6492(signature: Uint8Array): boolean {
  const mark = signature.length - MARK.length
  return mark >= 0 && MARK.every((byte, i) => signature[mark + i] === byte)
}

/**
 * Opens an ERC-6492 envelope, `abi.encode(address, bytes, bytes)` and the mark. `undefined` when there is none or it is
 * malformed. Reading one promises nothing: its factory must never be called on a stranger's word.
 *
 * @example
 * unwrapErc6492(signature)?.signature
 */
export function unwrapErc6492(signature: Uint8Array): Erc6492 | undefined {
  if (!isErc6492(signature)) return undefined
  const body = signature.subarray(0, signature.length - MARK.length)
  const factory = parseAddress(formatHex(body.subarray(12, 32)))
  const factoryCalldata = bytesAt(body, 32)
  const inner = bytesAt(body, 64)
  return factory && factoryCalldata && inner && { factory, factoryCalldata, signature: inner }
}

const MARK = new Uint8Array(32).map((_, i) => (i % 2 === 0 ? 0x64 : 0x92))

/** The ABI's dynamic `bytes` whose offset stands at `slot`. */
function bytesAt(body: Uint8Array, slot: number): Uint8Array | undefined {
  const offset = smallInteger(body, slot)
  const length = offset === undefined ? undefined : smallInteger(body, offset)
  if (offset === undefined || length === undefined || offset + 32 + length > body.length) return undefined
  return body.subarray(offset + 32, offset + 32 + length)
}

function smallInteger(body: Uint8Array, at: number): number | undefined {
  const word = body.subarray(at, at + 32)
  if (word.length < 32 || word.subarray(0, 30).some((byte) => byte !== 0)) return undefined
  return ((word[30] ?? 0) << 8) | (word[31] ?? 0)
}
