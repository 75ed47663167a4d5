import {
  type Asset,
  type Clock,
  type ErrorCode,
  type ExtensionClient,
  type Fetch,
  type JsonObject,
  notify,
  type OnEvent,
  type PaymentEffect,
  type PaymentRequirements,
  type Random,
  type SchemeClient,
  systemClock,
  systemRandom,
  X402Error,
} from '@groat/core'
import { createChallengeReader, drain } from './challenge.js'
import { choose, type OfferRefusal } from './choose.js'
import { extensionRules } from './extensions.js'
import type { Guard, Witness } from './guard.js'
import { type Intents, memoryIntents, withCodes } from './intents.js'
import type { KnownTerms } from './known-terms.js'
import type { PaymentOutcome, PaymentReceipt } from './outcome.js'
import { isTaken, type Paid, type PayTools, pay, payKnown, questionOf } from './pay.js'
import { isParsed, type ParsedPolicy, type Policy, parsePolicy } from './policy.js'
import { defaultLimits, type Limits } from './present.js'
import { holdRequest, type PayInit } from './request.js'
import { judgeSeller } from './seller.js'
import { type Sleep, systemSleep } from './time.js'

/** What a payer is made of. */
export type PayerOptions = {
  /** What it can pay with, the preferred first. */
  readonly schemes: readonly SchemeClient[]
  /** What it may pay. It protects where it says nothing. One that has been read by `parsePolicy` serves as well. */
  readonly policy?: Policy | ParsedPolicy
  /** Where intents are kept. Default: in memory, so a crash forgets them. `@groat/client/sql` keeps them on disk. */
  readonly store?: Intents
  readonly limits?: Partial<Limits>
  readonly fetch?: Fetch
  readonly clock?: Clock
  readonly random?: Random
  readonly sleep?: Sleep
  /** Told what happens; cannot change it. */
  readonly onEvent?: OnEvent
  /** Terms that need not be asked for again: `knownTerms`. Without it a seller is asked every time. */
  readonly known?: KnownTerms
  /** What it has to say to extensions that a seller announces. Those that it has no half for are echoed as they came. */
  readonly extensions?: readonly ExtensionClient[]
  /** More that stands before a signature: budgets, memory, a person. `createBuyer` of `@groat/client/buyer` brings one. */
  readonly guard?: Guard
  /** Whoever can prove what became of an expired payment. Without one, its expiry and one more presentation in vain are the proof. */
  readonly witness?: Witness
}

/** Pays for HTTP requests within its policy. */
export type Payer = {
  /**
   * `fetch` that pays. An answer that asks for no payment comes back untouched, and so does a 402 that is not x402 or that the policy
   * refuses: `outcome` tells which. What `fetch` throws before payment is thrown unchanged.
   * Throws `X402Error`: `payment_already_attempted`, `body_not_replayable`, `signer_failed` (nothing was sent), `payment_unresolved` and
   * `cross_origin_redirect` (the payment was sent; the next call presents it again), `payment_in_flight`, `idempotency_mismatch`,
   * `store_unavailable`, `store_busy`.
   *
   * @example
   * const response = await payer.fetch('https://api.example/weather')
   */
  readonly fetch: PayingFetch
  /**
   * The receipt that came with an answer of this payer.
   *
   * @example
   * payer.receipt(response)?.transaction
   */
  readonly receipt: (response: Response) => PaymentReceipt | undefined
  /**
   * How payment went for an answer of this payer; `undefined` when none was asked for.
   *
   * @example
   * if (payer.outcome(response)?.status === 'unknown') await tryAgainLater()
   */
  readonly outcome: (response: Response) => PaymentOutcome | undefined
  /**
   * Sends the request without payment and tells what `fetch` would pay, and which rule refuses the other offers. Signs nothing.
   *
   * @example
   * const quote = await payer.quote('https://api.example/weather')
   */
  readonly quote: (input: string | URL | Request, init?: PayInit) => Promise<Quote>
}

/** A `fetch` that takes an idempotency key as well. */
export type PayingFetch = (input: string | URL | Request, init?: PayInit) => Promise<Response>

/** What paying for a request would mean. */
export type Quote =
  /** Nothing is asked for in x402. */
  | { readonly status: 'free'; readonly httpStatus: number }
  | {
      readonly status: 'payable'
      readonly offer: PaymentRequirements
      readonly asset: Asset
      readonly payer: string
      /** Atomic units that would be signed for. */
      readonly amount: bigint
      /** Seconds since 1970 until which the signature would live. */
      readonly expiresAt: number
      /** What would be signed. */
      readonly preview: JsonObject
      /** What it would do to balances, where a guard has had it run. */
      readonly effect?: PaymentEffect
      readonly refusals: readonly OfferRefusal[]
    }
  | {
      readonly status: 'refused'
      readonly code: ErrorCode
      readonly detail?: string
      readonly refusals: readonly OfferRefusal[]
    }

