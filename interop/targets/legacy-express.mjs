// The Express middleware of the first generation.

import express from 'express'
import { paymentMiddleware } from 'x402-express'
import { ready } from './lib/ready.mjs'
import { onExpress, paths, sale } from './lib/shop.mjs'

const { facilitator, payTo, asset, amount, isSolana } = sale
const decimals = { address: asset, decimals: 6, ...(isSolana ? {} : { eip712: { name: 'USDC', version: '2' } }) }
const route = { price: { amount, asset: decimals }, network: isSolana ? 'solana-devnet' : 'base-sepolia' }
const app = express()
app.use(paymentMiddleware(payTo, Object.fromEntries(paths.map((path) => [`GET ${path}`, route])), { url: facilitator }))
ready(onExpress(app))
