import { describeAdapter } from './adapter-suite.js'
import { expressNew, expressOld, fetchStyle, hono } from './frameworks.js'

for (const framework of [fetchStyle, hono, expressNew, expressOld]) describeAdapter(framework)
