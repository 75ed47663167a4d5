import {
  type ExtensionServer,
  isJsonObject,
  type JsonObject,
  type PaymentRequirements,
  requirementsId,
  X402Error,
} from '@groat/core'
import type { ArtifactIssuer } from './issuer.js'
import { OFFERS_SCHEMA, offerReceipt, RECEIPT_SCHEMA, type SignedArtifact } from './offer-receipt.js'

export { type ArtifactIssuer, type JwsKey, jwsIssuer, type TypedDataAccount, typedDataIssuer } from './issuer.js'
export type { OfferPayload, ReceiptPayload, Signable, SignedArtifact } from './offer-receipt.js'

/**
 * The seller's half of `offer-receipt`: signs every offer of a challenge, and a receipt for every payment that was settled and whose work was delivered. Offers are signed once a
 * minute, a thousand of them at the most, and never for a request that carries a payment, so that strangers cannot keep a key busy. Receipts name no transaction unless the route says so. A route declares it as `true`, or
 * `{ validSeconds, transaction }`; the paywall needs its `origin`, which both name.
 *
 * @example
 * const issuer = typedDataIssuer(privateKeyAccount(process.env.RECEIPT_KEY ?? ''))
 * const paid = paywall({ ...shop, origin: 'https://shop.example', extensions: [signedOffers({ issuer })] })
 */
export function signedOffers({ issuer }: { readonly issuer: ArtifactIssuer }): ExtensionServer {
  return {
    extension: offerReceipt,
    declare: (options, route) => {
      const { validSeconds, transaction } = readOptions(options)
      if (route.origin === undefined) {
        const reason = 'the paywall needs its origin: what a request names is its sender’s word'
        throw new X402Error('invalid_config', { field: `extensions.${offerReceipt.key}`, reason })
      }
      const kept = new Map<string, Promise<SignedArtifact>>()
      let minute = 0
      let spent = 0

      /** The signature of this minute: a flood of requests costs one, or over many paths `MAX_SIGNED`. Those above it go without. */
      const signed = (resourceUrl: string, offer: PaymentRequirements): Promise<SignedArtifact> | undefined => {
        const now = Math.floor(route.clock() / 60_000)
        if (now !== minute) {
          kept.clear()
          spent = 0
        }
        minute = now
        const key = `${requirementsId(offer)} ${resourceUrl}`
        const known = kept.get(key)
        if (known !== undefined || spent >= MAX_SIGNED) return known
        spent += 1
        const { scheme, network, asset, payTo, amount, maxTimeoutSeconds } = offer
        const validUntil = (now + 1) * 60 + (validSeconds ?? maxTimeoutSeconds)
        const payload = {
          version: 1,
          resourceUrl,
          scheme,
          network,
          asset,
          payTo,
          amount: `${amount}`,
          validUntil,
        } as const
        const made = issuer.sign({ kind: 'offer', payload })
        kept.set(key, made)
        made.catch(() => kept.delete(key))
        return made
      }

      return {
        enrich: async ({ resource, offers }) => {
          const all = offers.map(async (offer, acceptIndex): Promise<readonly JsonObject[]> => {
            const artifact = await signed(resource.url, offer)
            return artifact === undefined ? [] : [{ ...artifact, acceptIndex }]
          })
          const made = (await Promise.all(all)).flat()
          return made.length === 0 ? undefined : { info: { offers: made }, schema: OFFERS_SCHEMA }
        },
        settled: async ({ payer, resource, receipt }) => {
          const payload = {
            ...({ version: 1, network: receipt.network, resourceUrl: resource.url, payer } as const),
            issuedAt: Math.floor(route.clock() / 1000),
            ...(transaction && receipt.transaction !== '' ? { transaction: receipt.transaction } : {}),
          }
          return { info: { receipt: await issuer.sign({ kind: 'receipt', payload }) }, schema: RECEIPT_SCHEMA }
        },
      }
    },
  }
}

/** Signatures of one route in a minute, which are kept for it. A key that fails is not asked more often either. */
const MAX_SIGNED = 1_024

function readOptions(options: unknown): { readonly validSeconds?: number; readonly transaction: boolean } {
  if (options === true) return { transaction: false }
  const { validSeconds, transaction = false, ...others } = isJsonObject(options) ? options : { transaction: null }
  const isTime = validSeconds === undefined || (Number.isSafeInteger(validSeconds) && Number(validSeconds) > 0)
  if (isTime && typeof transaction === 'boolean' && Object.keys(others).length === 0) {
    return { transaction, ...(validSeconds === undefined ? {} : { validSeconds: Number(validSeconds) }) }
  }
  throw new X402Error('invalid_config', {
    field: `extensions.${offerReceipt.key}`,
    reason: 'true, or { validSeconds, transaction: true }',
  })
}
