import { type ChainTransfer, type Network, type TransferReader, X402Error } from '@groat/core'
import { type Address, parseAddress } from './address.js'
import { chainIdOf } from './chain-id.js'
import { TRANSFER } from './exact/token.js'
import { type Hex, isHex } from './hex.js'
import { createEvmRpc, type EvmRpc, type Log } from './rpc.js'

/** How a chain is read. */
export type EvmTransfersOptions = {
  readonly network: Network
  /** URLs of nodes, the preferred one first, or a connection of your own. With two of them both must say the same. */
  readonly rpc: string | readonly [string, ...string[]] | EvmRpc
  /** Blocks that are asked for at once; 2,000 unless told, which most nodes allow. */
  readonly blocksAtOnce?: number
}

/**
 * Reads transfers of tokens by their own logs. Throws `X402Error` `invalid_network`; its methods throw what the nodes give cause to, and
 * `invalid_config` for what is no address.
 *
 * @example
 * const reader = createEvmTransfers({ network: network('base'), rpc: process.env.BASE_RPC })
 * await reader.received(usdc, payTo, [firstTransaction])
 */
export function createEvmTransfers({ network, rpc: given, blocksAtOnce = 2_000 }: EvmTransfersOptions): TransferReader {
  const chainId = chainIdOf(network)
  if (chainId === undefined) throw new X402Error('invalid_network', { network })
  const one = typeof given === 'object' && 'call' in given ? given : createEvmRpc({ urls: urlsOf(given), chainId })
  const rpc = one.agreed ?? one

  return {
    network,
    async received(asset, account, since) {
      const [token, to] = [addressOf(asset), addressOf(account)]
      const { number: latest } = await rpc.latestBlock()
      let fromBlock = await firstBlock(rpc, since)
      if (fromBlock === undefined) return undefined
      const found: ChainTransfer[] = []
      for (; fromBlock <= latest; fromBlock += BigInt(blocksAtOnce)) {
        const last = fromBlock + BigInt(blocksAtOnce) - 1n
        const toBlock = last < latest ? last : latest
        const logs = await rpc.logs({ address: token, topics: [TRANSFER, null, word(to)], fromBlock, toBlock })
        found.push(...logs.map(transferOf))
      }
      return found
    },
    // The token compares with the time of a block, and none is older than the one before it.
    isOver: async (_, expiresAt) => (await rpc.latestBlock()).timestamp > BigInt(Math.ceil(expiresAt)),
    async brought(transaction, asset, account) {
      const [token, to] = [addressOf(asset), word(addressOf(account))]
      const receipt = isHex(transaction, 32) ? await rpc.receipt(transaction) : undefined
      if (receipt?.success !== true) return []
      const isMeant = ({ address, topics }: Log) => address === token && topics[0] === TRANSFER && topics[2] === to
      return receipt.logs.filter(isMeant).map(transferOf)
    },
  }
}

function urlsOf(rpc: string | readonly [string, ...string[]]): readonly [string, ...string[]] {
  return typeof rpc === 'string' ? [rpc] : rpc
}

/** The block of the first of these that is in one; those before it may never have been. */
async function firstBlock(rpc: EvmRpc, transactions: readonly string[]): Promise<bigint | undefined> {
  for (const hash of transactions) {
    const receipt = isHex(hash, 32) ? await rpc.receipt(hash) : undefined
    if (receipt !== undefined) return receipt.blockNumber
  }
  return undefined
}

function transferOf({ transactionHash, logIndex, topics, data }: Log): ChainTransfer {
  const from = topics[1]
  return {
    transaction: transactionHash,
    index: logIndex,
    amount: BigInt(data),
    ...(from === undefined ? {} : { from: `0x${from.slice(-40)}` }),
  }
}

function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new X402Error('invalid_config', { account: text, reason: 'no address' })
  return address
}

const word = (address: Address): Hex => `0x${address.slice(2).padStart(64, '0')}`
