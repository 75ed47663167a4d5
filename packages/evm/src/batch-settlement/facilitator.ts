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
  type Verdict,
} from '@groat/core'
import { decodeInteger } from '../abi.js'
import { type Address, parseAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import { succeedsPaid } from '../exact/method.js'
import { encodeBalanceOf } from '../exact/token.js'
import type { Hex } from '../hex.js'
import type { CallRequest } from '../rpc.js'
import { type Approval, ERC20_APPROVAL_GAS_SPONSORING } from '../sponsoring/approval.js'
import { EIP2612_GAS_SPONSORING, readEip2612 } from '../sponsoring/eip2612.js'
import { approvalNeeded } from '../sponsoring/needed.js'
import { type ApprovalSponsor, type Sponsor, sponsorOf } from '../sponsoring/sponsor.js'
import { encodeAllowance } from '../upto/proxy.js'
import { signerOf } from '../wallet.js'
import { type BatchAction, readAction } from './action.js'
import { type ChannelConfig, type ChannelState, MAX_UINT128 } from './channel.js'
import { readChannel, readDue } from './contract.js'
import { depositDigest, endOf } from './deposit.js'
import { batchOnEvm } from './identity.js'
import { batchOutcome, bringsNew, isUsed } from './outcome.js'
import { type BatchPayment, inspectBatch, isRefundRequest, isVoucherSigned, readBatch } from './shared.js'

/** What the facilitator's half needs. */
export type BatchEvmFacilitatorOptions = {
  readonly chains: readonly EvmChain[]
  /** Blocks in which a deposit that somebody else handed in is looked for; 10,000 unless told. */
  readonly lookbackBlocks?: bigint
  /** Seconds by which a block's clock must have passed a deposit's end before it counts as dead; 30 unless told. */
  readonly expiryMarginSeconds?: bigint
  /** Pays for payers' approvals of Permit2 (`erc20ApprovalGasSponsoring`); nobody does unless told. Needs nodes that know `eth_simulateV1`. */
  readonly sponsor?: ApprovalSponsor | Sponsor
  readonly clock?: Clock
}

/**
 * Puts deposits, claims, sweeps and refunds of payment channels on chain, and says how channels stand. It counts no vouchers, that is the seller's
 * ledger's, and it has no authorizer's key: what gives money away is signed by the seller (EVM-BATCH-060). Every request is read anew
 * and tried before it is sent. A permit or an approval of Permit2 that comes with a deposit is tried with it.
 *
 * A chain that cannot be asked is thrown (`rpc_unreachable`, …) and never a verdict.
 *
 * @example
 * const scheme = batchEvm({ chains: [chain] })
 */
export function batchEvm(options: BatchEvmFacilitatorOptions): SchemeFacilitator<EvmCall> {
  const { chains, lookbackBlocks = 10_000n, expiryMarginSeconds = 30n, clock = systemClock } = options
  const holds = createHolds(clock)
  const sponsor = sponsorOf(options.sponsor)
  const byNetwork = new Map(chains.map((chain) => [chain.network, chain]))
  const actions = new WeakMap<PaymentPayload, BatchAction>()

  function chainOf({ network }: PaymentRequirements): EvmChain {
    const chain = byNetwork.get(network)
    if (chain === undefined) throw new TypeError('the payment was not inspected')
    return chain
  }

  /** The chain as it decides over so much money: what a payment brings, and, of what a seller has done, whatever it is about (EVM-BATCH-045). */
  function worthOf(payment: PaymentPayload, terms: PaymentRequirements): EvmChain {
    const chain = chainOf(terms)
    if (isPayers(payment)) {
      const read = readBatch(chain.engine, payment, terms)
      if (!read.ok) return chain
      const brought = read.deposit?.amount ?? 0n
      return chain.worth(read.config.token, brought > terms.amount ? brought : terms.amount)
    }
    const action = actionOf(payment, terms, 0)
    return action.ok ? action.tokens.reduce((at, token) => at.worth(token, MAX_UINT128), chain) : chain
  }

  /** The action of a request; a sweep keeps the identity that it got when it was read first. Only that reading needs the time. */
  function actionOf(payment: PaymentPayload, terms: PaymentRequirements, now: number): BatchAction | Refusal {
    const known = actions.get(payment)
    if (known !== undefined) return known
    const action = readAction(chainOf(terms).engine, payment, terms, { now })
    if (action.ok) actions.set(payment, action)
    return action
  }

  function inspect(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
    const chain = byNetwork.get(terms.network)
    if (chain === undefined) return refuse('invalid_network')
    if (isPayers(payment)) {
      const inspection = inspectBatch(chain.engine, payment, terms, now)
      if (!inspection.ok) return inspection
      const refusal = judge(inspection.payer, chain, terms)
      if (refusal !== undefined) return { ...refusal, payer: inspection.payer }
      if (payment.payload.type === 'deposit' || !now.settling) return inspection
      // A voucher is counted by the seller, and a refund is put on chain by the seller's word: there is nothing to put on chain yet.
      return { ...refuse('invalid_batch_settlement_evm_payload_type'), payer: inspection.payer }
    }
    const action = actionOf(payment, terms, now.now)
    if (!action.ok) return action
    return { ok: true, pid: action.pid, payer: action.payer, expiresAt: Math.floor(now.now / 1000) + ACTION_SECONDS }
  }

  async function verifyPayment(chain: EvmChain, read: BatchPayment, now: InspectContext): Promise<Verdict> {
    const { config, channelId, voucher, deposit, refund } = read
    const payer = config.payer
    const refused = (code: Parameters<typeof refuse>[0]): Verdict => ({ ...refuse(code), payer })
    if (!isVoucherSigned(chain.engine, read)) return refused('invalid_batch_settlement_evm_voucher_signature')
    const state = await readChannel(chain.rpc, channelId)
    if (deposit === undefined && state.balance === 0n) return refused('invalid_batch_settlement_evm_channel_not_found')
    if (voucher.maxClaimable > state.balance + (deposit?.amount ?? 0n)) {
      return refused('invalid_batch_settlement_evm_cumulative_exceeds_balance')
    }
    if (refund === undefined ? voucher.maxClaimable <= state.totalClaimed : voucher.maxClaimable < state.totalClaimed) {
      return refused('invalid_batch_settlement_evm_cumulative_below_claimed')
    }
    if (refund !== undefined && voucher.maxClaimable === state.balance) {
      return refused('invalid_batch_settlement_evm_refund_no_balance')
    }
    // A refund is what a payer on its way out wants.
    if (state.withdrawRequestedAt > 0 && !now.settling && refund === undefined)
      return refused('invalid_batch_settlement_evm_withdrawal_pending')
    return { ok: true, payer, extra: extraOf(channelId, state) }
  }

  /** The approval that has to go before a deposit by Permit2, as the payment brings it along. */
  async function approvalOf(chain: EvmChain, { extensions }: PaymentPayload, { payer, deposit }: BatchAction) {
    if (deposit?.method !== 'permit2') return undefined
    const { token, amount } = deposit
    // A permit does what an approval would.
    if (readEip2612(extensions, { payer, token, amount }, 0) !== undefined) return undefined
    return approvalNeeded(chain, sponsor, extensions, { payer, token, amount })
  }

  const half: SchemeFacilitator<EvmCall> = {
    scheme: batchOnEvm,
    extensions: [EIP2612_GAS_SPONSORING, ...(sponsor ? [ERC20_APPROVAL_GAS_SPONSORING] : [])],
    networks: chains.map(({ network }) => network),
    chains,
    kinds: () => chains.map(({ network }) => ({ x402Version: 2, scheme: batchOnEvm.name, network })),
    inspect,
    // What a seller wishes: the contract does each once, however often it is asked.
    renews: (payment) => !isPayers(payment),
    async verify(payment, terms, { signer, reserved = 0n, since, ...now }) {
      const inspection = inspect(payment, terms, now)
      if (!inspection.ok) return inspection
      const chain = worthOf(payment, terms).since(since)
      const { payer } = inspection
      const { type } = payment.payload
      let verdict: Verdict = { ok: true, payer }
      if (isPayers(payment)) {
        const read = readBatch(chain.engine, payment, terms)
        if (!read.ok) return read
        verdict = await verifyPayment(chain, read, now)
        if (!verdict.ok || type !== 'deposit') return verdict
        const unsigned = holds.has(payer) ? refuse('payer_on_hold') : await judgeSignature(chain, read)
        if (unsigned !== undefined) return { ...unsigned, payer }
        if (reserved > 0n && read.deposit && !(await has(chain, read.config, read.deposit.amount + reserved))) {
          return { ...refuse('invalid_batch_settlement_evm_insufficient_balance'), payer }
        }
      }
      const action = actionOf(payment, terms, now.now)
      if (!action.ok) return action
      if (type === 'settle') {
        const token = parseAddress(String(payment.payload.token))
        if (token === undefined || (await readDue(chain.rpc, action.payer, token)) === 0n) {
          return { ...refuse('invalid_batch_settlement_evm_nothing_to_settle'), payer }
        }
      }
      if (type === 'claim' && !(await bringsNew(chain, action))) {
        return { ...refuse('invalid_batch_settlement_evm_nothing_to_settle'), payer }
      }
      if (type === 'refund' && !(await leavesMoney(chain, action))) {
        return { ...refuse('invalid_batch_settlement_evm_refund_no_balance'), payer }
      }
      const from = parseAddress(signer ?? chain.signers[0] ?? '')
      const call = { ...action.call, gas: gasOf(action), ...(from ? { from } : {}) }
      const approval = await approvalOf(chain, payment, action)
      if (approval !== undefined) {
        const refusal = 'code' in approval ? approval : await judgeBehind(chain, action, { approval, call, sponsor })
        return refusal ? { ...refusal, payer } : verdict
      }
      const tried = await chain.rpc.call(call)
      // Wallets that are asked for their word see whether they are only tried (EVM-BATCH-043).
      if (tried.ok && (!now.settling || (await succeedsPaid(chain, call)))) return verdict
      return { ...(await whyRefused(chain, action)), payer }
    },
    async enable(payment, terms, now) {
      const chain = chainOf(terms)
      const action = actionOf(payment, terms, now.now)
      if (!action.ok) return action
      const { payer } = action
      const approval = await approvalOf(chain, payment, action)
      if (approval === undefined || sponsor === undefined) return { ok: true, payer }
      const refusal = 'code' in approval ? approval : await sponsor.approve(chain, payer, approval)
      return refusal ? { ...refusal, payer } : half.verify(payment, terms, now)
    },
    prepare(payment, terms) {
      const action = actionOf(payment, terms, 0)
      if (!action.ok) throw new TypeError('the payment was not inspected')
      return { ...action.call, gas: gasOf(action) }
    },
    async outcome(payment, terms, sent) {
      const action = actionOf(payment, terms, 0)
      if (!action.ok) throw new TypeError('the payment was not inspected')
      const chain = worthOf(payment, terms)
      const outcome = await batchOutcome(chain, action, sent, { lookbackBlocks, expiryMarginSeconds })
      // It was tried right before, and did something else when it was paid for (EVM-BATCH-044).
      const isOdd = outcome.status === 'reverted' && action.deposit !== undefined
      if (isOdd && (await chain.rpc.code(action.payer)) !== '0x')
        holds.add(action.payer, action.deposit && endOf(action.deposit))
      return outcome
    },
    async receiptExtra(payment, terms) {
      const chain = byNetwork.get(terms.network)
      const action = chain && actionOf(payment, terms, 0)
      if (chain === undefined || !action?.ok || action.channelId === undefined) return undefined
      return { channelState: extraOf(action.channelId, await readChannel(chain.rpc, action.channelId)) }
    },
  }
  return half
}

/** Whether it comes from a payer; all else comes from a seller. */
const isPayers = ({ payload }: PaymentPayload): boolean =>
  payload.type === 'deposit' || payload.type === 'voucher' || isRefundRequest(payload)

/** Whether the payer has signed the deposit: by a key in the one canonical form, by a contract as the deposit itself will show (EVM-BATCH-042). */
async function judgeSignature(chain: EvmChain, read: BatchPayment): Promise<Refusal | undefined> {
  const { deposit, config } = read
  if (deposit === undefined) return undefined
  const digest = depositDigest(chain.engine, read)
  if (digest === undefined) return refuse('invalid_batch_settlement_evm_missing_eip712_domain')
  const signer = await signerOf(chain, { payer: config.payer, digest, signature: deposit.signature })
  if (signer === 'key' || signer === 'contract') return undefined
  if (deposit.method === 'permit2') return refuse('invalid_batch_settlement_evm_permit2_invalid_signature')
  const isWrapped = signer === 'undeployed'
  return refuse(
    isWrapped ? 'eip6492_factory_not_allowed' : 'invalid_batch_settlement_evm_receive_authorization_signature',
  )
}

/** Whether a payer has so much of the token of a channel. */
async function has({ rpc }: EvmChain, { payer, token }: ChannelConfig, amount: bigint): Promise<boolean> {
  const answer = await rpc.call({ to: token, data: encodeBalanceOf(payer) })
  return ((answer.ok ? decodeInteger(answer.data) : undefined) ?? 0n) >= amount
}

/** Whether anything is left once the seller has claimed its part: the contract refunds nothing without a word. */
async function leavesMoney({ rpc }: EvmChain, { channelId = '0x', claims }: BatchAction): Promise<boolean> {
  const { balance, totalClaimed } = await readChannel(rpc, channelId)
  const claimed = claims?.get(channelId) ?? 0n
  // A claim above the balance fails, and says so itself.
  return balance !== (claimed > totalClaimed ? claimed : totalClaimed)
}

/** Seconds for which a seller's wish is worth trying. */
const ACTION_SECONDS = 300

const gasOf = ({ rows, kind }: BatchAction): bigint =>
  kind === 'deposit' ? 400_000n : 150_000n + 100_000n * BigInt(rows)

function judge(payer: string, chain: EvmChain, { asset }: PaymentRequirements): Refusal | undefined {
  if (chain.signers.some((signer) => sameAddress(signer, payer))) return refuse('payer_is_facilitator')
  const token = parseAddress(asset)
  return token === undefined || chain.asset(token) === undefined ? refuse('asset_not_allowed') : undefined
}

/** Why a deposit whose approval has to go first would not go through; both are tried, one after the other. */
async function judgeBehind(
  chain: EvmChain,
  action: BatchAction,
  { approval, call, sponsor }: { approval: Approval; call: CallRequest; sponsor: Sponsor | undefined },
): Promise<Refusal | undefined> {
  const { to, data, gas } = approval.transaction
  const [unpaid, tried] = await Promise.all([
    sponsor?.judge(chain, action.payer, approval),
    chain.rpc.simulate([{ from: action.payer, to, data, gas }, call]),
  ])
  if (unpaid !== undefined || tried.every(({ ok }) => ok)) return unpaid
  return whyRefused(chain, action)
}

/** Why an action would not go through, in one more round trip. */
async function whyRefused(chain: EvmChain, action: BatchAction): Promise<Refusal> {
  const { kind, payer, deposit } = action
  if (deposit === undefined) return refuse(simulated[kind])
  const to: Address = deposit.token
  const [balance, allowance, used] = await Promise.all([
    chain.rpc.call({ to, data: encodeBalanceOf(payer) }),
    chain.rpc.call({ to, data: encodeAllowance(payer) }),
    isUsed(chain, action, deposit),
  ])
  const short = (answer: typeof balance) => ((answer.ok ? decodeInteger(answer.data) : 0n) ?? 0n) < deposit.amount
  if (used)
    return refuse(deposit.method === 'permit2' ? 'permit2_invalid_nonce' : 'invalid_exact_evm_nonce_already_used')
  if (short(balance)) return refuse('invalid_batch_settlement_evm_insufficient_balance')
  if (deposit.method === 'permit2' && short(allowance)) {
    return refuse('invalid_batch_settlement_evm_permit2_allowance_required')
  }
  return refuse(simulated.deposit)
}

const simulated = {
  deposit: 'invalid_batch_settlement_evm_deposit_simulation_failed',
  claim: 'invalid_batch_settlement_evm_claim_simulation_failed',
  settle: 'invalid_batch_settlement_evm_nothing_to_settle',
  refund: 'invalid_batch_settlement_evm_refund_simulation_failed',
} as const

function extraOf(
  channelId: Hex,
  { balance, totalClaimed, withdrawRequestedAt, refundNonce }: ChannelState,
): JsonObject {
  return {
    channelId,
    balance: balance.toString(),
    totalClaimed: totalClaimed.toString(),
    withdrawRequestedAt,
    refundNonce: refundNonce.toString(),
  }
}
