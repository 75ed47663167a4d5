import { type CryptoEngine, defineStruct, typedDataDigest } from '@groat/evm/crypto'
import type { OfferPayload, ReceiptPayload, Signable } from './offer-receipt.js'

/** The fields that are signed, in their order. */
export const TYPES = {
  Offer: [
    { name: 'version', type: 'uint256' },
    { name: 'resourceUrl', type: 'string' },
    { name: 'scheme', type: 'string' },
    { name: 'network', type: 'string' },
    { name: 'asset', type: 'string' },
    { name: 'payTo', type: 'string' },
    { name: 'amount', type: 'string' },
    { name: 'validUntil', type: 'uint256' },
  ],
  Receipt: [
    { name: 'version', type: 'uint256' },
    { name: 'network', type: 'string' },
    { name: 'resourceUrl', type: 'string' },
    { name: 'payer', type: 'string' },
    { name: 'issuedAt', type: 'uint256' },
    { name: 'transaction', type: 'string' },
  ],
} as const

/** The domain of a kind. Its chain is a constant: nothing of this is for a chain. */
export const domainOf = (kind: Signable['kind']) => ({ name: `x402 ${kind}`, version: '1', chainId: 1 }) as const

/**
 * The EIP-712 digest of an offer or a receipt. What is left out of it counts as 0 and as empty text.
 *
 * @example
 * artifactDigest(nobleEngine, { kind: 'receipt', payload })
 */
export function artifactDigest(engine: CryptoEngine, signable: Signable): Uint8Array {
  const hash = (text: string): Uint8Array => engine.keccak256(new TextEncoder().encode(text))
  const { name, version } = domainOf(signable.kind)
  const separator = hashDomain(engine, hash(name), hash(version), 1n)
  if (signable.kind === 'offer') {
    const { resourceUrl, scheme, network, asset, payTo, amount, validUntil } = messageOfOffer(signable.payload)
    const texts = [resourceUrl, scheme, network, asset, payTo, amount].map(hash)
    const [a, b, c, d, e, f] = texts
    if (!a || !b || !c || !d || !e || !f) throw new TypeError('an offer has six texts')
    return typedDataDigest(engine, separator, hashOffer(engine, 1n, a, b, c, d, e, f, validUntil))
  }
  const { network, resourceUrl, payer, issuedAt, transaction } = messageOfReceipt(signable.payload)
  const struct = hashReceipt(engine, 1n, hash(network), hash(resourceUrl), hash(payer), issuedAt, hash(transaction))
  return typedDataDigest(engine, separator, struct)
}

/** An offer as typed data has it. */
export const messageOfOffer = ({ validUntil = 0, ...offer }: OfferPayload) => ({
  ...offer,
  version: 1n,
  validUntil: BigInt(validUntil),
})

/** A receipt as typed data has it. */
export const messageOfReceipt = ({ issuedAt, transaction = '', ...receipt }: ReceiptPayload) => ({
  ...receipt,
  version: 1n,
  issuedAt: BigInt(issuedAt),
  transaction,
})

type Hash = Uint8Array

const hashDomain = defineStruct<[name: Hash, version: Hash, chainId: bigint]>(
  'EIP712Domain(string name,string version,uint256 chainId)',
)
const hashOffer = defineStruct<[bigint, Hash, Hash, Hash, Hash, Hash, Hash, bigint]>(
  'Offer(uint256 version,string resourceUrl,string scheme,string network,string asset,string payTo,string amount,uint256 validUntil)',
)
const hashReceipt = defineStruct<[bigint, Hash, Hash, Hash, bigint, Hash]>(
  'Receipt(uint256 version,string network,string resourceUrl,string payer,uint256 issuedAt,string transaction)',
)
