import {
  type Asset,
  createMadeTransfers,
  findAsset,
  type JsonObject,
  type PaymentRequirements,
  refuse,
  type SchemeClient,
  svmAssets,
  type TransferSource,
  X402Error,
} from '@groat/core'
import { accountAddress, locality, type SvmKeyAccount, type SvmMessageSigner, signBytes } from '../account.js'
import { isSvmNetwork } from '../network.js'
import { encodeBase58 } from '../wire/base58.js'
import { type TransferProof, transferProofId, transferProofOnSvm, transferProofText } from './proof.js'

export type { MadeTransfer } from '@groat/core'
export { type SvmKeyAccount, type SvmMessageSigner, secretKeyAccount } from '../account.js'

/** What the payer's half needs. */
export type TransferProofClientOptions = {
  /** The account that made the transfers, and paid their fees. */
  readonly account: SvmKeyAccount | SvmMessageSigner
  /** The transfers, or where they are had from: asked for each offer. */
  readonly transfers: TransferSource
  /** Tokens besides the default ones, and before them. */
  readonly assets?: readonly Asset[]
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
 * const scheme = transferProof({ account, transfers: [{ transaction, network: network('solana'), asset, payTo, amount: 1000n }] })
 */
export function transferProof({ account, transfers, assets = [] }: TransferProofClientOptions): SchemeClient {
  const from = accountAddress(account)
  const known = [...assets, ...svmAssets]
  const made = createMadeTransfers(transfers)
  const assetOf = ({ network, asset }: PaymentRequirements) => findAsset(known, network, asset)

  return {
    scheme: transferProofOnSvm,
    payer: (network) => (isSvmNetwork(network) ? from : undefined),
    asset: assetOf,
    settled: async (pid) => made.settled(pid),
    async prepare(offer, { clock, maxLifetimeSeconds, resource }) {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const { network } = offer
      if (!isSvmNetwork(network)) return refuse('invalid_network')
      if (resource === undefined) return refuse('resource_mismatch')
      const audience = typeof offer.extra.audience === 'string' ? offer.extra.audience : ''
      const purpose = `${audience}\n${resource}`
      const transaction = await made.find(offer, purpose, clock() / 1000)
      if (transaction === undefined) return refuse('no_transfer_made')
      const lifetime = Math.floor(Math.min(offer.maxTimeoutSeconds, maxLifetimeSeconds))
      const validBefore = BigInt(Math.floor(clock() / 1000) + lifetime)
      const proof: TransferProof = { transaction, from, mint: asset.address, network, resource, audience, validBefore }
      const wire: JsonObject = { transaction, from, resource, validBefore: validBefore.toString() }
      const pid = transferProofId(proof)
      return {
        ok: true,
        pid,
        payer: from,
        amount: offer.amount,
        allowance: 0n,
        expiresAt: Number(validBefore),
        preview: { network, asset: asset.symbol, mint: asset.address, proof: wire },
        ...locality(account),
        sign: async () => {
          if (!made.take(transaction, { pid, purpose, until: Number(validBefore) }, clock() / 1000)) {
            throw new X402Error('signer_failed', { reason: 'the transfer is presented already' })
          }
          const signature = await signProof(account, proof)
          return { ...wire, signature: encodeBase58(signature) }
        },
      }
    },
  }
}

async function signProof(account: SvmKeyAccount | SvmMessageSigner, proof: TransferProof): Promise<Uint8Array> {
  try {
    return await signBytes(account, new TextEncoder().encode(transferProofText(proof)))
  } catch (cause) {
    if (X402Error.is(cause)) throw cause
    throw new X402Error('signer_failed', { payer: account.address }, { cause })
  }
}
