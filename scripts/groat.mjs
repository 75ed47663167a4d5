// npm run groat -- ARGS: the command line, from the clone.
import './lib/require-node.mjs'
import { runCli } from './lib/cli.mjs'
import { main } from './lib/progress.mjs'

await main(() => runCli(process.argv.slice(2)))
