import type { Clock } from '@groat/core'
import type { Timers } from '../timers.js'

/** What a line of the log says. */
type Fields = Readonly<Record<string, unknown>> & { readonly reference?: string; readonly pid?: string }

/** What lines of one kind have in common. */
export type Kind = Readonly<Record<string, string | number | undefined>>

/** Writes what repeats itself once, and then how often it did. */
export interface Gatherer {
  /** Writes a line, unless one of its kind was written within the last minute: then it is counted. What has no kind is always written. */
  tell(kind: Kind | undefined, fields: Fields, msg: string): void
  /** Writes what was counted so far, of all kinds or of these alone: what comes of them then is told at once. */
  flush(isOne?: (kind: Kind) => boolean): void
}

/**
 * Makes a gatherer. A line that is written later than it was told says `repeats`, how many it stands for, and when the first and the last of them
 * were told (`since`, `last`): else it would read as if it were new. One that stands for several says beside that what their kind is, the `error` of the
 * last of them, and the first ten of their `references` and `pids`.
 *
 * @example
 * const gather = createGatherer((fields, msg) => logger.error(fields, msg), systemTimers, systemClock)
 * gather.tell({ code: 'rpc_unreachable', network: 'eip155:8453' }, { code: 'rpc_unreachable', … }, 'fault')
 */
export function createGatherer(
  write: (fields: object, msg: string) => void,
  timers: Pick<Timers, 'background'>,
  clock: Clock,
): Gatherer {
  const windows = new Map<string, Window>()

  /** A kind of which nothing came for a minute is told at once when it comes again. */
  function open(name: string, kind: Kind, msg: string): void {
    const window: Window = { kind, msg, counted: [], repeats: 0 }
    windows.set(name, window)
    timers.background(EVERY_MS, () => {
      if (windows.get(name) !== window) return
      if (say(window)) open(name, kind, msg)
      else windows.delete(name)
    })
  }

  /** Whether there was anything to say. */
  function say({ kind, msg, counted, repeats, told }: Window): boolean {
    if (told === undefined) return false
    const { fields, since, last } = told
    const when = { repeats, since: new Date(since).toISOString(), last: new Date(last).toISOString() }
    // One alone stands for no other.
    if (repeats === 1) write({ ...fields, ...when }, msg)
    else {
      const error = fields.error === undefined ? {} : { error: fields.error }
      write({ ...kind, ...error, ...when, ...all('references', counted), ...all('pids', counted) }, msg)
    }
    return true
  }

  return {
    tell(kind, fields, msg) {
      const name = JSON.stringify([msg, kind])
      const window = kind && windows.get(name)
      if (window === undefined) {
        write(fields, msg)
        if (kind !== undefined) open(name, kind, msg)
        return
      }
      const last = clock()
      window.told = { fields, since: window.told?.since ?? last, last }
      window.repeats += 1
      if (window.counted.length < MOST_NAMED) window.counted.push(fields)
    },
    flush(isOne = () => true) {
      for (const [name, window] of windows) {
        if (!isOne(window.kind)) continue
        say(window)
        windows.delete(name)
      }
    },
  }
}

/** Lines of one kind within a minute. */
type Window = {
  readonly kind: Kind
  readonly msg: string
  readonly counted: Fields[]
  repeats: number
  /** The last of what was counted, and milliseconds since 1970 of the first and the last. */
  told?: { readonly fields: Fields; readonly since: number; readonly last: number }
}

/** The values of one member, where there are any. */
function all(name: 'references' | 'pids', lines: readonly Fields[]) {
  const found = lines.flatMap(({ reference, pid }) => (name === 'pids' ? pid : reference) ?? [])
  return found.length === 0 ? {} : { [name]: found }
}

/** Milliseconds between two lines of one kind. */
const EVERY_MS = 60_000

/** Enough to find what callers were told by; how many there were stands beside it. */
const MOST_NAMED = 10
