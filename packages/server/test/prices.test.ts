import { expressNew, expressOld, fastify, fetchStyle, hono, plainNode } from './frameworks.js'
import { describePrices } from './price-suite.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, plainNode]) describePrices(framework)
