import { type ErrorCode, type Refusal, refuse } from '@groat/core'
import { decodeInteger } from '../abi.js'
import type { Address } from '../address.js'
import type { EvmChain } from '../chain.js'
import { succeedsPaid } from '../exact/method.js'
import { encodeBalanceOf } from '../exact/token.js'
import { formatHex } from '../hex.js'
import { PERMIT2 } from '../permit2/contracts.js'
import { encodeAllowance, isNonceUsed } from '../permit2/diagnosis.js'
import type { CallOutcome, CallRequest } from '../rpc.js'
import { acceptsSignature, signerOf, walletAccepts } from '../wallet.js'
import type { HoldAction } from './action.js'
import { type Payout, permissionOf } from './authorizer.js'
import { authorizeCall, chargeCall, hasEscrow, readState } from './escrow.js'
import { NOBODY, OPERATOR_REFUND_COLLECTOR } from './identity.js'
import { isAsExpected } from './outcome.js'
import type { PaymentInfo } from './payment-info.js'
import type { CollectPayment } from './shared.js'
import { collectorOf, tokenAuthorization } from './token-authorization.js'

/** How a call is tried, and what else the payer's money is for. */
export type CollectTrial = {
  readonly gas: bigint
  readonly settling: boolean
  /** Atomic units that other payments of this payer, which are under way, will take. */
  readonly reserved: bigint
}

/** The call that collects a payment; one that is to be paid out is tried in full until its seller has said how much it is. */
export function collectCall(payment: CollectPayment): Pick<CallRequest, 'to' | 'data'> {
  const { info, terms, signature, completion } = payment
  const collection = { collector: collectorOf(terms.method), signature }
  if (terms.flow === 'escrow') return authorizeCall(info, info.maxAmount, collection)
  return chargeCall(info, completion ?? payoutOf(info, info.maxAmount), collection)
}

/** A payout with the least fee that its terms allow. */
export function payoutOf({ minFeeBps, feeReceiver }: PaymentInfo, amount: bigint): Payout {
  return { amount, feeAmount: (amount * minFeeBps) / 10_000n, feeReceiver }
}

/** Whether a payer's payment can be collected now (EVM-CAPTURE-041 to 048). */
export async function judgeCollect(
  chain: EvmChain,
  payment: CollectPayment,
  { gas, settling, reserved }: CollectTrial,
): Promise<Refusal | undefined> {
  const { info, completion } = payment
  if (!(await hasEscrow(chain.rpc))) return refuse('auth_capture_escrow_not_deployed')
  const incomplete = judgeCompletion(payment, settling)
  if (incomplete !== undefined) return refuse(incomplete)
  const claim = claimOf(chain, payment)
  const call = { ...collectCall(payment), from: info.operator, gas }
  const [simulation, signer, code, isAllowed, funds] = await Promise.all([
    chain.rpc.call(call),
    signerOf(chain, claim),
    // Delegated code (EIP-7702) is asked even about what its account's own key has signed.
    settling ? chain.rpc.code(info.payer) : '0x',
    completion === undefined || isCharge(chain, payment),
    reserved > 0n ? chain.rpc.call({ to: info.token, data: encodeBalanceOf(info.payer) }) : undefined,
  ])
  if (signer === 'undeployed') return refuse('invalid_auth_capture_evm_erc6492_factory_not_allowed')
  if (signer === 'nobody') return refuse('invalid_auth_capture_evm_signature')
  if (!isAllowed) return refuse('invalid_auth_capture_evm_authorizer_signature')
  if (funds !== undefined && integerOf(funds) < info.maxAmount + reserved) {
    return refuse('invalid_auth_capture_evm_insufficient_balance')
  }
  const runsCode = signer === 'contract' || code !== '0x'
  if (simulation.ok && (!runsCode || (await succeedsPaid(chain, call)))) return undefined
  return refuse(await whyNotCollected(chain, payment))
}

/** What a seller adds is for a charge, and a charge is not settled without it. */
function judgeCompletion({ terms, info, completion }: CollectPayment, settling: boolean): ErrorCode | undefined {
  if (terms.flow === 'escrow') return completion === undefined ? undefined : 'invalid_payload'
  if (completion === undefined) return settling ? 'invalid_auth_capture_evm_authorizer_signature' : undefined
  if (completion.amount === 0n || completion.amount > info.maxAmount) return 'invalid_auth_capture_evm_amount_mismatch'
  return judgeFee(info, completion)
}

/** The escrow's own rules of fees, in its own arithmetic. */
function judgeFee(info: PaymentInfo, { amount, feeAmount, feeReceiver }: Payout): ErrorCode | undefined {
  const [least, most] = [(amount * info.minFeeBps) / 10_000n, (amount * info.maxFeeBps) / 10_000n]
  if (feeAmount < least || feeAmount > most) return 'invalid_auth_capture_evm_fee_bps_out_of_range'
  return feeReceiver === info.feeReceiver || (info.feeReceiver === NOBODY && feeAmount === 0n)
    ? undefined
    : 'invalid_auth_capture_evm_fee_receiver'
}

function claimOf({ engine }: EvmChain, { info, terms, signature }: CollectPayment) {
  const { method, domain } = terms
  return { payer: info.payer, digest: tokenAuthorization(engine, { method, domain, info }).digest(), signature }
}

