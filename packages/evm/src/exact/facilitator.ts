import {
  type Clock,
  type Inspection,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
  type SchemeFacilitator,
  type SupportedKind,
  sameAddress,
  systemClock,
  type Verdict,
  v1NameOf,
} from '@groat/core'
import { decodeInteger } from '../abi.js'
import { type Address, parseAddress, recoverAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import type { CallOutcome, CallRequest } from '../rpc.js'
import { bareSignature, signerOf } from '../wallet.js'
import { explainFailure } from './diagnosis.js'
import { authorizationDigest, exactOnEvm } from './eip3009.js'
import { createHolds } from './holds.js'
import { chainOutcome } from './outcome.js'
import { type ExactPayment, inspectExact, readExact } from './shared.js'
import { encodeAuthorizationState, encodeBalanceOf, encodeTransfer } from './token.js'

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
}

/** The facilitator's half. Whatever it settles needs a transaction. */
export interface ExactEvmFacilitator extends SchemeFacilitator<EvmCall> {
  prepare(payment: PaymentPayload, requirements: PaymentRequirements): EvmCall
}

/**
 * Verifies and settles `exact` payments on EVM chains by EIP-3009.
 *
 * A good payment costs `verify` one round trip, and concurrent ones share it: the payer's nonce is read and the transfer tried behind it.
 * What fails in company, and what no key signed, is tried alone, as the settling account with the gas it will get. The code of a payer is
 * asked for only when no key of that address signed. Undeployed wallets (ERC-6492) are refused; tokens that the chain does not list are refused.
 *
 * Besides what `inspectExact` refuses: `invalid_network`, `payer_is_facilitator`, `asset_not_allowed`, `invalid_exact_evm_token_name_mismatch`,
 * `invalid_exact_evm_token_version_mismatch`, `invalid_exact_evm_signature`, `eip6492_factory_not_allowed`,
 * `asset_not_deployed_contract`, `invalid_exact_evm_eip3009_not_supported`, `invalid_exact_evm_nonce_already_used`,
 * `invalid_exact_evm_insufficient_balance`, `invalid_exact_evm_transaction_simulation_failed`, `payer_on_hold`.
 * A chain that cannot be asked is thrown (`rpc_unreachable`, …) and never a verdict (EVM-EXACT-050).
 *
 * @example
 * const scheme = exactEvm({ chains: [chain] })
 * const verdict = await scheme.verify(payment, requirements, { now: Date.now() })
 */
export function exactEvm(options: ExactEvmFacilitatorOptions): ExactEvmFacilitator {
  const {
    chains,
    gasLimit = 300_000n,
    lookbackBlocks = 10_000n,
    expiryMarginSeconds = 30n,
    clock = systemClock,
  } = options
  const byNetwork = new Map(chains.map((chain) => [chain.network, chain]))
  const holds = createHolds(clock)

  function inspect(payment: PaymentPayload, terms: PaymentRequirements, now: { readonly now: number }): Inspection {
    const inspection = inspectExact(payment, terms, now)
    const read = inspection.ok ? inspection : inspection.late
    const refusal = read && judge(read.payer, byNetwork.get(terms.network), terms)
    return refusal ? { ...refusal, payer: read.payer } : inspection
  }

  /** What both `prepare` and `outcome` are given has been inspected before. */
  function known(payment: PaymentPayload, terms: PaymentRequirements): { payment: ExactPayment; chain: EvmChain } {
    const read = readExact(payment, terms)
    const chain = byNetwork.get(terms.network)?.worth(terms.asset, terms.amount)
    if (!read.ok || chain === undefined) throw new TypeError('the payment was not inspected')
    return { payment: read, chain }
  }

  return {
    scheme: exactOnEvm,
    networks: chains.map(({ network }) => network),
    chains,
    kinds: () => chains.flatMap(({ network }) => kindsOf(network)),
    inspect,
    async verify(payment, terms, { signer, reserved, ...now }) {
      const inspection = inspect(payment, terms, now)
      if (!inspection.ok) return inspection
      const { chain, payment: read } = known(payment, terms)
      const sender = parseAddress(signer ?? chain.signers[0] ?? '')
      if (holds.has(inspection.payer)) return { ...refuse('payer_on_hold'), payer: inspection.payer }
      const as = { gas: gasLimit, ...(sender ? { from: sender } : {}) }
      return verifyOnChain(chain, read, as, { reserved, settling: now.settling === true })
    },
    prepare(payment, terms) {
      const { payment: read } = known(payment, terms)
      const call = { ...transferCall(read), gas: gasLimit }
      // Whoever hands it in, the token moves the same money; only a key's signature surely runs no code of the payer's.
      return read.signature.length === 65 ? { ...call, payer: read.authorization.from } : call
    },
    async outcome(payment, terms, sent) {
      const { chain, payment: read } = known(payment, terms)
      const outcome = await chainOutcome(chain, read, sent, { lookbackBlocks, expiryMarginSeconds })
      // It was tried right before, and did something else when it was paid for.
      const { from: payer, validBefore } = read.authorization
      if (outcome.status === 'reverted' && (await chain.rpc.code(payer)) !== '0x') holds.add(payer, validBefore)
      return outcome
    },
  }
}

