import { decodeJsonObject, isJsonObject, type Json, type JsonObject } from '@groat/core'
import { callOver, type HttpCall, publicCall } from '@groat/core/http'

/** The keys that a site publishes for what it asserts. */
export type SiteKeys = {
  /** A key by the fragment of its name, as a JWK. */
  jwk(fragment: string): JsonObject | undefined
  /** Ethereum accounts, in lower case. */
  readonly accounts: readonly string[]
  /** All keys that are published as JWKs: who signs with one of them under another name signs for the site. */
  readonly jwks?: readonly JsonObject[]
  /** The document itself, to be kept with what was verified by it: `keptKeys` reads it when the site publishes another. */
  readonly document?: string
}

/** Fetches the keys of sites. */
export type KeyFinder = (host: string) => Promise<SiteKeys | undefined>

/**
 * Finds the keys of a site in its `did:web` document, `/.well-known/did.json`, over HTTPS: no redirect is followed, no private address is reached, 64 KiB are read, and five seconds
 * waited. Answers are kept for `keepMs`. Only keys that the document names for assertions count.
 *
 * @example
 * const keysOf = didWebKeys()
 */
export function didWebKeys({
  call = publicCall() ?? callOver(globalThis.fetch),
  clock = Date.now,
  keepMs = 300_000,
}: {
  readonly call?: HttpCall
  readonly clock?: () => number
  readonly keepMs?: number
} = {}): KeyFinder {
  const kept = new Map<string, { readonly until: number; readonly keys: Promise<SiteKeys | undefined> }>()
  return (host) => {
    const known = kept.get(host)
    if (known !== undefined && known.until > clock()) return known.keys
    if (kept.size >= MAX_SITES) kept.delete(kept.keys().next().value ?? '')
    const keys = fetchKeys(host, call)
    kept.set(host, { until: clock() + keepMs, keys })
    return keys
  }
}

/**
 * Keys out of documents that were kept when something was verified by them, by host: a site that has changed its keys since no longer vouches for what it signed then. Nothing is
 * fetched. What is no document of that host vouches for nothing.
 *
 * @example
 * const verdict = await verifySignedReceipt(signed, { keysOf: keptKeys({ 'shop.example': document }), now })
 */
export function keptKeys(documents: Readonly<Record<string, string>>): KeyFinder {
  return async (host) => {
    const text = Object.hasOwn(documents, host) ? documents[host] : undefined
    const document = text === undefined || text.length > 65_536 ? undefined : decodeJsonObject(text)
    return document?.ok ? readKeys(host, document.value) : undefined
  }
}

const MAX_SITES = 256
const MAX_METHODS = 64

/** The name of a site, as `did:web` has it. */
export const didOf = (host: string): string => `did:web:${host.replace(':', '%3A')}`

async function fetchKeys(host: string, call: HttpCall): Promise<SiteKeys | undefined> {
  const url = `https://${host}/.well-known/did.json`
  // A host that is more than a host would say where to ask.
  if (!URL.canParse(url) || new URL(url).host !== host) return undefined
  const headers = { accept: 'application/did+json, application/json' }
  try {
    const { status, text } = await call({ url, method: 'GET', headers, timeoutMs: 5_000, maxBytes: 65_536 })
    const document = status === 200 && text !== undefined ? decodeJsonObject(text) : undefined
    const keys = document?.ok ? readKeys(host, document.value) : undefined
    return keys && text !== undefined ? { ...keys, document: text } : undefined
  } catch {
    return undefined
  }
}

function readKeys(host: string, document: JsonObject): SiteKeys | undefined {
  const did = didOf(host)
  if (document.id !== did) return undefined
  const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value.slice(0, MAX_METHODS) : [])
  const nameOf = (id: Json | undefined): string =>
    typeof id === 'string' && id.startsWith('#') ? did + id : String(id)
  const asserts = list(document.assertionMethod)
  const named = new Set(asserts.map((entry) => nameOf(isJsonObject(entry) ? entry.id : entry)))
  const methods = [...list(document.verificationMethod), ...asserts].filter(isJsonObject)
  const usable = methods.filter(({ id }) => named.has(nameOf(id)))
  return {
    jwk: (fragment) => {
      const method = usable.find(({ id }) => nameOf(id) === `${did}#${fragment}`)
      return isJsonObject(method?.publicKeyJwk) ? method.publicKeyJwk : undefined
    },
    jwks: usable.flatMap(({ publicKeyJwk }) => (isJsonObject(publicKeyJwk) ? [publicKeyJwk] : [])),
    accounts: usable.flatMap(({ blockchainAccountId }) => {
      const [, address] = /^eip155:[0-9]+:(0x[0-9a-fA-F]{40})$/.exec(String(blockchainAccountId)) ?? []
      return address === undefined ? [] : [address.toLowerCase()]
    }),
  }
}
