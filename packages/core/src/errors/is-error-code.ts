import { isListed } from '#registry'
import type { ErrorCode } from './code-names.js'

/**
 * Tells whether a text is a code of the registry. In bundles for browsers, which do not carry the list: whether it is written as one.
 *
 * @example
 * isErrorCode('invalid_payload') // true
 */
export function isErrorCode(text: string): text is ErrorCode {
  return isListed(text)
}
