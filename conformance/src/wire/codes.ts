/** Codes that stand behind a call: of an app, a wallet and services. */
export type Codes = { readonly a?: string; readonly w?: string; readonly s?: readonly string[] }

const mark = '8021'.repeat(8)

/** The codes behind a call (ERC-8021, schema 2: a map in CBOR); undefined where there are none that can be read. */
export function codesIn(call: string): Codes | undefined {
  const bytes = Buffer.from(call.replace(/^0x/, ''), 'hex')
  const tail = bytes.length - mark.length / 2
  if (tail < 3 || bytes.subarray(tail).toString('hex') !== mark || bytes[tail - 1] !== 2) return undefined
  const size = bytes.readUInt16BE(tail - 3)
  const map = bytes.subarray(Math.max(0, tail - 3 - size), tail - 3)
  return map.length === size ? read(map) : undefined
}

function read(bytes: Buffer): Codes | undefined {
  let at = 0
  /** The value of a head of this major type; lengths have one byte at most here. */
  const head = (type: number): number => {
    const first = bytes[at] ?? 0
    at += 1
    if (first >> 5 !== type) throw new RangeError('another type')
    const short = first & 31
    if (short < 24) return short
    at += 1
    return short === 24 ? (bytes[at - 1] ?? 0) : Number.NaN
  }
  const text = (): string => {
    const size = head(3)
    const found = bytes.subarray(at, at + size).toString('utf8')
    at += size
    if (at > bytes.length || Number.isNaN(size)) throw new RangeError('cut off')
    return found
  }
  try {
    const entries = Array.from({ length: head(5) }, () => {
      const name = text()
      return [name, name === 's' ? Array.from({ length: head(4) }, text) : text()] as const
    })
    return at === bytes.length ? Object.fromEntries(entries) : undefined
  } catch {
    // Whatever a target has written there.
    return undefined
  }
}
