import {
  type Asset,
  assetByAddress,
  type Fetch,
  type Network,
  type PaymentRequirements,
  refuse,
  type SchemeClient,
  X402Error,
} from '@groat/core'
import { accountAddress, type SvmAccount, signMessage } from '../account.js'
import { type BlockhashSource, createBlockhashes, hintedBlockhash } from '../blockhash.js'
import { messageId } from '../exact/identity.js'
import { nonceMemo } from '../exact/nonce.js'
import { isSvmNetwork } from '../network.js'
import { addressBytes, formatAddress } from '../wire/address.js'
import { encodeBase64 } from '../wire/base64.js'
import { readU64, sameBytes } from '../wire/bytes.js'
import { memo, setComputeUnitLimit, setComputeUnitPrice } from '../wire/instructions.js'
import { encodeMessage, encodeTransaction } from '../wire/message.js'
import { tokenProgramName } from '../wire/token.js'
import { channelAddress, openChannel } from './channel.js'
import { uptoOnSvm } from './identity.js'
import { openingOf } from './open.js'
import { readUptoTerms } from './terms.js'

/** What the payer's half needs. */
export type UptoSvmClientOptions = {
  /** Whose money it is. */
  readonly account: SvmAccount
  /** Where to ask for a recent blockhash. Without it only offers that bring one can be paid. */
  readonly rpc?: BlockhashSource
  /** A slot of just now; without it only offers that bring one can be paid. */
  readonly slot?: (network: Network) => Promise<bigint>
  /** Tokens besides the default ones, and before them. */
  readonly assets?: readonly Asset[]
  readonly fetch?: Fetch
}

/** An opening uses about 51,000. */
const COMPUTE_UNITS = 90_000

/**
 * Pays `upto` offers on Solana: it signs the opening of a channel that locks the ceiling. What is really charged is for the seller's voucher to
 * say, and what is left goes back.
 *
 * `prepare` refuses `asset_not_known`, `unsupported_transfer_method`, `fee_payer_not_allowed`, `recent_blockhash_not_known` (or no recent slot),
 * `invalid_network`, `invalid_payment_requirements` and `lifetime_over_limit`; `sign` throws `signer_failed`. Throws a `TypeError` when the account has no
 * address.
 *
 * @example
 * const scheme = uptoSvm({ account: secretKeyAccount(process.env.SOLANA_KEY), rpc: process.env.SOLANA_RPC })
 */
export function uptoSvm({ account, rpc, slot, assets = [], fetch }: UptoSvmClientOptions): SchemeClient {
  const payer = addressBytes(accountAddress(account))
  const latestBlockhash = createBlockhashes(rpc, fetch)
  const assetOf = ({ network, asset }: PaymentRequirements) =>
    assets.find((known) => known.network === network && known.address === asset) ?? assetByAddress(network, asset)

  return {
    scheme: uptoOnSvm,
    payer: (network) => (isSvmNetwork(network) ? account.address : undefined),
    asset: assetOf,
    async prepare(offer, { clock, random, maxLifetimeSeconds }) {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const terms = readUptoTerms(offer)
      if (!terms.ok) return terms
      if (tokenProgramName(terms.tokenProgram) !== asset.transfer) return refuse('unsupported_transfer_method')
      if (sameBytes(terms.feePayer, payer)) return refuse('fee_payer_not_allowed')
      if (terms.maxTimeoutSeconds > maxLifetimeSeconds) return refuse('lifetime_over_limit')
      const blockhash = (await latestBlockhash(offer.network, clock)) ?? hintedBlockhash(offer)
      const openSlot = (await slot?.(offer.network)) ?? terms.recentSlot
      if (blockhash === undefined || openSlot === undefined) return refuse('recent_blockhash_not_known')

      const salt = readU64(random(8), 0)
      const opening = openingOf(terms, { payer, salt, openSlot })
      const message = encodeMessage({
        feePayer: terms.feePayer,
        blockhash: addressBytes(blockhash),
        instructions: [
          setComputeUnitLimit(COMPUTE_UNITS),
          setComputeUnitPrice(1n),
          openChannel(opening),
          memo(terms.memo ?? nonceMemo(random)),
        ],
      })
      const now = Math.floor(clock() / 1000)
      const expiresAt = now + Math.floor(terms.maxTimeoutSeconds)
      const wire = {
        from: account.address,
        maxAmount: terms.amount.toString(),
        deposit: terms.amount.toString(),
        expiresAt,
        validAfter: typeof offer.extra.validAfter === 'number' ? offer.extra.validAfter : now,
        nonce: salt.toString(),
        openSlot: openSlot.toString(),
        channelId: formatAddress(channelAddress(opening).key),
        authorizedSigner: formatAddress(terms.receiverAuthorizer),
      }
      const signers = [formatAddress(terms.feePayer), account.address]
      return {
        ok: true,
        pid: messageId(offer.network, message),
        payer: account.address,
        amount: terms.amount,
        allowance: terms.amount,
        expiresAt,
        preview: { network: offer.network, asset: asset.symbol, mint: asset.address, channel: wire, blockhash },
        async sign() {
          try {
            const signature = await signMessage(account, { message, signers, blockhash })
            return { ...wire, openTransaction: encodeBase64(encodeTransaction([undefined, signature], message)) }
          } catch (cause) {
            throw new X402Error('signer_failed', { payer: account.address }, { cause })
          }
        },
      }
    },
  }
}
