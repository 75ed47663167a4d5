import { isJsonObject, type Json } from '@groat/core'
import type { Listing } from '@groat/extensions/bazaar/facilitator'

/** What a listing is found by: its name, tags and path before the rest. One word form for both databases, so that both find the same. */
export function wordsOf({
  url,
  tool,
  serviceName,
  tags,
  description,
  method,
  info,
}: Omit<Listing, 'type' | 'x402Version'>): {
  readonly name: string
  readonly more: string
} {
  const { hostname, pathname } = new URL(url)
  const name = words([serviceName, tool, ...(tags ?? []), pathname].join(' '), 64)
  const more = words([hostname, description, method, ...namesIn(info)].join(' '), 256)
  return { name: name.join(' '), more: more.join(' ') }
}

/** The words of a text or a question: letters and digits, without case and accents. */
export function words(text: string, most: number): readonly string[] {
  const plain = text
    .slice(0, 8192)
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
  const found = plain.match(/[\p{L}\p{N}]+/gu) ?? []
  return [...new Set(found.map((word) => word.slice(0, 40)))].slice(0, most)
}

/** Names of what is put in and what comes out. */
function namesIn(info: Json | undefined, depth = 0): readonly string[] {
  if (!isJsonObject(info) || depth > 6) return []
  return Object.entries(info)
    .flatMap(([name, member]) => [name, ...namesIn(member, depth + 1)])
    .slice(0, 200)
}
