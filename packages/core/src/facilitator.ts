import type { FacilitatorRequest } from './codec/facilitator.js'
import type { Pid } from './model/identity.js'
import type { Settlement, Verdict } from './model/outcome.js'
import type { Supported } from './model/payment.js'

/**
 * A facilitator: in this process or behind HTTP, it reads the same.
 * A bad payment is an answer. A facilitator that cannot answer throws `X402Error` (`facilitator_unreachable`, `facilitator_busy`,
 * `facilitator_unauthorized`, `facilitator_invalid_answer`, `rpc_unreachable`, `store_unavailable`, …); `settle` throws only when it is
 * certain that nothing was accepted, else it answers `unknown`.
 */
export interface Facilitator {
  verify(request: FacilitatorRequest, options?: CallOptions): Promise<Verdict>
  settle(request: FacilitatorRequest, options?: CallOptions): Promise<Settlement>
  supported(options?: CallOptions): Promise<Supported>
  /** What became of a payment that was presented for settlement; `undefined` when none was. */
  settlement?(pid: Pid, options?: CallOptions): Promise<Settlement | undefined>
}

/** Per call. */
export type CallOptions = { readonly signal?: AbortSignal }
