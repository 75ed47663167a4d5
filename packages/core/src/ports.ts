/** Milliseconds since 1970. */
export type Clock = () => number

/** That many random bytes from a source fit for keys. */
export type Random = (bytes: number) => Uint8Array

/** The platform's fetch, or one that behaves like it. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** A wrapper around a function or a port: it may refuse, it may never turn a refusal into an approval. */
export type Wrap<T> = (next: T) => T

/** The machine's clock. */
export const systemClock: Clock = () => Date.now()

/**
 * The platform's cryptographic random source. Asking it costs the same for few bytes as for many, so it is asked for some at once; none is given twice, none
 * is kept once it is given, and none is older than a second: what is started again from an image of a process that ran has its own.
 */
export const systemRandom: Random = (bytes) => {
  const second = Math.floor(Date.now() / 1000)
  if (rest.length < bytes || drawn !== second) {
    rest = globalThis.crypto.getRandomValues(new Uint8Array(bytes + 480))
    drawn = second
  }
  const given = rest.slice(0, bytes)
  rest = rest.fill(0, 0, bytes).subarray(bytes)
  return given
}

let rest = new Uint8Array()
let drawn = 0

/**
 * Composes wrappers; the first is the outermost.
 *
 * @example
 * const guarded = compose(withDenylist, withLog)(facilitator)
 */
export function compose<T>(...wraps: readonly Wrap<T>[]): Wrap<T> {
  return (innermost) => wraps.reduceRight((next, wrap) => wrap(next), innermost)
}
