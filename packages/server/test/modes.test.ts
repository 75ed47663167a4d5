import { expressNew, expressOld, fastify, fetchStyle, hono, nextRoutes, plainNode } from './frameworks.js'
import { describeModes } from './mode-suite.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, nextRoutes, plainNode])
  describeModes(framework)
