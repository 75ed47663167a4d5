import { createHmac } from 'node:crypto'
import {
  type Clock,
  errorInfo,
  isNetwork,
  type Network,
  networkFamily,
  type OnEvent,
  type Random,
  systemClock,
  systemRandom,
  X402Error,
  type X402Event,
} from '@groat/core'
import { type Logger, pino, stdTimeFunctions } from 'pino'
import type { Shortfall } from '../engine/shortage.js'
import type { Fault } from '../fault.js'
import type { Denial } from '../http/access.js'
import { systemTimers, type Timers } from '../timers.js'
import type { EndpointTurn } from '../webhooks/courier.js'
import { createGatherer } from './gather.js'
import { errorRecord } from './secrets.js'

/** Where a log goes, and how much of it. */
export type LogOptions = {
  /** Takes one line of JSON with its newline. */
  readonly write: (line: string) => void
  /** `info` unless told; `silent` for nothing. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly clock?: Clock
  readonly random?: Random
  readonly timers?: Pick<Timers, 'background'>
  /** What to say of an hour of `feePerHour` that has too little left for what is to be sent; both in the chain's own coin unless told. */
  readonly hintForHour?: (short: ShortHour) => string
}

/** What is to be sent costs, and what the hour has left, in the chain's own coin. */
export type ShortHour = Shortfall & { readonly network: Network }

/** The log of a facilitator, as the observers of its parts. */
export interface FacilitatorLog {
  readonly onEvent: OnEvent
  readonly onFault: (fault: Fault) => void
  readonly onDenied: (denial: Denial) => void
  /** For `webhooks.onEndpoint`: one line when an endpoint begins to fail, and one when it takes what it is told again. */
  readonly onEndpoint: (turn: EndpointTurn) => void
  /** Writes at once what is still gathered: before the end. */
  readonly flush: () => void
}

/**
 * A log by pino: one JSON object a line. It knows payments by their pid. Signatures, payloads, URLs and keys are in none of what it is
 * given; payers stand there under a name that changes every day, so that a log does not say who bought what.
 *
 * What cannot be reached, such as a node, fails at every try: the first fault of a kind is written at once, and those of the same code,
 * network and node that follow within a minute are one line, with how many they were (`repeats`), when the first and the last of them came (`since`, `last`) and the first ten of their `references` and `pids`.
 * Requests that are turned away are gathered in the same way, by code, tenant and limit. What is still gathered of a node that is back is written
 * first, and so is all of it before the line that the replica has stopped.
 *
 * @example
 * const log = createLog({ write: (line) => process.stderr.write(line) })
 * const facilitator = createFacilitator({ …, onEvent: log.onEvent, onFault: log.onFault })
 */
export function createLog(options: LogOptions): FacilitatorLog {
  const { write, level = 'info', clock = systemClock, random = systemRandom, timers = systemTimers } = options
  const { hintForHour = inCoin } = options
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Nothing hands these over; a mistake that did must not become a leak.
      redact: { paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
    },
    { write },
  )
  const pseudonym = createPseudonyms(clock, random)
  const gather = createGatherer((fields, msg) => logger[LEVELS[msg] ?? 'error'](fields, msg), timers, clock)
  return {
    onEvent({ type, at: _, amount, payer, cost, left, ...rest }: X402Event) {
      const fields = {
        ...rest,
        ...(payer === undefined ? {} : { payer: pseudonym(payer) }),
        ...(amount === undefined ? {} : { amount: amount.toString() }),
      }
      if (type === 'fault') gather.tell(kindOf(rest), fields, type)
      else if (type === 'replica_gone' || type === 'lane_lost' || type === 'node_away') logger.warn(fields, type)
      else if (type === 'node_back') {
        // Said later, it would read as if the node were gone again.
        gather.flush(
          ({ network, node }) => network === rest.network && typeof node === 'string' && isAmong(rest.node, node),
        )
        logger.info(fields, type)
      } else if (type === 'lane_blocked') {
        const short = shortHour({ network: rest.network, cost, left })
        const hint = short ? hintForHour(short) : rest.code && errorInfo(rest.code).hint
        logger.warn({ ...fields, ...(hint && { hint }) }, type)
      } else {
        // It is the last line of one that ends in order.
        if (type === 'replica_stopped') gather.flush()
        logger.info(fields, type)
      }
    },
    onFault({ error, ...about }) {
      const kind = X402Error.is(error) ? kindOf({ ...about, code: error.code }) : undefined
      const { network, cost, leftOfHour: left } = X402Error.is(error) ? error.context : {}
      const short = shortHour({ network, cost, left })
      const hint = short && { hint: hintForHour(short) }
      gather.tell(kind, { ...about, ...hint, error: errorRecord(error) }, 'fault_story')
    },
    onDenied(denial) {
      const { code, during, tenant, ring, perSecond, maxOpen } = denial
      gather.tell({ code, during, tenant, ring, perSecond, maxOpen }, denial, DENIED)
    },
    onEndpoint({ state, ...about }) {
      const { endpoint, host } = about
      // One that takes one thing and not the next turns at every try.
      gather.tell({ endpoint, host }, about, state === 'well' ? WELL : FAILING)
    },
    flush: () => gather.flush(),
  }
}

const DENIED = 'request_denied'
const FAILING = 'webhook_failing'
const WELL = 'webhook_well'

/** How loud what is gathered is, where it is no error. */
const LEVELS: Readonly<Record<string, 'warn' | 'info'>> = { [DENIED]: 'warn', [FAILING]: 'warn', [WELL]: 'info' }

/** Where no node answered, a fault names all of them. */
function isAmong(node: string | undefined, named: string): boolean {
  return named.split(', ').some((each) => each === node)
}

/** What faults have in common that are said of what cannot be had just now, and said again at the next try. Every other one is its own story. */
function kindOf({ code, during, network, node }: Pick<X402Event, 'code' | 'network' | 'node'> & Partial<Fault>) {
  return code !== undefined && errorInfo(code).status === 503 ? { code, during, network, node } : undefined
}

/** What is within the hour is above some other limit. */
function shortHour({ network, cost, left }: Readonly<Record<keyof ShortHour, unknown>>): ShortHour | undefined {
  if (typeof network !== 'string' || !isNetwork(network)) return undefined
  return typeof cost === 'bigint' && typeof left === 'bigint' && cost > left ? { network, cost, left } : undefined
}

function inCoin({ network, cost, left }: ShortHour): string {
  const unit = networkFamily(network) === 'solana' ? 'lamports' : 'wei'
  return `feePerHour has ${left} ${unit} left, and what is to be sent costs ${cost} ${unit}: wait for lower fees, or raise it.`
}

const SECRET_MEMBERS = [
  'signature',
  'payload',
  'raw',
  'request',
  'requestText',
  'authorization',
  'key',
  'privateKey',
  'rpc',
  'url',
]

const DAY_MS = 86_400_000

/** The same name for the same payer within a day, and nobody can tell whose it is: the pepper is never written down. */
function createPseudonyms(clock: Clock, random: Random): (payer: string) => string {
  let current: { readonly day: number; readonly pepper: Uint8Array } | undefined
  return (payer) => {
    const day = Math.floor(clock() / DAY_MS)
    if (current?.day !== day) current = { day, pepper: random(32) }
    return `payer_${createHmac('sha256', current.pepper).update(payer.toLowerCase()).digest('hex').slice(0, 12)}`
  }
}
