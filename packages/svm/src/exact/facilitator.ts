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
  type SupportedKind,
  systemClock,
  v1NameOf,
} from '@groat/core'
import type { SvmCall, SvmChain } from '../chain.js'
import type { Account } from '../rpc.js'
import { formatAddress } from '../wire/address.js'
import { encodeBase58 } from '../wire/base58.js'
import { sameBytes } from '../wire/bytes.js'
import { decodeTokenAccount } from '../wire/token.js'
import { explainFailure } from './diagnosis.js'
import { exactOnSvm } from './identity.js'
import { judgeMint, type MintPower } from './mint-policy.js'
import { chainOutcome } from './outcome.js'
import { type FeeLimits, judgePolicy, mostFee } from './policy.js'
import { type ExactPayment, inspectionOf, isSigned, readExact } from './shared.js'
import { judgeEffect, walletPrograms } from './smart-wallet.js'

export type { MintPower } from './mint-policy.js'
export type { FeeLimits } from './policy.js'

/** What the facilitator's half needs. */
export type ExactSvmFacilitatorOptions = {
  readonly chains: readonly SvmChain[]
  /** What a payment may cost the fee payer. */
  readonly fees?: FeeLimits
  /** Whether a payment of version 2 must carry a memo; it must unless told. Clients of version 1 write none. */
  readonly requireMemo?: boolean
  /**
   * Looks into payments that a wallet's program makes, by their effect. Off unless told; `programs` are those that may be called, the known
   * wallets unless told.
   */
  readonly smartWallets?: boolean | { readonly programs: readonly string[] }
  /** What mints may be able to do that are not in the registry of assets; nothing unless told. */
  readonly mintPowers?: readonly MintPower[]
  readonly clock?: Clock
}

/** The facilitator's half. Whatever it settles needs a transaction. */
export interface ExactSvmFacilitator extends SchemeFacilitator<SvmCall> {
  prepare(payment: PaymentPayload, requirements: PaymentRequirements): SvmCall
}

/**
 * Verifies and settles `exact` payments on Solana, by Token and Token-2022.
 *
 * A good payment costs `verify` one call: the transaction is simulated, and the recipient's account is looked at as it would be left. Everything
 * that the bytes show is checked before that.
 *
 * Besides what `inspectExact` refuses: `invalid_network`, `asset_not_allowed`, `invalid_exact_svm_fee_payer_not_managed_by_facilitator`,
 * `invalid_exact_svm_payload_fee_above_limit`, `invalid_exact_svm_payload_signature_invalid`, `invalid_exact_svm_mint_extension_not_allowed`,
 * `payment_expired`, `payment_already_used`, `invalid_exact_svm_destination_ata_missing`, `invalid_exact_svm_destination_ata_unusable`,
 * `invalid_exact_svm_insufficient_balance`, `invalid_exact_svm_transaction_simulation_failed`, and of smart wallets
 * `invalid_exact_svm_smart_wallet_program_not_allowed`, `…_alt_resolution_failed`, `…_transfer_mismatch`. A payer whose payment failed on chain
 * waits: `payer_on_hold`.
 * A chain that cannot be asked is thrown (`rpc_unreachable`, …) and never a verdict (SVM-EXACT-056).
 *
 * @example
 * const scheme = exactSvm({ chains: [chain] })
 * const verdict = await scheme.verify(payment, requirements, { now: Date.now() })
 */
