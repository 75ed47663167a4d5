import type { ErrorCode } from './code-names.js'
import { errorInfo } from './codes.js'

/** An RFC 9457 problem details object. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly hint: string
  readonly retry: string
  readonly detail?: string
  /** Coarse refusal detail: 402.1 insufficient, 402.2 signature, 402.3 asset, 402.4 network, 402.5 expired. */
  readonly detailCode?: string
  /** Opaque id under which the operator finds the full story. */
  readonly reference?: string
}

/** The media type of a problem. */
export const PROBLEM_TYPE = 'application/problem+json'

/**
 * The problem of a registry code. `detail` must be safe to show to a stranger.
 *
 * @example
 * problem('payment_expired').detailCode // '402.5'
 */
export function problem(
  code: ErrorCode,
  { detail, reference }: { readonly detail?: string | undefined; readonly reference?: string | undefined } = {},
): Problem {
  const { title, status, hint, retry, detail: detailCode } = errorInfo(code)
  return {
    type: `urn:x402:error:${code}`,
    title,
    status,
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(detailCode === undefined ? {} : { detailCode }),
    hint,
    retry,
    ...(reference === undefined ? {} : { reference }),
  }
}
