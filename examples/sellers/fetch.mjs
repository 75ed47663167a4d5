// A paid fetch-style handler, as on Workers, Deno and Bun, and one sale on a local chain: `node examples/sellers/fetch.mjs`, after
// `npm run build` in the root.
import { createServer } from 'node:http'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims, paywall } from '@groat/server'
import { getRequestListener } from '@hono/node-server'
import { listen, tryOut } from './try-out.mjs'

export async function openShop({ facilitator, payTo }) {
  const store = createMemoryClaims({ singleProcess: true })
  const paid = paywall({ facilitator, payTo, schemes: [exactEvm], store })

  // `export default { fetch: handle }` on a Worker.
  const handle = paid('$0.001', (_, payment) => Response.json({ temperature: 11, paidBy: payment.payer }))

  await paid.ready()
  return listen(createServer(getRequestListener(handle)))
}

await tryOut(import.meta.url, openShop)
