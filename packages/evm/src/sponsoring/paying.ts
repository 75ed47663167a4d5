import {
  type Asset,
  evmAssets,
  findAsset,
  isJsonObject,
  type JsonObject,
  type Network,
  type PaymentRequirements,
  type PrepareContext,
  type PreparedPayment,
  parseAtomic,
  type SchemeClient,
  X402Error,
} from '@groat/core'
import type { EvmAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { isKnownUsed } from '../permit2/diagnosis.js'
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
 * lets be approved. It refuses `permit2_allowance_required` where nothing would do, `permit2_allowance_not_replaceable` where the token would not take the approval, and `payment_unresolved` while open payments of this account may take what
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
      const planned = () => planAllowance(node, who, { announced, maxAllowance, open: openNow() })
      let plan = await planned()
      if ('code' in plan && plan.code === 'payment_unresolved') {
        // An answer that was streamed had no receipt in its head: the chain says which payments have ended.
        await payments.endUsed(name, (nonce) => isKnownUsed(node, payer, nonce))
        plan = await planned()
      }
      if ('code' in plan) return plan
      return signedAlong(prepared, plan, context, () => {
        if (openNow() > plan.room) {
          throw new X402Error('payment_in_flight', { reason: 'another payment takes what Permit2 is allowed' })
        }
        payments.add(name, prepared.pid, { amount, until: prepared.expiresAt })
        return {
          undo: () => payments.end(prepared.pid),
          done: (payload) => {
            const nonce = permit2NonceOf(payload)
            if (nonce !== undefined) payments.signed(prepared.pid, nonce)
          },
        }
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

/** Permit2's number in a payload of ours: of a payment, or of a deposit. */
function permit2NonceOf(payload: JsonObject): bigint | undefined {
  const { deposit } = payload
  const places = [payload, isJsonObject(deposit) && deposit.authorization]
  for (const place of places) {
    const permit = isJsonObject(place) ? place.permit2Authorization : undefined
    if (isJsonObject(permit) && typeof permit.nonce === 'string') return parseAtomic(permit.nonce)
  }
  return undefined
}

/** What follows upon a signature, or upon a wallet that fails. */
type Begun = { readonly undo: () => void; readonly done: (payload: JsonObject) => void }

/** The payment with what is signed along; `begin` is called before anything is signed. */
function signedAlong(
  prepared: PreparedPayment,
  { added, allowance }: AllowancePlan,
  { extensions: announced = {} }: PrepareContext,
  begin: () => Begun,
): PreparedPayment {
  const guarded = async (sign: () => Promise<JsonObject>): Promise<JsonObject> => {
    const { undo, done } = begin()
    try {
      const payload = await sign()
      done(payload)
      return payload
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
