import { isNetwork, X402Error } from '@groat/core'
import { type Address, parseAddress } from './address.js'
import { chainIdOf } from './chain-id.js'
import { unwrapErc6492 } from './crypto/signature.js'
import { formatHex } from './hex.js'
import { decodeAggregate, encodeAggregate, MULTICALL3 } from './multicall.js'
import { createEvmRpc, type EvmRpc } from './rpc.js'
import { encodeIsValidSignature, isValidSignatureMagic, WALLET_GAS, walletAccepts } from './wallet.js'

/** A signature that a contract may answer for. */
export type WalletClaim = {
  /** CAIP-2. */
  readonly network: string
  readonly address: string
  /** 32 bytes. */
  readonly digest: Uint8Array
  readonly signature: Uint8Array
}

/** Asks contract wallets about signatures. */
export type ContractWallets = { accepts(claim: WalletClaim): Promise<boolean> }

/**
 * Asks contract wallets whether a signature is theirs, on the chains that are given and on no other: deployed ones by `isValidSignature` (ERC-1271), others by trying their deployment in the
 * same call (ERC-6492). Nothing is sent to a chain. Throws `X402Error` `invalid_network`; `accepts` throws `rpc_unreachable` and the like.
 *
 * @example
 * const wallets = contractWallets({ 'eip155:8453': 'https://rpc.example' })
 * await wallets.accepts({ network: 'eip155:8453', address, digest, signature })
 */
export function contractWallets(
  chains: Readonly<Record<string, string | readonly string[] | EvmRpc>>,
): ContractWallets {
  const nodes = new Map(Object.entries(chains).map(([network, rpc]) => [network, rpcOf(network, rpc)]))
  return {
    async accepts({ network, address, digest, signature }) {
      const rpc = nodes.get(network)
      const payer = parseAddress(address)
      if (rpc === undefined || payer === undefined) return false
      if ((await rpc.code(payer)) !== '0x') return walletAccepts(rpc, { payer, digest, signature })
      return deployedAccepts(rpc, payer, digest, signature)
    },
  }
}

/** Whether a wallet would take the signature once its factory has made it. */
async function deployedAccepts(
  rpc: EvmRpc,
  payer: Address,
  digest: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const envelope = unwrapErc6492(signature)
  if (envelope === undefined) return false
  const { factory, factoryCalldata, signature: inner } = envelope
  const calls = [
    { to: factory, data: formatHex(factoryCalldata) },
    { to: payer, data: encodeIsValidSignature(digest, inner) },
  ]
  const answer = await rpc.call({ to: MULTICALL3, data: encodeAggregate(calls), gas: DEPLOYMENT_GAS + WALLET_GAS })
  const judged = answer.ok ? decodeAggregate(answer.data, calls.length)?.[1] : undefined
  return judged?.ok === true && isValidSignatureMagic(judged.data)
}

/** What trying to make a wallet may cost a node. */
const DEPLOYMENT_GAS = 3_000_000n

function rpcOf(network: string, rpc: string | readonly string[] | EvmRpc): EvmRpc {
  const chainId = isNetwork(network) ? chainIdOf(network) : undefined
  if (chainId === undefined) throw new X402Error('invalid_network', { network })
  if (typeof rpc !== 'string' && 'call' in rpc) return rpc
  const [first, ...more] = typeof rpc === 'string' ? [rpc] : rpc
  if (first === undefined)
    throw new X402Error('invalid_config', { field: `wallets.${network}`, reason: 'names no node' })
  return createEvmRpc({ urls: [first, ...more], chainId })
}
