import {
  type Asset,
  evmAssets,
  findAsset,
  type JsonObject,
  type Network,
  type PaymentRequirements,
  type PreparedPayment,
  type SchemeClient,
} from '@groat/core'
import type { EvmAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { createEvmRpc, type EvmRpc } from '../rpc.js'
import { answerTo, planAllowance, type SignedExtension } from './client.js'

/** Nodes to ask what Permit2 is allowed to take, by network, or what finds one when a payment needs it. */
export type AllowanceNodes =
  | Readonly<Partial<Record<Network, string | EvmRpc>>>
  | ((network: Network) => Promise<string | EvmRpc | undefined>)

/** Who pays, and whom to ask. */
export type SponsoredOptions = {
  readonly account: EvmAccount
  readonly assets?: readonly Asset[]
  readonly engine?: SigningEngine
  readonly rpc: AllowanceNodes
  /** What of a payment goes through Permit2, in atomic units; nothing where none does. */
  readonly through: (offer: PaymentRequirements, prepared: PreparedPayment) => bigint
}

/**
 * A payer's half that signs along what Permit2 lacks, where the seller announces to sponsor it, and refuses `permit2_allowance_required` where nothing would do. A
 * network without a node is paid as before. `prepare` throws what the nodes give cause to.
 *
 * @example
 * withAllowance(uptoEvm({ account }), { account, rpc: { [network('base')]: url }, through: ({ amount }) => amount })
 */
export function withAllowance(half: SchemeClient, options: SponsoredOptions): SchemeClient {
  const { account, assets = [], engine = nobleSigningEngine, through } = options
  const known = [...assets, ...evmAssets]
  const nodeOf = allowanceNodes(options.rpc)
  return {
    ...half,
    async prepare(offer, context) {
      const prepared = await half.prepare(offer, context)
      const chainId = chainIdOf(offer.network)
      const [payer, token] = [parseAddress(account.address), parseAddress(offer.asset)]
      const asset = findAsset(known, offer.network, offer.asset)
      if (!prepared.ok || chainId === undefined || asset === undefined) return prepared
      const amount = through(offer, prepared)
      if (amount === 0n || payer === undefined || token === undefined) return prepared
      const node = await nodeOf(offer.network)
      if (node === undefined) return prepared
      const transfer = { token, amount, deadline: BigInt(prepared.expiresAt) }
      const who = { account, engine, asset, chainId, payer, transfer }
      const added = await planAllowance(node, who, context.extensions)
      if ('code' in added) return added
      return added.length === 0 ? prepared : signedAlong(prepared, added, context.extensions ?? {})
    },
  }
}

/** Finds the connection to a network's node, made once; `undefined` where there is none. */
export function allowanceNodes(rpc: AllowanceNodes): (network: Network) => Promise<EvmRpc | undefined> {
  const known = new Map<Network, EvmRpc>()
  return async (network) => {
    const chainId = chainIdOf(network)
    const node = known.get(network) ?? (typeof rpc === 'function' ? await rpc(network) : rpc[network])
    if (node === undefined || chainId === undefined) return undefined
    const connection = typeof node === 'string' ? createEvmRpc({ urls: [node], chainId }) : node
    known.set(network, connection)
    return connection
  }
}

function signedAlong(
  prepared: PreparedPayment,
  added: readonly SignedExtension[],
  announced: JsonObject,
): PreparedPayment {
  let extensions = announced
  return {
    ...prepared,
    preview: { ...prepared.preview, sponsored: added.map(({ key }) => key) },
    async sign() {
      // First, so that what a scheme writes down of its own signature is not undone by a wallet that fails here.
      for (const { key, sign } of added) extensions = { ...extensions, [key]: answerTo(extensions[key], await sign()) }
      return prepared.sign()
    },
    extensions: () => extensions,
  }
}
