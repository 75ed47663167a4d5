// The official Express middleware.

import { paymentMiddleware } from '@x402/express'
import express from 'express'
import { officialShop } from './lib/official-server.mjs'
import { ready } from './lib/ready.mjs'
import { onExpress } from './lib/shop.mjs'

const { routes, server } = await officialShop()
const app = express()
app.use(paymentMiddleware(routes, server))
ready(onExpress(app))
