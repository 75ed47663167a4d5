import {
  type Asset,
  evmAssets,
  findAsset,
  type Network,
  type PaymentRequirements,
  type PrepareContext,
  type PreparedPayment,
  type SchemeClient,
  X402Error,
} from '@groat/core'
import type { EvmAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { createEvmRpc, type EvmRpc } from '../rpc.js'
import { type AllowancePlan, answerTo, planAllowance } from './client.js'
import { openPaymentsOf } from './open-payments.js'

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
 * A payer's half that signs along what Permit2 lacks, where the seller announces to sponsor it: exactly what the payment takes, or as much as the policy
 * lets be approved. It refuses `permit2_allowance_required` where nothing would do, and `payment_unresolved` while open payments of this account may take what
 * is allowed. A network without a node is paid as before. `prepare` throws what the nodes give cause to; `sign` throws `payment_in_flight` (nothing was signed:
 * another payment was faster).
 *
 * @example
 * withAllowance(uptoEvm({ account }), { account, rpc: { [network('base')]: url }, through: ({ amount }) => amount })
 */
export function withAllowance(half: SchemeClient, options: SponsoredOptions): SchemeClient {
  const { account, assets = [], engine = nobleSigningEngine, through } = options
  const known = [...assets, ...evmAssets]
  const nodeOf = allowanceNodes(options.rpc)
  const payments = openPaymentsOf(account)
  return {
    ...half,
    async settled(pid, receipt) {
      payments.end(pid)
      await half.settled?.(pid, receipt)
    },
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
      const name = `${offer.network} ${token}`
      const openNow = () => payments.total(name, context.clock() / 1000)
      const { extensions: announced, maxAllowance } = context
      const plan = await planAllowance(node, who, { announced, maxAllowance, open: openNow() })
      if ('code' in plan) return plan
      return signedAlong(prepared, plan, context, () => {
        if (openNow() > plan.room) {
          throw new X402Error('payment_in_flight', { reason: 'another payment takes what Permit2 is allowed' })
        }
        payments.add(name, prepared.pid, { amount, until: prepared.expiresAt })
        return () => payments.end(prepared.pid)
      })
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

/** The payment with what is signed along; `begin` is called before anything is signed, and what it gives where a wallet fails. */
function signedAlong(
  prepared: PreparedPayment,
  { added, allowance }: AllowancePlan,
  { extensions: announced = {} }: PrepareContext,
  begin: () => () => void,
): PreparedPayment {
  const guarded = async <T>(sign: () => Promise<T>): Promise<T> => {
    const undo = begin()
    try {
      return await sign()
    } catch (error) {
      undo()
      throw error
    }
  }
  if (added === undefined) return { ...prepared, sign: () => guarded(() => prepared.sign()) }
  let extensions = announced
  const { key, sign } = added
  return {
    ...prepared,
    allowance: allowance > prepared.allowance ? allowance : prepared.allowance,
    preview: { ...prepared.preview, sponsored: [key], allowance: allowance.toString() },
    sign: () =>
      guarded(async () => {
        // First, so that what a scheme writes down of its own signature is not undone by a wallet that fails here.
        extensions = { ...extensions, [key]: answerTo(extensions[key], await sign()) }
        return prepared.sign()
      }),
    extensions: () => extensions,
  }
}
