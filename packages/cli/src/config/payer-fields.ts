import { X402Error } from '@groat/core'
import { type PayerFields, payerFields } from '@groat/extensions/compliance/client'
import { CliError } from '../terminal/exit.js'

export type { PayerFields } from '@groat/extensions/compliance/client'

/**
 * What sellers may be told of the payer, as `name=value`: what comes later wins over what comes before it. Throws a usage error for what is no such field.
 *
 * @example
 * parseFields(['country=PL'], { kind: 'business' }) // { kind: 'business', country: 'PL' }
 */
export function parseFields(given: readonly string[] = [], before: PayerFields = {}, where = '--field'): PayerFields {
  let fields = before
  for (const text of given) {
    const [, name = '', value = ''] = /^([A-Za-z_]+)=(.*)$/s.exec(text) ?? []
    const key = name === 'record_digest' ? 'recordDigest' : name
    const rule = Object.hasOwn(RULES, key) ? RULES[key] : undefined
    if (rule === undefined) {
      throw new CliError('usage', `${where}: ${text} is none`, `Write it as name=value, with ${NAMES} as the name.`)
    }
    fields = { ...fields, [key]: value }
    try {
      payerFields(fields)
    } catch (cause) {
      if (!X402Error.is(cause)) throw cause
      throw new CliError('usage', `${where}: ${text} cannot be meant`, `${name} is ${rule}.`, { cause })
    }
  }
  return fields
}

const RULES: Readonly<Record<string, string>> = {
  country: 'two capital letters, such as PL',
  kind: 'person or business',
  purpose: 'a word of small letters, digits, _ and -',
  recordDigest: 'SHA-256 in hex, of a record that the seller has too',
}

const NAMES = 'country, kind, purpose or record_digest'
