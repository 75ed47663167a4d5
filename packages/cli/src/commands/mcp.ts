import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { agentServer } from '../mcp/agent-server.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { limitedTo } from './pay.js'
import { loadPolicyWords, type PurseOptions, withPurse } from './purse.js'
import { sellerKeys } from './seller-keys.js'
import { signInAccounts } from './sign-in.js'
import { isLoopback, openWallet, type WalletOptions } from './wallet.js'

/** Options of `groat mcp`. */
export type McpCommand = WalletOptions &
  PurseOptions & {
    readonly max?: string
    readonly task?: string
    readonly catalogue?: readonly string[]
    readonly site?: readonly string[]
  }

/**
 * `groat mcp`: an MCP server by which an agent finds, quotes and pays, within the user's policy and out of the user's purse. Standard output is the
 * protocol's; it ends when standard input does.
 */
export async function runMcp(options: McpCommand, io: Io, transport?: Transport): Promise<number> {
  const { policy: own, fields, signIn } = await loadPolicyWords(options, io)
  const policy = limitedTo({ ...(options.max !== undefined && { max: options.max }) }, own)
  const { GROAT_CATALOGUE } = io.environment
  const catalogues = options.catalogue ?? (GROAT_CATALOGUE === undefined ? [] : [GROAT_CATALOGUE])
  const sites = options.site ?? []
  for (const url of [...catalogues, ...sites]) {
    if (!URL.canParse(url)) throw new CliError('usage', `${url} is not a URL`)
  }
  return withPurse(options, io, async (purse, channels) => {
    // A keystore is opened once. Without a key, the test keys pay on this machine alone.
    const wallets = new Map<string, ReturnType<typeof openWallet>>()
    const server = agentServer({
      ...{ policy, fields, purse, catalogues, sites, sellerKeys: sellerKeys() },
      ...(options.task !== undefined && { task: options.task }),
      accounts: async (target) => (signIn.includes(target.origin) ? signInAccounts(target, options, io) : undefined),
      wallet: (target, dryRun) => {
        const name = `${dryRun} ${isLoopback(target) ? target.origin : ''}`
        const open = wallets.get(name) ?? openWallet(target, { ...options, channels, dryRun }, io)
        wallets.set(name, open)
        open.catch(() => wallets.delete(name))
        return open
      },
    })
    const closed = new Promise<void>((resolve) => {
      server.server.onclose = resolve
      if (transport === undefined) process.stdin.once('end', resolve)
    })
    await server.connect(transport ?? new StdioServerTransport())
    io.say('  groat speaks MCP on standard input and output')
    await Promise.race([closed, io.stopped])
    await server.close()
    return exitCodes.ok
  })
}
