import { type Address, getAddress, type Hex } from 'viem'
import { SandboxError } from '../sandbox-error.js'
import { type EvmAccount, type EvmRole, evmAccounts } from './accounts.js'
import { findAnvil, startAnvil } from './anvil.js'
import { createEvmTestClient, type EvmTestClient } from './client.js'
import { type EvmContracts, evmContracts } from './contracts.js'
import { placeGenesis } from './genesis.js'
import { createJsonRpc, type JsonRpc } from './json-rpc.js'
import { createLevers, type EvmLevers } from './levers.js'
import { multicall3Address } from './multicall3.js'
import { createQueue } from './queue.js'
import { usdcAddress } from './usdc.js'

/** How to start a chain, or which to use; every field has a default. */
export type EvmChainOptions = {
  /** 84532 unless told: Base Sepolia's, so that addresses, domains and network names are the real ones. */
  readonly chainId?: number
  /** Zero, the default, takes a free port. */
  readonly port?: number
  /**
   * A node to use instead of starting one; default `GROAT_EVM_RPC_URL`. `false`: start one whatever the environment
   * says. The node must know anvil's methods, and its sandbox accounts are reset.
   */
  readonly rpcUrl?: string | false
  /** Seconds between blocks without transactions; none unless told. A chain that stays up for long wants some. */
  readonly blockTime?: number
  /** The anvil to run; default the one that npm installed. */
  readonly anvilPath?: string
  /** Milliseconds until a node that does not listen is given up; 20,000 unless told. */
  readonly readyTimeoutMs?: number
  /** Milliseconds since 1970; default `Date.now`. */
  readonly clock?: () => number
}

/** A running EVM with USDC, Multicall3, Permit2, x402's contracts and funded accounts, and the levers to move it. */
export interface EvmChain extends EvmLevers {
  /** CAIP-2 name, `eip155:84532`. */
  readonly network: `eip155:${number}`
  readonly chainId: number
  readonly rpcUrl: string
  /** Process id of the anvil that was started; absent when the node is somebody else's. */
  readonly pid?: number
  readonly usdc: Address
  readonly multicall3: Address
  readonly permit2: Address
  /** Permit2 and the contracts of x402's schemes, each with `address` and `abi`. */
  readonly contracts: EvmContracts
  readonly accounts: readonly EvmAccount[]
  account(role: EvmRole): EvmAccount
  /** Deploys creation code in a transaction of the issuer's and returns the address. Needs a chain that mines. */
  deploy(bytecode: Hex): Promise<Address>
  /** A viem client with test, public and wallet actions. */
  readonly client: EvmTestClient
  /** Ends the node if it was started here, and waits until it is gone. May be called again. */
  stop(): Promise<void>
}

/**
 * Starts a real EVM on this machine: anvil, with Circle's USDC at its Base Sepolia address, Multicall3, Permit2, x402's
 * contracts, and accounts that hold 100 ETH each and, the payers, 1,000 USDC.
 *
 * Throws `SandboxError`: `anvil_missing`, `port_taken`, `chain_not_ready`; with `rpcUrl` also `chain_unreachable`,
 * `wrong_chain`, `cheat_missing`.
 *
 * @example
 * ```ts
 * const chain = await startEvmChain()
 * await chain.balance(chain.account('payer').address) // 1_000_000_000n
 * await chain.stop()
 * ```
 */
export async function startEvmChain(options: EvmChainOptions = {}): Promise<EvmChain> {
  const { chainId = 84_532, clock = Date.now, rpcUrl = process.env.GROAT_EVM_RPC_URL } = options
  const node = rpcUrl ? { rpcUrl, stop: async () => {} } : await spawnNode(options, chainId)
  const rpc = createJsonRpc(node.rpcUrl)
  try {
    await assertChainId(rpc, chainId)
    await placeGenesis(rpc, chainId)
  } catch (error) {
    await node.stop()
    throw error
  }
  const client = createEvmTestClient(node.rpcUrl, chainId)
  const oneAtATime = createQueue()
  return {
    ...node,
    ...createLevers(rpc, clock),
    network: `eip155:${chainId}`,
    chainId,
    usdc: usdcAddress,
    multicall3: multicall3Address,
    permit2: evmContracts.permit2.address,
    contracts: evmContracts,
    accounts: evmAccounts,
    account,
    client,
    deploy: (bytecode) => oneAtATime(() => deploy(rpc, client, bytecode)),
  }
}

function spawnNode(options: EvmChainOptions, chainId: number) {
  return startAnvil({
    path: options.anvilPath ?? findAnvil(),
    port: options.port ?? 0,
    chainId,
    blockTime: options.blockTime,
    readyTimeoutMs: options.readyTimeoutMs ?? 20_000,
  })
}

async function assertChainId(rpc: JsonRpc, expected: number): Promise<void> {
  const found = Number(await rpc.call('eth_chainId'))
  if (found !== expected) {
    throw new SandboxError('wrong_chain', `The node is chain ${found}, the sandbox expects ${expected}.`)
  }
}

function account(role: EvmRole): EvmAccount {
  const found = evmAccounts.find((each) => each.role === role)
  if (found === undefined) throw new TypeError(`No sandbox account has the role ${role}.`)
  return found
}

/** The node signs for the issuer and picks the nonce; two at once it would sometimes give the same. */
async function deploy(rpc: JsonRpc, client: EvmTestClient, data: Hex): Promise<Address> {
  const hash = await rpc.call('eth_sendTransaction', { from: account('issuer').address, data })
  // A node answers eth_sendTransaction with a hash.
  const receipt = await client.waitForTransactionReceipt({ hash: hash as Hex })
  if (receipt.status === 'success' && receipt.contractAddress) return getAddress(receipt.contractAddress)
  throw new SandboxError('rpc_refused', 'The creation code reverted.')
}