/** Whether the receiver's authorizer has allowed exactly this charge. */
async function isCharge(chain: EvmChain, { terms, infoHash, signature, completion }: CollectPayment): Promise<boolean> {
  if (completion === undefined) return false
  const collectorDataHash = formatHex(chain.engine.keccak256(signature))
  const collector = collectorOf(terms.method)
  const permission = { kind: 'charge', infoHash, collector, collectorDataHash, ...completion } as const
  const digest = permissionOf(chain.engine, terms, permission).digest()
  return acceptsSignature(chain, {
    ...{ payer: terms.receiverAuthorizer, digest },
    signature: completion.authorizerSignature,
  })
}

/** Why a payment would not be collected, by the state of the chain; the most telling reason wins. */
async function whyNotCollected(chain: EvmChain, payment: CollectPayment): Promise<ErrorCode> {
  const { rpc } = chain
  const { info, infoHash, terms, signed, completion } = payment
  const { token, payer, maxAmount } = info
  const byPermit2 = terms.method === 'permit2'
  const needed = byPermit2 ? (completion?.amount ?? maxAmount) : maxAmount
  const [code, state, balance, allowance, used, wallet, accepted, block] = await Promise.all([
    rpc.code(token),
    readState(rpc, infoHash),
    rpc.call({ to: token, data: encodeBalanceOf(payer) }),
    rpc.call({ to: token, data: encodeAllowance(payer, PERMIT2) }),
    byPermit2 && isNonceUsed(rpc, payer, signed.nonce),
    rpc.code(payer),
    walletAccepts(rpc, claimOf(chain, payment)),
    rpc.latestBlock(),
  ])
  if (code === '0x') return 'asset_not_deployed_contract'
  if (state.collected) return 'invalid_auth_capture_evm_payment_already_collected'
  if (used) return 'permit2_invalid_nonce'
  if (integerOf(balance) < needed) return 'invalid_auth_capture_evm_insufficient_balance'
  if (wallet !== '0x' && !accepted) return 'invalid_auth_capture_evm_signature'
  if (byPermit2 && integerOf(allowance) < needed) return 'permit2_allowance_required'
  if (block.timestamp >= info.preApprovalExpiry) return 'invalid_auth_capture_evm_authorization_expired'
  return 'invalid_auth_capture_evm_simulation_failed'
}

/** Whether a capture, a void or a refund can be made now (EVM-CAPTURE-061 to 064). */
export async function judgeAction(chain: EvmChain, action: HoldAction, gas: bigint): Promise<Refusal | undefined> {
  const { info, infoHash, permission, terms, authorizerSignature: signature } = action
  if (!(await hasEscrow(chain.rpc))) return refuse('auth_capture_escrow_not_deployed')
  const digest = permissionOf(chain.engine, terms, permission).digest()
  const [isAllowed, state, tried, block] = await Promise.all([
    acceptsSignature(chain, { payer: terms.receiverAuthorizer, digest, signature }),
    readState(chain.rpc, infoHash),
    chain.rpc.call({ ...action.call, from: info.operator, gas }),
    chain.rpc.latestBlock(),
  ])
  if (!isAllowed) return refuse('invalid_auth_capture_evm_authorizer_signature')
  if (!isAsExpected(permission, state)) return refuse('invalid_auth_capture_evm_unexpected_payment_state')
  switch (permission.kind) {
    case 'capture': {
      const fee = judgeFee(info, permission)
      if (fee !== undefined) return refuse(fee)
      if (permission.amount > state.capturable) return refuse('invalid_auth_capture_evm_insufficient_authorization')
      if (tried.ok) return undefined
      const isOver = block.timestamp >= info.authorizationExpiry
      return refuse(isOver ? CAPTURE_OVER : 'invalid_auth_capture_evm_simulation_failed')
    }
    case 'void':
      if (state.capturable === 0n) return refuse('invalid_auth_capture_evm_zero_authorization')
      return tried.ok ? undefined : refuse('invalid_auth_capture_evm_simulation_failed')
    case 'refund': {
      if (permission.amount > state.refundable) return refuse('invalid_auth_capture_evm_refund_exceeds_capture')
      if (tried.ok) return undefined
      if (block.timestamp >= info.refundExpiry) return refuse('invalid_auth_capture_evm_refund_deadline_expired')
      return refuse(await whyNotRefunded(chain, info.operator, info.token, permission.amount))
    }
  }
}

const CAPTURE_OVER: ErrorCode = 'invalid_auth_capture_evm_capture_deadline_expired'

async function whyNotRefunded(
  { rpc }: EvmChain,
  operator: Address,
  token: Address,
  amount: bigint,
): Promise<ErrorCode> {
  const [balance, allowance] = await Promise.all([
    rpc.call({ to: token, data: encodeBalanceOf(operator) }),
    rpc.call({ to: token, data: encodeAllowance(operator, OPERATOR_REFUND_COLLECTOR) }),
  ])
  const isFunded = integerOf(balance) >= amount && integerOf(allowance) >= amount
  return isFunded ? 'invalid_auth_capture_evm_simulation_failed' : 'invalid_auth_capture_evm_refund_funding_unavailable'
}

const integerOf = (outcome: CallOutcome): bigint => (outcome.ok ? decodeInteger(outcome.data) : undefined) ?? 0n