export function exactSvm(options: ExactSvmFacilitatorOptions): ExactSvmFacilitator {
  const { chains, fees = {}, requireMemo = true, mintPowers = [], smartWallets = false, clock = systemClock } = options
  const allowed = smartWallets && walletPrograms(smartWallets === true ? undefined : smartWallets.programs)
  const policy = { fees, ...(allowed ? { walletPrograms: allowed } : {}) }
  const byNetwork = new Map(chains.map((chain) => [chain.network, chain]))
  const holds = createHolds(clock)

  function inspect(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
    const chain = byNetwork.get(terms.network)
    if (chain === undefined) return refuse('invalid_network')
    const { feePayer } = terms.extra
    const read = readExact(payment, terms)
    if (typeof feePayer === 'string' && !chain.signers.includes(feePayer)) {
      const late = read.ok ? inspectionOf(read, now) : undefined
      const refusal = refuse('invalid_exact_svm_fee_payer_not_managed_by_facilitator')
      return late === undefined ? refusal : { ...refusal, payer: late.payer, late }
    }
    if (!read.ok) return read
    // Clients of version 1 write none.
    const memo = requireMemo && payment.x402Version !== 1
    const refusal = judgePolicy(chain, read, terms, { ...policy, requireMemo: memo })
    const inspected = inspectionOf(read, now)
    return refusal ? { ...refusal, payer: inspected.payer, late: inspected } : inspected
  }

  /** What is given here has been inspected before, if not always by today's policy. */
  function known(payment: PaymentPayload, terms: PaymentRequirements): { payment: ExactPayment; chain: SvmChain } {
    const read = readExact(payment, terms)
    const chain = byNetwork.get(terms.network)
    if (!read.ok || chain === undefined) throw new TypeError('the payment was not inspected')
    return { payment: read, chain }
  }

  return {
    scheme: exactOnSvm,
    networks: chains.map(({ network }) => network),
    chains,
    kinds: () => chains.flatMap((chain) => kindsOf(chain, allowed !== false)),
    inspect,
    signerOf: (payment, terms) => formatAddress(known(payment, terms).payment.terms.feePayer),
    // The fee payer's slot is ours to fill, whatever stands in it.
    proofOf: (payment, terms) => known(payment, terms).payment.transaction.signatures.slice(1).map(encodeBase58).join(),
    async verify(payment, terms, { reserved, ...now }) {
      const inspection = inspect(payment, terms, now)
      if (!inspection.ok) return inspection
      const { chain, payment: read } = known(payment, terms)
      const { payer } = inspection
      if (holds.has(payer)) return { ...refuse('payer_on_hold'), payer }
      const refusal = await judgeOnChain(chain, read, terms, { allowed: mintPowers, reserved })
      return refusal ? { ...refusal, payer } : { ok: true, payer }
    },
    prepare(payment, terms) {
      const { payment: read } = known(payment, terms)
      const { signatures, message } = read.transaction
      const fee = mostFee(read, policy)
      return { message: message.bytes, signatures, ...(fee === undefined ? {} : { fee }) }
    },
    async outcome(payment, terms, sent) {
      const { chain, payment: read } = known(payment, terms)
      const outcome = await chainOutcome(chain, read, sent)
      // It was tried right before. Assertions about the time or the payer's own accounts can tell the trial from the landing (SVM-EXACT-084).
      if (outcome.status === 'dead' && outcome.refusal.code !== 'payment_expired') {
        holds.add(formatAddress(read.payer))
      }
      return outcome
    },
  }
}

function kindsOf({ network, signers }: SvmChain, lookIntoWallets: boolean): readonly SupportedKind[] {
  const [feePayer] = signers
  const extra = {
    ...(feePayer === undefined ? {} : { feePayer }),
    ...(lookIntoWallets ? { features: { smartWalletSupported: true } } : {}),
  }
  const kind = { scheme: exactOnSvm.name, network, extra } as const
  const current = { x402Version: 2, ...kind } as const
  return v1NameOf(network) === undefined ? [current] : [current, { x402Version: 1, ...kind }]
}

async function judgeOnChain(
  chain: SvmChain,
  payment: ExactPayment,
  { asset, network }: PaymentRequirements,
  { allowed, reserved = 0n }: { readonly allowed: readonly MintPower[]; readonly reserved?: bigint | undefined },
): Promise<Refusal | undefined> {
  const { transaction, text, transfer } = payment
  // Costs nobody a call to a node.
  if (!(await isSigned(transaction))) return refuse('invalid_exact_svm_payload_signature_invalid')
  if (!transfer.ok) {
    const mint = await chain.mint(asset)
    if (mint === undefined) return refuse('asset_not_allowed')
    return judgeMint(network, asset, mint, { allowed }) ?? judgeEffect(chain, payment, mint)
  }
  const [simulation, mint] = await Promise.all([
    chain.rpc.simulate(text, [transfer.destination, transfer.source].map(formatAddress)),
    chain.mint(asset),
  ])
  const flaw = mint && judgeMint(network, asset, mint, { allowed })
  if (flaw !== undefined) return flaw
  if (!simulation.ok) return explainFailure(chain, payment, simulation.error)
  const [recipient, source] = simulation.accounts
  // Other payments live on what this one leaves (SVM-EXACT-078): each that fails on chain costs the fee payer.
  const left = (source && decodeTokenAccount(source.data)?.amount) ?? 0n
  if (left < reserved) return refuse('invalid_exact_svm_insufficient_balance')
  return judgeRecipient(payment, recipient)
}

/** A token account can be given away while its address stays. */
function judgeRecipient({ terms, transfer }: ExactPayment, left: Account | undefined): Refusal | undefined {
  const account = left && decodeTokenAccount(left.data)
  const isTheirs =
    account && transfer.ok && sameBytes(left.owner, transfer.tokenProgram) && sameBytes(account.owner, terms.payTo)
  return isTheirs ? undefined : refuse('invalid_exact_svm_destination_ata_unusable')
}
