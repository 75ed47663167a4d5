import {
  type Asset,
  assetByAddress,
  decodeRequirements,
  type Fetch,
  isJsonObject,
  type Json,
  type JsonObject,
  type PaymentRequirements,
  parseMoney,
  readBounded,
} from '@groat/core'
import { parseLimit } from '../policy.js'
import { compareValues, type Value } from '../value.js'

/** Something that can be bought, as somebody lists it. What it really costs is what it asks when it is asked. */
export type Service = {
  readonly url: string
  /** The tool's name, where it is one of the MCP server at `url`. */
  readonly tool?: string
  readonly description: string
  /** Where it was found: `bazaar`, `well-known`, `agent-card` or `openapi`. */
  readonly source: 'bazaar' | 'well-known' | 'agent-card' | 'openapi'
  readonly offers: readonly ListedOffer[]
  /** A price that is listed in words alone, such as `$0.01`. */
  readonly price?: string
}

/** An offer of a listed service, and its asset where it is known. */
export type ListedOffer = { readonly offer: PaymentRequirements; readonly asset?: Asset }

/** Where to look, and for what. */
export type FindOptions = {
  /** Words that all have to stand in URL or description. */
  readonly query?: string
  /** Most that a call may cost, such as `$0.01`. Services without a known price stay. */
  readonly max?: string
  /** Facilitators with a catalogue. */
  readonly catalogues?: readonly string[]
  /** Sites that may describe themselves. */
  readonly sites?: readonly string[]
  readonly fetch?: Fetch
  readonly signal?: AbortSignal
}

/** What was found, and which sources did not answer. */
export type Found = { readonly services: readonly Service[]; readonly silent: readonly string[] }

/** Most that is read of one document. */
const MAX_BYTES = 4_194_304
const MAX_MS = 10_000
const MAX_SERVICES = 10_000

/**
 * Looks for services in catalogues of facilitators (`/discovery/resources`) and in what sites say of themselves: `/.well-known/x402`, the
 * A2A agent card, payment hints in OpenAPI. The cheapest come first. Nothing that is read here is believed for a payment: whoever buys
 * asks the service itself, and the policy decides.
 * Throws `X402Error` `invalid_price`, `invalid_config` for a `max` that is none.
 *
 * @example
 * const { services } = await findServices({ query: 'weather', max: '$0.01', catalogues: ['https://pay.example'] })
 */
export async function findServices(options: FindOptions): Promise<Found> {
  const { query = '', max, catalogues = [], sites = [] } = options
  const limit = max === undefined ? undefined : parseLimit(max, 'max')
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const reads = [
    ...sites.flatMap((base) => [
      { url: join(base, '.well-known/x402'), read: fromWellKnown },
      { url: join(base, '.well-known/agent-card.json'), read: fromAgentCard },
      { url: join(base, 'openapi.json'), read: fromOpenApi },
    ]),
  ]
  const silent: string[] = []
  const listed = catalogues.map(async (base) => {
    const found = await fromCatalogue(base, words, options)
    if (found === undefined) silent.push(join(base, LIST))
    return found ?? []
  })
  const read = await Promise.all(
    reads.map(async ({ url, read }) => {
      const document = await load(url, options)
      try {
        if (document !== undefined) return read(document, url)
      } catch {
        // A document of one site that cannot be read hides nothing of the others.
      }
      silent.push(url)
      return []
    }),
  )
  const mentioned = read
    .flat()
    .filter(({ url, description }) => words.every((word) => `${url} ${description}`.toLowerCase().includes(word)))
  const services = unique([...(await Promise.all(listed)).flat(), ...mentioned])
    .map((service) => ({ service, price: priceOf(service) }))
    .filter(({ price }) => limit === undefined || price === undefined || compareValues(price, limit) <= 0)
    .sort((a, b) => byPrice(a.price, b.price))
  return { services: services.map(({ service }) => service), silent }
}

/** The lowest price of a service; `undefined` where none is listed that can be read. */
export function priceOf({ offers, price }: Service): Value | undefined {
  const values = offers.flatMap(({ offer, asset }) =>
    asset ? [{ units: offer.amount, decimals: asset.decimals }] : [],
  )
  const [lowest] = values.sort(compareValues)
  return lowest ?? (price === undefined ? undefined : parseLimit(price, 'price'))
}

