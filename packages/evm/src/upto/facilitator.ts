import {
  type Clock,
  createHolds,
  type InspectContext,
  type Inspection,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
  type SchemeFacilitator,
  sameAddress,
  systemClock,
} from '@groat/core'
import { decodeInteger } from '../abi.js'
import { formatAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import { succeedsPaid } from '../exact/method.js'
import { encodeBalanceOf } from '../exact/token.js'
import { createTokenTrials, type TokenTrials } from '../exact/token-trial.js'
import { hasPermit2Proxy, uptoPermit2Proxy } from '../permit2/contracts.js'
import type { CallOutcome } from '../rpc.js'
import { signerOf, walletAccepts } from '../wallet.js'
import { claimOf, explainFailure } from './diagnosis.js'
import { createExposures, type Exposures, type OpenPayments } from './exposure.js'
import { uptoOnEvm } from './identity.js'
import { chainOutcome } from './outcome.js'
import { encodeAllowance, settleCall } from './proxy.js'
import { inspectUpto, readUpto, type UptoPayment } from './shared.js'

export { createExposures, type Exposure, type ExposureLimits, type Exposures, type OpenPayments } from './exposure.js'

/** What the facilitator's half needs. */
export type UptoEvmFacilitatorOptions = {
  readonly chains: readonly EvmChain[]
  /** Gas that one settlement may use, the payer's own contract included; 300,000 unless told. */
  readonly gasLimit?: bigint
  /** Payments of one payer and token that may be verified and not settled at one time; 1,000 unless told. */
  readonly maxOpen?: number
  /**
   * Where the ceilings of payers that are open are counted: in the memory of this process unless told. Replicas that settle for one signer, and
   * processes that are started anew, need `sqlExposures(store)` of `@groat/evm/upto/facilitator/sql`.
   */
  readonly exposures?: Exposures
  /** Seconds by which a block's clock must have passed a payment's end before it counts as dead; 30 unless told. */
  readonly expiryMarginSeconds?: bigint
  readonly clock?: Clock
}

/**
 * Verifies and settles `upto` payments on EVM chains by Permit2.
 *
 * Only the account that a payment names can settle it, and it is named by this facilitator: the first signer of each chain. A payment is
 * verified for its ceiling, on top of all ceilings of that payer that are verified and open here; where there are others, balance and
 * allowance are read too (EVM-UPTO-045). A charge of nothing settles without a transaction, and uses the payment up (EVM-UPTO-054).
 *
 * Besides what `inspectUpto` refuses: `invalid_network`, `payer_is_facilitator`, `asset_not_allowed`, `upto_facilitator_mismatch`,
 * `permit2_proxy_not_deployed`, `invalid_permit2_signature`, `upto_exposure_exceeded`, `asset_not_deployed_contract`, `permit2_invalid_nonce`,
 * `permit2_insufficient_balance`, `permit2_allowance_required`, `permit2_simulation_failed`, `payer_on_hold`.
 * A chain that cannot be asked is thrown (`rpc_unreachable`, …) and never a verdict.
 *
 * @example
 * const scheme = uptoEvm({ chains: [chain] })
 * const verdict = await scheme.verify(payment, requirements, { now: Date.now() })
 */
export function uptoEvm(options: UptoEvmFacilitatorOptions): SchemeFacilitator<EvmCall> {
  const { chains, gasLimit = 300_000n, maxOpen = 1_000, expiryMarginSeconds = 30n, clock = systemClock } = options
  const { exposures = createExposures() } = options
  const byNetwork = new Map(chains.map((chain) => [chain.network, chain]))
  const holds = createHolds(clock)
  const trials = createTokenTrials()

  function inspect(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
    const inspection = inspectUpto(payment, terms, now)
    const seen = inspection.ok ? inspection : inspection.late
    if (seen === undefined) return inspection
    const { payment: read, chain } = known(payment, terms)
    const refusal = judge(read, chain)
    return refusal ? { ...refusal, payer: seen.payer } : inspection
  }

  function known(payment: PaymentPayload, terms: PaymentRequirements): { payment: UptoPayment; chain?: EvmChain } {
    const read = readUpto(payment, terms)
    const chain = byNetwork.get(terms.network)?.worth(terms.asset, terms.amount)
    if (!read.ok) throw new TypeError('the payment was not inspected')
    return { payment: read, ...(chain ? { chain } : {}) }
  }

  function inspected(payment: PaymentPayload, terms: PaymentRequirements): { payment: UptoPayment; chain: EvmChain } {
    const { chain, payment: read } = known(payment, terms)
    if (chain === undefined) throw new TypeError('the payment was not inspected')
    return { payment: read, chain }
  }

  return {
    scheme: uptoOnEvm,
    networks: chains.map(({ network }) => network),
    chains,
    kinds: () =>
      chains.flatMap(({ network, signers: [facilitatorAddress] }) =>
        facilitatorAddress === undefined
          ? []
          : [{ x402Version: 2, scheme: uptoOnEvm.name, network, extra: { facilitatorAddress } }],
      ),
    inspect,
    signerOf: (payment, terms) => formatAddress(inspected(payment, terms).payment.authorization.facilitator),
    async verify(payment, terms, now) {
      const inspection = inspect(payment, terms, now)
      if (!inspection.ok) return inspection
      const { chain, payment: read } = inspected(payment, terms)
      const { payer } = inspection
      // What was verified before is still charged, but not tried again.
      if (holds.has(now.settling ? read.pid : read.authorization.from)) return { ...refuse('payer_on_hold'), payer }
      if (!(await hasPermit2Proxy(chain.rpc, uptoPermit2Proxy))) {
        return { ...refuse('permit2_proxy_not_deployed'), payer }
      }
      const trial = { gas: gasLimit, trials }
      const refusal = now.settling
        ? await judgeCharge(chain, read, terms.amount, { ...trial, reserved: now.reserved ?? 0n })
        : await judgeCeiling(chain, read, { ...trial, exposures, maxOpen, now: now.now / 1000 })
      if (refusal !== undefined) return { ...refusal, payer }
      if (now.settling) {
        const { expiresAt: until } = inspection
        await exposures.hold({ account: accountOf(chain, read), pid: read.pid, amount: terms.amount, until })
      }
      return { ok: true, payer }
    },
    prepare(payment, terms) {
      const { payment: read } = inspected(payment, terms)
      return terms.amount === 0n ? undefined : { ...settleCall(read, terms.amount), gas: gasLimit }
    },
    async outcome(payment, terms, sent) {
      const { chain, payment: read } = inspected(payment, terms)
      const outcome = await chainOutcome(chain, read, terms.amount, sent, expiryMarginSeconds)
      if (outcome.status === 'settled' || outcome.status === 'dead') {
        await exposures.free(accountOf(chain, read), read.pid, clock() / 1000)
      }
      // It was tried right before, and did something else when it was paid for (EVM-EXACT-075).
      const { from: account, token, deadline } = read.authorization
      if (outcome.status === 'reverted') trials.doubt(chain, token)
      if (outcome.status === 'reverted' && (await chain.rpc.code(account)) !== '0x') {
        for (const each of [account, read.pid]) holds.add(each, deadline)
      }
      return outcome
    },
  }
}

const accountOf = ({ network }: EvmChain, { authorization: { token, from } }: UptoPayment): string =>
  `${network} ${token} ${from}`

/** The payer is not the operator, the token is one that the operator knows, and the operator is who may settle. */
function judge({ authorization }: UptoPayment, chain: EvmChain | undefined): Refusal | undefined {
  const { from, token, facilitator } = authorization
  if (chain === undefined) return refuse('invalid_network')
  const isOurs = (address: string) => chain.signers.some((signer) => sameAddress(signer, address))
  if (isOurs(from)) return refuse('payer_is_facilitator')
  if (chain.asset(token) === undefined) return refuse('asset_not_allowed')
  return isOurs(facilitator) ? undefined : refuse('upto_facilitator_mismatch')
}

/** With how much gas a payment is tried, and how its token is. */
type Trial = { readonly gas: bigint; readonly trials: TokenTrials }

/** Whether the ceiling could be taken now, on top of what the payer is in for already; from then on the payer is in for it too. */
async function judgeCeiling(
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
async function judgeCharge(
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
  { gas, trials }: Trial,
  settling = false,
): Promise<Refusal | undefined> {
  // The proxy pays for nobody but the facilitator that was signed, so it is asked as that one (EVM-UPTO-044).
  const call = { ...settleCall(payment, amount), from: payment.authorization.facilitator, gas }
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

const integerOf = (outcome: CallOutcome): bigint => (outcome.ok ? decodeInteger(outcome.data) : undefined) ?? 0n
