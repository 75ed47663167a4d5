import { type PaymentPayload, type Refusal, refuse, type Verdict } from '@groat/core'
import { decodeInteger } from '../abi.js'
import { recoverAddress } from '../address.js'
import { exactPermit2Proxy, hasPermit2Proxy } from '../permit2/contracts.js'
import { explainPermit2 } from '../permit2/diagnosis.js'
import type { CallOutcome } from '../rpc.js'
import type { Approval } from '../sponsoring/approval.js'
import { type Eip2612Permit, readEip2612 } from '../sponsoring/eip2612.js'
import { approvalNeeded } from '../sponsoring/needed.js'
import type { Sponsor } from '../sponsoring/sponsor.js'
import { signerOf } from '../wallet.js'
import { type ChainMethod, type ExactRequest, succeedsPaid, type Trial } from './method.js'
import { failedTransfer, type Permit2Payment, readPermit2 } from './permit2.js'
import { settleCall } from './permit2-calls.js'
import { permit2Outcome } from './permit2-outcome.js'
import { encodeBalanceOf } from './token.js'

/** What the operator pays for besides settlements. */
export type Permit2Options = {
  /** Pays for payers' approvals; absent: nobody does. */
  readonly sponsor: Sponsor | undefined
}

/** Permit2 on chain: the proxy of `exact` takes the money that the payer let Permit2 take, and pays only whom the payer signed. */
export function createPermit2({ sponsor }: Permit2Options): ChainMethod {
  /** The approval that has to go first, `undefined` where none has to, or why it will not be paid for. */
  function approvalOf({ chain, payment }: ExactRequest, { payer, transfer: { token, amount } }: Permit2Payment) {
    return approvalNeeded(chain, sponsor, payment.extensions, { payer, token, amount })
  }

  return {
    async verify(request, trial) {
      const payment = read(request)
      const { payer } = payment
      const approval = await approvalOf(request, payment)
      if (approval === undefined || sponsor === undefined) return verify(request, payment, trial)
      if ('code' in approval) return { ...approval, payer }
      const [refusal, verdict] = await Promise.all([
        sponsor.judge(request.chain, payer, approval),
        verifyBehind(approval, request, payment, trial),
      ])
      return refusal ? { ...refusal, payer } : verdict
    },
    async enable(request, trial) {
      const payment = read(request)
      const { payer } = payment
      const approval = await approvalOf(request, payment)
      if (approval === undefined || sponsor === undefined) return { ok: true, payer }
      const refusal = 'code' in approval ? approval : await sponsor.approve(request.chain, payer, approval)
      return refusal ? { ...refusal, payer } : verify(request, payment, trial)
    },
    prepare(request) {
      const payment = read(request)
      // Good when it was verified a moment ago: its time is the one thing that could have passed since, and the call says so.
      const permit = permitOf(request.payment, payment, 0)
      if (isPermit(permit)) return settleCall(payment, permit)
      const call = settleCall(payment, undefined)
      // The proxy pays whom the payer signed, whoever calls it; only a key's signature surely runs no code of the payer's.
      return payment.signature.length === 65 ? { ...call, payer: payment.payer, unmarked: true } : call
    },
    outcome: (request, sent, options) => permit2Outcome(request.chain, read(request), sent, options),
  }
}

function read({ payment, terms }: ExactRequest): Permit2Payment {
  const known = readPermit2(payment, terms)
  if (!known.ok) throw new TypeError('the payment was not inspected')
  return known
}

