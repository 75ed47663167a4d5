import { expressNew, expressOld, fastify, fetchStyle, hono, nextRoutes, plainNode } from './frameworks.js'
import { describePrices } from './price-suite.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, nextRoutes, plainNode])
  describePrices(framework)
