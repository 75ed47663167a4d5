import type { Refusal } from '@groat/core'
import type { EvmChain } from '../chain.js'
import { explainPermit2 } from '../permit2/diagnosis.js'
import type { SignatureClaim } from '../wallet.js'
import { uptoDigest } from './authorization.js'
import type { UptoPayment } from './shared.js'

/** Who is said to have signed a payment, and the bytes that say so. */
export function claimOf({ engine }: EvmChain, { authorization, signature, chainId }: UptoPayment): SignatureClaim {
  return { payer: authorization.from, digest: uptoDigest(engine, chainId, authorization), signature }
}

/**
 * Why a settlement of so much would not go through: what `explainPermit2` says.
 *
 * @example
 * const refusal = await explainFailure(chain, payment, 12_345n)
 */
export function explainFailure(chain: EvmChain, payment: UptoPayment, amount: bigint): Promise<Refusal> {
  const { validAfter } = payment.authorization
  const transfer = { ...payment.authorization, amount }
  return explainPermit2(chain.rpc, { claim: claimOf(chain, payment), transfer, validAfter })
}
