import {
  type Clock,
  type ErrorCode,
  isNetwork,
  type Network,
  notify,
  type OnEvent,
  type Pid,
  type Random,
  systemClock,
  systemRandom,
  X402Error,
} from '@groat/core'
import { scrub } from './observe/secrets.js'

/** A broken world, or a mistake of ours, with the full story. It is for the operator and never leaves the process otherwise. */
export type Fault = {
  /** What a caller was told instead of the story. */
  readonly reference: string
  /** `lane`: signing, sending, and looking after what was sent; `lease`: sharing lanes with other replicas; `watch`: following what is settled. */
  readonly during: During
  readonly error: unknown
  readonly pid?: Pid
  readonly network?: Network
  /** The host of the chain's node. */
  readonly node?: string
}

/** In what work it happened. */
type During =
  | 'start'
  | 'verify'
  | 'settle'
  | 'lane'
  | 'lease'
  | 'watch'
  | 'http'
  | 'screening'
  | 'webhook'
  | 'admin'
  | 'bazaar'

/** Hands a fault to the operator and gives the reference under which it can be found. */
export type ReportFault = (error: unknown, about: Pick<Fault, 'during' | 'pid' | 'network'>) => string

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
  return (error, { during, pid, network }) => {
    const reference = Buffer.from(random(8)).toString('hex')
    const about = { ...(network && { network }), ...placeOf(error), ...(pid && { pid }) }
    try {
      onFault?.({ reference, during, error, ...about })
    } catch {
      // An observer must not change an outcome.
    }
    notify(onEvent, { type: 'fault', at: clock(), reference, code: codeOf(error), ...about })
    return reference
  }
}

/** Which chain and which of its nodes, as the error itself says. */
function placeOf(error: unknown): Pick<Fault, 'network' | 'node'> {
  if (!X402Error.is(error)) return {}
  const { network, node } = error.context
  return {
    ...(typeof network === 'string' && isNetwork(network) && { network }),
    ...(typeof node === 'string' && { node: scrub(node) }),
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
