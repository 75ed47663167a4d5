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
import { formatAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import { createTokenTrials } from '../exact/token-trial.js'
import { hasPermit2Proxy, uptoPermit2Proxy } from '../permit2/contracts.js'
import { ERC20_APPROVAL_GAS_SPONSORING } from '../sponsoring/approval.js'
import { EIP2612_GAS_SPONSORING, readEip2612 } from '../sponsoring/eip2612.js'
import { approvalNeeded } from '../sponsoring/needed.js'
import { type ApprovalSponsor, type Sponsor, sponsorOf } from '../sponsoring/sponsor.js'
import { createExposures, type Exposures } from './exposure.js'
import { uptoOnEvm } from './identity.js'
import { accountOf, type Backing, judgeCeiling, judgeCharge } from './judge.js'
import { chainOutcome } from './outcome.js'
import { settleCall } from './proxy.js'
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
  /** Pays for payers' approvals of Permit2 (`erc20ApprovalGasSponsoring`); nobody does unless told. Needs nodes that know `eth_simulateV1`. */
  readonly sponsor?: ApprovalSponsor | Sponsor
  readonly clock?: Clock
}

/**
 * Verifies and settles `upto` payments on EVM chains by Permit2.
 *
 * Only the account that a payment names can settle it, and it is named by this facilitator: the first signer of each chain. A payment is
 * verified for its ceiling, on top of all ceilings of that payer that are verified and open here; where there are others, balance and
 * allowance are read too (EVM-UPTO-045). A permit or an approval of Permit2 that comes along is tried with the payment; a payer who brings one has one payment
 * open at a time (EVM-UPTO-058). A charge of nothing settles without a transaction, and uses the payment up (EVM-UPTO-054).
 *
 * Besides what `inspectUpto` refuses: `invalid_network`, `payer_is_facilitator`, `asset_not_allowed`, `upto_facilitator_mismatch`,
 * `permit2_proxy_not_deployed`, `invalid_permit2_signature`, `upto_exposure_exceeded`, `asset_not_deployed_contract`, `permit2_invalid_nonce`,
 * `permit2_insufficient_balance`, `permit2_allowance_required`, `permit2_simulation_failed`, `payer_on_hold`, and what `readEip2612`, `readApproval` and the sponsor
 * refuse.
 * A chain that cannot be asked is thrown (`rpc_unreachable`, …) and never a verdict.
 *
 * @example
 * const scheme = uptoEvm({ chains: [chain] })
 * const verdict = await scheme.verify(payment, requirements, { now: Date.now() })
 */
export function uptoEvm(options: UptoEvmFacilitatorOptions): SchemeFacilitator<EvmCall> {
  const { chains, gasLimit = 300_000n, maxOpen = 1_000, expiryMarginSeconds = 30n, clock = systemClock } = options
  const { exposures = createExposures() } = options
  const sponsor = sponsorOf(options.sponsor)
  const byNetwork = new Map(chains.map((chain) => [chain.network, chain]))
  const holds = createHolds(clock)
  const trials = createTokenTrials()

  function inspect(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
    const inspection = inspectUpto(payment, terms, now)
    const seen = inspection.ok ? inspection : inspection.late
    if (seen === undefined) return inspection
    const { payment: read, chain } = known(payment, terms)
    const refusal = judge(read, chain)
    return refusal ? { ...refusal, payer: seen.payer, late: seen } : inspection
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

  /** What has to come first so that Permit2 may take the money, as the payment brings it along. */
  async function backingOf(
    chain: EvmChain,
    { extensions }: PaymentPayload,
    { authorization: { from: payer, token, amount } }: UptoPayment,
    now: number,
  ): Promise<Backing | Refusal> {
    const permit = readEip2612(extensions, { payer, token, amount }, now)
    if (permit !== undefined) return 'code' in permit ? permit : { permit }
    const approval = await approvalNeeded(chain, sponsor, extensions, { payer, token, amount })
    return approval === undefined ? {} : 'code' in approval ? approval : { approval }
  }

  return {
    scheme: uptoOnEvm,
    extensions: [EIP2612_GAS_SPONSORING, ...(sponsor ? [ERC20_APPROVAL_GAS_SPONSORING] : [])],
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
      const isFree = now.settling === true && terms.amount === 0n
      const backing = isFree ? {} : await backingOf(chain, payment, read, now.now)
      if ('code' in backing) return { ...backing, payer }
      const unpaid = backing.approval && (await sponsor?.judge(chain, read.authorization.from, backing.approval))
      if (unpaid !== undefined) return { ...unpaid, payer }
      const trial = { gas: gasLimit, trials, backing }
      const refusal = now.settling
        ? await judgeCharge(chain.since(now.since), read, terms.amount, { ...trial, reserved: now.reserved ?? 0n })
        : await judgeCeiling(chain, read, { ...trial, exposures, maxOpen, now: now.now / 1000 })
      if (refusal !== undefined) return { ...refusal, payer }
      if (now.settling) {
        const { expiresAt: until } = inspection
        await exposures.hold({ account: accountOf(chain, read), pid: read.pid, amount: terms.amount, until })
      }
      return { ok: true, payer }
    },
    async enable(payment, terms, now) {
      const { chain, payment: read } = inspected(payment, terms)
      const payer = read.authorization.from
      const backing = terms.amount === 0n ? {} : await backingOf(chain, payment, read, now.now)
      if ('code' in backing) return { ...backing, payer }
      if (backing.approval === undefined || sponsor === undefined) return { ok: true, payer }
      const trial = { gas: gasLimit, trials, backing: {}, reserved: now.reserved ?? 0n }
      const refusal =
        (await sponsor.approve(chain, payer, backing.approval)) ?? (await judgeCharge(chain, read, terms.amount, trial))
      return refusal ? { ...refusal, payer } : { ok: true, payer }
    },
    prepare(payment, terms) {
      const { payment: read } = inspected(payment, terms)
      if (terms.amount === 0n) return undefined
      const { from: payer, token, amount, facilitator: sender } = read.authorization
      // Good when it was verified a moment ago: its time is the one thing that could have passed since, and the call says so.
      const permit = readEip2612(payment.extensions, { payer, token, amount }, 0)
      const settle = settleCall(read, terms.amount, permit && 'value' in permit ? permit : undefined)
      const call = { ...settle, gas: gasLimit, sender }
      // Only a key's signature surely runs no code of the payer's, and only the transfer will say that it was made (EVM-UPTO-059).
      return read.signature.length === 65 ? { ...call, payer, unmarked: true } : call
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

/** The payer is not the operator, the token is one that the operator knows, and the operator is who may settle. */
function judge({ authorization }: UptoPayment, chain: EvmChain | undefined): Refusal | undefined {
  const { from, token, facilitator } = authorization
  if (chain === undefined) return refuse('invalid_network')
  const isOurs = (address: string) => chain.signers.some((signer) => sameAddress(signer, address))
  if (isOurs(from)) return refuse('payer_is_facilitator')
  if (chain.asset(token) === undefined) return refuse('asset_not_allowed')
  return isOurs(facilitator) ? undefined : refuse('upto_facilitator_mismatch')
}
