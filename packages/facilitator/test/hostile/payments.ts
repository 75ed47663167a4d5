import {
  type Asset,
  type Clock,
  type FacilitatorRequest,
  type JsonObject,
  type PaymentRequirements,
  systemRandom,
} from '@groat/core'
import { authCaptureEvm as paysHolds } from '@groat/evm/auth-capture/client'
import { authCaptureEvm as holds } from '@groat/evm/auth-capture/facilitator'
import { authCaptureEvm as sellsHolds } from '@groat/evm/auth-capture/server'
import { batchEvm as paysChannels } from '@groat/evm/batch-settlement/client'
import { batchEvm as channels } from '@groat/evm/batch-settlement/facilitator'
import { batchEvm as sellsChannels } from '@groat/evm/batch-settlement/server'
import type { EvmChain as SettlingChain } from '@groat/evm/chain'
import { exactEvm as paysExact, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { exactEvmWithPermit2 } from '@groat/evm/exact/permit2/client'
import { exactEvm as sellsExact } from '@groat/evm/exact/server'
import { uptoEvm as paysUpto } from '@groat/evm/upto/client'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { uptoEvm as sellsUpto } from '@groat/evm/upto/server'
import type { EvmChain } from '@groat/sandbox'

/** Every way in which money is taken from a payer on an EVM chain. */
export const ways = [
  'exact by EIP-3009',
  'exact by Permit2',
  'upto',
  'a deposit by EIP-3009',
  'a deposit by Permit2',
  'a hold by EIP-3009',
  'a hold by Permit2',
] as const

/** One of them. */
export type Way = (typeof ways)[number]

/** All schemes of EVM networks, on one chain. */
export const allSchemes = (chain: SettlingChain) => {
  const chains = [chain]
  return [exactEvm({ chains }), uptoEvm({ chains }), channels({ chains }), holds({ chains })]
}

const SECONDS = 60

/** A payment of `amount` of a token (atomic units), in one of these ways, with what its seller asks for. */
export async function payIn(
  way: Way,
  sandbox: EvmChain,
  asset: Asset,
  amount: bigint,
  clock: Clock = Date.now,
): Promise<FacilitatorRequest> {
  const account = privateKeyAccount(sandbox.account('payer').privateKey)
  const [settling, authorizer] = [sandbox.account('facilitator').address, sandbox.account('payer4').address]
  const method: JsonObject = way.endsWith('Permit2') ? { assetTransferMethod: 'permit2' } : {}
  const terms = { network: asset.network, asset, amount, payTo: sandbox.account('seller').address }
  const offered = { ...terms, maxTimeoutSeconds: SECONDS }
  const by = { account, assets: [asset] }
  const context = { clock, random: systemRandom, maxLifetimeSeconds: SECONDS }
  const sides = () => {
    switch (way) {
      case 'exact by EIP-3009':
        return [sellsExact.offer({ ...offered, extra: method }), paysExact(by)] as const
      case 'exact by Permit2':
        return [sellsExact.offer({ ...offered, extra: method }), exactEvmWithPermit2(by)] as const
      case 'upto':
        return [sellsUpto.offer({ ...offered, extra: { facilitatorAddress: settling } }), paysUpto(by)] as const
      case 'a deposit by EIP-3009':
      case 'a deposit by Permit2': {
        const offer = sellsChannels({ receiverAuthorizer: authorizer }).offer({ ...offered, extra: method })
        return [offer, paysChannels({ ...by, depositFor: 1 })] as const
      }
      case 'a hold by EIP-3009':
      case 'a hold by Permit2': {
        const extra = { ...method, captureAuthorizer: settling }
        return [sellsHolds({ receiverAuthorizer: authorizer }).offer({ ...offered, extra }), paysHolds(by)] as const
      }
    }
  }
  const [requirements, half] = sides()
  const prepared = await half.prepare(requirements, context)
  if (!prepared.ok) throw new Error(`${way}: ${prepared.code}`)
  return requestOf(requirements, await prepared.sign())
}

function requestOf(requirements: PaymentRequirements, payload: JsonObject): FacilitatorRequest {
  const { scheme, network } = requirements
  return { requirements, payment: { x402Version: 2, scheme, network, accepted: requirements, payload } }
}
