import { describeAdapter } from './adapter-suite.js'
import { expressNew, expressOld, fastify, fetchStyle, hono, nextRoutes, plainNode } from './frameworks.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, nextRoutes, plainNode])
  describeAdapter(framework)
