import { type Refusal, refuse } from '@groat/core'
import { decodeInteger } from '../abi.js'
import type { EvmChain } from '../chain.js'
import { succeedsPaid } from '../exact/method.js'
import { encodeBalanceOf } from '../exact/token.js'
import type { TokenTrials } from '../exact/token-trial.js'
import type { CallOutcome, CallRequest } from '../rpc.js'
import type { Approval } from '../sponsoring/approval.js'
import type { Eip2612Permit } from '../sponsoring/eip2612.js'
import { signerOf, walletAccepts } from '../wallet.js'
import { claimOf, explainFailure } from './diagnosis.js'
import type { Exposures, OpenPayments } from './exposure.js'
import { encodeAllowance, settleCall } from './proxy.js'
import type { UptoPayment } from './shared.js'

/** Under which name the ceilings of a payer and token are counted. */
export const accountOf = ({ network }: EvmChain, { authorization: { token, from } }: UptoPayment): string =>
  `${network} ${token} ${from}`

/** What lets Permit2 take the money where it may not yet: the payer's permit, which goes along, or its approval, which goes before. */
export type Backing = { readonly permit?: Eip2612Permit; readonly approval?: Approval }

/** With how much gas a payment is tried, what comes first, and how its token is. */
export type Trial = { readonly gas: bigint; readonly trials: TokenTrials; readonly backing: Backing }

/** Whether the ceiling could be taken now, on top of what the payer is in for already; from then on the payer is in for it too. */
export async function judgeCeiling(
  chain: EvmChain,
  payment: UptoPayment,
  { exposures, maxOpen, now, ...trial }: Trial & { exposures: Exposures; maxOpen: number; now: number },
): Promise<Refusal | undefined> {
  const account = accountOf(chain, payment)
  const { from, token, amount, deadline } = payment.authorization
  const { pid } = payment
  const askMeans = async () => {
    const [balance, allowance] = await Promise.all([
      chain.rpc.call({ to: token, data: encodeBalanceOf(from) }),
      chain.rpc.call({ to: token, data: encodeAllowance(from) }),
    ])
    return [integerOf(balance), integerOf(allowance)]
  }
  // Looked at before the chain is asked: what ends meanwhile counts, whether or not the chain's answer has it already.
  const before = await exposures.look(account, pid, now)
  // A permit replaces the allowance that others rest on (EVM-UPTO-058).
  const isLone = trial.backing.permit !== undefined || trial.backing.approval !== undefined
  if (isLone && before.count > 0)
    return refuse('upto_exposure_exceeded', 'one payment at a time while Permit2 is not approved')
  const [refusal, known] = await Promise.all([
    simulate(chain, payment, amount, trial),
    before.count > 0 ? askMeans() : undefined,
  ])
  if (refusal !== undefined) return refusal
  const exposure = { account, pid, amount, until: Number(deadline) }
  const take = (seen: OpenPayments, means: readonly bigint[] | undefined) =>
    exposures.take(exposure, { now, maxOpen, before: seen, means })
  let taken = await take(before, known)
  if (taken === 'unknown') {
    // Others came while the chain was asked.
    const seen = await exposures.look(account, pid, now)
    taken = await take(seen, await askMeans())
  }
  return taken === 'taken' ? undefined : refuse('upto_exposure_exceeded')
}

/** Whether what is charged can be taken now. Nothing always can, from a payer who signed. */
export async function judgeCharge(
  chain: EvmChain,
  payment: UptoPayment,
  amount: bigint,
  { reserved, ...trial }: Trial & { readonly reserved: bigint },
): Promise<Refusal | undefined> {
  if (amount > 0n) {
    const { token, from } = payment.authorization
    const [refusal, balance] = await Promise.all([
      simulate(chain, payment, amount, trial, true),
      reserved > 0n ? chain.rpc.call({ to: token, data: encodeBalanceOf(from) }) : undefined,
    ])
    const short = balance !== undefined && integerOf(balance) < amount + reserved
    return refusal ?? (short ? refuse('permit2_insufficient_balance') : undefined)
  }
  const claim = claimOf(chain, payment)
  const signer = await signerOf(chain, claim)
  const isSigned = signer === 'key' || (signer === 'contract' && (await walletAccepts(chain.rpc, claim)))
  return isSigned ? undefined : refuse('invalid_permit2_signature')
}

async function simulate(
  chain: EvmChain,
  payment: UptoPayment,
  amount: bigint,
  { gas, trials, backing: { permit, approval } }: Trial,
  settling = false,
): Promise<Refusal | undefined> {
  // The proxy pays for nobody but the facilitator that was signed, so it is asked as that one (EVM-UPTO-044).
  const call = { ...settleCall(payment, amount, permit), from: payment.authorization.facilitator, gas }
  if (approval !== undefined) return simulateBehind(approval, { chain, payment, amount, call })
  const [simulation, signer, code] = await Promise.all([
    chain.rpc.call(call),
    signerOf(chain, claimOf(chain, payment)),
    // Delegated code (EIP-7702) is asked even about what its account's own key has signed.
    settling ? chain.rpc.code(payment.authorization.from) : '0x',
  ])
  if (signer === 'undeployed' || signer === 'nobody') return refuse('invalid_permit2_signature')
  if (simulation.ok && ((signer === 'key' && code === '0x') || (await succeedsPaid(chain, call)))) {
    const { token, from, to } = payment.authorization
    const isMoved = await trials.passes(chain, { call, token, move: { from, to, value: amount } })
    return isMoved ? undefined : refuse('permit2_simulation_failed', 'the token moves something else')
  }
  const refusal = await explainFailure(chain, payment, amount)
  // The newest block of an idle chain may be older than the payment; the next one will not be.
  const early = refusal.code === 'permit2_not_yet_valid'
  return early && (await chain.rpc.call(call, 'pending')).ok ? undefined : refusal
}

/** The same where an approval has to go first: both are tried, one after the other. Only a key signs one. */
async function simulateBehind(
  { transaction: { to, data, gas } }: Approval,
  { chain, payment, amount, call }: { chain: EvmChain; payment: UptoPayment; amount: bigint; call: CallRequest },
): Promise<Refusal | undefined> {
  const [simulated, signer] = await Promise.all([
    chain.rpc.simulate([{ from: payment.authorization.from, to, data, gas }, call]),
    signerOf(chain, claimOf(chain, payment)),
  ])
  if (signer !== 'key') return refuse('invalid_permit2_signature')
  return simulated.every(({ ok }) => ok) ? undefined : explainFailure(chain, payment, amount)
}

const integerOf = (outcome: CallOutcome): bigint => (outcome.ok ? decodeInteger(outcome.data) : undefined) ?? 0n
