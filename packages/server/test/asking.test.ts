import { describeAsking } from './ask-suite.js'
import { expressNew, expressOld, fastify, fetchStyle, hono, nextRoutes, plainNode } from './frameworks.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, nextRoutes, plainNode])
  describeAsking(framework)
