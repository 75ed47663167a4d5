import {
  type Asset,
  createMadeTransfers,
  evmAssets,
  findAsset,
  type JsonObject,
  type PaymentRequirements,
  refuse,
  type SchemeClient,
  type TransferSource,
  X402Error,
} from '@groat/core'
import { type EvmAccount, locality } from '../account.js'
import { parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { isHex } from '../hex.js'
import { signWith } from '../sign.js'
import {
  type TransferProof,
  transferProofDigest,
  transferProofId,
  transferProofOnEvm,
  transferProofTypedData,
} from './proof.js'

export type { MadeTransfer } from '@groat/core'
export { type EvmAccount, privateKeyAccount } from '../account.js'

/** What the payer's half needs. */
export type TransferProofClientOptions = {
  /** The account that made the transfers. */
  readonly account: EvmAccount
  /** The transfers, or where they are had from: asked for each offer. */
  readonly transfers: TransferSource
  /** Tokens besides the default ones, and before them. */
  readonly assets?: readonly Asset[]
  readonly engine?: SigningEngine
}

/**
 * Pays `transfer-proof` offers with transfers that the account has already made. It never sends money: which transfer is made is decided elsewhere, and this
 * half presents each of them for one resource and for nothing else, and once: what was settled before a restart is the caller's to leave out. Who wants it gives it to the payer;
 * no other half answers such offers.
 *
 * `prepare` refuses `asset_not_known`, `invalid_network`, `resource_mismatch` (the challenge names no resource) and `no_transfer_made`; `sign` throws `signer_failed`, also for a transfer that
 * was signed for something meanwhile. Throws a `TypeError` when the account has no address.
 *
 * @example
 * const scheme = transferProof({ account, transfers: [{ transaction, network: 'eip155:8453', asset, payTo, amount: 1000n }] })
 */
export function transferProof(options: TransferProofClientOptions): SchemeClient {
  const { account, transfers, assets = [], engine = nobleSigningEngine } = options
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('the account has no address')
  const known = [...assets, ...evmAssets]
  const made = createMadeTransfers(transfers)
  const assetOf = ({ network, asset }: PaymentRequirements) => findAsset(known, network, asset)

  return {
    scheme: transferProofOnEvm,
    payer: (network) => (chainIdOf(network) === undefined ? undefined : account.address),
    asset: assetOf,
    settled: async (pid) => made.settled(pid),
    async prepare(offer, { clock, maxLifetimeSeconds, resource }) {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const chainId = chainIdOf(offer.network)
      const token = parseAddress(offer.asset)
      if (chainId === undefined || token === undefined) return refuse('invalid_network')
      if (resource === undefined) return refuse('resource_mismatch')
      const audience = typeof offer.extra.audience === 'string' ? offer.extra.audience : ''
      const purpose = `${audience}\n${resource}`
      const transaction = await made.find(offer, purpose, clock() / 1000)
      if (transaction === undefined || !isHex(transaction, 32)) return refuse('no_transfer_made')
      const lifetime = Math.floor(Math.min(offer.maxTimeoutSeconds, maxLifetimeSeconds))
      const validBefore = BigInt(Math.floor(clock() / 1000) + lifetime)
      const proof: TransferProof = { transaction, from: payer, resource, audience, validBefore }
      const place = { chainId, token }
      const wire: JsonObject = { transaction, from: account.address, resource, validBefore: validBefore.toString() }
      const pid = transferProofId(offer.network, token, proof)
      return {
        ok: true,
        pid,
        payer,
        amount: offer.amount,
        allowance: 0n,
        expiresAt: Number(validBefore),
        preview: { network: asset.network, asset: asset.symbol, token: asset.address, proof: wire },
        ...locality(account),
        sign: async () => {
          if (!made.take(transaction, { pid, purpose, until: Number(validBefore) }, clock() / 1000)) {
            throw new X402Error('signer_failed', { reason: 'the transfer is presented already' })
          }
          const signature = await signWith(account, {
            digest: () => transferProofDigest(engine, place, proof),
            typedData: () => transferProofTypedData(engine, place, proof),
          })
          return { ...wire, signature }
        },
      }
    },
  }
}