function byPrice(a: Value | undefined, b: Value | undefined): number {
  if (a === undefined || b === undefined) return (a === undefined ? 1 : 0) - (b === undefined ? 1 : 0)
  return compareValues(a, b)
}

async function load(url: string, { fetch = globalThis.fetch, signal }: FindOptions): Promise<Json | undefined> {
  try {
    const late = AbortSignal.timeout(MAX_MS)
    const stop = signal === undefined ? late : AbortSignal.any([signal, late])
    const response = await fetch(url, { headers: { accept: 'application/json' }, redirect: 'error', signal: stop })
    const bytes = response.ok ? await readBounded(response.body, { maxBytes: MAX_BYTES, ms: MAX_MS }) : undefined
    // Parsed text is JSON by definition; every member is looked at before it is used.
    return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as Json)
  } catch {
    return undefined
  }
}

/**
 * What a catalogue lists: what it finds itself, which may be by words that stand in neither URL nor description, or else all of it, page by page, of which we look.
 * `undefined` when it does not answer.
 */
async function fromCatalogue(
  base: string,
  words: readonly string[],
  options: FindOptions,
): Promise<readonly Service[] | undefined> {
  if (words.length > 0) {
    const asked = new URLSearchParams({ query: words.join(' '), limit: '100' })
    const answer = await load(join(base, `discovery/search?${asked}`), options)
    if (memberList(answer, 'resources') !== undefined) return fromBazaar(answer ?? null)
  }
  const found: Service[] = []
  // A catalogue that answers a row at a time, or slowly, is not read for hours.
  const late = AbortSignal.timeout(MAX_MS * 6)
  const { signal } = options
  const paging = { ...options, signal: signal === undefined ? late : AbortSignal.any([signal, late]) }
  for (let offset = 0; offset < MAX_SERVICES; ) {
    const page = await load(join(base, offset === 0 ? LIST : `${LIST}&offset=${offset}`), paging)
    if (page === undefined) return offset === 0 ? undefined : found
    const rows = (memberList(page, 'items') ?? memberList(page, 'resources') ?? []).length
    found.push(...fromBazaar(page))
    offset += rows
    const { total } = (isJsonObject(page) && isJsonObject(page.pagination) && page.pagination) || {}
    if (rows === 0 || typeof total !== 'number' || offset >= total) break
  }
  return found.filter(({ url, tool = '', description }) =>
    words.every((word) => `${url} ${tool} ${description}`.toLowerCase().includes(word)),
  )
}

const LIST = 'discovery/resources?limit=100'

/** `{ items: [{ resource, accepts, … }] }`; some call the list `resources`. */
function fromBazaar(document: Json): readonly Service[] {
  const list = memberList(document, 'items') ?? memberList(document, 'resources') ?? []
  return list.slice(0, MAX_SERVICES).flatMap((item) => {
    if (!isJsonObject(item)) return []
    const { metadata } = item
    // What strangers have paid is not what it costs.
    const isPriced =
      !isJsonObject(metadata) ||
      metadata.saidBy === undefined ||
      metadata.saidBy === 'seller' ||
      metadata.originVerified === true
    return serviceFrom(isPriced ? item : { ...item, accepts: [] }, 'bazaar')
  })
}

/** `{ items: [{ resource: { url }, accepts, … }] }`, or `{ resources: [url | { url, accepts, … }] }`, relative to the site. */
function fromWellKnown(document: Json, base: string): readonly Service[] {
  const list =
    memberList(document, 'items') ?? memberList(document, 'resources') ?? memberList(document, 'endpoints') ?? []
  return list.slice(0, MAX_SERVICES).flatMap((item) => {
    if (typeof item === 'string') return serviceFrom({ url: item }, 'well-known', base)
    return isJsonObject(item) ? serviceFrom(item, 'well-known', base) : []
  })
}

