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

/** The platform's cryptographic random source. */
export const systemRandom: Random = (bytes) => globalThis.crypto.getRandomValues(new Uint8Array(bytes))

/**
 * Composes wrappers; the first is the outermost.
 *
 * @example
 * const guarded = compose(withDenylist, withLog)(facilitator)
 */
export function compose<T>(...wraps: readonly Wrap<T>[]): Wrap<T> {
  return (innermost) => wraps.reduceRight((next, wrap) => wrap(next), innermost)
}
