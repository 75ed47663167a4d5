// A paid route handler of the Next.js App Router, and one sale on a local chain: `node examples/sellers/next.mjs`, after `npm run build` in
// the root. Next.js itself is not in it: what stands in `app/weather/route.ts` is served here as Next.js would serve it. `npm run next` builds and starts
// the app in next-app/ with Next.js and its compiler.
import { createServer } from 'node:http'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/next'
import { getRequestListener } from '@hono/node-server'
import { listen, tryOut } from './try-out.mjs'

export async function openShop({ facilitator, payTo }) {
  const store = createMemoryClaims({ singleProcess: true })
  const paid = paywall({ facilitator, payTo, schemes: [exactEvm], store })

  // `export const dynamic = 'force-dynamic'` and `export const GET = …` in app/weather/route.ts.
  const GET = paid('$0.001', (_, { payment }) => Response.json({ temperature: 11, paidBy: payment.payer }))

  await paid.ready()
  return listen(createServer(getRequestListener((request) => GET(request, { params: Promise.resolve({}) }))))
}

await tryOut(import.meta.url, openShop)
