import type { FacilitatorRequest } from '../codec/facilitator.js'
import type { Facilitator } from '../facilitator.js'
import type { Network } from '../model/network.js'
import type { Refusal } from '../model/outcome.js'
import type { Receipt, SupportedKind } from '../model/payment.js'

/** What a chain says of a transfer that was made before. */
export type JudgedTransfer = { readonly ok: true; readonly receipt: Receipt } | (Refusal & { readonly payer?: string })

/** Looks up transfers of one scheme on some chains. */
export type TransferJudge = {
  /** The scheme's name. */
  readonly scheme: string
  readonly networks: readonly Network[]
  /**
   * Judges one. `isNew`: nothing was sold for it yet; what verification let pass is settled, however long that takes, since its claim keeps the transfer
   * from being sold again.
   */
  judge(request: FacilitatorRequest, isNew: boolean): Promise<JudgedTransfer>
}

/**
 * A facilitator that judges transfers which were made before, and has another one do all else. It sends nothing and keeps nothing: that a transfer is
 * sold once is the claim store's affair. What is refused as `transfer_proof_not_final` is `unknown` where it is to be settled.
 *
 * @example
 * const facilitator = withTransferJudge(remote, { scheme: 'transfer-proof', networks, judge })
 */
export function withTransferJudge(facilitator: Facilitator, { scheme, networks, judge }: TransferJudge): Facilitator {
  const isOurs = ({ payment }: FacilitatorRequest) => payment.scheme === scheme && networks.includes(payment.network)
  return {
    async verify(request, options) {
      if (!isOurs(request)) return facilitator.verify(request, options)
      const judged = await judge(request, true)
      return judged.ok ? { ok: true, payer: judged.receipt.payer } : judged
    },
    async settle(request, options) {
      if (!isOurs(request)) return facilitator.settle(request, options)
      const judged = await judge(request, false)
      if (judged.ok) return { status: 'settled', receipt: judged.receipt }
      const { ok: _, ...refusal } = judged
      return judged.code === 'transfer_proof_not_final'
        ? { status: 'unknown', retryAfter: NOT_FINAL_RETRY_SECONDS }
        : { status: 'refused', ...refusal }
    },
    async supported(options) {
      const says = await facilitator.supported(options)
      const own = networks.map((network): SupportedKind => ({ x402Version: 2, scheme, network }))
      return { ...says, kinds: [...says.kinds, ...own] }
    },
    settlement: async (pid, options) => facilitator.settlement?.(pid, options),
  }
}

/** Seconds after which a block may count that did not. */
const NOT_FINAL_RETRY_SECONDS = 5
