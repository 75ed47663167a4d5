import type { ErrorCode } from './code-names.js'

// What bundles for browsers have in the place of `registry.ts`. A page that throws a code, or is told one, need not carry the list of
// all codes and their words; one that shows them to people takes them from `errorInfo`.

/** The code and the facts. */
export function messageOf(code: ErrorCode, facts: string): string {
  return code + facts
}

/** Whether this is written as codes are. */
export function isListed(text: string): text is ErrorCode {
  return /^[a-z][a-z0-9_]+$/.test(text)
}
