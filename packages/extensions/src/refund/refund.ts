import { canonicalJson, defineExtension, type Fitting } from '@groat/core'
import { type CryptoEngine, defineStruct, typedDataDigest } from '@groat/evm/crypto'
import * as shapes from './schema.shapes.js'

/** `groat-refund`, an experiment: a seller says where and for how long it can be asked for money back, and whoever paid asks for it with a signature. */
export const refundExtension = defineExtension({ key: 'groat-refund', info: shapes.RefundTerms })

/** Where, and for how long, a seller can be asked. */
export type RefundTerms = Fitting<typeof shapes.RefundTerms>

/** What a payer asks, signed. */
export type RefundRequest = Fitting<typeof shapes.RefundRequest>

/** What a payer signs. */
export type RefundMessage = Pick<
  RefundRequest,
  | 'version'
  | 'network'
  | 'transaction'
  | 'payer'
  | 'payTo'
  | 'asset'
  | 'amount'
  | 'reason'
  | 'refundTo'
  | 'idempotencyKey'
  | 'audience'
  | 'issuedAt'
>

/** Why money is asked back. */
export type RefundReason =
  | 'service_not_delivered'
  | 'service_defective'
  | 'duplicate_payment'
  | 'overcharge'
  | 'customer_request'
  | 'other'

/** The `schema` that travels with it. */
export const WIRE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    version: { type: 'integer', const: 1 },
    endpoint: { type: 'string', format: 'uri' },
    windowSeconds: { type: 'integer', minimum: 1 },
    partial: { type: 'boolean' },
    policyUrl: { type: 'string', format: 'uri' },
  },
  required: ['version', 'endpoint', 'windowSeconds', 'partial'],
} as const

/** The fields that are signed, in their order. */
const FIELDS = [
  'network',
  'transaction',
  'payer',
  'payTo',
  'asset',
  'amount',
  'reason',
  'refundTo',
  'idempotencyKey',
  'audience',
] as const

/** The typed data of a request, for wallets. Its chain is a constant: nothing of this is for a chain. */
export const typedDataOf = (message: RefundMessage) => ({
  domain: { name: DOMAIN, version: '1', chainId: 1 },
  types: {
    RefundRequest: [
      { name: 'version', type: 'uint256' },
      ...FIELDS.map((name) => ({ name, type: 'string' })),
      { name: 'issuedAt', type: 'uint256' },
    ],
  },
  primaryType: 'RefundRequest',
  message: { ...signedPart(message), version: 1n, issuedAt: BigInt(message.issuedAt) },
})

/**
 * The EIP-712 digest of a request, which EVM accounts sign (EXT-REFUND-003).
 *
 * @example
 * refundDigest(nobleEngine, message)
 */
export function refundDigest(engine: CryptoEngine, message: RefundMessage): Uint8Array {
  const hash = (text: string): Uint8Array => engine.keccak256(new TextEncoder().encode(text))
  const separator = hashDomain(engine, hash(DOMAIN), hash('1'), 1n)
  const { network, transaction, payer, payTo, asset, amount, reason, refundTo, idempotencyKey, audience } = message
  const struct = hashRequest(
    engine,
    1n,
    ...[hash(network), hash(transaction), hash(payer), hash(payTo), hash(asset)],
    ...([hash(amount), hash(reason), hash(refundTo), hash(idempotencyKey), hash(audience)] as const),
    BigInt(message.issuedAt),
  )
  return typedDataDigest(engine, separator, struct)
}

/** The bytes that Solana accounts sign: a line that no transaction begins with, and the request as canonical JSON. */
export function refundBytes(message: RefundMessage): Uint8Array {
  return new TextEncoder().encode(`${DOMAIN}\n${canonicalJson(signedPart(message))}`)
}

/** What of a request is signed. */
export function signedPart(message: RefundMessage): RefundMessage {
  const { version, network, transaction, payer, payTo, asset, amount, reason, refundTo, idempotencyKey, audience } =
    message
  const { issuedAt } = message
  return {
    ...{ version, network, transaction, payer, payTo, asset, amount, reason, refundTo },
    ...{ idempotencyKey, audience, issuedAt },
  }
}

const DOMAIN = 'x402 refund request'

type Hash = Uint8Array

const hashDomain = defineStruct<[name: Hash, version: Hash, chainId: bigint]>(
  'EIP712Domain(string name,string version,uint256 chainId)',
)
const hashRequest = defineStruct<[bigint, Hash, Hash, Hash, Hash, Hash, Hash, Hash, Hash, Hash, Hash, bigint]>(
  `RefundRequest(uint256 version,${FIELDS.map((name) => `string ${name}`).join(',')},uint256 issuedAt)`,
)
