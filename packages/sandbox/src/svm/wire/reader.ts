/** Reads bytes from front to back. Every method throws {@link DecodeError} when there are not enough. */
export interface ByteReader {
  readonly offset: number
  u8(): number
  u16(): number
  u32(): number
  u64(): bigint
  bytes(length: number): Uint8Array
  /** Solana's length prefix: 1 to 3 bytes, 7 bits each, in the shortest form only. */
  compactU16(): number
}

/** The bytes end early, or a length prefix is not in its shortest form. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
}

/** A reader at the front of `source`. */
export function createReader(source: Uint8Array): ByteReader {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength)
  let offset = 0
  function take(length: number): number {
    const start = offset
    if (start + length > source.length) throw new DecodeError('io error: failed to fill whole buffer')
    offset = start + length
    return start
  }
  return {
    get offset() {
      return offset
    },
    u8: () => view.getUint8(take(1)),
    u16: () => view.getUint16(take(2), true),
    u32: () => view.getUint32(take(4), true),
    u64: () => view.getBigUint64(take(8), true),
    bytes(length) {
      const start = take(length)
      return source.subarray(start, start + length)
    },
    compactU16() {
      let value = 0
      for (let i = 0; ; i++) {
        const byte = view.getUint8(take(1))
        value |= (byte & 0x7f) << (7 * i)
        const last = byte < 0x80
        if ((last && i > 0 && byte === 0) || value > 0xffff || (i === 2 && !last)) {
          throw new DecodeError('invalid length prefix')
        }
        if (last) return value
      }
    },
  }
}

/** What `read` finds; undefined when the bytes are not of the shape that it expects. */
export function tolerant<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
