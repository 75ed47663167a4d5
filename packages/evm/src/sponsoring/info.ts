import { isJsonObject, type JsonObject } from '@groat/core'

/**
 * What the payer put under an extension's key, or `undefined` when the key only echoes the announcement: `mark` is the member that payers add.
 *
 * @example
 * sponsoredInfo(payment.extensions, 'eip2612GasSponsoring', 'signature')?.from
 */
export function sponsoredInfo(extensions: JsonObject | undefined, key: string, mark: string): JsonObject | undefined {
  const extension = extensions?.[key]
  const info = isJsonObject(extension) ? extension.info : undefined
  return isJsonObject(info) && info[mark] !== undefined ? info : undefined
}
