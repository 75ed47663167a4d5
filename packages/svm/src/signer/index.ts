import {
  type Asset,
  findAsset,
  type Network,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
  type SignerHalf,
  svmAssets,
  X402Error,
} from '@groat/core'
import { askSigner, type RemoteSigner } from '@groat/core/http'
import type { SvmKeyAccount } from '../account.js'
import { exactOnSvm, MAX_LIFE_SECONDS, messageId } from '../exact/identity.js'
import { readTransfer } from '../exact/layout.js'
import { isSigned, readExact } from '../exact/shared.js'
import { formatAddress, parseAddress } from '../wire/address.js'
import { decodeBase64, encodeBase64 } from '../wire/base64.js'
import { sameBytes } from '../wire/bytes.js'
import { readTransferChecked } from '../wire/instructions.js'
import { encodeTransaction } from '../wire/message.js'
import { decodeTransaction } from '../wire/transaction.js'

export { isTextSignedBy, signText } from './text.js'

/** What a signer of Solana payments is made of. */
export type SvmSignerOptions = {
  readonly account: SvmKeyAccount
  /** The cluster that it signs for: a message does not say. */
  readonly network: Network
  /** Tokens besides the default ones, and before them. Nothing else is signed for. */
  readonly assets?: readonly Asset[]
}

/**
 * The half of a remote signer that knows Solana: it reads `exact` payments of one transfer, and signs nothing else. A message names the token account
 * that is paid and not its owner, so the policy has to name its `recipients`: what goes to none of them is refused. Throws a `TypeError` when
 * the account has no address.
 *
 * @example
 * const half = svmSigner({ account: secretKeyAccount(key), network: network('solana') })
 */
export function svmSigner({ account, network, assets = [] }: SvmSignerOptions): SignerHalf {
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('the account has no address')
  const known = [...assets, ...svmAssets]
  return {
    family: 'solana',
    address: account.address,
    read(text, { clock, recipients = [] }) {
      const bytes = typeof text === 'string' ? decodeBase64(text) : undefined
      const transaction = bytes && decodeTransaction(encodeTransaction([undefined, undefined], bytes))
      if (transaction === undefined || typeof transaction === 'string') return UNREADABLE
      const { message } = transaction
      const [feePayer, authority] = message.keys
      const [, , move] = message.instructions
      const moved = move && readTransferChecked(move.data)
      const mint = move && message.keys[move.accounts[1] ?? -1]
      if (!feePayer || !authority || !moved || !mint || message.lookups.length > 0) return UNREADABLE
      // Whoever pays the fee signs a blank.
      if (sameBytes(feePayer, payer)) return refuse('fee_payer_not_allowed')
      if (!sameBytes(authority, payer)) return UNREADABLE
      const asset = findAsset(known, network, formatAddress(mint))
      if (asset === undefined) return refuse('asset_not_known')
      if (asset.decimals !== moved.decimals) return UNREADABLE
      const { amount } = moved
      let reason: Refusal = refuse('recipient_not_allowed')
      for (const recipient of recipients) {
        const payTo = parseAddress(recipient)
        const read = payTo && readTransfer(message, { ok: true, mint, payTo, amount, feePayer })
        if (read?.ok) {
          return {
            ok: true,
            pid: messageId(network, message.bytes),
            payer: account.address,
            asset,
            payTo: recipient,
            amount,
            expiresAt: Math.floor(clock() / 1000) + MAX_LIFE_SECONDS,
            sign: async () => encodeBase64(await account.sign(message.bytes)),
          }
        }
        if (read && read.code !== 'invalid_exact_svm_payload_recipient_mismatch') reason = read
      }
      return reason
    },
  }
}

/**
 * An account whose key is at a remote signer. It serves wherever an account does: `exactSvm({ account })`. Its `sign` throws `X402Error`
 * `signer_refused` and `signer_failed`.
 *
 * @example
 * const account = remoteSvmAccount({ url: 'https://signer.internal', token, address: '…' })
 */
export function remoteSvmAccount({ address, ...signer }: RemoteSigner & { readonly address: string }): SvmKeyAccount {
  if (parseAddress(address) === undefined) {
    throw new X402Error('invalid_config', { field: 'signer.address', problem: 'is no Solana address' })
  }
  return {
    address,
    async sign(message) {
      const text = await askSigner(signer, { family: 'solana', address, message: encodeBase64(message) })
      const signature = decodeBase64(text)
      if (signature === undefined) throw new X402Error('signer_failed', { reason: 'the signer answered no signature' })
      return signature
    },
  }
}

const UNREADABLE: Refusal = refuse('signer_refused', 'not a payment that is understood here')

/**
 * Who signed an `exact` payment, from the signature alone: for `verifyReceipt`. `undefined` where no key alone can be named: smart wallets.
 *
 * @example
 * const checks = await verifyReceipt(receipt, { schemes: [exactSvmServer], signerOf: signerOfSvm })
 */
export async function signerOfSvm(payment: PaymentPayload, offer: PaymentRequirements): Promise<string | undefined> {
  if (payment.scheme !== exactOnSvm.name) return undefined
  const read = readExact(payment, offer)
  if (!read.ok || !read.transfer.ok) return undefined
  return (await isSigned(read.transaction)) ? formatAddress(read.payer) : 'nobody'
}
