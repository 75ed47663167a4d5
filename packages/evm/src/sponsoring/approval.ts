import { check, type JsonObject, parseAtomic, type Refusal, refuse } from '@groat/core'
import { decodeInteger } from '../abi.js'
import { parseAddress, recoverAddress } from '../address.js'
import type { CryptoEngine } from '../crypto/engine.js'
import type { Hex } from '../hex.js'
import { PERMIT2 } from '../permit2/contracts.js'
import { type ParsedTransaction, parseTransaction } from '../transaction.js'
import type { AllowanceNeeded } from './eip2612.js'
import { sponsoredInfo } from './info.js'
import { Erc20ApprovalInfo } from './schema.shapes.js'

/** The extension's key. */
export const ERC20_APPROVAL_GAS_SPONSORING = 'erc20ApprovalGasSponsoring'

/** `approve(address,uint256)` */
export const APPROVE: Hex = '0x095ea7b3'

/** A payer's own transaction that lets Permit2 take the token, for somebody else to pay and send. */
export type Approval = {
  readonly raw: Hex
  readonly hash: Hex
  readonly transaction: ParsedTransaction['transaction']
  /** Wei that the payer must have for it to be taken. */
  readonly cost: bigint
}

/** What is sponsored, and where. */
export type ApprovalTerms = AllowanceNeeded & {
  readonly engine: CryptoEngine
  readonly chainId: bigint
  /** Gas that the transaction may ask for. */
  readonly maxGas: bigint
}

/**
 * The approval that a payment brings along, `undefined` when it brings none, or why nobody should pay for it (GAS-APPROVAL-010 to 021). It reads
 * everything that is in the transaction; fees and nonce are held against the chain by the sponsor.
 *
 * Refuses `invalid_erc20_approval_extension_format`, `erc20_approval_from_mismatch`, `…_asset_mismatch`, `…_spender_not_permit2`,
 * `…_tx_parse_failed`, `…_tx_wrong_chain`, `…_tx_wrong_target`, `…_tx_wrong_selector`, `…_tx_invalid_calldata`, `…_tx_wrong_spender`,
 * `…_tx_amount_too_low`, `…_tx_value_not_zero`, `…_tx_gas_above_limit`, `…_tx_invalid_signature` and `…_tx_signer_mismatch`.
 *
 * @example
 * const approval = readApproval(payment.extensions, { payer, token, amount, engine, chainId, maxGas: 100_000n })
 */
export function readApproval(extensions: JsonObject | undefined, terms: ApprovalTerms): Approval | Refusal | undefined {
  const info = sponsoredInfo(extensions, ERC20_APPROVAL_GAS_SPONSORING, 'signedTransaction')
  if (info === undefined) return undefined
  const wire = check(Erc20ApprovalInfo, info)
  const named = wire.ok ? parseAtomic(wire.value.amount) : undefined
  if (!wire.ok || named === undefined) return refuse('invalid_erc20_approval_extension_format')
  const { from, asset, spender, signedTransaction } = wire.value
  if (parseAddress(from) !== terms.payer) return refuse('erc20_approval_from_mismatch')
  if (parseAddress(asset) !== terms.token) return refuse('erc20_approval_asset_mismatch')
  if (parseAddress(spender) !== PERMIT2) return refuse('erc20_approval_spender_not_permit2')
  const parsed = parseTransaction(terms.engine, signedTransaction)
  if (parsed === undefined) return refuse('erc20_approval_tx_parse_failed')
  const { transaction, hash } = parsed
  const refusal = judgeTransaction(parsed, named, terms)
  if (refusal) return refusal
  // The pattern of the extension says that it is hex.
  const raw = signedTransaction.toLowerCase() as Hex
  return { raw, hash, transaction, cost: transaction.gas * transaction.maxFeePerGas }
}

function judgeTransaction(
  { transaction, digest, signature }: ParsedTransaction,
  named: bigint,
  { payer, token, amount, engine, chainId, maxGas }: ApprovalTerms,
): Refusal | undefined {
  const { to, data, value, gas } = transaction
  if (transaction.chainId !== chainId) return refuse('erc20_approval_tx_wrong_chain')
  if (to !== token) return refuse('erc20_approval_tx_wrong_target')
  if (!data.startsWith(APPROVE)) return refuse('erc20_approval_tx_wrong_selector')
  // Selector and two words: whatever follows would be somebody else's message.
  if (data.length !== 2 + 2 * (4 + 64)) return refuse('erc20_approval_tx_invalid_calldata')
  if (decodeInteger(`0x${data.slice(10)}`) !== BigInt(PERMIT2)) return refuse('erc20_approval_tx_wrong_spender')
  const approved = decodeInteger(`0x${data.slice(74)}`) ?? 0n
  if (approved < amount || approved < named) return refuse('erc20_approval_tx_amount_too_low')
  if (value !== 0n) return refuse('erc20_approval_tx_value_not_zero')
  if (gas > maxGas) return refuse('erc20_approval_tx_gas_above_limit')
  const signer = recoverAddress(engine, digest, signature)
  if (signer === undefined) return refuse('erc20_approval_tx_invalid_signature')
  return signer === payer ? undefined : refuse('erc20_approval_tx_signer_mismatch')
}
