import { type Refusal, refuse, X402Error } from '@groat/core'
import type { SvmChain } from '../chain.js'
import type { TransactionFault } from '../rpc.js'
import { formatAddress } from '../wire/address.js'
import { sameBytes } from '../wire/bytes.js'
import { decodeTokenAccount } from '../wire/token.js'
import type { ExactPayment } from './shared.js'

/**
 * Why a transaction would fail, in at most one round trip. The most telling reason wins. A fee payer without money is no fault of the
 * payment: throws `X402Error` `signer_out_of_gas`, and `rpc_unreachable` and the like.
 *
 * @example
 * const refusal = await explainFailure(chain, payment, simulation.error)
 */
export async function explainFailure(
  chain: SvmChain,
  payment: ExactPayment,
  fault: TransactionFault,
): Promise<Refusal> {
  if (fault.name === 'BlockhashNotFound') return refuse('payment_expired')
  if (fault.name === 'AlreadyProcessed') return refuse('payment_already_used')
  if (isEmptyPurse(fault)) {
    throw new X402Error('signer_out_of_gas', { network: chain.network, signer: formatAddress(payment.terms.feePayer) })
  }
  return (await accountFlaw(chain, payment)) ?? refuse('invalid_exact_svm_transaction_simulation_failed')
}

/** Whether it is the fee payer who lacks the money; another account can lack it too. */
function isEmptyPurse({ name, account }: TransactionFault): boolean {
  if (name === 'InsufficientFundsForRent') return account === 0
  return name === 'AccountNotFound' || name === 'InsufficientFundsForFee' || name === 'InvalidAccountForFee'
}

async function accountFlaw({ rpc }: SvmChain, { transfer, terms }: ExactPayment): Promise<Refusal | undefined> {
  if (!transfer.ok) return undefined
  const { source, destination } = transfer
  const [from, to] = await rpc.accounts([source, destination].map(formatAddress))
  const [payer, recipient] = [from && decodeTokenAccount(from.data), to && decodeTokenAccount(to.data)]
  if (recipient === undefined) return refuse('invalid_exact_svm_destination_ata_missing')
  if (recipient.frozen || !sameBytes(recipient.owner, terms.payTo)) {
    return refuse('invalid_exact_svm_destination_ata_unusable')
  }
  if (payer === undefined || payer.amount < terms.amount) return refuse('invalid_exact_svm_insufficient_balance')
  return undefined
}
