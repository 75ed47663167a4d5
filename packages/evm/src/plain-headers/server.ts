import {
  type Decoded,
  type DialectTerms,
  type GetHeader,
  type HeaderDialect,
  isNetwork,
  type JsonObject,
  networkByV1Name,
  type PaymentPayload,
  type PaymentRequirements,
  parseAtomic,
  refuse,
  sameAddress,
} from '@groat/core'
import { parseAddress, recoverAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleEngine } from '../crypto/noble.js'
import { parseSignature } from '../crypto/signature.js'
import { exactOnEvm } from '../exact/eip3009.js'
import { isHex } from '../hex.js'
import { transferProofDigest, transferProofOnEvm } from '../transfer-proof/proof.js'
import { isHeaderText, PLAIN_HEADERS, plain } from './names.js'

/**
 * Plain headers, for buyers that cannot read JSON: what a request costs stands in `X-Payment-Required`, `-Amount`, `-Asset`, `-Network` and `-Recipient`
 * of the 402, beside the protocol's own challenge. It is answered by an EIP-3009 authorization in `X-Payment-Signature`, `-Amount`, `-Asset`, `-Nonce`, `-Payer`
 * and `-Valid-Before`, or, where the route takes transfers that were made (`transfer-proof`), by `X-Payment-Hash`, `-Signature` and `-Valid-Before`.
 * Either becomes a payment like any other, and is judged as such (PLAIN-001 to 008). Why one is refused stands in `X-Payment-Error`, and what paid for an answer in
 * `X-Payment-Transaction`.
 *
 * @example
 * const paid = paywall({ schemes: [exactEvm], dialects: [plainHeaders], … })
 * app.get('/weather', paid({ price: '$0.001', dialects: ['plain-headers'] }), weather)
 */
export const plainHeaders: HeaderDialect = {
  name: PLAIN_HEADERS,
  requestHeaders: [
    'X-Payment-Signature',
    'X-Payment-Hash',
    'X-Payment-Amount',
    'X-Payment-Asset',
    'X-Payment-Network',
    'X-Payment-Nonce',
    'X-Payment-Payer',
    'X-Payment-Valid-After',
    'X-Payment-Valid-Before',
  ],
  responseHeaders: [
    'X-Payment-Required',
    'X-Payment-Amount',
    'X-Payment-Asset',
    'X-Payment-Network',
    'X-Payment-Recipient',
    'X-Payment-Timeout',
    'X-Payment-Accepts',
    'X-Payment-Asset-Name',
    'X-Payment-Asset-Version',
    'X-Payment-Resource',
    'X-Payment-Audience',
    'X-Payment-Error',
    'X-Payment-Transaction',
  ],
  announce,
  refuse: (code) => ({ [plain.error]: code }),
  settle: ({ transaction }): Readonly<Record<string, string>> =>
    isHeaderText(transaction) ? { [plain.transaction]: transaction } : {},
  read,
}

function announce({ resource, offers }: DialectTerms): Readonly<Record<string, string>> {
  const signable = offers.find(isSignable)
  const provable = offers.find(isProvable)
  const offer = signable ?? provable
  if (offer === undefined) return {}
  const { name, version } = offer.extra
  const audience = provable?.extra.audience
  // One offer has room in plain headers; what else is sold for says so in the challenge beside it.
  const isSameOffer = provable !== undefined && isAlike(provable, offer)
  const fields: readonly (readonly [string, unknown])[] = [
    [plain.required, 'true'],
    [plain.amount, offer.amount.toString()],
    [plain.asset, offer.asset],
    [plain.network, offer.network],
    [plain.recipient, offer.payTo],
    [plain.timeout, String(offer.maxTimeoutSeconds)],
    [plain.accepts, [...(signable ? ['signature'] : []), ...(isSameOffer ? ['hash'] : [])].join(', ')],
    ...(signable
      ? ([
          [plain.assetName, name],
          [plain.assetVersion, version],
        ] as const)
      : []),
    ...(isSameOffer
      ? ([
          [plain.resource, resource.url],
          [plain.audience, audience],
        ] as const)
      : []),
  ]
  const said = fields.filter((field): field is [string, string] => typeof field[1] === 'string')
  // What no header can hold cannot be asked for in one.
  return said.every(([, value]) => isHeaderText(value)) ? Object.fromEntries(said) : {}
}

function read(header: GetHeader, terms: DialectTerms): Decoded<PaymentPayload> | undefined {
  const hash = header(plain.hash)
  const signature = header(plain.signature)
  if (!hash && !signature) return undefined
  if (!signature) return refuse('invalid_payload', 'X-Payment-Signature')
  const bytes = parseSignature(signature)
  if (bytes === undefined || bytes.length === 0) return refuse('invalid_payload', 'X-Payment-Signature')
  const validBefore = parseAtomic(header(plain.validBefore) ?? '')
  if (validBefore === undefined) return refuse('invalid_payload', 'X-Payment-Valid-Before')
  const stated = { header, terms, signature, bytes, validBefore }
  return hash ? readProof(hash.toLowerCase(), stated) : readAuthorization(stated)
}

