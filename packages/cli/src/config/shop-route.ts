import type { FinishedAnswer, RouteOptions } from '@groat/server'
import * as z from 'zod/mini'

const Price = z.string().check(z.minLength(1))
const Count = z.int().check(z.positive())

const Asset = z.strictObject({
  symbol: z.string(),
  address: z.string(),
  decimals: z.int().check(z.gte(0), z.lte(77)),
  domain: z.optional(z.strictObject({ name: z.string(), version: z.string() })),
  transfer: z.optional(z.enum(['eip3009', 'permit2'])),
})

/** What a route tells its extensions. */
const Extensions = z.strictObject({
  'payment-identifier': z.optional(z.union([z.boolean(), z.strictObject({ required: z.boolean() })])),
  'sign-in-with-x': z.optional(z.union([z.boolean(), z.strictObject({ statement: z.optional(z.string()) })])),
  'offer-receipt': z.optional(
    z.union([z.boolean(), z.strictObject({ valid_seconds: z.optional(Count), transaction: z.optional(z.boolean()) })]),
  ),
  'builder-code': z.optional(z.strictObject({ a: z.optional(z.string()), s: z.optional(z.array(z.string())) })),
  'groat-refund': z.optional(z.boolean()),
  'groat-request-binding': z.optional(
    z.union([
      z.boolean(),
      z.strictObject({ required: z.optional(z.boolean()), headers: z.optional(z.array(z.string())) }),
    ]),
  ),
  'groat-compliance': z.optional(
    z.strictObject({
      asks: z.array(z.enum(['country', 'kind', 'purpose', 'recordDigest'])).check(z.minLength(1)),
      required: z.optional(z.boolean()),
    }),
  ),
})

/** One route of a shop's file: its price alone, or all there is to say. */
export const Route = z.union([
  z.literal('free'),
  Price,
  z.strictObject({
    price: z.optional(Price),
    per_token: z.optional(
      z.strictObject({
        input: Price,
        output: Price,
        least_input: z.optional(z.union([z.int().check(z.nonnegative()), z.literal('body')])),
      }),
    ),
    per_minute: z.optional(z.union([Price, z.strictObject({ price: Price, minimum: z.optional(z.int()) })])),
    per_millisecond: z.optional(Price),
    per_byte: z.optional(Price),
    per_gigabyte: z.optional(Price),
    per_cycle: z.optional(Price),
    up_to: z.optional(Price),
    prepaid: z.optional(Price),
    times: z.optional(z.array(z.record(z.string(), z.string())).check(z.minLength(1))),
    free: z.optional(
      z.union([Count, z.strictObject({ calls: Count, every: z.optional(z.string()), by: z.optional(z.string()) })]),
    ),
    bundle: z.optional(z.int()),
    pass: z.optional(z.string()),
    scope: z.optional(z.string()),
    group: z.optional(z.string().check(z.minLength(1))),
    refund: z.optional(z.enum(['on-failure', 'never'])),
    valid_if: z.optional(z.strictObject({ content_type: z.optional(z.string()), json: z.optional(z.boolean()) })),
    mode: z.optional(z.enum(['strict', 'upfront', 'accepted', 'optimistic'])),
    loss_budget: z.optional(Price),
    streams: z.optional(z.boolean()),
    websocket: z.optional(z.boolean()),
    networks: z.optional(z.array(z.string()).check(z.minLength(1))),
    offers: z.optional(
      z
        .array(
          z.strictObject({
            network: z.string(),
            price: z.optional(Price),
            scheme: z.optional(z.string()),
            pay_to: z.optional(z.string()),
            asset: z.optional(Asset),
          }),
        )
        .check(z.minLength(1)),
    ),
    dialects: z.optional(z.array(z.enum(['plain-headers']))),
    extensions: z.optional(Extensions),
    description: z.optional(z.string()),
    mime_type: z.optional(z.string()),
    service_name: z.optional(z.string()),
    tags: z.optional(z.array(z.string())),
    icon_url: z.optional(z.string()),
    bazaar: z.optional(z.union([z.boolean(), z.record(z.string(), z.json())])),
    max_timeout_seconds: z.optional(z.int()),
    max_response_bytes: z.optional(z.int()),
  }),
])

/** The words of the file are those of the code, in the file's spelling. */
export function termsOf(name: string, sold: string | Exclude<z.output<typeof Route>, string>): RouteOptions {
  if (typeof sold === 'string') return { name, price: sold }
  const { networks, valid_if, bazaar, ...words } = sold
  const offers = networks && { offers: networks.map((network) => ({ network })) }
  // The schema has checked every word; what is left is its spelling.
  // JSON Schemas in it have names of their own: their spelling stays.
  const extensions = bazaar === undefined ? {} : { extensions: { bazaar } }
  return {
    name,
    ...offers,
    ...extensions,
    ...(valid_if && { invalid: invalidBy(valid_if) }),
    ...(inCode(words) as RouteOptions),
  }
}

/** A rule of the file about answers, as the gate takes it. */
function invalidBy({ content_type, json = false }: { content_type?: string | undefined; json?: boolean | undefined }) {
  return ({ headers, body }: FinishedAnswer): boolean => {
    if (content_type !== undefined && !String(headers['content-type'] ?? '').startsWith(content_type)) return true
    if (!json || body === undefined) return false
    try {
      JSON.parse(typeof body === 'string' ? body : new TextDecoder().decode(body))
      return false
    } catch {
      return true
    }
  }
}

/** The file's word for a word of the code. */
export function wordInFile(word: string): string {
  return word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function inCode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inCode)
  if (typeof value !== 'object' || value === null) return value
  const known = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(
    known.map(([word, inner]) => [
      word.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      inCode(inner),
    ]),
  )
}
