import type { Exporter, IsSignedBy, PaymentRecord, ReceiptCheck, SellerSigned } from '@groat/client/buyer'
import { isJsonObject, type JsonObject, networkFamily, type Refusal, sameAddress } from '@groat/core'
import { isTextSignedBy as isSignedOnEvm, signText as signOnEvm } from '@groat/evm/signer'
import {
  didWebKeys,
  type KeyFinder,
  type TrustOptions,
  verifiedOffer,
  verifyAnswer,
} from '@groat/extensions/offer-receipt/client'
import { isTextSignedBy as isSignedOnSvm, signText as signOnSvm } from '@groat/svm/signer'
import { CliError } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { accountOf, type FoundKey, readKeys, type WalletOptions } from './wallet.js'

/** Whose word counts for what sellers sign. */
export type SellerTrust = { readonly trust?: readonly string[]; readonly sellerKeys?: boolean }

/** Chooses who signs the export of a payment: its payer where that key is here, else the first key; nobody without keys. */
export async function exportersOf(
  { keyFile }: Pick<WalletOptions, 'keyFile'>,
  { environment }: Io,
): Promise<(record: PaymentRecord) => Exporter | undefined> {
  const keys = await readKeys({ ...(keyFile && { keyFile }) }, environment)
  const all = keys.flatMap(exporterOf)
  return ({ intent: { network, payer } }) =>
    all.find(({ family, address }) => family === networkFamily(network) && sameAddress(address, payer)) ?? all[0]
}

function exporterOf(found: FoundKey): readonly (Exporter & { readonly family: string; readonly address: string })[] {
  const { evm, svm } = accountOf(found)
  if (evm !== undefined) {
    const { address } = evm
    return [{ family: 'eip155', address, account: `eip155:${address}`, sign: (text) => signOnEvm(evm, text) }]
  }
  if (svm === undefined) return []
  const { address } = svm
  return [{ family: 'solana', address, account: `solana:${address}`, sign: (text) => signOnSvm(svm, text) }]
}

/** Whether a text is signed by an account of either family. */
export const isSignedBy: IsSignedBy = async (account, text, signature) => {
  const [family, address = ''] = account.split(':')
  if (family === 'eip155') return isSignedOnEvm(address, text, signature)
  return family === 'solana' && isSignedOnSvm(address, text, signature)
}

/** An account as a person writes it: with its family, or by its address alone. */
export function accountNamed(text: string): string {
  if (/^(eip155:0x[0-9a-fA-F]{40}|solana:[1-9A-HJ-NP-Za-km-z]{32,44})$/.test(text)) return text
  if (/^0x[0-9a-fA-F]{40}$/.test(text)) return `eip155:${text}`
  if (/^[1-9A-HJ-NP-Za-km-z]{32,44}$/.test(text)) return `solana:${text}`
  throw new CliError('usage', `${text} is no account`)
}

/**
 * Checks what a seller has signed by the extension `offer-receipt`: its offer and its receipt. What only its site's keys can tell is unknown unless
 * these may be asked for, or were kept with one's own payment.
 */
export function sellerSigned(
  { trust = [], sellerKeys = false }: SellerTrust,
  kept?: (pid: string, host: string) => KeyFinder,
): SellerSigned {
  const live = sellerKeys ? didWebKeys() : undefined
  return async ({ pid, challenge, offer, payer, receipt, paidAt }) => {
    const keysOf = { keysOf: async (host: string) => (await kept?.(pid, host)(host)) ?? live?.(host) }
    const whose: TrustOptions = { ...keysOf, trusted: trust, payTo: offer.payTo, now: paidAt / 1000 }
    const checks: ReceiptCheck[] = []
    const say = (check: string, verdict: { readonly ok: true; readonly signer: string } | Refusal) => {
      if (verdict.ok) checks.push({ check, ok: true, says: `signed by ${verdict.signer}` })
      // Somebody signed it, and whether that is the seller nobody here knows.
      else if (verdict.code.endsWith('_not_authorized'))
        checks.push({ check, ok: 'unknown', says: `${verdict.code}: --trust or --seller-keys may know it` })
      else checks.push({ check, ok: false, says: verdict.code })
    }
    const offered = signedIn(challenge.extensions)
    if (Array.isArray(offered?.offers)) {
      say('seller’s offer', await verifiedOffer(challenge, offer, whose))
    }
    const answered = signedIn(receipt?.extensions)
    if (receipt !== undefined && answered?.receipt !== undefined) {
      const about = { challenge, offer, payer, receipt, clock: () => paidAt + DELIVERY_MS }
      say('seller’s receipt', await verifyAnswer({ info: answered }, about, { ...keysOf, trusted: trust }))
    }
    return checks
  }
}

/** A receipt is issued when the answer is, and that may be a while after the payment was signed. */
const DELIVERY_MS = 3_600_000

/** What the seller has signed, in the extensions of a challenge or a receipt. */
export function signedIn(extensions: JsonObject | undefined): JsonObject | undefined {
  const extension = extensions?.['offer-receipt']
  const info = isJsonObject(extension) ? extension.info : undefined
  return isJsonObject(info) ? info : undefined
}