type Stated = {
  readonly header: GetHeader
  readonly terms: DialectTerms
  readonly signature: string
  readonly bytes: Uint8Array
  readonly validBefore: bigint
}

/** An EIP-3009 authorization. */
function readAuthorization({ header, terms, signature, validBefore }: Stated): Decoded<PaymentPayload> {
  const amount = parseAtomic(header(plain.amount) ?? '')
  if (amount === undefined) return refuse('invalid_payload', 'X-Payment-Amount')
  const asset = parseAddress(header(plain.asset) ?? '')
  if (asset === undefined) return refuse('invalid_payload', 'X-Payment-Asset')
  // What is signed names its payer, so the payer cannot follow from the signature.
  const from = parseAddress(header(plain.payer) ?? '')
  if (from === undefined) return refuse('invalid_payload', 'X-Payment-Payer')
  const nonce = (header(plain.nonce) ?? '').toLowerCase()
  if (!isHex(nonce, 32)) return refuse('invalid_payload', 'X-Payment-Nonce')
  const validAfter = parseAtomic(header(plain.validAfter) ?? '0')
  if (validAfter === undefined) return refuse('invalid_payload', 'X-Payment-Valid-After')
  const found = offerFor(header, terms.offers.filter(isSignable), { asset, amount })
  if (!found.ok) return found
  const offer = found.value
  const [value, after, before] = [amount, validAfter, validBefore].map(String)
  const authorization = { from, to: offer.payTo, value, validAfter: after, validBefore: before, nonce }
  return paymentOf(terms, offer, { signature, authorization })
}

/** A transfer that was made, by its hash: who signed is who must have sent it. */
function readProof(
  transaction: string,
  { header, terms, signature, bytes, validBefore }: Stated,
): Decoded<PaymentPayload> {
  if (!isHex(transaction, 32)) return refuse('invalid_payload', 'X-Payment-Hash')
  const found = offerFor(header, terms.offers.filter(isProvable))
  if (!found.ok) return found
  const offer = found.value
  const [token, chainId] = [parseAddress(offer.asset), chainIdOf(offer.network)]
  if (token === undefined || chainId === undefined) return refuse('no_matching_requirements')
  const resource = terms.resource.url
  const audience = typeof offer.extra.audience === 'string' ? offer.extra.audience : ''
  const digest = transferProofDigest(nobleEngine, { chainId, token }, { transaction, resource, audience, validBefore })
  const from = recoverAddress(nobleEngine, digest, bytes)
  if (from === undefined) return refuse('invalid_transfer_proof_signature')
  return paymentOf(terms, offer, { transaction, from, resource, validBefore: validBefore.toString(), signature })
}

/**
 * The offer that is answered: on the network that is named, or the first; where more is said, one that says the same. A refusal names the header that
 * no offer agrees with, as far as the ones before it leave any.
 */
function offerFor(
  header: GetHeader,
  offers: readonly PaymentRequirements[],
  { asset, amount }: { readonly asset?: string; readonly amount?: bigint } = {},
): Decoded<PaymentRequirements> {
  const name = header(plain.network)
  const network = name ? (isNetwork(name) ? name : networkByV1Name(name)) : undefined
  const stated: readonly (readonly [name: string, isSame: (offer: PaymentRequirements) => boolean])[] = [
    ['X-Payment-Network', (offer) => !name || offer.network === network],
    ['X-Payment-Asset', (offer) => asset === undefined || sameAddress(offer.asset, asset)],
    ['X-Payment-Amount', (offer) => amount === undefined || offer.amount === amount],
  ]
  let left = offers
  for (const [said, isSame] of stated) {
    const those = left.filter(isSame)
    if (left.length > 0 && those.length === 0) {
      return refuse('no_matching_requirements', `${said} is not what was offered`)
    }
    left = those
  }
  const [offer] = left
  return offer === undefined ? refuse('no_matching_requirements') : { ok: true, value: offer }
}

function paymentOf(
  { resource }: DialectTerms,
  accepted: PaymentRequirements,
  payload: JsonObject,
): Decoded<PaymentPayload> {
  const { scheme, network } = accepted
  return { ok: true, value: { x402Version: 2, scheme, network, accepted, payload, resource } }
}

const isSignable = ({ scheme, network, extra }: PaymentRequirements): boolean =>
  scheme === exactOnEvm.name &&
  chainIdOf(network) !== undefined &&
  (extra.assetTransferMethod ?? 'eip3009') === 'eip3009'

const isProvable = ({ scheme, network }: PaymentRequirements): boolean =>
  scheme === transferProofOnEvm.name && chainIdOf(network) !== undefined

const isAlike = (a: PaymentRequirements, b: PaymentRequirements): boolean =>
  a.network === b.network && a.amount === b.amount && sameAddress(a.asset, b.asset) && sameAddress(a.payTo, b.payTo)
