/** Bytes in one piece. */
const PIECE = 100

/** What the ceiling of one request is enough for. */
const MOST = 1_000

/**
 * A JSON object that comes piece by piece, so many bytes of text in all; each time, `count` is told how many there were until then.
 *
 * @example
 * new Response(streamOf('250', (bytes) => payment.charge(10n * BigInt(bytes))))
 */
export function streamOf(wanted: string | undefined, count: (bytes: number) => void): ReadableStream<Uint8Array> {
  const most = wanted !== undefined && /^[0-9]{1,4}$/.test(wanted) ? Math.min(Number(wanted), MOST) : 500
  const encoder = new TextEncoder()
  let sent = 0
  return new ReadableStream({
    start: (stream) => stream.enqueue(encoder.encode('{"text":"')),
    pull(stream) {
      const piece = Math.min(PIECE, most - sent)
      sent += piece
      count(sent)
      stream.enqueue(encoder.encode('groat '.repeat(PIECE).slice(0, piece)))
      if (sent < most) return
      stream.enqueue(encoder.encode(`","bytes":${sent}}`))
      stream.close()
    },
  })
}
