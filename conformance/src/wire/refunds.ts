import { sign } from 'node:crypto'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { Payer } from '../chain/rail.js'
import { formatBase58, parseBase58 } from './base58.js'
import { canonical } from './canonical.js'
import { keypairOf } from './solana.js'

/** What a payer asks, before it is signed. */
export type RefundMessage = {
  readonly version: 1
  readonly network: string
  readonly transaction: string
  readonly payer: string
  readonly payTo: string
  readonly asset: string
  /** Atomic units. */
  readonly amount: string
  readonly reason: string
  readonly refundTo: string
  readonly idempotencyKey: string
  readonly audience: string
  /** Seconds since 1970. */
  readonly issuedAt: number
}

const domain = 'x402 refund request'

/** What EVM accounts sign: the form stands in the specification, the chain is a constant. */
export const refundTypedData = (message: RefundMessage) =>
  ({
    domain: { name: domain, version: '1', chainId: 1 },
    types: { RefundRequest: fields },
    primaryType: 'RefundRequest',
    message: { ...message, version: BigInt(message.version), issuedAt: BigInt(message.issuedAt) },
  }) as const

/** The bytes that Solana accounts sign. */
export const refundText = (message: RefundMessage): string => `${domain}\n${canonical(message)}`

/** A request with the signature of this account. */
export async function signRefund(message: RefundMessage, { key }: Payer): Promise<Readonly<Record<string, unknown>>> {
  if (message.network.startsWith('eip155:'))
    return { ...message, signature: await privateKeyToAccount(key as Hex).signTypedData(refundTypedData(message)) }
  const { key: signer } = keypairOf((parseBase58(key) ?? new Uint8Array(32)).subarray(0, 32))
  return { ...message, signature: formatBase58(sign(null, Buffer.from(refundText(message)), signer)) }
}

const fields = [
  { name: 'version', type: 'uint256' },
  { name: 'network', type: 'string' },
  { name: 'transaction', type: 'string' },
  { name: 'payer', type: 'string' },
  { name: 'payTo', type: 'string' },
  { name: 'asset', type: 'string' },
  { name: 'amount', type: 'string' },
  { name: 'reason', type: 'string' },
  { name: 'refundTo', type: 'string' },
  { name: 'idempotencyKey', type: 'string' },
  { name: 'audience', type: 'string' },
  { name: 'issuedAt', type: 'uint256' },
] as const
