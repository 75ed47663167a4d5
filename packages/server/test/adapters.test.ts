import { describeAdapter } from './adapter-suite.js'
import { expressNew, expressOld, fastify, fetchStyle, hono, plainNode } from './frameworks.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, plainNode]) describeAdapter(framework)
