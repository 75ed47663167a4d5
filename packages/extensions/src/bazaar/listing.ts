import {
  type FacilitatorRequest,
  isJsonObject,
  type Json,
  type JsonObject,
  type PaymentRequirements,
  type X402Version,
} from '@groat/core'
import { isRouteTemplate } from './route-template.js'
import { plainText, type ServiceWords, serviceWords } from './service-words.js'

/** One thing that can be bought, as a payment declares it. All of it is the word of whoever paid. */
export type Listing = ServiceWords & {
  readonly type: 'http' | 'mcp'
  /** Origin and route template or path, without query; for a tool the endpoint that it is called at. */
  readonly url: string
  /** `GET`, …; absent for tools, and where it was not said. */
  readonly method?: string
  readonly tool?: string
  readonly x402Version: X402Version
  /** How it is called. */
  readonly info: JsonObject
  /** What the seller says that `info` looks like. It is shown and stored; nobody runs it (EXT-010). */
  readonly schema?: JsonObject
}

/** Why a payment lists nothing. A closed list, which the answer to "why is it not listed" is made of. */
export type ListingFlaw =
  | 'no_declaration'
  | 'opted_out'
  | 'no_resource'
  | 'resource_not_http'
  | 'declaration_too_large'
  | 'declaration_malformed'
  | 'unknown_method'
  | 'unknown_body_type'
  | 'missing_tool'

/**
 * Reads what a payment declares of the thing that was bought: the `bazaar` extension of a version 2 payment, the `outputSchema` of version 1
 * requirements (BAZAAR-010 to BAZAAR-014). Bounds are held before anything is looked at, schemas are not run, nothing is fetched.
 *
 * @example
 * const read = readListing({ payment, requirements })
 * if (read.ok) console.log(read.listing.url)
 */
export function readListing({
  payment,
  requirements,
}: Pick<FacilitatorRequest, 'payment' | 'requirements'>): ReadListing {
  const { x402Version, extensions, resource } = payment
  if (x402Version === 1) return readOld(requirements)
  const declared = extensions !== undefined && Object.hasOwn(extensions, 'bazaar') ? extensions.bazaar : undefined
  if (!isJsonObject(declared)) return flawed('no_declaration')
  // A resource is read from JSON, whatever its type says of its members.
  return readDeclaration(declared, resource as JsonObject | undefined)
}

/**
 * Reads a declaration as a challenge or a payment holds it, with the resource beside it.
 *
 * @example
 * readDeclaration(challenge.extensions.bazaar, { url: 'https://api.example/weather' })
 */
export function readDeclaration(declared: JsonObject, resource: JsonObject | undefined): ReadListing {
  if (!isWithin(declared)) return flawed('declaration_too_large')
  const place = placeOf(resource?.url)
  if (typeof place === 'string') return flawed(place)
  const { info, schema, routeTemplate } = declared
  const input = isJsonObject(info) ? info.input : undefined
  if (!isJsonObject(info) || !isJsonObject(input)) return flawed('declaration_malformed')
  const template = isRouteTemplate(routeTemplate) ? routeTemplate : undefined
  const about = {
    x402Version: 2 as const,
    info,
    ...(isJsonObject(schema) ? { schema } : {}),
    ...serviceWords(resource ?? {}),
  }
  if (input.type === 'mcp') {
    // The protocol's text says `tool`, its code `toolName`.
    const name = input.toolName ?? input.tool
    const tool = typeof name === 'string' ? plainText(name, 128) : ''
    if (tool === '' || !isJsonObject(input.inputSchema)) return flawed('missing_tool')
    return { ok: true, listing: { ...about, type: 'mcp', url: place.origin + place.pathname, tool } }
  }
  if (input.type !== 'http') return flawed('declaration_malformed')
  const { method, bodyType } = input
  if (method !== undefined && !isMethod(method)) return flawed('unknown_method')
  if (bodyType !== undefined && !isBodyType(bodyType, method)) return flawed('unknown_body_type')
  const url = place.origin + (template ?? place.pathname)
  return { ok: true, listing: { ...about, type: 'http', url, ...(method === undefined ? {} : { method }) } }
}

/** What a payment was read as. */
export type ReadListing =
  | { readonly ok: true; readonly listing: Listing }
  | { readonly ok: false; readonly flaw: ListingFlaw }

