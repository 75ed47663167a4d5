import {
  type Asset,
  type Fetch,
  findAsset,
  type PaymentRequirements,
  type PrepareContext,
  type PreparedPayment,
  type Random,
  refuse,
  type SchemeClient,
  svmAssets,
  X402Error,
} from '@groat/core'
import { accountAddress, locality, type SvmAccount, signMessage } from '../account.js'
import { type BlockhashSource, createBlockhashes, hintedBlockhash } from '../blockhash.js'
import { isSvmNetwork } from '../network.js'
import { addressBytes, formatAddress, type Key } from '../wire/address.js'
import { encodeBase64 } from '../wire/base64.js'
import { sameBytes } from '../wire/bytes.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { memo, setComputeUnitLimit, setComputeUnitPrice, transferChecked } from '../wire/instructions.js'
import { encodeMessage, encodeTransaction } from '../wire/message.js'
import { programs } from '../wire/programs.js'
import { exactOnSvm, MAX_LIFE_SECONDS, messageId } from './identity.js'
import { nonceMemo } from './nonce.js'
import { type ExactTerms, readTerms } from './terms.js'

export {
  keypairAccount,
  type LegacyKeypair,
  type SvmAccount,
  type SvmKeyAccount,
  type SvmMessageSigner,
  type SvmTransactionSigner,
  secretKeyAccount,
} from '../account.js'
export type { BlockhashSource } from '../blockhash.js'

/** What the payer's half needs. */
export type ExactSvmClientOptions = {
  /** Whose money it is: a signer of `@solana/kit`, `secretKeyAccount(key)`, or `keypairAccount(keypair)`. */
  readonly account: SvmAccount
  /** Where to ask for a recent blockhash. Without it only offers that bring one can be paid. */
  readonly rpc?: BlockhashSource
  /** Tokens besides the default ones, and before them. */
  readonly assets?: readonly Asset[]
  /** What a compute unit is worth to the fee payer, in millionths of a lamport; 1 unless told. */
  readonly computeUnitPrice?: bigint
  readonly fetch?: Fetch
}

/** Compute units that a payment asks for where they suffice: more than that some facilitators refuse. */
const USUAL_COMPUTE_UNITS = 20_000

/** What the older programs use, on top of which a memo costs so much for each byte. */
const TRANSFER_UNITS = { spl: 7_000, 'spl-2022': 9_000 } as const
const MEMO_BYTE_UNITS = 400

/**
 * Pays `exact` offers on Solana with one transfer, which the facilitator completes and pays for. Token program and decimals are the payer's own
 * knowledge; the only thing that is ever asked for is a recent blockhash.
 *
 * `prepare` refuses `asset_not_known`, `unsupported_transfer_method`, `fee_payer_not_allowed` (the payer itself),
 * `recent_blockhash_not_known`, `invalid_network`, `invalid_payment_requirements` and `invalid_exact_svm_payload_missing_fee_payer`; `sign`
 * throws `signer_failed`. Throws a `TypeError` when the account has no address.
 *
 * @example
 * const scheme = exactSvm({ account: secretKeyAccount(process.env.SOLANA_KEY), rpc: process.env.SOLANA_RPC })
 */
export function exactSvm(options: ExactSvmClientOptions): SchemeClient {
  const { account, rpc, assets = [], computeUnitPrice = 1n, fetch } = options
  const payer = addressBytes(accountAddress(account))
  const latestBlockhash = createBlockhashes(rpc, fetch)
  const known = [...assets, ...svmAssets]
  const assetOf = ({ network, asset }: PaymentRequirements) => findAsset(known, network, asset)

  return {
    scheme: exactOnSvm,
    payer: (network) => (isSvmNetwork(network) ? account.address : undefined),
    assets: svmAssets,
    asset: assetOf,
    async prepare(offer, context) {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const { transfer } = asset
      if (transfer !== 'spl' && transfer !== 'spl-2022') return refuse('unsupported_transfer_method')
      const terms = readTerms(offer)
      if (!terms.ok) return terms
      // Whoever pays the fee signs a blank: the payer's signature would be good for that too.
      if (sameBytes(terms.feePayer, payer)) return refuse('fee_payer_not_allowed')
      const blockhash = (await latestBlockhash(offer.network, context.clock)) ?? hintedBlockhash(offer)
      if (blockhash === undefined) return refuse('recent_blockhash_not_known')
      const plan = { payer, terms, blockhash, transfer, decimals: asset.decimals, computeUnitPrice }
      return prepared(offer, asset, account, plan, context)
    },
  }
}

type Plan = {
  readonly payer: Key
  readonly terms: ExactTerms
  readonly blockhash: string
  readonly transfer: 'spl' | 'spl-2022'
  readonly decimals: number
  readonly computeUnitPrice: bigint
}

function prepared(
  { network, payTo }: PaymentRequirements,
  { symbol, address }: Asset,
  account: SvmAccount,
  plan: Plan,
  { clock, random }: PrepareContext,
): PreparedPayment {
  const { terms, blockhash } = plan
  const text = terms.memo ?? nonceMemo(random)
  const message = buildMessage(plan, text, random)
  const feePayer = formatAddress(terms.feePayer)
  return {
    ok: true,
    pid: messageId(network, message),
    payer: account.address,
    amount: terms.amount,
    allowance: 0n,
    expiresAt: Math.floor(clock() / 1000) + MAX_LIFE_SECONDS,
    preview: {
      network,
      asset: symbol,
      mint: address,
      transfer: { from: account.address, to: payTo, amount: terms.amount.toString() },
      memo: new TextDecoder().decode(text),
      feePayer,
      blockhash,
    },
    ...locality(account),
    async sign() {
      try {
        const signature = await signMessage(account, { message, signers: [feePayer, account.address], blockhash })
        return { transaction: encodeBase64(encodeTransaction([undefined, signature], message)) }
      } catch (cause) {
        if (X402Error.is(cause)) throw cause
        throw new X402Error('signer_failed', { payer: account.address }, { cause })
      }
    },
  }
}

function buildMessage(plan: Plan, text: Uint8Array, random: Random): Uint8Array {
  const { payer, terms, blockhash, transfer, decimals, computeUnitPrice } = plan
  const { mint, payTo, amount, feePayer } = terms
  const tokenProgram = transfer === 'spl' ? programs.token : programs.token2022
  const enough = Math.max(USUAL_COMPUTE_UNITS, TRANSFER_UNITS[transfer] + MEMO_BYTE_UNITS * text.length)
  // A memo that the seller chose may come twice within one block; two payments must be two messages.
  const units = terms.memo === undefined ? enough : enough + draw(random)
  return encodeMessage({
    feePayer,
    blockhash: addressBytes(blockhash),
    instructions: [
      setComputeUnitLimit(units),
      setComputeUnitPrice(computeUnitPrice),
      transferChecked(tokenProgram, {
        source: associatedTokenAccount(payer, tokenProgram, mint),
        mint,
        destination: associatedTokenAccount(payTo, tokenProgram, mint),
        authority: payer,
        amount,
        decimals,
      }),
      memo(text),
    ],
  })
}

/** A number below 4,096. */
function draw(random: Random): number {
  const [high = 0, low = 0] = random(2)
  return ((high & 0x0f) << 8) | low
}
