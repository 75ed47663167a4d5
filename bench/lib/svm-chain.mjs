// A Solana chain in a process of its own, as a validator is. Prints how to reach it, and ends when its standard input does.
import { startSvmChain } from '@groat/sandbox'

const begin = performance.now()
const chain = await startSvmChain({ rpcUrl: false })
const { rpcUrl, accounts } = chain
process.stdout.write(`${JSON.stringify({ rpcUrl, accounts, startMs: performance.now() - begin })}\n`)
process.stdin.on('end', () => chain.stop()).resume()
