// A paid route in Fastify, and one sale on a local chain: `node examples/sellers/fastify.mjs`, after `npm run build` in the root.
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paymentErrors, paywall } from '@groat/server/fastify'
import makeFastify from 'fastify'
import { tryOut } from './try-out.mjs'

export async function openShop({ facilitator, payTo }) {
  const store = createMemoryClaims({ singleProcess: true })
  const paid = paywall({ facilitator, payTo, schemes: [exactEvm], store })

  const app = makeFastify({ forceCloseConnections: true })
  app.addHook('onError', paymentErrors)
  app.get('/weather', { preHandler: paid('$0.001') }, async (request) => ({
    temperature: 11,
    paidBy: request.payment.payer,
  }))

  await paid.ready()
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  return { url: `${address}/weather`, close: () => app.close() }
}

await tryOut(import.meta.url, openShop)
