import type { Address } from '../address.js'
import { defineStruct, domainSeparator, typedDataDigest } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { TokenDomain } from '../exact/eip3009.js'
import type { Hex } from '../hex.js'
import { definePermit } from '../permit2/signing.js'
import type { Signable } from '../sign.js'
import { EIP3009_TOKEN_COLLECTOR, PERMIT2_TOKEN_COLLECTOR } from './identity.js'
import { type PaymentInfo, signatureNonce } from './payment-info.js'

/** What a payer signs: that a collector may bring the money of one payment, once. */
export type TokenAuthorization = {
  readonly method: 'eip3009' | 'permit2'
  readonly domain: TokenDomain
  readonly info: PaymentInfo
}

/**
 * The message for the payer, in both forms (EVM-CAPTURE-020, 021).
 *
 * @example
 * await signWith(account, tokenAuthorization(engine, { method: 'eip3009', domain, info }))
 */
export function tokenAuthorization(engine: SigningEngine, { method, domain, info }: TokenAuthorization): Signable {
  const { chainId } = domain
  const nonce = signatureNonce(engine, chainId, info)
  if (method === 'permit2') {
    const transfer = {
      ...{ token: info.token, amount: info.maxAmount, spender: PERMIT2_TOKEN_COLLECTOR },
      ...{ nonce: BigInt(nonce), deadline: info.preApprovalExpiry },
    }
    return {
      digest: () => permit.digest(engine, chainId, transfer, {}),
      typedData: () => permit.typedData(chainId, transfer, {}),
    }
  }
  const [from, to, value] = [info.payer, EIP3009_TOKEN_COLLECTOR, info.maxAmount] as const
  const validBefore = info.preApprovalExpiry
  return {
    digest: () =>
      typedDataDigest(
        engine,
        domainSeparator(engine, domain),
        hashReceive(engine, from, to, value, 0n, validBefore, nonce),
      ),
    typedData: () => ({
      domain: { ...domain, chainId: Number(chainId) },
      types: { ReceiveWithAuthorization: FIELDS },
      primaryType: 'ReceiveWithAuthorization',
      message: { from, to, value, validAfter: 0n, validBefore, nonce },
    }),
  }
}

/** Whom a payer asks, by method. */
export const collectorOf = (method: TokenAuthorization['method']): Address =>
  method === 'permit2' ? PERMIT2_TOKEN_COLLECTOR : EIP3009_TOKEN_COLLECTOR

const FIELDS = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const

const hashReceive = defineStruct<
  [from: Address, to: Address, value: bigint, validAfter: bigint, validBefore: bigint, nonce: Hex]
>(`ReceiveWithAuthorization(${FIELDS.map(({ name, type }) => `${type} ${name}`).join(',')})`)

/** The receiver is in the nonce, so there is no witness. */
const permit = definePermit<Record<never, never>>()
