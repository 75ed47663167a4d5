import { isJsonObject, type Json, type JsonObject } from '../model/json.js'
import { type Decoded, refuse } from '../model/outcome.js'

/** How deep objects and arrays may nest. */
export const MAX_JSON_DEPTH = 16

/**
 * A JSON object from text that came from a stranger.
 * Refuses `invalid_payload` for anything that is not JSON, not an object, nested deeper than 16, or that names a member twice:
 * two readers of a doubled member could see two different payments.
 *
 * @example
 * decodeJsonObject('{"a":1,"a":2}') // { ok: false, code: 'invalid_payload', detail: 'a member stands twice in one object' }
 */
export function decodeJsonObject(text: string): Decoded<JsonObject> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refuse('invalid_payload', 'not JSON')
  }
  if (!isJsonObject(value)) return refuse('invalid_payload', 'not a JSON object')
  const flaw = structuralFlaw(text, value)
  return flaw === undefined ? { ok: true, value } : refuse('invalid_payload', flaw)
}

/**
 * JSON text in ASCII: characters above U+007E are escaped, so that readers which take bytes for Latin-1 agree with those that take UTF-8.
 *
 * @example
 * asciiJson({ name: 'é' }) // '{"name":"\\u00e9"}'
 */
export function asciiJson(value: unknown): string {
  const json = JSON.stringify(value)
  return NON_ASCII.test(json) ? json.replace(NON_ASCII_ALL, escapeChar) : json
}

const NON_ASCII = /[^\x20-\x7e]/
const NON_ASCII_ALL = /[^\x20-\x7e]/g

function escapeChar(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Looks at text that is already known to be JSON and at the value it became, so the grammar is not checked again. */
function structuralFlaw(text: string, value: JsonObject): string | undefined {
  const members = countMembers(value, MAX_JSON_DEPTH)
  if (members === TOO_DEEP) return `nested deeper than ${MAX_JSON_DEPTH}`
  // A doubled member stands in the text and is gone from the value.
  return countMembersInText(text) === members ? undefined : 'a member stands twice in one object'
}

const TOO_DEEP = Number.POSITIVE_INFINITY

function countMembers(value: Json | undefined, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth === 0) return TOO_DEEP
  let members = 0
  if (isJsonObject(value)) {
    for (const name of Object.keys(value)) members += 1 + countMembers(value[name], depth - 1)
  } else {
    for (const item of value) members += countMembers(item, depth - 1)
  }
  return members
}

/** Every colon outside a string ends the name of a member. */
function countMembersInText(text: string): number {
  let members = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) at = endOfString(text, at)
    else if (char === COLON) members++
  }
  return members
}

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}
