import { expressNew, expressOld, fastify, fetchStyle, hono, plainNode } from './frameworks.js'
import { describeModes } from './mode-suite.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld, fastify, plainNode]) describeModes(framework)
