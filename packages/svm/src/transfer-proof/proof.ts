import { canonicalJson, type Network, type Pid, paymentId } from '@groat/core'

/** The scheme's name and chains. */
export const transferProofOnSvm = { name: 'transfer-proof', family: 'solana' } as const

/** What the sender of a transfer signs: which transfer it was, and what for. */
export type TransferProof = {
  /** Signature of the transaction, base58. */
  readonly transaction: string
  /** Base58. */
  readonly from: string
  /** Base58. */
  readonly mint: string
  readonly network: Network
  /** The resource's URL, as the challenge has it. */
  readonly resource: string
  /** Whose claims it is good for, as the offer has it. */
  readonly audience: string
  /** Seconds since 1970; the proof is taken before. */
  readonly validBefore: bigint
}

/** The identity of a proven transfer: one transaction of a payer buys one thing (SVM-PROOF-010). */
export function transferProofId({ network, mint, from, transaction }: TransferProof): Pid {
  return paymentId([network, mint, from, transaction, transferProofOnSvm.name])
}

/**
 * The text that the sender signs (SVM-PROOF-003). It is no transaction: a message that begins with a letter would have more signers than there are bytes.
 *
 * @example
 * transferProofText(proof) // 'x402 transfer proof\n{"audience":…}'
 */
export function transferProofText({
  transaction,
  mint,
  network,
  resource,
  audience,
  validBefore,
}: TransferProof): string {
  const said = { transaction, mint, network, resource, audience, validBefore: validBefore.toString() }
  return `x402 transfer proof\n${canonicalJson(said)}`
}
