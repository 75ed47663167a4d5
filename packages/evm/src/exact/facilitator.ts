import {
  type Clock,
  createHolds,
  type Inspection,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
  type SchemeFacilitator,
  type SupportedKind,
  sameAddress,
  systemClock,
  v1NameOf,
  X402Error,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import { ERC20_APPROVAL_GAS_SPONSORING } from '../sponsoring/approval.js'
import { EIP2612_GAS_SPONSORING } from '../sponsoring/eip2612.js'
import { type ApprovalSponsor, type Sponsor, sponsorOf } from '../sponsoring/sponsor.js'
import { isSigner, whyNotCallable } from './callable.js'
import { exactOnEvm } from './eip3009.js'
import { createEip3009 } from './eip3009-chain.js'
import { createErc7710, type DelegationOptions } from './erc7710-chain.js'
import type { ChainMethod, ExactRequest } from './method.js'
import { createPermit2 } from './permit2-chain.js'
import { inspectExact } from './shared.js'
import { type MethodName, methodOf } from './terms.js'
import { createTokenTrials } from './token-trial.js'

export type { ApprovalSponsor } from '../sponsoring/sponsor.js'
export { whyNotCallable } from './callable.js'
export type { DelegationOptions } from './erc7710-chain.js'

/** What the facilitator's half needs. */
export type ExactEvmFacilitatorOptions = {
  readonly chains: readonly EvmChain[]
  /** Gas that one settlement may use, the payer's own contract included; 300,000 unless told. */
  readonly gasLimit?: bigint
  /** Blocks in which a transfer that somebody else handed in is looked for; 10,000 unless told. */
  readonly lookbackBlocks?: bigint
  /** Seconds by which a block's clock must have passed a payment's end before it counts as dead; 30 unless told. */
  readonly expiryMarginSeconds?: bigint
  readonly clock?: Clock
  /**
   * Factories that may create a payer's wallet (ERC-6492) at this facilitator's cost; none unless told. Only contracts that create wallets and do
   * nothing else: whatever is called there is called with what strangers write.
   */
  readonly walletFactories?: readonly string[]
  /** Gas that creating a wallet may use; 700,000 unless told. */
  readonly deploymentGas?: bigint
  /** Pays for payers' approvals of Permit2 (`erc20ApprovalGasSponsoring`); nobody does unless told. Needs nodes that know `eth_simulateV1`. */
  readonly sponsor?: ApprovalSponsor | Sponsor
  /** Takes payments by delegation (ERC-7710); none unless told. Needs nodes that know `eth_simulateV1`. */
  readonly delegations?: DelegationOptions
}

/** The facilitator's half. Whatever it settles needs a transaction. */
export interface ExactEvmFacilitator extends SchemeFacilitator<EvmCall> {
  prepare(payment: PaymentPayload, requirements: PaymentRequirements): Promise<EvmCall>
}

/**
 * Verifies and settles `exact` payments on EVM chains, by EIP-3009, by Permit2 and, where the operator allows it, by delegation (ERC-7710).
 *
 * A good payment costs `verify` one round trip, and concurrent ones share it: the transfer is tried, by EIP-3009 behind a look at the payer's nonce.
 * What fails in company, and what no key signed, is tried alone, as the settling account with the gas it will get. The code of a payer is
 * asked for only when no key of that address signed. Wallets that are not deployed yet (ERC-6492) are refused unless their factory is allowed; tokens
 * that the chain does not list are refused.
 * By Permit2 nothing is settled before Permit2 and the proxy have shown that they are there.
 *
 * Besides what `inspectExact` refuses: `invalid_network`, `payer_is_facilitator`, `asset_not_allowed`, `invalid_exact_evm_token_name_mismatch`,
 * `invalid_exact_evm_token_version_mismatch`, `asset_not_deployed_contract`, `payer_on_hold` and, for a token that is
 * seen to move something else than it is told, `invalid_exact_evm_transfer_event_mismatch`. By EIP-3009: `invalid_exact_evm_signature`, `eip6492_factory_not_allowed`,
 * `invalid_exact_evm_eip3009_not_supported`, `invalid_exact_evm_nonce_already_used`,
 * `invalid_exact_evm_insufficient_balance`, `invalid_exact_evm_transaction_simulation_failed`. By Permit2: `invalid_permit2_signature`,
 * `permit2_proxy_not_deployed`, `permit2_invalid_nonce`, `permit2_insufficient_balance`, `permit2_allowance_required`, `permit2_simulation_failed`, and
 * what `readEip2612` refuses. By ERC-7710: `erc7710_manager_not_allowed`, `erc7710_simulation_failed`, `erc7710_transfer_mismatch`,
 * `invalid_exact_evm_insufficient_balance`.
 * A chain that cannot be asked is thrown (`rpc_unreachable`, …) and never a verdict (EVM-EXACT-050).
 *
 * @example
 * const scheme = exactEvm({ chains: [chain] })
 * const verdict = await scheme.verify(payment, requirements, { now: Date.now() })
 */
export function exactEvm(options: ExactEvmFacilitatorOptions): ExactEvmFacilitator {
  const { chains, gasLimit = 300_000n, lookbackBlocks = 10_000n, expiryMarginSeconds = 30n } = options
  const { clock = systemClock } = options
  const byNetwork = new Map(chains.map((chain) => [chain.network, chain]))
  const holds = createHolds(clock)
  const trials = createTokenTrials()
  const { walletFactories = [], deploymentGas = 700_000n } = options
  const sponsor = sponsorOf(options.sponsor)
  const methods: Readonly<Record<MethodName, ChainMethod>> = {
    eip3009: createEip3009({ factories: factoriesOf(walletFactories, chains), deploymentGas }),
    permit2: createPermit2({ sponsor }),
    erc7710: createErc7710(options.delegations ?? { managers: [] }, chains),
  }

  function inspect(payment: PaymentPayload, terms: PaymentRequirements, now: { readonly now: number }): Inspection {
    const inspection = inspectExact(payment, terms, now)
    const read = inspection.ok ? inspection : inspection.late
    const refusal = read && judge(read.payer, byNetwork.get(terms.network), terms)
    return refusal ? { ...refusal, payer: read.payer, late: read } : inspection
  }

  /** What is settled and looked for has been inspected before. */
  function known(payment: PaymentPayload, terms: PaymentRequirements): ExactRequest & { readonly method: ChainMethod } {
    const chain = byNetwork.get(terms.network)?.worth(terms.asset, terms.amount)
    const method = methodOf(terms)
    if (chain === undefined || method === undefined) throw new TypeError('the payment was not inspected')
    return { chain, payment, terms, method: methods[method] }
  }

  /** Whether the token does what it is told, as far as that can be seen before it is paid for. */
  async function tokenMoves(
    { chain, method, ...request }: ReturnType<typeof known>,
    payer: string,
    signer: Address | undefined,
  ): Promise<boolean> {
    // By delegation it has been seen already, each time.
    if (methodOf(request.terms) === 'erc7710' || trials.isKnown(chain, request.terms.asset)) return true
    const [token, from, to] = [request.terms.asset, payer, request.terms.payTo].map(parseAddress)
    if (token === undefined || from === undefined || to === undefined) return true
    const { moreGas = 0n, gas = gasLimit + moreGas, ...call } = await method.prepare({ chain, ...request })
    const tried = { ...call, gas, ...(signer ? { from: signer } : {}) }
    return trials.passes(chain, { call: tried, token, move: { from, to, value: request.terms.amount } })
  }

  /** A payer without code cannot have seen that it was paid for. */
  async function holdBack({ chain, payment, terms }: ExactRequest): Promise<void> {
    const read = inspectExact(payment, terms, { now: clock() })
    const claim = read.ok ? read : read.late
    const payer = parseAddress(claim?.payer ?? '')
    if (claim && payer && (await chain.rpc.code(payer)) !== '0x') holds.add(payer, BigInt(claim.expiresAt))
  }

  return {
    scheme: exactOnEvm,
    networks: chains.map(({ network }) => network),
    chains,
    kinds: () => chains.flatMap((chain) => kindsOf(chain, options.delegations)),
    extensions: [EIP2612_GAS_SPONSORING, ...(sponsor ? [ERC20_APPROVAL_GAS_SPONSORING] : [])],
    inspect,
    // A permission may be for one redeemer, so there is one.
    signerOf: (_payment, terms) =>
      methodOf(terms) === 'erc7710' ? byNetwork.get(terms.network)?.signers[0] : undefined,
    async verify(payment, terms, { signer, since, ...now }) {
      const inspection = inspect(payment, terms, now)
      if (!inspection.ok) return inspection
      const { method, ...usual } = known(payment, terms)
      const request = { ...usual, chain: usual.chain.since(since) }
      const from = parseAddress(signer ?? request.chain.signers[0] ?? '')
      if (holds.has(inspection.payer.toLowerCase())) return { ...refuse('payer_on_hold'), payer: inspection.payer }
      const verdict = await method.verify(request, { gas: gasLimit, ...(from ? { from } : {}), ...now })
      if (!verdict.ok || (await tokenMoves(known(payment, terms), verdict.payer, from))) return verdict
      return { ...refuse('invalid_exact_evm_transfer_event_mismatch'), payer: verdict.payer }
    },
    async enable(payment, terms, { signer, ...now }) {
      const { method, ...request } = known(payment, terms)
      const from = parseAddress(signer ?? request.chain.signers[0] ?? '')
      const enabled = await method.enable?.(request, { gas: gasLimit, ...(from ? { from } : {}), ...now })
      return enabled ?? { ok: true, payer: '' }
    },
    async prepare(payment, terms) {
      const { method, ...request } = known(payment, terms)
      const { moreGas = 0n, gas = gasLimit + moreGas, ...call } = await method.prepare(request)
      return { gas, ...call }
    },
    async outcome(payment, terms, sent) {
      const { method, ...request } = known(payment, terms)
      const { failed, ...outcome } = await method.outcome(request, sent, { lookbackBlocks, expiryMarginSeconds })
      // It was tried right before, and did something else when it was paid for.
      if (failed || outcome.status === 'reverted') {
        const token = parseAddress(terms.asset)
        if (token) trials.doubt(request.chain, token)
        await holdBack(request)
      }
      return outcome
    },
  }
}

/** What must not be called with what strangers write is no factory. */
function factoriesOf(texts: readonly string[], chains: readonly EvmChain[]): ReadonlySet<Address> {
  const factories = texts.map((text) => {
    const factory = parseAddress(text)
    const isToken = factory !== undefined && chains.some((chain) => chain.asset(factory))
    if (factory === undefined || isToken || isSigner(chains, text) || whyNotCallable(text, []) !== undefined) {
      throw new X402Error('invalid_config', { walletFactories: text })
    }
    return factory
  })
  return new Set(factories)
}

function kindsOf({ network, signers }: EvmChain, delegations: DelegationOptions | undefined): readonly SupportedKind[] {
  const kind = { scheme: exactOnEvm.name, network } as const
  // For payers by delegation: through what, and whom they have to let redeem.
  const delegated = delegations && {
    extra: { facilitators: signers.slice(0, 1), delegationManagers: [...delegations.managers] },
  }
  const second: SupportedKind = { x402Version: 2, ...kind, ...delegated }
  return v1NameOf(network) === undefined ? [second] : [second, { x402Version: 1, ...kind }]
}

/** The payer is not the operator, the token is one that the operator knows, and the offer names its domain rightly. */
function judge(payer: string, chain: EvmChain | undefined, terms: PaymentRequirements): Refusal | undefined {
  const { asset, extra } = terms
  if (chain === undefined) return refuse('invalid_network')
  if (chain.signers.some((signer) => sameAddress(signer, payer))) return refuse('payer_is_facilitator')
  const address = parseAddress(asset)
  const token = address && chain.asset(address)
  if (token === undefined) return refuse('asset_not_allowed')
  // By Permit2 the token's domain signs nothing, unless a permit comes along; by ERC-7710 nothing at all.
  const { name, version } = methodOf(terms) === 'eip3009' ? extra : { ...token.domain, ...extra }
  if (token.domain === undefined) {
    return methodOf(terms) === 'eip3009' ? refuse('invalid_exact_evm_eip3009_not_supported') : undefined
  }
  if (name !== token.domain.name) return refuse('invalid_exact_evm_token_name_mismatch')
  return version === token.domain.version ? undefined : refuse('invalid_exact_evm_token_version_mismatch')
}
