/**
 * Reads a stream to its end, or gives up and cancels it: `undefined` when it holds more than `maxBytes`, takes longer than `ms`
 * milliseconds, or breaks.
 */
export async function readBounded(
  stream: ReadableStream<Uint8Array> | null,
  { maxBytes, ms }: { readonly maxBytes: number; readonly ms: number },
): Promise<Uint8Array | undefined> {
  if (stream === null) return new Uint8Array()
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  let stopped = false
  const stop = () => {
    stopped = true
    reader.cancel().catch(() => {})
  }
  const timer = setTimeout(stop, ms)
  try {
    while (!stopped) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.byteLength
      chunks.push(value)
      if (size > maxBytes) stop()
    }
  } catch {
    stopped = true
  } finally {
    clearTimeout(timer)
  }
  return stopped ? undefined : joined(chunks, size)
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}