/** An agent that says that it takes x402 is a service at its own URL. */
function fromAgentCard(document: Json, base: string): readonly Service[] {
  if (!isJsonObject(document)) return []
  const { capabilities, name, description } = document
  const [preferred] = memberList(document, 'supportedInterfaces') ?? []
  const url = isJsonObject(preferred) && typeof preferred.url === 'string' ? preferred.url : document.url
  const extensions = isJsonObject(capabilities) ? (memberList(capabilities, 'extensions') ?? []) : []
  const paid = extensions.some((each) => isJsonObject(each) && String(each.uri).includes('x402'))
  if (!paid) return []
  return serviceFrom({ url, description: `${text(name)} ${text(description)}`.trim() }, 'agent-card', base)
}

/** Operations with `x-payment-info` or `x-x402`: an object with offers or a price, or the price itself. */
function fromOpenApi(document: Json, base: string): readonly Service[] {
  if (!isJsonObject(document) || !isJsonObject(document.paths)) return []
  const [server] = memberList(document, 'servers') ?? []
  const root =
    isJsonObject(server) && typeof server.url === 'string' ? new URL(server.url, base).href : new URL('/', base).href
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.values(isJsonObject(operations) ? operations : {}).flatMap((operation) => {
      if (!isJsonObject(operation)) return []
      const hints = [operation['x-payment-info'], operation['x-x402']].filter((hint) => hint != null)
      if (hints.length === 0) return []
      const told: JsonObject = Object.assign({}, ...hints.map((hint) => (isJsonObject(hint) ? hint : { price: hint })))
      const description = text(operation.summary ?? operation.description)
      return serviceFrom({ description, ...told, url: join(root, path.replace(/^\//, '')) }, 'openapi', base)
    }),
  )
}

function serviceFrom(item: JsonObject, source: Service['source'], base?: string): readonly Service[] {
  const { metadata, resource } = item
  const named = isJsonObject(resource) ? resource.url : (resource ?? item.url)
  if (typeof named !== 'string' || !URL.canParse(named, base)) return []
  const url = new URL(named, base)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return []
  const offers = (memberList(item, 'accepts') ?? []).flatMap((wire) => offerFrom(wire))
  const [first] = memberList(item, 'accepts') ?? []
  const described =
    item.description ??
    [metadata, resource].map((each) => (isJsonObject(each) ? each.description : undefined)).find(Boolean)
  const description = text(described ?? (isJsonObject(first) ? first.description : undefined)).slice(0, 500)
  const price = moneyOf(item.price)
  // A template keeps the braces that say where something is to be filled in.
  const written = url.href.replace(/%7B([\w-]+)%7D/g, '{$1}')
  const tool = item.type === 'mcp' ? text(item.toolName).slice(0, 128) : ''
  return [
    { url: written, ...(tool !== '' && { tool }), description, source, offers, ...(price !== undefined && { price }) },
  ]
}

function offerFrom(wire: Json): readonly ListedOffer[] {
  if (!isJsonObject(wire)) return []
  const decoded = decodeRequirements('maxAmountRequired' in wire ? 1 : 2, wire)
  if (!decoded.ok) return []
  const asset = assetByAddress(decoded.value.network, decoded.value.asset)
  return [{ offer: decoded.value, ...(asset && { asset }) }]
}

function moneyOf(value: Json | undefined): string | undefined {
  try {
    const { decimal, ticker } = parseMoney(typeof value === 'number' ? String(value) : text(value))
    return ticker === 'USD' ? `$${decimal}` : undefined
  } catch {
    return undefined
  }
}

/** One service may be listed in several places; the first that names an offer speaks for it. */
function unique(services: readonly Service[]): readonly Service[] {
  const byUrl = new Map<string, Service>()
  for (const service of services) {
    // Many tools have one URL.
    const key = `${service.url} ${service.tool ?? ''}`
    const known = byUrl.get(key)
    if (known === undefined || (known.offers.length === 0 && service.offers.length > 0)) byUrl.set(key, service)
  }
  return [...byUrl.values()]
}

function memberList(of: Json | undefined, name: string): readonly Json[] | undefined {
  const list = isJsonObject(of) ? of[name] : undefined
  return Array.isArray(list) ? list : undefined
}

const text = (value: Json | undefined) => (typeof value === 'string' ? value : '')
const join = (base: string, path: string) => new URL(path, base.endsWith('/') ? base : `${base}/`).href
