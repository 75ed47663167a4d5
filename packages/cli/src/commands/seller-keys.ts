import { exportReceipt, type PaymentRecord, type Purse, verifyReceipt } from '@groat/client/buyer'
import { sha256Hex } from '@groat/core'
import { didWebKeys, type KeyFinder, keptKeys, verifyAnswer } from '@groat/extensions/offer-receipt/client'
import { signedIn } from './attesting.js'

/** What of a seller's keys is kept with payments. */
export interface SellerKeys {
  /**
   * Keeps, with every payment since then whose receipt the seller has signed, the document in which its site vouches for the signer: it is verified by that when the site publishes other keys (EXT-OFFER-025).
   * Never throws: a payment is none the worse for what is not kept of it.
   */
  keep(purse: Purse, since: number): Promise<void>
}

/**
 * Asks sites that were paid for their keys, over HTTPS and at no private address.
 *
 * @example
 * await sellerKeys().keep(purse, began)
 */
export function sellerKeys(keysOf: KeyFinder = didWebKeys()): SellerKeys {
  return {
    async keep(purse, since) {
      try {
        for (const record of await purse.records({ since, limit: MOST })) {
          if (record.note.siteKeys === undefined) await keepFor(purse, record, keysOf)
        }
      } catch {
        // The next `groat receipts verify --seller-keys` asks the site.
      }
    },
  }
}

/** Payments of one command that are looked at. */
const MOST = 16

async function keepFor(purse: Purse, record: PaymentRecord, keysOf: KeyFinder): Promise<void> {
  let document: string | undefined
  await verifyReceipt(exportReceipt(record), {
    schemes: [],
    own: true,
    async sellerSigned({ challenge, offer, payer, receipt }) {
      const info = signedIn(receipt?.extensions)
      if (receipt !== undefined && info?.receipt !== undefined) {
        const verdict = await verifyAnswer({ info }, { challenge, offer, payer, receipt, clock: Date.now }, { keysOf })
        if (verdict.ok) document = verdict.document
      }
      return []
    },
  })
  if (document === undefined) return
  // One copy for all payments to a site that has not changed its keys.
  const siteKeys = sha256Hex(document)
  await purse.remember(factOf(siteKeys), document)
  await purse.note(record.intent.id, { siteKeys })
}

/** The documents that were kept with payments, by the identity of each payment: for verifying one's own. */
export async function keptWith(
  purse: Purse,
  records: readonly PaymentRecord[],
): Promise<(pid: string, host: string) => KeyFinder> {
  const digests = [...new Set(records.flatMap(({ note }) => note.siteKeys ?? []))]
  const { facts } =
    digests.length === 0 ? { facts: new Map<string, string>() } : await purse.recall(digests.map(factOf), [])
  const digestOf = new Map(records.map(({ intent, note }) => [intent.pid as string, note.siteKeys]))
  return (pid, host) => {
    const digest = digestOf.get(pid)
    const document = digest === undefined ? undefined : facts.get(factOf(digest))
    return keptKeys(document === undefined ? {} : { [host]: document })
  }
}

const factOf = (digest: string): string => `site-keys ${digest}`
