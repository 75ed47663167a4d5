import type { JsonObject } from '../model/json.js'
import { decodeBase64Text, encodeBase64Text } from './base64.js'
import { asciiJson, decodeJsonObject } from './json.js'

/**
 * A wire object as the value of its header: base64 of JSON in ASCII. What nests too deep to be written becomes text that no reader takes.
 *
 * @example
 * encodeHeaderObject({ x402Version: 2 }) // 'eyJ4NDAyVmVyc2lvbiI6Mn0='
 */
export function encodeHeaderObject(object: JsonObject): string {
  try {
    return encodeBase64Text(asciiJson(object))
  } catch {
    return '!'
  }
}

/**
 * The wire object in a header; `undefined` where there is none, or none that can be read. For those who carry objects between transports:
 * payments, challenges and receipts have decoders of their own.
 *
 * @example
 * decodeHeaderObject(response.headers.get('PAYMENT-RESPONSE'))
 */
export function decodeHeaderObject(value: string | null | undefined): JsonObject | undefined {
  if (!value) return undefined
  const text = decodeBase64Text(value)
  const object = text.ok ? decodeJsonObject(text.value) : undefined
  return object?.ok ? object.value : undefined
}
