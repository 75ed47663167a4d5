import * as wire from '@groat/core/schema'
import type { WebhookTopic } from '@groat/core/webhook'
import * as z from 'zod/mini'

/** An OpenAPI document, as JSON. */
export type OpenApiDocument = { readonly openapi: string; readonly [member: string]: unknown }

const Problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  hint: z.string(),
  retry: z.enum(['new-payment', 'same-payment', 'later', 'never']),
  detail: z.optional(z.string()),
  detailCode: z.optional(z.string()),
  reference: z.optional(z.string()),
})

const HealthReason = z.looseObject({
  part: z.string(),
  network: z.optional(z.string()),
  signer: z.optional(z.string()),
  code: z.optional(z.string()),
  state: z.optional(z.string()),
  detail: z.optional(z.string()),
})

const Health = z.looseObject({
  ready: z.boolean(),
  reasons: z.array(HealthReason),
  notes: z.optional(z.array(HealthReason)),
})

const StoredSettlement = z.looseObject({
  pid: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  status: z.enum(['settled', 'refused', 'unknown']),
  scheme: z.string(),
  network: z.string(),
  payTo: z.string(),
  asset: z.string(),
  amount: z.string(),
  transaction: z.optional(z.string()),
  payer: z.optional(z.string()),
})

const Live = z.looseObject({ live: z.boolean() })

/**
 * Describes the facilitator's HTTP interface as OpenAPI 3.1. Its schemas are made of the very ones that messages are checked with.
 *
 * @example
 * createOpenApi({ version: '1.0.0', keys: true }).openapi // '3.1.0'
 */
export function createOpenApi({
  version,
  keys,
}: {
  readonly version: string
  readonly keys: boolean
}): OpenApiDocument {
  const parts = z.registry<{ id: string }>()
  const { v1, v2 } = wire
  const schemas = {
    VerifyRequest: v2.VerifyRequest,
    VerifyRequestV1: v1.VerifyRequest,
    VerifyResponse: v2.VerifyResponse,
    SettleResponse: v2.SettleResponse,
    SupportedResponse: v2.SupportedResponse,
    StoredSettlement,
    Health,
    Live,
    Problem,
    WebhookBody: wire.WebhookBody,
  }
  for (const [id, schema] of Object.entries(schemas)) parts.add(schema, { id })
  const made = z.toJSONSchema(parts, {
    io: 'input',
    target: 'draft-2020-12',
    uri: (id) => `#/components/schemas/${id}`,
  })
  const components = Object.fromEntries(
    Object.entries(made.schemas).map(([name, { $schema: _, $id: __, id: ___, ...schema }]) => [name, schema]),
  )
  const secured = keys ? { security: [{ apiKey: [] }] } : {}
  const request = { required: true, content: json({ oneOf: [ref('VerifyRequest'), ref('VerifyRequestV1')] }) }
  const post = (summary: string, answer: string) => ({
    summary,
    requestBody: request,
    responses: {
      200: answered('The judgement', answer),
      400: answered('The request is malformed', answer),
      ...problems,
    },
    ...secured,
  })
  const get = (summary: string, answer: string, more: object = {}) => ({
    summary,
    responses: { 200: answered('The answer', answer), default: problems.default },
    ...more,
  })
  const inPath = (...names: string[]) => ({
    parameters: names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
  })
  return {
    openapi: '3.1.0',
    info: { title: 'x402 facilitator', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths: {
      '/verify': { post: post('Whether a payment would settle', 'VerifyResponse') },
      '/settle': { post: post('Settles a payment, once', 'SettleResponse') },
      '/supported': { get: get('What is served', 'SupportedResponse') },
      '/settlements/{pid}': {
        get: get('What became of a payment', 'StoredSettlement', { ...inPath('pid'), ...secured }),
      },
      '/livez': { get: get('Whether the process answers', 'Live') },
      '/readyz': { get: get('Whether payments can be taken', 'Health') },
      '/readyz/{network}/{scheme}': {
        get: get('Whether payments of one scheme on one network can be taken', 'Health', inPath('network', 'scheme')),
      },
    },
    webhooks: Object.fromEntries(
      Object.entries(topics).map(([topic, summary]) => [`payment.${topic}`, { post: telling(summary) }]),
    ),
    components: {
      schemas: components,
      ...(keys ? { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } } : {}),
    },
  }
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: object) => ({ 'application/json': { schema } })
const answered = (description: string, name: string) => ({ description, content: json(ref(name)) })

/** What endpoints of the operator and of tenants are told. */
const topics = {
  settled: 'The money has moved',
  final: 'The block of a payment cannot be undone any more',
  reorged: 'The block of a payment was undone: it goes out again',
  refused: 'Something was sent for a payment, and it is proven that it never settles',
} satisfies Record<WebhookTopic, string>

const telling = (summary: string) => ({
  summary,
  description: 'Signed as standardwebhooks.com says. It may come again with the same id.',
  parameters: ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => ({
    name,
    in: 'header',
    required: true,
    schema: { type: 'string' },
  })),
  requestBody: { required: true, content: json(ref('WebhookBody')) },
  responses: {
    '2XX': { description: 'It is taken' },
    410: { description: 'Nothing more of it is wanted: it is given up' },
    default: { description: 'It comes again, after `Retry-After` where that is said' },
  },
})

const aProblem = (description: string) => ({
  description,
  headers: { 'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer' } } },
  content: { 'application/problem+json': { schema: ref('Problem') } },
})

const problems = {
  401: aProblem('The API key is missing or unknown'),
  403: aProblem('The API key does not allow this'),
  413: aProblem('The body is larger than 64 KiB'),
  429: aProblem('A quota is used up'),
  503: aProblem('It cannot be told now; nothing was accepted'),
  default: aProblem('Something else went wrong'),
}
