/**
 * The parts in one piece; a single part is not copied.
 *
 * @example
 * joinBytes([new Uint8Array([1]), new Uint8Array([2])]) // Uint8Array [1, 2]
 */
export function joinBytes<B extends ArrayBufferLike>(parts: readonly Uint8Array<B>[]): Uint8Array<B | ArrayBuffer> {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only
  const whole = new Uint8Array(parts.reduce((size, { byteLength }) => size + byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

/**
 * Reads a stream to its end, or gives up and cancels it: `undefined` when it holds more than `maxBytes`, or takes longer than `ms`
 * milliseconds. Throws what the stream throws.
 *
 * @example
 * const bytes = await readBounded(response.body, { maxBytes: 65_536, ms: 3_000 })
 */
export async function readBounded<B extends ArrayBufferLike>(
  stream: ReadableStream<Uint8Array<B>> | null,
  { maxBytes, ms }: { readonly maxBytes: number; readonly ms?: number },
): Promise<Uint8Array<B | ArrayBuffer> | undefined> {
  if (stream === null) return new Uint8Array()
  const reader = stream.getReader()
  const chunks: Uint8Array<B>[] = []
  let size = 0
  let stopped = false
  // Nobody waits for this: while somebody holds another copy of the stream and reads no further, it does not end.
  const stop = () => {
    stopped = true
    reader.cancel().catch(() => {})
  }
  const timer = ms === undefined ? undefined : setTimeout(stop, ms)
  try {
    while (!stopped) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.byteLength
      chunks.push(value)
      if (size > maxBytes) stop()
    }
  } finally {
    clearTimeout(timer)
  }
  return stopped ? undefined : joinBytes(chunks)
}

/**
 * A request's body by which it is told from another. A form that is sent again has another boundary each time: it is left out, and nothing but what parts the parts, so
 * that the same parts are the same body. Any other body is as it is.
 *
 * @example
 * sha256Hex(comparableBody(bytes, 'multipart/form-data; boundary=3b3fccc3'))
 */
export function comparableBody(bytes: Uint8Array, contentType: string | null | undefined): Uint8Array {
  const [, quoted, bare] = MULTIPART.exec(contentType ?? '') ?? []
  const boundary = quoted ?? bare
  if (boundary === undefined) return bytes
  // Bytes as letters, one each.
  const text = `\r\n${new TextDecoder('latin1').decode(bytes)}`
  return new TextEncoder().encode(JSON.stringify(text.split(`\r\n--${boundary}`)))
}

const MULTIPART = /^\s*multipart\/[^;]*;(?:[^"]*;)?\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i
