import type { Clock } from '@groat/core'
import type { Answer } from './answer.js'
import type { Price } from './offers.js'
import type { Gate } from './paywall.js'
import type { Reply } from './protect.js'
import type { Route } from './route.js'
import type { GateRequest, Terms } from './terms.js'

/** Something that is true or not of a request: an expression, or a function. */
export type Condition = string | ((request: GateRequest) => boolean)

/** Multipliers, in decimal text, each with the condition on which it counts: `{ 2: 'query_length > 1000' }`. */
export type Times = Readonly<Record<string, Condition>>

/**
 * The first calls cost nothing. A number: so many for each address that asks. `by`: who counts as one caller, such as
 * `header["x-api-key"]`; a caller that it says nothing of gets no free call. `every`: a number and `s`, `m`, `h` or `d`, after which the
 * count begins again.
 */
export type Free =
  | number
  | {
      readonly calls: number
      readonly every?: string
      readonly by?: string | ((request: GateRequest) => string | undefined)
    }

/**
 * What a route charges by, beside a price for each request. Prices by what is used add up, on top of `price` where there is one, and never
 * come to more than `upTo`. They need `pricing` of `@groat/server/pricing`.
 */
export type PriceWords = {
  /**
   * For each token of an LLM, in and out: read from the answer's `usage`, as OpenAI and Anthropic write it in JSON and in events.
   * `leastInput`: tokens of input that are charged where a stream ends before it says how many there were, as when the buyer leaves; `body`: one for
   * every 4 bytes of the request's body. Without it nothing is charged for them, and what they may have cost comes out of `lossBudget`.
   */
  readonly perToken?: { readonly input: Price; readonly output: Price; readonly leastInput?: number | 'body' }
  /** For each minute that was begun, at least `minimum` of them (1). */
  readonly perMinute?: Price | { readonly price: Price; readonly minimum?: number }
  readonly perMillisecond?: Price
  /** For each byte of the answer's body. */
  readonly perByte?: Price
  /** For 10^9 bytes of the answer's body, by the byte. */
  readonly perGigabyte?: Price
  /** For each cycle; the work counts them: `payment.use({ cycles: 3 })`. */
  readonly perCycle?: Price
  /** What one request can cost at most: the buyer signs for it, and pays for what was used. */
  readonly upTo?: Price
  /** One payment of this much, from which requests are paid until it is used up. */
  readonly prepaid?: Price
  /** Multiplies what is charged, never `upTo`. All conditions that hold count. */
  readonly times?: readonly Times[]
  readonly free?: Free
}

/** What the work used. Whole numbers; what it says of a kind counts in place of what would be measured. */
export type Used = {
  readonly inputTokens?: number | bigint
  readonly outputTokens?: number | bigint
  readonly minutes?: number | bigint
  readonly milliseconds?: number | bigint
  readonly bytes?: number | bigint
  readonly cycles?: number | bigint
}

/** What one answer comes to, while it is made. Amounts are atomic units. */
export interface Tally {
  /** Adds to what was used. `false`: the ceiling is reached. Throws `X402Error` `invalid_charge`. */
  use(used: Used): boolean
  /** Told of the head of the answer. */
  begin(header: (name: string) => string | null | undefined): void
  /** What of the next bytes may leave; `stop`: nothing more may. */
  pass(chunk: Uint8Array<ArrayBuffer>): { readonly chunk: Uint8Array<ArrayBuffer>; readonly stop: boolean }
  /** What was held back until now, as all of the answer is there. */
  end(): Uint8Array<ArrayBuffer>
  /** Milliseconds until time alone reaches the ceiling. */
  msLeft(): number | undefined
  /** What is charged: never more than the ceiling. */
  total(): bigint
  /** False where the answer should have said what was used and did not. */
  known(): boolean
  /** False where something may have been used for which `total` has nothing. */
  covers(): boolean
}

/** What a request multiplies prices by. Two of the same `key` are the same. */
export type Factor = { readonly key: string; times(decimal: string, decimals: number): bigint }

/** How one tally counts. */
export type TallyContext = {
  /** Of the asset that is paid with. */
  readonly decimals: number
  /** Atomic units. */
  readonly ceiling: bigint
  readonly factor: Factor | undefined
  readonly clock: Clock
  /** Of the request's body, where it says how long it is. */
  readonly bodyBytes?: number | undefined
}

/** The price of a route, compiled. */
export type Priced = {
  factor?(request: GateRequest): Factor | undefined
  tally?(context: TallyContext): Tally
  /** Serves a request that costs nothing; `undefined`: it costs something. */
  free?<Native>(gate: Gate, route: Route, request: GateRequest, terms: Terms): Promise<Reply<Native> | undefined>
}

/** Reads the words of prices. `createPricing()` makes one. */
export interface Pricing {
  /** Throws `X402Error` `invalid_config`, `invalid_price`. */
  compile(words: PriceWords & { readonly price?: unknown }, route: string): Priced
}

/** An answer that was made before it is charged for. */
export function tallyAnswer(tally: Tally, { headers, body }: Answer): void {
  const value = (name: string): string | undefined => headers[name]?.toString()
  tally.begin(value)
  tally.pass(typeof body === 'string' ? new TextEncoder().encode(body) : body)
  tally.end()
}

/** The words that need somebody to read them. */
export function saysMore(words: PriceWords): boolean {
  return WORDS.some((word) => words[word] !== undefined)
}

const WORDS: readonly (keyof PriceWords)[] = [
  'perToken',
  'perMinute',
  'perMillisecond',
  'perByte',
  'perGigabyte',
  'perCycle',
  'upTo',
  'prepaid',
  'times',
  'free',
]
