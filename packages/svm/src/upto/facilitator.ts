import {
  type InspectContext,
  type PaymentPayload,
  type PaymentRequirements,
  refuse,
  type SchemeFacilitator,
} from '@groat/core'
import type { SvmCall, SvmChain } from '../chain.js'
import { isSigned } from '../exact/shared.js'
import { formatAddress } from '../wire/address.js'
import { programs } from '../wire/programs.js'
import { uptoOnSvm } from './identity.js'
import { inspectUpto, readUpto } from './open.js'

/** What the facilitator's half needs. */
export type UptoSvmFacilitatorOptions = { readonly chains: readonly SvmChain[] }

/**
 * Reads and verifies `upto` payments on Solana, and settles none: the program of the channels is not to be had here, so nothing that ran
 * against it could have been tested. It lists no kind, and `verify` answers a good payment with `settlement_program_missing` (501).
 *
 * Besides what `inspectUpto` refuses: `invalid_network`, `asset_not_allowed`, `invalid_exact_svm_fee_payer_not_managed_by_facilitator` and
 * `invalid_exact_svm_payload_signature_invalid`.
 *
 * @example
 * const verdict = await uptoSvm({ chains: [chain] }).verify(payment, requirements, { now: Date.now() })
 */
export function uptoSvm({ chains }: UptoSvmFacilitatorOptions): SchemeFacilitator<SvmCall> {
  const byNetwork = new Map(chains.map((chain) => [chain.network, chain]))

  function inspect(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext) {
    const chain = byNetwork.get(terms.network)
    if (chain === undefined) return refuse('invalid_network')
    const { feePayer } = terms.extra
    if (typeof feePayer === 'string' && !chain.signers.includes(feePayer)) {
      return refuse('invalid_exact_svm_fee_payer_not_managed_by_facilitator')
    }
    return chain.asset(terms.asset) === undefined ? refuse('asset_not_allowed') : inspectUpto(payment, terms, now)
  }

  return {
    scheme: uptoOnSvm,
    networks: chains.map(({ network }) => network),
    chains,
    kinds: () => [],
    inspect,
    async verify(payment, terms, now) {
      const inspection = inspect(payment, terms, now)
      if (!inspection.ok) return inspection
      const read = readUpto(payment, terms, now)
      if (!read.ok) return read
      const { payer } = inspection
      if (!(await isSigned(read.transaction))) {
        return { ...refuse('invalid_exact_svm_payload_signature_invalid'), payer }
      }
      return { ...refuse('settlement_program_missing', formatAddress(programs.paymentChannels)), payer }
    },
    prepare() {
      throw new TypeError('no channel is settled here')
    },
    outcome: async () => ({ status: 'pending' }),
  }
}
