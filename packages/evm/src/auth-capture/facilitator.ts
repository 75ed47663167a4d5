import {
  type Clock,
  createHolds,
  type InspectContext,
  type Inspection,
  type JsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
  type SchemeFacilitator,
  sameAddress,
  systemClock,
  X402Error,
} from '@groat/core'
import { formatAddress, parseAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import { type HoldAction, readAction } from './action.js'
import { readState } from './escrow.js'
import type { HoldTerms } from './hold-terms.js'
import { authCaptureOnEvm, NOBODY } from './identity.js'
import { actionOutcome, collectOutcome } from './outcome.js'
import type { PaymentInfo } from './payment-info.js'
import { type CollectPayment, inspectAuthCapture, readCollect } from './shared.js'
import { collectCall, judgeAction, judgeCollect } from './verify.js'

/** A refund that a seller wants out of the facilitator's own money. */
export type RefundRequest = {
  readonly paymentInfo: PaymentInfo
  /** Atomic units. */
  readonly amount: bigint
}

/** What the facilitator's half needs. */
export type AuthCaptureEvmFacilitatorOptions = {
  readonly chains: readonly EvmChain[]
  /** What of every payout is the facilitator's: basis points of 1 to 10,000, and whose account they go to. Nothing unless told. */
  readonly fee?: { readonly bps: number; readonly recipient: string }
  /**
   * Whether a refund is paid for. The escrow takes it from the settling account, so this is an agreement with the seller about money that it has paid in,
   * and never the seller's signature alone. No refund is unless told; the settling account must have approved the refund collector.
   */
  readonly mayRefund?: (request: RefundRequest) => boolean | Promise<boolean>
  /** Gas that one settlement may use, the payer's own contract included; 500,000 unless told. */
  readonly gasLimit?: bigint
  /** Blocks in which the escrow's mark of a payment is looked for; 10,000 unless told. */
  readonly lookbackBlocks?: bigint
  /** Seconds by which a block's clock must have passed a payment's end before it counts as dead; 30 unless told. */
  readonly expiryMarginSeconds?: bigint
  readonly clock?: Clock
}

/** Seconds for which what a seller wants done is worth trying. */
const ACTION_SECONDS = 300

/**
 * Collects `auth-capture` payments into the escrow, or pays them out at once, and relays what their seller then wants done: capture, void, refund. It is the
 * operator of every payment, so what the escrow does not check is checked here: each of these needs the word of the receiver's authorizer over the
 * balances as they are (EVM-CAPTURE-060 to 064). Only the first signer of each chain is an operator, and it has to stay one until the last
 * refund's time is over.
 *
 * Besides what `inspectAuthCapture` and `readAction` refuse: `invalid_network`, `payer_is_facilitator`, `asset_not_allowed`,
 * `invalid_auth_capture_evm_operator_not_admitted`, `auth_capture_escrow_not_deployed`, `payer_on_hold`, `permit2_allowance_required`,
 * `permit2_invalid_nonce`, `asset_not_deployed_contract` and, of the scheme's own: `…_extra`, `…_authorizer_signature`, `…_erc6492_factory_not_allowed`,
 * `…_insufficient_balance`, `…_payment_already_collected`, `…_simulation_failed`, `…_unexpected_payment_state`, `…_insufficient_authorization`,
 * `…_zero_authorization`, `…_refund_exceeds_capture`, `…_refund_funding_unavailable`, `…_fee_bps_out_of_range`, `…_fee_receiver`, `…_capture_deadline_expired`
 * and `…_refund_deadline_expired`. A chain that cannot be asked is thrown (`rpc_unreachable`, …) and never a verdict.
 *
 * Throws `X402Error` `invalid_config` for a fee that is none.
 *
 * @example
 * const scheme = authCaptureEvm({ chains: [chain], fee: { bps: 50, recipient: treasury } })
 */
export function authCaptureEvm(options: AuthCaptureEvmFacilitatorOptions): SchemeFacilitator<EvmCall> {
  const { chains, gasLimit = 500_000n, lookbackBlocks = 10_000n, expiryMarginSeconds = 30n } = options
  const { clock = systemClock, mayRefund = () => false } = options
  const byNetwork = new Map(chains.map((chain) => [chain.network, chain]))
  const fee = feeOf(options.fee)
  const holds = createHolds(clock)
  const limits = { lookbackBlocks, expiryMarginSeconds }

  function inspect(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
    const inspection = isAction(payment) ? inspectAction(payment, terms, now) : inspectAuthCapture(payment, terms, now)
    const seen = inspection.ok ? inspection : inspection.late
    if (seen === undefined) return inspection
    const refusal = judge(known(payment, terms).read.terms, seen.payer, byNetwork.get(terms.network), fee)
    return refusal ? { ...refusal, payer: seen.payer, late: seen } : inspection
  }

  function known(payment: PaymentPayload, terms: PaymentRequirements): Known {
    const read = isAction(payment) ? readAction(payment, terms) : readCollect(payment, terms)
    if (!read.ok) throw new TypeError('the payment was not inspected')
    const chain = byNetwork.get(terms.network)?.worth(terms.asset, terms.amount)
    return { read, ...(chain ? { chain } : {}) }
  }

  function inspected(payment: PaymentPayload, terms: PaymentRequirements): Required<Known> {
    const { read, chain } = known(payment, terms)
    if (chain === undefined) throw new TypeError('the payment was not inspected')
    return { read, chain }
  }

  return {
    scheme: authCaptureOnEvm,
    networks: chains.map(({ network }) => network),
    chains,
    kinds: () =>
      chains.flatMap(({ network, signers: [captureAuthorizer] }) =>
        captureAuthorizer === undefined
          ? []
          : [{ x402Version: 2, scheme: authCaptureOnEvm.name, network, extra: { captureAuthorizer, ...fee } }],
      ),
    inspect,
    // What the seller wishes stays to be wished for while the balances are what they are.
    renews: isAction,
    signerOf: (payment, terms) => formatAddress(inspected(payment, terms).read.info.operator),
    async verify(payment, terms, { signer: _, reserved = 0n, since, ...now }) {
      const inspection = inspect(payment, terms, now)
      if (!inspection.ok) return inspection
      const { payer } = inspection
      const { read, chain } = inspected(payment, terms)
      if ('permission' in read) {
        const { permission, info: paymentInfo } = read
        const isFunded = permission.kind !== 'refund' || (await mayRefund({ paymentInfo, amount: permission.amount }))
        const refusal = isFunded
          ? await judgeAction(chain, read, gasLimit)
          : refuse('invalid_auth_capture_evm_refund_funding_unavailable')
        if (refusal === undefined) return { ok: true, payer }
        // Whoever counts otherwise learns how it stands (EVM-CAPTURE-069).
        const isOdd = refusal.code === 'invalid_auth_capture_evm_unexpected_payment_state'
        return { ...refusal, payer, ...(isOdd && { extra: await stateOf(chain, read.infoHash) }) }
      }
      if (holds.has(read.info.payer)) return { ...refuse('payer_on_hold'), payer }
      const settling = now.settling === true
      const refusal = await judgeCollect(chain.since(since), read, { gas: gasLimit, settling, reserved })
      return refusal ? { ...refusal, payer } : { ok: true, payer }
    },
    prepare(payment, terms) {
      const { read } = inspected(payment, terms)
      const { payer, operator: sender } = read.info
      // Two actions on one payment leave marks that look alike; and only a key's signature surely runs no code of the payer's.
      if ('permission' in read) return { ...read.call, gas: gasLimit, sender, payer, unmarked: true }
      const call = { ...collectCall(read), gas: gasLimit, sender }
      return read.signature.length === 65 ? { ...call, payer } : call
    },
    async outcome(payment, terms, sent) {
      const { read, chain } = inspected(payment, terms)
      if ('permission' in read) return actionOutcome(chain, read, sent, limits)
      const outcome = await collectOutcome(chain, read, sent, limits)
      // It was tried right before, and did something else when it was paid for (EVM-EXACT-075).
      const { payer, preApprovalExpiry } = read.info
      if (outcome.status === 'reverted' && (await chain.rpc.code(payer)) !== '0x') holds.add(payer, preApprovalExpiry)
      return outcome
    },
    async receiptExtra(payment, terms) {
      const { read, chain } = inspected(payment, terms)
      return stateOf(chain, read.infoHash)
    },
  }
}

type Known = { readonly read: CollectPayment | HoldAction; readonly chain?: EvmChain }

const isAction = ({ payload }: PaymentPayload): boolean => payload.type !== undefined

function inspectAction(payment: PaymentPayload, terms: PaymentRequirements, { now }: InspectContext): Inspection {
  const action = readAction(payment, terms)
  if (!action.ok) return action
  const { pid, info } = action
  return { ok: true, pid, payer: info.payer, expiresAt: Math.floor(now / 1000) + ACTION_SECONDS }
}

/** The payer is not the operator, who is us; the token is one that we know; and the fee is ours, if there is one. */
function judge(
  { operator, token, minFeeBps, maxFeeBps, feeRecipient }: HoldTerms,
  payer: string,
  chain: EvmChain | undefined,
  fee: JsonObject,
): Refusal | undefined {
  if (chain === undefined) return refuse('invalid_network')
  if (chain.signers.some((signer) => sameAddress(signer, payer))) return refuse('payer_is_facilitator')
  if (chain.asset(token) === undefined) return refuse('asset_not_allowed')
  if (!chain.signers.some((signer) => sameAddress(signer, operator))) {
    return refuse('invalid_auth_capture_evm_operator_not_admitted')
  }
  if (fee.feeRecipient === undefined) return undefined
  const isOurs =
    Number(minFeeBps) === fee.minFeeBps &&
    Number(maxFeeBps) === fee.maxFeeBps &&
    sameAddress(feeRecipient, String(fee.feeRecipient))
  return isOurs ? undefined : refuse('invalid_auth_capture_evm_extra')
}

/** Equal bounds, so that nobody has a choice. */
function feeOf(fee: AuthCaptureEvmFacilitatorOptions['fee']): JsonObject {
  if (fee === undefined) return {}
  const recipient = parseAddress(fee.recipient)
  const isFee = Number.isInteger(fee.bps) && fee.bps >= 1 && fee.bps <= 10_000
  if (!isFee || recipient === undefined || recipient === NOBODY) {
    throw new X402Error('invalid_config', { field: 'fee', bps: fee.bps, recipient: fee.recipient })
  }
  return { feeRecipient: formatAddress(recipient), minFeeBps: fee.bps, maxFeeBps: fee.bps }
}

async function stateOf({ rpc }: EvmChain, paymentInfoHash: Hex): Promise<JsonObject> {
  const { capturable, refundable } = await readState(rpc, paymentInfoHash)
  return {
    paymentInfoHash,
    capturableAmount: capturable.toString(),
    refundableAmount: refundable.toString(),
  }
}
