import type { ErrorCode } from './code-names.js'

/**
 * What bundles for browsers have in the place of `words.ts`: the code and the facts. A page that throws a code need not carry the
 * words of all of them; one that shows them to people takes them from `errorInfo`.
 */
export function messageOf(code: ErrorCode, facts: string): string {
  return code + facts
}