function kindsOf(network: EvmChain['network']): readonly SupportedKind[] {
  const kind = { scheme: exactOnEvm.name, network } as const
  return v1NameOf(network) === undefined
    ? [{ x402Version: 2, ...kind }]
    : [
        { x402Version: 2, ...kind },
        { x402Version: 1, ...kind },
      ]
}

/** The payer is not the operator, the token is one that the operator knows, and the offer names its domain rightly. */
function judge(payer: string, chain: EvmChain | undefined, { asset, extra }: PaymentRequirements): Refusal | undefined {
  if (chain === undefined) return refuse('invalid_network')
  if (chain.signers.some((signer) => sameAddress(signer, payer))) return refuse('payer_is_facilitator')
  const address = parseAddress(asset)
  const token = address && chain.asset(address)
  if (token === undefined) return refuse('asset_not_allowed')
  if (token.domain === undefined) return refuse('invalid_exact_evm_eip3009_not_supported')
  if (extra.name !== token.domain.name) return refuse('invalid_exact_evm_token_name_mismatch')
  return extra.version === token.domain.version ? undefined : refuse('invalid_exact_evm_token_version_mismatch')
}

async function verifyOnChain(
  chain: EvmChain,
  payment: ExactPayment,
  as: { readonly from?: Address; readonly gas: bigint },
  { reserved = 0n, settling }: { readonly reserved?: bigint | undefined; readonly settling: boolean },
): Promise<Verdict> {
  const { authorization, signature, domain } = payment
  const payer = authorization.from
  const digest = authorizationDigest(chain.engine, domain, authorization)
  const token = domain.verifyingContract
  const transfer = transferCall(payment)
  const readState = { to: token, data: encodeAuthorizationState(authorization) }
  const readFunds = { to: token, data: encodeBalanceOf(payer) }

  function verdictOf(state?: CallOutcome, moved?: CallOutcome, funds?: CallOutcome): Verdict | undefined {
    // A token may let a used nonce pass in silence, and an address without code lets everything pass.
    if (!moved?.ok || !state?.ok || decodeInteger(state.data) !== 0n) return undefined
    const isEnough = !funds?.ok || (decodeInteger(funds.data) ?? 0n) >= authorization.value + reserved
    return isEnough ? { ok: true, payer } : { ...refuse('invalid_exact_evm_insufficient_balance'), payer }
  }

  if (chain.tryTogether && recoverAddress(chain.engine, digest, signature) === payer) {
    const reads = reserved > 0n ? [readFunds, readState] : [readState]
    const [tried, code] = await Promise.all([
      chain.tryTogether({ calls: [...reads, transfer], payer, payTo: authorization.to }),
      settling ? chain.rpc.code(payer) : '0x',
    ])
    const [moved, state, funds] = tried.toReversed()
    const verdict = verdictOf(state, moved, funds)
    if (verdict?.ok && code === '0x') return verdict
  }
  const [moved, state, signer, funds, code] = await Promise.all([
    chain.rpc.call({ ...transfer, ...as }),
    chain.rpc.call(readState),
    signerOf(chain, { payer, digest, signature }),
    reserved > 0n ? chain.rpc.call(readFunds) : undefined,
    // Delegated code (EIP-7702) is asked even about what its account's own key has signed.
    settling ? chain.rpc.code(payer) : '0x',
  ])
  if (signer === 'undeployed') return { ...refuse('eip6492_factory_not_allowed'), payer }
  if (signer === 'nobody') return { ...refuse('invalid_exact_evm_signature'), payer }
  const verdict = verdictOf(state, moved, funds)
  if (verdict?.ok && (signer === 'contract' || code !== '0x')) return asPaidFor(verdict)
  if (verdict !== undefined) return verdict
  const refusal = await explainFailure(chain, payment)
  // The newest block of an idle chain may be older than the payment; the next one will not be.
  const early = refusal.code === 'invalid_exact_evm_payload_authorization_valid_after'
  if (early && (await chain.rpc.call({ ...transfer, ...as }, 'pending')).ok) return { ok: true, payer }
  return { ...refusal, payer }

  /** The payer's code sees what gas is paid, and so whether it is only tried (EVM-EXACT-074). */
  async function asPaidFor(verdict: Verdict): Promise<Verdict> {
    if (as.from === undefined) return verdict
    const paid = await chain.rpc.call({ ...transfer, ...as, fees: await chain.fees(as.gas) })
    return paid.ok ? verdict : { ...refuse('invalid_exact_evm_transaction_simulation_failed'), payer }
  }
}

function transferCall({ authorization, signature, domain }: ExactPayment): Pick<CallRequest, 'to' | 'data'> {
  // A wallet that exists by now is asked about what is inside its envelope; nobody ever calls the factory.
  return { to: domain.verifyingContract, data: encodeTransfer(authorization, bareSignature(signature)) }
}
