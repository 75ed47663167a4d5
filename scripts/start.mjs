// npm start [-- ARGS]: a local chain, a facilitator, a paid API, and a real payment.
import './lib/require-node.mjs'
import { runCli } from './lib/cli.mjs'
import { main } from './lib/progress.mjs'

await main(() => runCli(['start', ...process.argv.slice(2)]))
