/** Cuts what a WebSocket server sends into whole frames (RFC 6455, 5.2): a ceiling falls between two of them. */
export type FrameSplitter = {
  /** The frames that are whole now. */
  push(bytes: Buffer): readonly Buffer[]
}

export function createFrameSplitter(): FrameSplitter {
  let rest: Buffer = Buffer.alloc(0)
  return {
    push: (bytes) => {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      const frames: Buffer[] = []
      for (let size = frameSize(rest); size !== undefined && size <= rest.length; size = frameSize(rest)) {
        frames.push(rest.subarray(0, size))
        rest = rest.subarray(size)
      }
      return frames
    },
  }
}

/** Bytes of the frame that begins here; `undefined`: not all of its head is there. */
function frameSize(bytes: Buffer): number | undefined {
  const second = bytes[1]
  if (second === undefined) return undefined
  const mask = (second & 0x80) === 0 ? 0 : 4
  const short = second & 0x7f
  if (short < 126) return 2 + mask + short
  if (short === 126) return bytes.length < 4 ? undefined : 4 + mask + bytes.readUInt16BE(2)
  return bytes.length < 10 ? undefined : 10 + mask + Number(bytes.readBigUInt64BE(2))
}

/** A server's closing frame. `reason`: at most 123 bytes. */
export function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason)
  const frame = Buffer.alloc(4)
  frame.set([0x88, 2 + text.length])
  frame.writeUInt16BE(code, 2)
  return Buffer.concat([frame, text])
}
