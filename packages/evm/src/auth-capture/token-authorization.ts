import type { Address } from '../address.js'
import type { SigningEngine } from '../crypto/signing.js'
import { defineAuthorization, type TokenDomain } from '../eip3009/signing.js'
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
  const authorization = {
    ...{ from: info.payer, to: EIP3009_TOKEN_COLLECTOR, value: info.maxAmount },
    ...{ validAfter: 0n, validBefore: info.preApprovalExpiry, nonce },
  }
  return {
    digest: () => receive.digest(engine, domain, authorization),
    typedData: () => receive.typedData(domain, authorization),
  }
}

/** Whom a payer asks, by method. */
export const collectorOf = (method: TokenAuthorization['method']): Address =>
  method === 'permit2' ? PERMIT2_TOKEN_COLLECTOR : EIP3009_TOKEN_COLLECTOR

const receive = defineAuthorization('ReceiveWithAuthorization')

/** The receiver is in the nonce, so there is no witness. */
const permit = definePermit<Record<never, never>>()
