// What is generated is what its sources make, byte by byte.
import { runGenerators } from '../lib/generate.mjs'
import { report } from '../lib/report.mjs'

const results = await runGenerators(['--check'])
report(results.filter(({ code }) => code !== 0).map(({ path, output }) => `${path}: ${output.trim()}`))
