import { encodeRequirements, isJsonObject, type Json, type JsonObject } from '@groat/core'
import { priceWords } from './price-words.js'
import type { DescribedOffer, DescribedRoute, DescribedService } from './service.js'

/**
 * Describes a seller as OpenAPI 3.1 with payment hints: `x-payment-info` for directories, `x-x402` with the offers themselves. A live 402 is what
 * counts; this is what it said when the document was made (DESC-002).
 *
 * @example
 * openApi({ origin: 'https://shop.example', title: 'Shop', routes }).paths
 */
export function openApi({
  origin,
  title,
  description,
  version = '1.0.0',
  documentation,
  contact,
  iconUrl,
  routes,
}: DescribedService): JsonObject {
  const paths: Record<string, JsonObject> = {}
  for (const route of routes) {
    const method = route.method.toLowerCase()
    if (!METHODS.includes(method)) continue
    const { path, names } = templateOf(route.path)
    paths[path] = { ...paths[path], [method]: operation(route, names) }
  }
  return {
    openapi: '3.1.0',
    info: {
      ...{ title, version },
      ...(description === undefined ? {} : { description }),
      ...(contact === undefined ? {} : { contact: /^https?:/.test(contact) ? { url: contact } : { email: contact } }),
      ...(iconUrl === undefined ? {} : { 'x-logo': { url: iconUrl } }),
    },
    servers: [{ url: origin }],
    ...(documentation === undefined ? {} : { externalDocs: { url: documentation } }),
    'x-service-info': {
      categories: [...new Set(routes.flatMap(({ about }) => about.tags ?? []))],
      docs: {
        ...(documentation === undefined ? {} : { homepage: documentation }),
        apiReference: `${origin}/openapi.json`,
        llms: `${origin}/llms.txt`,
      },
    },
    paths,
    components: { schemas: { PaymentRequired: CHALLENGE } },
  }
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

/** `/books/:isbn` as `/books/{isbn}`, with the names of what varies. */
export function templateOf(path: string): { readonly path: string; readonly names: readonly string[] } {
  let stars = 0
  const names: string[] = []
  const segments = path.split('/').map((segment) => {
    const name = segment === '*' ? `var${++stars}` : /^[:[{]([a-zA-Z_][a-zA-Z0-9_]*)/.exec(segment)?.[1]
    if (name === undefined) return segment
    names.push(name)
    return `{${name}}`
  })
  return { path: segments.join('/'), names }
}

function operation(route: DescribedRoute, names: readonly string[]): JsonObject {
  const { about, offers, free = false, websocket = false, extensions = {} } = route
  const { info, schema } = blockOf(extensions.bazaar)
  const input = at(schema, 'properties', 'input', 'properties')
  const [params, query, headers] = ['pathParams', 'queryParams', 'headers'].map((part) => at(input, part)) as [
    Members,
    Members,
    Members,
  ]
  const sent = at(info, 'input')
  const bodyType = sent?.bodyType
  const type = about.mimeType ?? 'application/json'
  const output = at(info, 'output')
  const answerSchema = at(schema, 'properties', 'output', 'properties', 'example')
  const content = {
    ...(answerSchema === undefined ? {} : { schema: answerSchema }),
    ...(output?.example === undefined ? {} : { example: output.example }),
  }
  const bodySchema = at(input, 'body')
  return {
    ...(about.description === undefined ? {} : { summary: about.description }),
    ...(about.tags === undefined ? {} : { tags: about.tags }),
    parameters: [
      ...names.map((name) => ({
        name,
        in: 'path',
        required: true,
        schema: at(params, 'properties', name) ?? { type: 'string' },
      })),
      ...parametersOf(query, 'query', at(sent, 'queryParams')),
      ...parametersOf(headers, 'header', at(sent, 'headers')),
    ],
    ...(typeof bodyType === 'string'
      ? {
          requestBody: {
            required: true,
            content: {
              [BODY_TYPES[bodyType] ?? 'application/json']: {
                schema: bodySchema ?? {},
                ...(sent?.body === undefined ? {} : { example: sent.body }),
              },
            },
          },
        }
      : {}),
    responses: {
      ...(websocket
        ? {
            101: { description: 'A WebSocket, opened for the payment', headers: PAID },
            426: { description: 'No handshake' },
          }
        : {
            200: {
              description: free ? 'The answer' : 'The answer, paid for',
              content: { [type]: content },
              ...(free ? {} : { headers: PAID }),
            },
          }),
      ...(free ? {} : { 402: UNPAID }),
    },
    ...(websocket ? { 'x-websocket': true } : {}),
    ...(free ? {} : hints(route, offers, Object.keys(extensions))),
  }
}

type Members = JsonObject | undefined

function hints(
  { price }: DescribedRoute,
  offers: readonly DescribedOffer[],
  extensions: readonly string[],
): JsonObject {
  return {
    'x-payment-info': {
      protocols: ['x402'],
      pricingMode: offers.length === 0 ? 'dynamic' : 'fixed',
      ...(price === undefined ? {} : { price }),
      offers: offers.map((offer) => {
        const { ceiling = false, requirements } = offer
        return {
          ...{
            intent: ceiling ? 'session' : 'charge',
            method: 'x402',
            network: requirements.network,
            currency: requirements.asset,
          },
          amount: ceiling ? null : requirements.amount.toString(),
          description: priceWords(offer),
        }
      }),
    },
    'x-x402': {
      version: 2,
      accepts: offers.map(({ requirements }) => encodeRequirements(2, requirements)),
      extensions,
    },
  }
}

function parametersOf(schema: Members, place: 'query' | 'header', example: Members): readonly JsonObject[] {
  const required = Array.isArray(schema?.required) ? schema.required : []
  return Object.entries(at(schema, 'properties') ?? {}).map(([name, member]) => ({
    ...{ name, in: place, required: required.includes(name), schema: isJsonObject(member) ? member : {} },
    ...(example?.[name] === undefined ? {} : { example: example[name] }),
  }))
}

function blockOf(block: Json | undefined): { readonly info?: JsonObject; readonly schema?: JsonObject } {
  const [info, schema] = [at(block, 'info'), at(block, 'schema')]
  return { ...(info === undefined ? {} : { info }), ...(schema === undefined ? {} : { schema }) }
}

/** The object at a path of members; `undefined` where there is none. */
function at(value: Json | undefined, ...names: readonly string[]): JsonObject | undefined {
  let found = value
  for (const name of names) found = isJsonObject(found) && Object.hasOwn(found, name) ? found[name] : undefined
  return isJsonObject(found) ? found : undefined
}

const BODY_TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  'form-data': 'multipart/form-data',
  text: 'text/plain',
}

const HEADER = { schema: { type: 'string', contentEncoding: 'base64' } }

const PAID = { 'PAYMENT-RESPONSE': { description: 'The receipt, as base64 of JSON', ...HEADER } }

const UNPAID = {
  description: 'The payment that is asked for. Its terms count, not those of this document',
  headers: { 'PAYMENT-REQUIRED': { description: 'The challenge, as base64 of JSON', ...HEADER } },
  content: { 'application/json': { schema: { $ref: '#/components/schemas/PaymentRequired' } } },
}

const CHALLENGE = {
  type: 'object',
  description: 'How a request can be paid for: https://github.com/x402-foundation/x402',
  properties: {
    x402Version: { type: 'integer' },
    error: { type: 'string' },
    resource: { type: 'object' },
    accepts: { type: 'array', items: { type: 'object' } },
  },
  required: ['accepts'],
}
