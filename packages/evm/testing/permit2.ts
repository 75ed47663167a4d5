import {
  type Asset,
  type JsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  type Random,
  systemRandom,
} from '@groat/core'
import type { EvmChain as Sandbox } from '@groat/sandbox'
import { encodeCall } from '../src/abi.js'
import type { EvmAccount } from '../src/account.js'
import { exactEvmWithPermit2 } from '../src/exact/permit2-client.js'
import { exactEvm as server } from '../src/exact/server.js'
import type { Hex } from '../src/hex.js'
import { PERMIT2 } from '../src/permit2/contracts.js'
import { BASE_SEPOLIA, SELLER } from './payments.js'

/** A token of the sandbox as an asset that is paid by Permit2. */
export function assetOf(address: Hex, name?: string): Asset {
  const domain = name === undefined ? {} : { domain: { name, version: '1' } }
  return { network: BASE_SEPOLIA, symbol: 'TEST', address, decimals: 6, transfer: 'permit2', ...domain }
}

/** An offer of 0.001 of an asset by Permit2, unless told. */
export const permit2Offer = (asset: Asset, amount = 1000n): PaymentRequirements =>
  server.offer({
    network: BASE_SEPOLIA,
    asset,
    amount,
    payTo: SELLER,
    maxTimeoutSeconds: 60,
    extra: { assetTransferMethod: 'permit2' },
  })

/** How to pay; `extensions` as the challenge announces them, `rpc` to ask what Permit2 may take. */
export type Permit2PayOptions = {
  readonly now?: number
  readonly random?: Random
  readonly rpc?: string
  readonly extensions?: JsonObject
  /** Most that may be approved along, in atomic units; the payment unless told. */
  readonly maxAllowance?: bigint
}

/** A payment by Permit2 for an offer of this asset. */
export async function payByPermit2(
  asset: Asset,
  offer: PaymentRequirements,
  account: EvmAccount,
  { now = Date.now(), random = systemRandom, rpc, extensions, maxAllowance }: Permit2PayOptions = {},
): Promise<PaymentPayload> {
  const scheme = exactEvmWithPermit2({
    // As of a process of its own: what other payments count on is not known to it.
    account: { ...account },
    assets: [asset],
    ...(rpc === undefined ? {} : { rpc: { [BASE_SEPOLIA]: rpc } }),
  })
  const prepared = await scheme.prepare(offer, {
    ...{ clock: () => now, random, maxLifetimeSeconds: 600, extensions, maxAllowance },
  })
  if (!prepared.ok) throw new TypeError(prepared.code)
  const payload = await prepared.sign()
  const added = prepared.extensions?.() ?? extensions
  return {
    x402Version: 2,
    scheme: 'exact',
    network: offer.network,
    accepted: offer,
    payload,
    ...(added && Object.keys(added).length > 0 ? { extensions: added } : {}),
  }
}

/** Lets Permit2 take from an account of the sandbox, in a transaction of its own. */
export async function approvePermit2(
  sandbox: Sandbox,
  owner: Hex,
  token: Hex,
  amount: bigint = 2n ** 256n - 1n,
): Promise<void> {
  const data = encodeCall('0x095ea7b3', PERMIT2, amount)
  const hash = await sandbox.client.sendUnsignedTransaction({ from: owner, to: token, data })
  await sandbox.client.waitForTransactionReceipt({ hash })
}
