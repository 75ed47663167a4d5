import { type Clock, joinBytes, X402Error } from '@groat/core'
import type { Tally, Used } from '../price-words.js'
import { type Decimal, divideUp, ONE } from './decimal.js'
import { createEventSplitter } from './event-splitter.js'
import type { ScaledTariff, Unit } from './tariff.js'
import { jsonOf, readEvent, type TokenUsage, usageOf } from './usage.js'

/** How a tally counts. */
export type TallyOptions = {
  readonly tariff: ScaledTariff
  /** Of the asset that is paid with. */
  readonly decimals: number
  /** Atomic units. */
  readonly ceiling: bigint
  readonly factor?: Decimal | undefined
  /** Input tokens that are charged where the answer does not come to say how many there were. */
  readonly leastInput?: bigint | undefined
  /** Milliseconds. */
  readonly clock: Clock
}

/**
 * Counts what one answer comes to. Everything is summed exactly and rounded once, up to a whole atomic unit: however the use is cut into
 * pieces, the sum is the same, and it is never more than the ceiling.
 *
 * @example
 * const tally = createTally({ tariff, decimals: 6, ceiling: 50_000n, clock: Date.now })
 * tally.use({ outputTokens: 12 })
 * tally.total() // atomic units
 */
export function createTally({ tariff, decimals, ceiling, factor = ONE, leastInput, clock }: TallyOptions): Tally {
  const { rates } = tariff
  const counts = new Map<Unit, bigint>()
  const said = new Set<Unit>()
  const startedAt = Math.floor(clock())
  const readsTokens = rates.has('inputTokens') || rates.has('outputTokens')
  let usage: TokenUsage = { input: undefined, output: undefined }
  /** Of the answer, since it last said what it took. */
  let pieces = 0n
  let isEvents = false
  let isJson = false
  let splitter: ReturnType<typeof createEventSplitter> | undefined
  let json: Uint8Array[] | undefined
  let jsonBytes = 0

  // Everything is compared as fractions over this.
  const denominator = 10n ** BigInt(tariff.scale + factor.scale)
  const unit = 10n ** BigInt(decimals) * factor.units
  const most = ceiling * denominator

  const elapsed = (): bigint => BigInt(Math.max(0, Math.floor(clock()) - startedAt))
  const countOf = (what: Unit): bigint => {
    const counted = counts.get(what) ?? 0n
    if (said.has(what)) return counted
    if (what === 'milliseconds') return elapsed()
    if (what === 'minutes') return max(tariff.minimumMinutes, divideUp(elapsed(), 60_000n))
    if (what === 'inputTokens') return usage.input ?? 0n
    if (what === 'outputTokens') return (usage.output ?? 0n) + pieces
    return counted
  }
  const sum = (without?: Unit): bigint => {
    let total = tariff.base
    for (const [what, rate] of rates) if (what !== without) total += rate * countOf(what)
    return total * unit
  }
  const full = (): boolean => sum() >= most
  /** How much of one kind there is room for, all else being as it is. */
  const room = (what: Unit): bigint | undefined => {
    const rate = (rates.get(what) ?? 0n) * unit
    return rate === 0n ? undefined : max(0n, most - sum(what)) / rate
  }
  const count = (what: Unit, more: bigint): void => {
    counts.set(what, (counts.get(what) ?? 0n) + more)
  }
  const measures = (what: Unit): boolean => rates.has(what) && !said.has(what)

  const see = (event: string): void => {
    const read = readEvent(event)
    if (read.piece) pieces += 1n
    // What is said covers what was sent before it; some say at the beginning that they have made a first token.
    if (read.usage?.output !== undefined) pieces = 0n
    usage = { input: read.usage?.input ?? usage.input, output: read.usage?.output ?? usage.output }
  }

  const passEvents = (events: readonly Uint8Array<ArrayBuffer>[]) => {
    const out: Uint8Array<ArrayBuffer>[] = []
    for (const event of events) {
      const left = measures('bytes') ? room('bytes') : undefined
      const fits = left === undefined || countOf('bytes') + BigInt(event.length) <= left
      if (!fits || full()) return { chunk: joinBytes(out), stop: true }
      count('bytes', BigInt(event.length))
      if (readsTokens) see(new TextDecoder().decode(event))
      out.push(event)
    }
    return { chunk: joinBytes(out), stop: false }
  }

  const passBytes = (chunk: Uint8Array<ArrayBuffer>) => {
    if (readsTokens && isJson && json !== undefined) {
      jsonBytes += chunk.length
      if (jsonBytes > MAX_JSON_BYTES) json = undefined
      else json.push(chunk)
    }
    const most = measures('bytes') ? room('bytes') : undefined
    const size = BigInt(chunk.length)
    const left = most === undefined ? (full() ? 0n : size) : max(0n, most - countOf('bytes'))
    const stop = left < size
    const kept = stop ? chunk.subarray(0, Number(left)) : chunk
    count('bytes', BigInt(kept.length))
    return { chunk: kept, stop }
  }

  return {
    use(used) {
      for (const what of Object.keys(used) as (keyof Used)[]) {
        if (!rates.has(what)) throw new X402Error('invalid_charge', { reason: `the route has no price for ${what}` })
        const more = wholeOf(used[what] ?? 0)
        // What was measured until now gives way.
        if (!said.has(what)) counts.delete(what)
        said.add(what)
        count(what, more)
      }
      return !full()
    },
    begin(header) {
      const type = header('content-type') ?? ''
      const coding = header('content-encoding') ?? 'identity'
      isEvents = /^text\/event-stream\b/i.test(type) && coding === 'identity'
      isJson = /^application\/(?:[a-z0-9.+-]+\+)?json\b/i.test(type) && coding === 'identity'
      splitter = isEvents ? createEventSplitter() : undefined
      json = []
    },
    pass(chunk) {
      return splitter === undefined ? passBytes(chunk) : passEvents(splitter.push(chunk))
    },
    end() {
      const rest = splitter?.rest() ?? new Uint8Array()
      if (rest.length > 0) return passEvents([rest]).chunk
      if (json !== undefined && json.length > 0) {
        usage = usageOf(jsonOf(new TextDecoder().decode(joinBytes(json)))) ?? usage
      }
      return rest
    },
    msLeft() {
      const left = (['milliseconds', 'minutes'] as const).flatMap((what) => {
        if (!measures(what)) return []
        const fits = room(what)
        return fits === undefined ? [] : [Number((what === 'minutes' ? fits * 60_000n : fits) - elapsed())]
      })
      return left.length === 0 ? undefined : Math.max(0, Math.min(...left))
    },
    total() {
      // The least takes no room while the answer leaves: it may yet say that it took less.
      const untold = measures('inputTokens') && usage.input === undefined ? (leastInput ?? 0n) : 0n
      const charged = divideUp(sum() + untold * (rates.get('inputTokens') ?? 0n) * unit, denominator)
      return charged < ceiling ? charged : ceiling
    },
    known() {
      const needs = (what: Unit, told: bigint | undefined) => !measures(what) || told !== undefined
      return needs('inputTokens', usage.input) && needs('outputTokens', usage.output)
    },
    covers() {
      return !measures('inputTokens') || (usage.input ?? leastInput) !== undefined
    },
  }
}

/** An answer whose usage is read from its whole body is no longer than this. */
const MAX_JSON_BYTES = 4 * 1024 * 1024

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)

function wholeOf(value: number | bigint): bigint {
  if (typeof value === 'bigint' ? value < 0n : !Number.isSafeInteger(value) || value < 0) {
    throw new X402Error('invalid_charge', { reason: 'what was used is a whole number' })
  }
  return BigInt(value)
}
