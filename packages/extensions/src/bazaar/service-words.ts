import type { Json, ResourceInfo } from '@groat/core'

/** What a listing says of its service. Every word of it is the seller's own, or whoever speaks in its name: it is shown as text and never followed. */
export type ServiceWords = Pick<ResourceInfo, 'description' | 'mimeType' | 'serviceName' | 'tags' | 'iconUrl'>

/**
 * The words that may stand in a catalogue: names and tags of printable ASCII within their bounds, an icon that is on the public web, text without
 * markup and control characters (BAZAAR-014). A word that breaks a rule is left out; the rest stays.
 *
 * @example
 * serviceWords({ serviceName: 'Weather', tags: ['a', 'A'], iconUrl: 'http://localhost/i.png' }) // { serviceName: 'Weather', tags: ['a'] }
 */
export function serviceWords(said: Readonly<Record<string, Json | undefined>>): ServiceWords {
  const { description, mimeType, serviceName, tags, iconUrl } = said
  const text = typeof description === 'string' ? plainText(description, MAX_DESCRIPTION) : ''
  const kept = tagsOf(tags)
  return {
    ...(text === '' ? {} : { description: text }),
    ...(typeof mimeType === 'string' && /^[\w!#$&^.+-]{1,64}\/[\w!#$&^.+-]{1,64}(;[\x20-\x7e]{0,64})?$/.test(mimeType)
      ? { mimeType }
      : {}),
    ...(isWord(serviceName) ? { serviceName: plainText(serviceName, 32) } : {}),
    ...(kept.length === 0 ? {} : { tags: kept }),
    ...(isPublicIcon(iconUrl) ? { iconUrl } : {}),
  }
}

/**
 * Text that can be shown and stored: one line, no markup, no control or direction characters, cut at `most` characters.
 *
 * @example
 * plainText('<b>cheap</b>\u202e weather', 20) // 'cheap weather'
 */
export function plainText(text: string, most: number): string {
  const bare = text
    .slice(0, most * 4)
    .replace(/<[^<>]*>/g, '')
    .replace(/[<>]/g, '')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ')
  return bare.trim().slice(0, most).trim()
}

const MAX_DESCRIPTION = 500

const isWord = (value: Json | undefined): value is string =>
  typeof value === 'string' && /^[\x20-\x7e]{1,32}$/.test(value)

function tagsOf(value: Json | undefined): readonly string[] {
  const byName = new Map<string, string>()
  for (const tag of Array.isArray(value) ? value.slice(0, 64) : []) {
    if (isWord(tag) && !byName.has(tag.toLowerCase())) byName.set(tag.toLowerCase(), plainText(tag, 32))
  }
  return [...byName.values()].filter((tag) => tag !== '').slice(0, 5)
}

/** Whoever shows an icon makes a browser fetch it: only names of the public web are let through, and never by plain http. */
function isPublicIcon(value: Json | undefined): value is string {
  if (typeof value !== 'string' || value.length > 2048 || !/^[\x21-\x7e]+$/.test(value) || !URL.canParse(value))
    return false
  const { protocol, username, password, port, hostname } = new URL(value)
  if (protocol !== 'https:' || username !== '' || password !== '' || port !== '') return false
  const isName = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$/.test(hostname)
  return (
    isName && !/(^|\.)(localhost|local|localdomain|internal|lan|home|corp|arpa|test|nip\.io|sslip\.io)$/.test(hostname)
  )
}
