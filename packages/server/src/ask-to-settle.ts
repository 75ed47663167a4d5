import { errorInfo, type Facilitator, type FacilitatorRequest, type Pid, type Settlement, X402Error } from '@groat/core'

/** Nobody knows the end. */
export const UNKNOWN: Extract<Settlement, { status: 'unknown' }> = { status: 'unknown', retryAfter: 2 }

/** How a facilitator is asked. */
export type Asking = {
  /** It may have been asked before, and nobody knows the end of that. */
  readonly again: boolean
  /** Ask once more when a transaction was sent and its end is not known yet. */
  readonly patient: boolean
}

/**
 * Asks a facilitator to settle.
 * Throws what the facilitator throws, and only when it is certain that nothing was accepted, now or before.
 */
export async function askToSettle(
  facilitator: Facilitator,
  asked: FacilitatorRequest,
  pid: Pid,
  { again, patient }: Asking,
): Promise<Settlement> {
  const first = await attempt(facilitator, asked, again)
  // A facilitator that has sent a transaction may be asked once more at once (SRV-014).
  const goesOn = patient && first.status === 'unknown' && first.transaction !== undefined
  const outcome = goesOn ? await attempt(facilitator, asked, true) : first
  return outcome.status === 'refused' ? finalOf(facilitator, pid, outcome, again || goesOn) : outcome
}

async function attempt(facilitator: Facilitator, asked: FacilitatorRequest, again: boolean): Promise<Settlement> {
  try {
    return await facilitator.settle(asked)
  } catch (error) {
    if (!again && X402Error.is(error)) throw error
    return UNKNOWN
  }
}

/**
 * What a refusal is worth. One that may pass is not the end. After an attempt that nobody knows the end of, "refused" may mean that
 * this attempt succeeded: it counts only when the facilitator's own record does not contradict it.
 */
async function finalOf(
  facilitator: Facilitator,
  pid: Pid,
  refusal: Extract<Settlement, { status: 'refused' }>,
  again: boolean,
): Promise<Settlement> {
  const { retry } = errorInfo(refusal.code)
  if (retry === 'later' || retry === 'same-payment') return UNKNOWN
  if (!again) return refusal
  if (facilitator.settlement === undefined) return UNKNOWN
  try {
    return (await facilitator.settlement(pid)) ?? refusal
  } catch {
    return UNKNOWN
  }
}
