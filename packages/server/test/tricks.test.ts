import { expressNew, expressOld, fastify, fetchStyle, hono, nextRoutes, plainNode } from './frameworks.js'
import { describeTricks } from './tricks-suite.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, nextRoutes, plainNode])
  describeTricks(framework)
