import { isJsonObject, type JsonObject } from '../model/json.js'
import { type Decoded, refuse } from '../model/outcome.js'

/** How deep objects and arrays may nest. */
export const MAX_JSON_DEPTH = 16

/**
 * A JSON object from text that came from a stranger.
 * Refuses `invalid_payload` for anything that is not JSON, not an object, nested deeper than 16, or that names a member twice:
 * two readers of a doubled member could see two different payments.
 *
 * @example
 * decodeJsonObject('{"a":1,"a":2}') // { ok: false, code: 'invalid_payload', detail: 'member "a" stands twice' }
 */
export function decodeJsonObject(text: string): Decoded<JsonObject> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refuse('invalid_payload', 'not JSON')
  }
  if (!isJsonObject(value)) return refuse('invalid_payload', 'not a JSON object')
  const flaw = structuralFlaw(text)
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

/** Walks text that is already known to be JSON, so it need not check the grammar again. */
function structuralFlaw(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  let at = 0
  let expectsMember = false
  while (at < text.length) {
    const char = text[at]
    if (char === '"') {
      const end = endOfString(text, at)
      if (expectsMember) {
        const members = open[open.length - 1]
        const name = memberName(text.slice(at + 1, end))
        if (members?.has(name)) return `member ${JSON.stringify(name.slice(0, 40))} stands twice`
        members?.add(name)
        expectsMember = false
      }
      at = end
    } else if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : undefined)
      if (open.length > MAX_JSON_DEPTH) return `nested deeper than ${MAX_JSON_DEPTH}`
      expectsMember = char === '{'
    } else if (char === '}' || char === ']') {
      open.pop()
      expectsMember = false
    } else if (char === ',') {
      expectsMember = open[open.length - 1] !== undefined
    }
    at++
  }
  return undefined
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0
  while (text[quote - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}

/** Two spellings of one name, one of them escaped, are one name. */
function memberName(raw: string): string {
  return raw.includes('\\') ? String(JSON.parse(`"${raw}"`)) : raw
}
