import type { JsonObject } from '@groat/core'
import { agentCard } from './agent-card.js'
import { llmsText } from './llms-text.js'
import { openApi } from './openapi.js'
import type { DescribedService, ServiceDocument } from './service.js'
import { wellKnown } from './well-known.js'

/**
 * Every document that describes a seller, made of one description: OpenAPI, the x402 manifest, the A2A agent card where there is an agent, `llms.txt` and the catalogue of
 * RFC 9727 (DESC-001).
 *
 * @example
 * for (const { path, type, body } of serviceDocuments(service)) app.get(path, (c) => c.body(body, 200, { 'content-type': type }))
 */
export function serviceDocuments(service: DescribedService): readonly ServiceDocument[] {
  const manifest = wellKnown(service)
  const card = agentCard(service)
  return [
    json('/openapi.json', openApi(service)),
    json('/.well-known/x402', manifest),
    json('/.well-known/x402.json', manifest),
    ...(card === undefined ? [] : [json('/.well-known/agent-card.json', card)]),
    json('/.well-known/api-catalog', apiCatalog(service), 'application/linkset+json'),
    { path: '/llms.txt', type: 'text/plain; charset=utf-8', body: llmsText(service) },
  ]
}

/**
 * Answers requests for the documents of a seller; `undefined` for any other. They may be kept for five minutes, from any page.
 *
 * @example
 * const documents = documentAnswers(serviceDocuments(service))
 * export default { fetch: (request) => documents(request) ?? app.fetch(request) }
 */
export function documentAnswers(documents: readonly ServiceDocument[]): (request: Request) => Response | undefined {
  const byPath = new Map(documents.map((document) => [document.path, document]))
  return ({ method, url }) => {
    const found = method === 'GET' || method === 'HEAD' ? byPath.get(new URL(url).pathname) : undefined
    return (
      found &&
      new Response(method === 'HEAD' ? null : found.body, {
        headers: { ...DOCUMENT_HEADERS, 'content-type': found.type },
      })
    )
  }
}

/** What goes with a document, beside its type. */
export const DOCUMENT_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'public, max-age=300',
  'access-control-allow-origin': '*',
  'x-content-type-options': 'nosniff',
}

function apiCatalog({ origin, documentation }: DescribedService): JsonObject {
  const link = (path: string, type: string) => [{ href: `${origin}${path}`, type }]
  return {
    linkset: [
      {
        anchor: `${origin}/`,
        'service-desc': link('/openapi.json', 'application/json'),
        'service-doc': documentation === undefined ? link('/llms.txt', 'text/plain') : [{ href: documentation }],
        'service-meta': link('/.well-known/x402', 'application/json'),
      },
    ],
  }
}

function json(path: string, value: JsonObject, type = 'application/json'): ServiceDocument {
  return { path, type, body: `${JSON.stringify(value, null, 2)}\n` }
}