/**
 * Makes a payer. Throws `X402Error` `invalid_config`, `invalid_price` or `invalid_network` for a policy that cannot be meant.
 *
 * @example
 * const payer = createPayer({ schemes: [exactEvm({ account })], policy: { perPayment: '$0.05' } })
 * const response = await payer.fetch('https://api.example/weather')
 */
export function createPayer(options: PayerOptions): Payer {
  const shared = toolsOf(options)
  const outcomes = new WeakMap<Response, PaymentOutcome>()

  return {
    fetch: fetchWith(shared, (response, outcome) => outcomes.set(response, outcome)),

    async quote(input, init) {
      const request = holdRequest(input, init)
      const tools = toolsFor(shared, init)
      try {
        const response = await tools.fetch(...request.first)
        const read = response.status === 402 ? await tools.readChallenge(response, tools.limits.answerMs) : undefined
        drain(response, tools.limits.answerMs)
        if (read === undefined) return { status: 'free', httpStatus: response.status }
        if (!read.ok) return { ...withoutOk(read), status: 'refused', refusals: [] }
        // A guard knows requests by what they say; without one a stream may be asked about as well.
        const fingerprint = options.guard ? (await request.replay()).fingerprint : ''
        const choice = await tools.choose(questionOf(request, fingerprint, response, read.value, tools, undefined))
        if (!choice.ok) return { ...withoutOk(choice), status: 'refused' }
        const { offer, asset, refusals, effect } = choice
        const { payer, amount, expiresAt, preview } = choice.prepared
        return {
          status: 'payable',
          offer,
          asset,
          payer,
          amount,
          expiresAt,
          preview,
          refusals,
          ...(effect && { effect }),
        }
      } finally {
        request.forget()
      }
    },

    outcome: (response) => outcomes.get(response),

    receipt: (response) => {
      const outcome = outcomes.get(response)
      return outcome !== undefined && 'receipt' in outcome ? outcome.receipt : undefined
    },
  }
}

/**
 * The `fetch` of a payer, for programs that need nothing else.
 *
 * @example
 * const fetchThatPays = payingFetch({ schemes: [exactEvm({ account })] })
 */
export function payingFetch(options: PayerOptions): PayingFetch {
  return fetchWith(toolsOf(options), () => {})
}

function fetchWith(shared: PayTools, keep: (response: Response, outcome: PaymentOutcome) => void): PayingFetch {
  const kept = ({ response, outcome }: Paid) => {
    if (outcome !== undefined) keep(response, outcome)
    return response
  }
  return async (input, init) => {
    const request = holdRequest(input, init)
    const tools = toolsFor(shared, init)
    try {
      const known = request.replayable ? tools.known?.get(request) : undefined
      const paid = known && (await payKnown(request, known, tools))
      if (paid !== undefined) {
        if (!isTaken(paid)) tools.known?.distrust(request)
        return kept(paid)
      }
      const unpaid = await tools.fetch(...request.first)
      if (unpaid.status !== 402) return unpaid
      return kept(await pay(request, unpaid, tools))
    } finally {
      request.forget()
    }
  }
}

/** What one call is carried by, and who is told of it. */
function toolsFor(shared: PayTools, { fetch = shared.fetch, onEvent }: PayInit = {}): PayTools {
  if (fetch === shared.fetch && onEvent === undefined) return shared
  return { ...shared, fetch, onEvent: onEvent ? bothOf(shared.onEvent, onEvent) : shared.onEvent }
}

/** Tells two observers. */
export function bothOf(first: OnEvent | undefined, second: OnEvent | undefined): OnEvent {
  return (event) => {
    notify(first, event)
    notify(second, event)
  }
}

function toolsOf(options: PayerOptions): PayTools {
  const { schemes, policy, store = memoryIntents(), limits, random = systemRandom } = options
  if (schemes.length === 0) throw new X402Error('invalid_config', { field: 'schemes', problem: 'is empty' })
  const parsed = policy && isParsed(policy) ? policy : parsePolicy(policy)
  return {
    schemes,
    policy: { ...parsed, rules: [...parsed.rules, ...extensionRules(options.extensions)] },
    known: options.known,
    extensions: options.extensions ?? [],
    limits: { ...defaultLimits, ...limits },
    intents: withCodes(store),
    // Called as a plain function: the platform's own refuses another `this`.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    clock: options.clock ?? systemClock,
    random,
    sleep: options.sleep ?? systemSleep,
    onEvent: options.onEvent,
    readChallenge: createChallengeReader(),
    choose: options.guard?.(choose) ?? choose,
    judgeSeller: judgeSeller(options.guard),
    witness: options.witness,
    process: `${Array.from(random(8), (byte) => byte.toString(36)).join('')}.`,
  }
}

function withoutOk<T extends { readonly ok: false }>({ ok: _, ...rest }: T): Omit<T, 'ok'> {
  return rest
}
