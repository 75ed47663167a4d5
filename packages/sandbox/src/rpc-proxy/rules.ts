/** One JSON-RPC call on its way through the proxy. */
export type RpcCall = { readonly method: string; readonly params: unknown }

/**
 * What happens to a call. With `forward` the node does the work and only its answer is lost or replaced.
 * Of a batch, `delay`, `drop`, `hang` and `status` hit the whole request; the others only their own call.
 */
export type RpcFault =
  | { readonly action: 'pass' }
  /** Forwards after so many milliseconds. */
  | { readonly action: 'delay'; readonly ms: number }
  /** Closes the connection without an answer. */
  | { readonly action: 'drop'; readonly forward?: boolean }
  /** Never answers, and keeps the connection open. */
  | { readonly action: 'hang'; readonly forward?: boolean }
  /** Answers with an HTTP status and no body. */
  | { readonly action: 'status'; readonly status: number; readonly forward?: boolean }
  /** Answers with a JSON-RPC error. */
  | {
      readonly action: 'error'
      readonly code: number
      readonly message: string
      readonly data?: unknown
      readonly forward?: boolean
    }
  /** Answers with this result. */
  | { readonly action: 'result'; readonly result: unknown; readonly forward?: boolean }
  /** Forwards, and answers with what the function makes of the node's result. */
  | { readonly action: 'rewrite'; readonly rewrite: (result: unknown, call: RpcCall) => unknown }

/** Which calls a fault happens to: those for which every condition that is given holds. */
export type RpcRule = {
  readonly method?: string | readonly string[] | RegExp
  /** Looks at the parameters. */
  readonly when?: (call: RpcCall) => boolean
  /** Counts, from 1, the calls that meet the conditions above: one number, or a test of it. */
  readonly nth?: number | ((n: number) => boolean)
  /** From 0 to 1, drawn from the proxy's seed. */
  readonly probability?: number
  readonly fault: RpcFault
}

/** A list of rules that remembers how often each was met. */
export interface RuleBook {
  /** The fault of the first rule that applies. */
  faultFor(call: RpcCall): RpcFault
  /** Adds a rule before all others; the function it returns takes it out. */
  use(rule: RpcRule): () => void
}

/** A rule book; `random` returns numbers from 0 up to, not including, 1. */
export function createRuleBook(rules: readonly RpcRule[], random: () => number): RuleBook {
  let entries = rules.map((rule) => ({ rule, met: 0 }))
  return {
    faultFor(call) {
      for (const entry of entries) {
        const { rule } = entry
        if (!methodMatches(rule.method, call.method) || rule.when?.(call) === false) continue
        entry.met += 1
        if (!countMatches(rule.nth, entry.met)) continue
        if (rule.probability !== undefined && random() >= rule.probability) continue
        return rule.fault
      }
      return { action: 'pass' }
    },
    use(rule) {
      const added = { rule, met: 0 }
      entries = [added, ...entries]
      return () => {
        entries = entries.filter((entry) => entry !== added)
      }
    },
  }
}

/** Random numbers that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function methodMatches(wanted: RpcRule['method'], method: string): boolean {
  if (wanted === undefined) return true
  if (typeof wanted === 'string') return wanted === method
  if (wanted instanceof RegExp) return new RegExp(wanted.source, wanted.flags.replace(/[gy]/g, '')).test(method)
  return wanted.includes(method)
}

function countMatches(wanted: RpcRule['nth'], n: number): boolean {
  if (wanted === undefined) return true
  return typeof wanted === 'number' ? wanted === n : wanted(n)
}
