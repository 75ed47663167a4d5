import {
  type Clock,
  type ErrorCode,
  notify,
  type OnEvent,
  type Pid,
  type Random,
  systemClock,
  systemRandom,
  X402Error,
} from '@groat/core'

/** A broken world, or a mistake of ours, with the full story. It is for the operator and never leaves the process otherwise. */
export type Fault = {
  /** What a caller was told instead of the story. */
  readonly reference: string
  readonly during: 'start' | 'verify' | 'settle' | 'broadcast' | 'http' | 'screening' | 'webhook' | 'admin' | 'bazaar'
  readonly error: unknown
  readonly pid?: Pid
}

/** Hands a fault to the operator and gives the reference under which it can be found. */
export type ReportFault = (error: unknown, about: Pick<Fault, 'during' | 'pid'>) => string

/** What a reporter works with. */
export type ReporterOptions = {
  readonly onFault?: ((fault: Fault) => void) | undefined
  readonly onEvent?: OnEvent | undefined
  readonly clock?: Clock
  readonly random?: Random
}

/** Makes a reporter. Observers that throw are ignored. */
export function createReporter(options: ReporterOptions): ReportFault {
  const { onFault, onEvent, clock = systemClock, random = systemRandom } = options
  return (error, { during, pid }) => {
    const reference = Buffer.from(random(8)).toString('hex')
    const about = pid === undefined ? {} : { pid }
    try {
      onFault?.({ reference, during, error, ...about })
    } catch {
      // An observer must not change an outcome.
    }
    notify(onEvent, { type: 'fault', at: clock(), reference, code: codeOf(error), ...about })
    return reference
  }
}

function codeOf(error: unknown): ErrorCode {
  return X402Error.is(error) ? error.code : 'unexpected_settle_error'
}

const AWAY: ReadonlySet<string> = new Set(['shutting_down', 'facilitator_starting'])

/** Whether somebody was only turned away, because the service starts or stops: nothing is broken, and there is no story to tell. */
export function isTurnedAway(error: unknown): error is X402Error {
  return X402Error.is(error) && AWAY.has(error.code)
}
