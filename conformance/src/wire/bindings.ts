import { canonical, sha256 } from './canonical.js'

/** A request that a payment is bound to. */
export type BoundRequest = {
  readonly method: string
  /** Absolute, with its query. */
  readonly url: string
  readonly body: string
  /** Values of the headers that the seller names. */
  readonly headers?: Readonly<Record<string, string>>
  /** 16 bytes in hex. */
  readonly salt: string
}

/** What a payment that is bound to a request bears for a nonce: 32 bytes in hex. */
export function bindingOf({ body, ...request }: BoundRequest): string {
  return sha256(canonical({ domain: 'groat-request-binding/1', bodySha256: sha256(body), ...request }))
}