const flawed = (flaw: ListingFlaw): ReadListing => ({ ok: false, flaw })

/** Version 1 says how a resource is called in the requirements themselves, in words that every library spelled its own way. */
function readOld({ received }: PaymentRequirements): ReadListing {
  const { outputSchema } = received ?? {}
  const input = isJsonObject(outputSchema) ? outputSchema.input : undefined
  if (!isJsonObject(outputSchema) || !isJsonObject(input) || input.type !== 'http') return flawed('no_declaration')
  if (!isWithin(outputSchema)) return flawed('declaration_too_large')
  if (input.discoverable === false) return flawed('opted_out')
  const place = placeOf(received?.resource)
  if (typeof place === 'string') return flawed(place)
  const method = typeof input.method === 'string' ? input.method.toUpperCase() : undefined
  if (!isMethod(method)) return flawed('unknown_method')
  const first = (...names: string[]) => names.map((name) => input[name]).find(isJsonObject)
  const query = first('queryParams', 'query_params', 'query', 'params')
  const headers = first('headerFields', 'header_fields', 'headers')
  const body = first('bodyFields', 'body_fields', 'bodyParams', 'body', 'data', 'properties') ?? {}
  const info: JsonObject = {
    input: {
      ...{ type: 'http', method },
      ...(WITH_BODY.has(method) ? { bodyType: oldBodyType(input.bodyType ?? input.body_type), body } : {}),
      ...(query === undefined ? {} : { queryParams: query }),
      ...(headers === undefined ? {} : { headers }),
    },
    ...(outputSchema.output ? { output: { type: 'json', example: outputSchema.output } } : {}),
  }
  const { description, mimeType } = serviceWords(received ?? {})
  return {
    ok: true,
    listing: {
      ...{ type: 'http', url: place.origin + place.pathname, method, x402Version: 1, info },
      ...(description === undefined ? {} : { description }),
      ...(mimeType === undefined ? {} : { mimeType }),
    },
  }
}

function oldBodyType(said: Json | undefined): 'json' | 'form-data' | 'text' {
  if (typeof said !== 'string') return 'json'
  if (/form|multipart/i.test(said)) return 'form-data'
  return /text|plain/i.test(said) ? 'text' : 'json'
}

/** What a resource is called by. Other protocols than http have no origin, and all their resources would become one. */
function placeOf(url: Json | undefined): URL | ListingFlaw {
  if (typeof url !== 'string' || url === '') return 'no_resource'
  if (url.length > MAX_URL || !URL.canParse(url)) return 'resource_not_http'
  const place = new URL(url)
  const isPlain = /^https?:$/.test(place.protocol) && place.username === '' && place.password === ''
  return isPlain ? place : 'resource_not_http'
}

const MAX_URL = 2048

/** Members and entries of a declaration, how deep they go, and characters of all its text. */
const MOST = { parts: 2_000, depth: 24, text: 16_384 }

/** Whether a declaration is small enough to be looked at. Goes no deeper than may be, whatever is sent. */
function isWithin(value: Json): boolean {
  let parts = 0
  let text = 0
  const fits = (each: Json | undefined, depth: number): boolean => {
    parts += 1
    if (parts > MOST.parts || depth > MOST.depth) return false
    if (typeof each === 'string') text += each.length
    if (Array.isArray(each)) return each.every((entry: Json) => fits(entry, depth + 1))
    if (!isJsonObject(each)) return text <= MOST.text
    return Object.entries(each).every(([name, member]) => {
      text += name.length
      return text <= MOST.text && fits(member, depth + 1)
    })
  }
  return fits(value, 0) && text <= MOST.text
}

const METHODS: ReadonlySet<Json | undefined> = new Set(['GET', 'HEAD', 'DELETE', 'POST', 'PUT', 'PATCH'])

const WITH_BODY: ReadonlySet<Json | undefined> = new Set(['POST', 'PUT', 'PATCH'])

const isMethod = (value: Json | undefined): value is string => METHODS.has(value)

function isBodyType(value: Json, method: Json | undefined): boolean {
  return (
    (value === 'json' || value === 'form-data' || value === 'text') && (method === undefined || WITH_BODY.has(method))
  )
}
