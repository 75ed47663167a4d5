// What the server that the kit starts says of what it sells: to whoever asks for a price, and in documents.
import { bazaar } from '@groat/extensions/bazaar/server'
import { documentAnswers, serviceDocuments } from '@groat/extensions/describe'
import type { PaywallOptions } from '@groat/server'
import { paywall } from '@groat/server/hono'
import type { Context, Hono } from 'hono'

/** Its routes. */
export const describedRoutes: readonly string[] = ['listed', 'described']

/** Adds the routes and the documents. `words`: what somebody else says of a route. */
export async function addDescribed(
  app: Hono,
  shop: PaywallOptions,
  {
    origin,
    price,
    works,
    words,
  }: {
    readonly origin: string
    readonly price: string
    readonly works: (route: string) => (c: Context) => Response
    readonly words: string
  },
): Promise<void> {
  const paid = paywall({ ...shop, origin, extensions: [bazaar] })
  const query = { type: 'object', properties: { day: { type: 'integer', minimum: 1 } }, required: ['day'] }
  app.get('/conformance/listed', paid({ price, extensions: { bazaar: { query } } }), works('listed'))
  app.post('/conformance/listed', paid({ price, extensions: { bazaar: { bodyType: 'json' } } }), works('listed'))
  const about = { name: 'GET /conformance/described', price, description: words }
  app.get('/conformance/described', paid({ ...about, extensions: { bazaar: true } }), works('described'))
  await paid.ready()
  const agent = { url: `${origin}/conformance/a2a` }
  const documents = serviceDocuments({ origin, title: 'conformance', agent, routes: await paid.sold() })
  const answer = documentAnswers(documents)
  for (const { path } of documents) app.get(path, (c) => answer(c.req.raw) ?? c.notFound())
}
