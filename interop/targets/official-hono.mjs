// The official Hono middleware.

import { getRequestListener } from '@hono/node-server'
import { paymentMiddleware } from '@x402/hono'
import { Hono } from 'hono'
import { officialShop } from './lib/official-server.mjs'
import { ready } from './lib/ready.mjs'
import { onHono } from './lib/shop.mjs'

const { routes, server } = await officialShop()
const app = new Hono()
app.use(paymentMiddleware(routes, server))
ready(getRequestListener(onHono(app).fetch))
