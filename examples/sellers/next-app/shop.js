// One paywall for all routes. What it is told of the world stands in the environment of `next start`; `next build` reads these files too, and asks nobody.
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/next'

const {
  FACILITATOR = 'https://pay.example',
  PAY_TO = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  ORIGIN,
} = process.env

export const paid = paywall({
  facilitator: FACILITATOR,
  payTo: { 'base-sepolia': PAY_TO },
  schemes: [exactEvm],
  // For one process; for more, and over restarts, `sqlClaims(await openStore('shop.db'))`.
  store: createMemoryClaims({ singleProcess: true }),
  ...(ORIGIN === undefined ? {} : { origin: ORIGIN }),
})
