import { type Asset, type Network, type PaymentEffect, type Refusal, refuse, type Simulate } from '@groat/core'
import { isSvmNetwork } from './network.js'
import { createSvmRpc, type SvmRpc } from './rpc.js'
import { addressBytes, formatAddress, type Key, parseAddress } from './wire/address.js'
import { encodeBase64 } from './wire/base64.js'
import { associatedTokenAccount } from './wire/derived-address.js'
import { setComputeUnitLimit, setComputeUnitPrice, transferChecked } from './wire/instructions.js'
import { encodeMessage, encodeTransaction } from './wire/message.js'
import { programs } from './wire/programs.js'
import { decodeTokenAccount } from './wire/token.js'

/** Nodes of the payer's own choice, by network. */
export type SvmNodes = Readonly<Partial<Record<Network, string | SvmRpc>>>

/**
 * Runs payments on nodes of the payer's own choice, without a signature, by `simulateTransaction`, and looks at both token accounts before and
 * after. For `createBuyer({ simulate })`.
 *
 * @example
 * const simulate = simulateSvm({ [network('solana')]: 'https://api.mainnet-beta.solana.com' })
 */
export function simulateSvm(nodes: SvmNodes): Simulate {
  const nodeOf = pool(nodes)
  return async ({ network, payTo, amount, extra }, account, asset) => {
    const node = nodeOf(network)
    const [payer, payee, mint] = [account, payTo, asset.address].map(parseAddress)
    const feePayer = typeof extra.feePayer === 'string' ? parseAddress(extra.feePayer) : undefined
    if (!node || !payer || !payee || !mint || !feePayer) return undefined
    return run(node, { payer, payee, mint, feePayer, amount, asset })
  }
}

/**
 * Balances of tokens by nodes of the payer's own choice. For `createBuyer({ balances })`.
 *
 * @example
 * const balances = balancesSvm({ [network('solana')]: 'https://api.mainnet-beta.solana.com' })
 */
export function balancesSvm(nodes: SvmNodes): (asset: Asset, account: string) => Promise<bigint | undefined> {
  const nodeOf = pool(nodes)
  return async (asset, account) => {
    const node = nodeOf(asset.network)
    const [owner, mint] = [account, asset.address].map(parseAddress)
    if (!node || !owner || !mint) return undefined
    const [held] = await node.accounts([formatAddress(associatedTokenAccount(owner, programOf(asset), mint))])
    return held === undefined ? 0n : decodeTokenAccount(held.data)?.amount
  }
}

type Move = {
  readonly payer: Key
  readonly payee: Key
  readonly mint: Key
  readonly feePayer: Key
  readonly amount: bigint
  readonly asset: Asset
}

async function run(
  node: SvmRpc,
  { payer, payee, mint, feePayer, amount, asset }: Move,
): Promise<PaymentEffect | Refusal> {
  const program = programOf(asset)
  const [source, destination] = [payer, payee].map((owner) => associatedTokenAccount(owner, program, mint))
  if (source === undefined || destination === undefined) return refuse('simulation_failed')
  const watched = [source, destination].map(formatAddress)
  const [blockhash, before] = await Promise.all([node.latestBlockhash(), node.accounts(watched)])
  const message = encodeMessage({
    feePayer,
    blockhash: addressBytes(blockhash),
    instructions: [
      setComputeUnitLimit(20_000),
      setComputeUnitPrice(1n),
      transferChecked(program, { source, mint, destination, authority: payer, amount, decimals: asset.decimals }),
    ],
  })
  const outcome = await node.simulate(encodeBase64(encodeTransaction([undefined, undefined], message)), watched)
  const [had, has] = before.map((each) => each && decodeTokenAccount(each.data)?.amount)
  if (!outcome.ok) {
    return (had ?? 0n) < amount
      ? refuse('insufficient_balance', `${had ?? 0n} atomic units are there`)
      : refuse('simulation_failed', outcome.error.name)
  }
  const [left, got] = outcome.accounts.map((each) => each && decodeTokenAccount(each.data)?.amount)
  if (left === undefined || got === undefined) return refuse('simulation_failed')
  return {
    ok: true,
    how: 'simulated',
    changes: [
      { account: formatAddress(payer), before: had ?? 0n, after: left },
      { account: formatAddress(payee), before: has ?? 0n, after: got },
    ],
  }
}

const programOf = ({ transfer }: Asset) => (transfer === 'spl-2022' ? programs.token2022 : programs.token)

function pool(nodes: SvmNodes): (network: Network) => SvmRpc | undefined {
  const known = new Map<Network, SvmRpc>()
  return (network) => {
    const [before, given] = [known.get(network), nodes[network]]
    if (before !== undefined || given === undefined || !isSvmNetwork(network)) return before
    const node = typeof given === 'string' ? createSvmRpc({ urls: [given], network }) : given
    known.set(network, node)
    return node
  }
}
