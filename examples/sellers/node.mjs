// A paid route and a paid WebSocket on node:http, and one sale on a local chain: `node examples/sellers/node.mjs`, after `npm run build` in
// the root.
import { createServer } from 'node:http'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/node'
import { WebSocketServer } from 'ws'
import { listen, tryOut } from './try-out.mjs'

export async function openShop({ facilitator, payTo }) {
  const store = createMemoryClaims({ singleProcess: true })
  const paid = paywall({ facilitator, payTo, schemes: [exactEvm], store })

  const weather = paid('$0.001', (_, res, payment) => {
    res.end(JSON.stringify({ temperature: 11, paidBy: payment.payer }))
  })
  const sockets = new WebSocketServer({ noServer: true })
  const feed = paid.upgrade('$0.01', (req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (ws) => ws.send('11 degrees'))
  })

  await paid.ready()
  return listen(createServer(weather).on('upgrade', feed))
}

await tryOut(import.meta.url, openShop)
