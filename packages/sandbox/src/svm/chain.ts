import { randomBytes } from 'node:crypto'
import { faucetSecretKey, type SvmAccount, type SvmRole, svmAccounts } from './accounts.js'
import { createBank } from './bank/bank.js'
import { genesisAccounts, plainAccount, svmUsdcAddress } from './genesis.js'
import { createLeader, slotMs } from './leader.js'
import { createLevers, type SvmLevers } from './levers.js'
import { programs } from './programs.js'
import { connectLevers, missing, wsUrlOf } from './remote.js'
import { listen } from './rpc/listen.js'
import { createNode } from './rpc/node.js'
import { createVm } from './vm/vm.js'
import { parseSecretKey } from './wire/keypair.js'

/** How to start a chain, or which to use; every field has a default. */
export type SvmChainOptions = {
  /** Port of JSON-RPC; WebSocket takes the next one. Zero, the default, takes two free ports. */
  readonly port?: number
  /**
   * A node to use instead of starting a chain; default `GROAT_SVM_RPC_URL`. `false`: start one whatever the environment
   * says. The node must have begun with the accounts of `writeSvmGenesis`.
   */
  readonly rpcUrl?: string | false
  /** Milliseconds between blocks; 400 unless told. `off`: only `step` makes blocks. Transactions land at once anyway. */
  readonly tick?: number | 'off'
  /**
   * Slots until a transaction is `confirmed`, 0 unless told, and `finalized`, 32 unless told. On public chains the first
   * is about 1.
   */
  readonly commitmentLag?: { readonly confirmed?: number; readonly finalized?: number }
  /** What blockhashes follow from; random unless told, so that no transaction is valid on two chains. */
  readonly seed?: string
  /** Milliseconds since 1970; default `Date.now`. */
  readonly clock?: () => number
}

/** One more node of a chain: what it knows may be old. */
export interface SvmNode {
  readonly rpcUrl: string
  readonly wsUrl: string
  /** The node knows nothing of the last so many slots, up to 700. What it accepts still goes to the chain. */
  setBehind(slots: number): void
  /** The node learns nothing new until the function it returns is called. */
  freeze(): () => void
  stop(): Promise<void>
}

/** A running Solana chain with USDC and funded accounts, and the levers to move it. */
export interface SvmChain extends SvmLevers {
  /** CAIP-2 name: devnet's, so that names, mints and official clients are the real ones. */
  readonly network: typeof network
  readonly rpcUrl: string
  readonly wsUrl: string
  /** The mint. */
  readonly usdc: string
  readonly accounts: readonly SvmAccount[]
  account(role: SvmRole): SvmAccount
  /** Starts another node of the same chain, so many slots behind. */
  startNode(options?: { readonly behind?: number; readonly port?: number }): Promise<SvmNode>
  /** Ends the chain and its nodes, if it was started here. May be called again. */
  stop(): Promise<void>
}

/**
 * Starts a Solana chain in this process: the Agave runtime behind JSON-RPC and WebSocket as a validator has them, with
 * USDC at its devnet address, and accounts that hold 100 SOL each and, the payers, 1,000 USDC.
 *
 * Throws `SandboxError`: `svm_missing`, `port_taken`; with `rpcUrl` `chain_unreachable`, `wrong_chain`.
 *
 * @example
 * ```ts
 * const chain = await startSvmChain()
 * await chain.balance(chain.account('payer').address) // 1_000_000_000n
 * await chain.stop()
 * ```
 */
export async function startSvmChain(options: SvmChainOptions = {}): Promise<SvmChain> {
  const { rpcUrl = process.env.GROAT_SVM_RPC_URL } = options
  const chain = rpcUrl ? await connect(rpcUrl) : await start(options)
  return { network, usdc: svmUsdcAddress, accounts: svmAccounts, account, ...chain }
}

/** The name of devnet, and the hash that it begins. */
const genesisHash = 'EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG'
const network = 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1'

type Started = SvmLevers & Pick<SvmChain, 'rpcUrl' | 'wsUrl' | 'startNode' | 'stop'>

async function start(options: SvmChainOptions): Promise<Started> {
  const { port = 0, tick = slotMs, clock = Date.now, seed, commitmentLag } = options
  const bank = createBank(await createVm(), seed === undefined ? randomBytes(32) : Buffer.from(seed), clock() / 1_000)
  for (const [address, state] of genesisAccounts()) bank.decree(address, state)
  bank.decree(parseSecretKey(faucetSecretKey).address, plainAccount(faucetFunds, programs.system))
  const leader = createLeader(bank, clock)
  const lag = { confirmed: 0, finalized: 32, ...commitmentLag }
  const nodes: Array<{ stop(): Promise<void> }> = []

  async function startNode({ behind = 0, port: nodePort = 0 } = {}): Promise<SvmNode> {
    const node = createNode(bank, leader, genesisHash, lag)
    node.setBehind(behind)
    const listening = await listen(node, nodePort)
    nodes.push(listening)
    return { ...listening, setBehind: node.setBehind, freeze: node.freeze }
  }

  const { rpcUrl, wsUrl } = await startNode({ port })
  leader.setTick(tick)
  return {
    ...createLevers(bank, leader),
    rpcUrl,
    wsUrl,
    startNode,
    async stop() {
      leader.stop()
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

const faucetFunds = 1_000_000_000_000_000n // a million SOL in lamports

async function connect(rpcUrl: string): Promise<Started> {
  const levers = await connectLevers(rpcUrl)
  return {
    ...levers,
    rpcUrl,
    wsUrl: wsUrlOf(rpcUrl),
    startNode: () => Promise.reject(missing('startNode')),
    stop: async () => {},
  }
}

function account(role: SvmRole): SvmAccount {
  const found = svmAccounts.find((each) => each.role === role)
  if (found === undefined) throw new TypeError(`No sandbox account has the role ${role}.`)
  return found
}