async function verify(
  { chain, payment }: ExactRequest,
  read: Permit2Payment,
  { now, from, gas, reserved = 0n, settling = false }: Trial,
): Promise<Verdict> {
  const { payer, transfer, witness } = read
  const permit = permitOf(payment, read, now)
  if (permit !== undefined && !isPermit(permit)) return { ...permit, payer }
  const failing = failedTransfer(chain, read)
  const call = settleCall(read, permit)
  const readFunds = { to: transfer.token, data: encodeBalanceOf(payer) }
  const { claim } = failing
  const there = hasPermit2Proxy(chain.rpc, exactPermit2Proxy)

  function verdictOf(moved?: CallOutcome, funds?: CallOutcome): Verdict | undefined {
    if (!moved?.ok) return undefined
    const isEnough = !funds?.ok || (decodeInteger(funds.data) ?? 0n) >= transfer.amount + reserved
    return isEnough ? { ok: true, payer } : { ...refuse('permit2_insufficient_balance'), payer }
  }

  // A call to an address without code succeeds.
  if (chain.tryTogether && recoverAddress(chain.engine, claim.digest, claim.signature) === payer) {
    const calls = reserved > 0n ? [readFunds, call] : [call]
    const [tried, isThere, code] = await Promise.all([
      chain.tryTogether({ calls, payer, payTo: witness.to }),
      there,
      settling ? chain.rpc.code(payer) : '0x',
    ])
    const [moved, funds] = tried.toReversed()
    const verdict = isThere ? verdictOf(moved, funds) : undefined
    if (verdict?.ok && code === '0x') return verdict
  }
  const alone = { ...call, gas, ...(from ? { from } : {}) }
  const [moved, isThere, signer, funds, code] = await Promise.all([
    chain.rpc.call(alone),
    there,
    signerOf(chain, claim),
    reserved > 0n ? chain.rpc.call(readFunds) : undefined,
    settling ? chain.rpc.code(payer) : '0x',
  ])
  if (!isThere) return { ...refuse('permit2_proxy_not_deployed'), payer }
  // Permit2 has no place for a wallet that does not exist yet.
  if (signer === 'nobody' || signer === 'undeployed') return { ...refuse('invalid_permit2_signature'), payer }
  const verdict = verdictOf(moved, funds)
  if (verdict?.ok && (signer === 'contract' || code !== '0x') && !(await succeedsPaid(chain, alone))) {
    return { ...refuse('permit2_simulation_failed'), payer }
  }
  return verdict ?? { ...(await explainPermit2(chain.rpc, failing)), payer }
}

/** The same where an approval has to go first: both are tried, one after the other. */
async function verifyBehind(
  { transaction }: Approval,
  { chain }: ExactRequest,
  read: Permit2Payment,
  { from, gas, reserved = 0n }: Trial,
): Promise<Verdict> {
  const { payer, transfer } = read
  const failing = failedTransfer(chain, read)
  const calls = [
    { from: payer, to: transaction.to, data: transaction.data, gas: transaction.gas },
    { ...settleCall(read, undefined), gas, ...(from ? { from } : {}) },
  ]
  const [simulated, isThere, signer, funds] = await Promise.all([
    chain.rpc.simulate(calls),
    hasPermit2Proxy(chain.rpc, exactPermit2Proxy),
    signerOf(chain, failing.claim),
    chain.rpc.call({ to: transfer.token, data: encodeBalanceOf(payer) }),
  ])
  if (!isThere) return { ...refuse('permit2_proxy_not_deployed'), payer }
  if (signer === 'nobody' || signer === 'undeployed') return { ...refuse('invalid_permit2_signature'), payer }
  const held = funds.ok ? (decodeInteger(funds.data) ?? 0n) : 0n
  if (held < transfer.amount + reserved) return { ...refuse('permit2_insufficient_balance'), payer }
  if (simulated.every(({ ok }) => ok)) return { ok: true, payer }
  return { ...(await explainPermit2(chain.rpc, failing)), payer }
}

function permitOf(payment: PaymentPayload, { payer, transfer }: Permit2Payment, now: number) {
  return readEip2612(payment.extensions, { payer, token: transfer.token, amount: transfer.amount }, now)
}

function isPermit(permit: Eip2612Permit | Refusal | undefined): permit is Eip2612Permit {
  return permit !== undefined && 'value' in permit
}
