import {
  type Asset,
  type Network,
  type PaymentEffect,
  type Refusal,
  refuse,
  type Simulate,
  X402Error,
} from '@groat/core'
import { decodeInteger, encodeCall } from './abi.js'
import { type Address, parseAddress } from './address.js'
import { chainIdOf } from './chain-id.js'
import type { Hex } from './hex.js'
import { createEvmRpc, type EvmRpc } from './rpc.js'

/** Nodes of the payer's own choice, by network. */
export type EvmNodes = Readonly<Partial<Record<Network, string | EvmRpc>>>

/**
 * Runs payments on nodes of the payer's own choice, without a signature: whatever the method, a payment moves what a transfer by the payer moves.
 * By `eth_simulateV1`, and by `eth_call` where a node does not know that. For `createBuyer({ simulate })`.
 *
 * @example
 * const simulate = simulateEvm({ [network('base')]: 'https://mainnet.base.org' })
 */
export function simulateEvm(nodes: EvmNodes): Simulate {
  const nodeOf = pool(nodes)
  return async ({ network, payTo, amount }, account, asset) => {
    const [payer, payee, token] = [account, payTo, asset.address].map(parseAddress)
    if (payer === undefined || payee === undefined || token === undefined) return undefined
    const node = nodeOf(network)
    return node && run(node, { payer, payee, token, amount })
  }
}

/**
 * Balances of tokens by nodes of the payer's own choice. For `createBuyer({ balances })`.
 *
 * @example
 * const balances = balancesEvm({ [network('base')]: 'https://mainnet.base.org' })
 */
export function balancesEvm(nodes: EvmNodes): (asset: Asset, account: string) => Promise<bigint | undefined> {
  const nodeOf = pool(nodes)
  return async ({ network, address }, account) => {
    const node = nodeOf(network)
    const [token, owner] = [address, account].map(parseAddress)
    if (node === undefined || token === undefined || owner === undefined) return undefined
    const answer = await node.call({ to: token, data: encodeCall(BALANCE_OF, owner) })
    return answer.ok ? decodeInteger(answer.data) : undefined
  }
}

const BALANCE_OF: Hex = '0x70a08231'
const TRANSFER: Hex = '0xa9059cbb'

type Move = { readonly payer: Address; readonly payee: Address; readonly token: Address; readonly amount: bigint }

async function run(node: EvmRpc, move: Move): Promise<PaymentEffect | Refusal> {
  const { payer, payee, token, amount } = move
  const balanceOf = (owner: Address) => ({ to: token, data: encodeCall(BALANCE_OF, owner) })
  const transfer = { from: payer, to: token, data: encodeCall(TRANSFER, payee, amount) }
  const owners = [payer, payee]
  const looks = owners.map(balanceOf)
  const outcomes = await node.simulate([...looks, transfer, ...looks]).catch((error: unknown) => {
    // A node that does not know the method says so in words and numbers of its own; one that does not answer has none.
    const answered = X402Error.is(error) && (error.code === 'rpc_invalid_answer' || 'code' in error.context)
    if (answered) return undefined
    throw error
  })
  if (outcomes === undefined) return called(node, move)
  const [beforePayer, beforePayee, moved, afterPayer, afterPayee] = outcomes
  const [had, has] = [wordOf(beforePayer), wordOf(beforePayee)]
  if (had === undefined || has === undefined) return refuse('asset_not_deployed_contract')
  if (!moved?.ok) return failed(had, amount)
  const [left, got] = [wordOf(afterPayer), wordOf(afterPayee)]
  if (left === undefined || got === undefined) return refuse('simulation_failed')
  return {
    ok: true,
    how: 'simulated',
    changes: [
      { account: payer, before: had, after: left },
      { account: payee, before: has, after: got },
    ],
  }
}

async function called(node: EvmRpc, { payer, payee, token, amount }: Move): Promise<PaymentEffect | Refusal> {
  const [had, has, moved] = await Promise.all([
    ...[payer, payee].map((owner) => node.call({ to: token, data: encodeCall(BALANCE_OF, owner) })),
    node.call({ from: payer, to: token, data: encodeCall(TRANSFER, payee, amount) }),
  ])
  const [own, theirs] = [wordOf(had), wordOf(has)]
  if (own === undefined || theirs === undefined) return refuse('asset_not_deployed_contract')
  if (!moved?.ok) return failed(own, amount)
  // Whoever pays himself has what he had.
  const moves = payer === payee ? 0n : amount
  return {
    ok: true,
    how: 'called',
    changes: [
      { account: payer, before: own, after: own - moves },
      { account: payee, before: theirs, after: theirs + moves },
    ],
  }
}

function failed(balance: bigint, amount: bigint): Refusal {
  return balance < amount
    ? refuse('insufficient_balance', `${balance} atomic units are there`)
    : refuse('simulation_failed', 'the token refuses the transfer')
}

const wordOf = (outcome: { readonly ok: boolean; readonly data: Hex } | undefined) =>
  outcome?.ok ? decodeInteger(outcome.data) : undefined

function pool(nodes: EvmNodes): (network: Network) => EvmRpc | undefined {
  const known = new Map<Network, EvmRpc>()
  return (network) => {
    const [before, given, chainId] = [known.get(network), nodes[network], chainIdOf(network)]
    if (before !== undefined || given === undefined || chainId === undefined) return before
    const node = typeof given === 'string' ? createEvmRpc({ urls: [given], chainId }) : given
    known.set(network, node)
    return node
  }
}
