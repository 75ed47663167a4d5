import { type ErrorCode, type Facilitator, type Simulate, systemClock, systemRandom, X402Error } from '@groat/core'
import { drain, readChallenge } from '../challenge.js'
import { choose, halfFor } from '../choose.js'
import { extensionRules } from '../extensions.js'
import type { Question } from '../guard.js'
import { knownTerms } from '../known-terms.js'
import { memoryPurse } from '../memory-purse.js'
import type { PaymentOutcome } from '../outcome.js'
import { bothOf, createPayer, type Payer, type PayerOptions } from '../payer.js'
import { defaultLimits } from '../present.js'
import { type Purse, STOPPED } from '../purse.js'
import { holdRequest, type PayInit } from '../request.js'
import type { CachedBalances } from './cached-balances.js'
import { directPayments, type Order } from './direct.js'
import { createOwned } from './entitlements.js'
import { type ExplainedOffer, verdictsOn, wordsOf } from './explain.js'
import { createNotes } from './notes.js'
import {
  type Approve,
  type Balances,
  findOut,
  type GuardTools,
  type Resolve,
  spendingGuard,
  trial,
} from './spending-guard.js'
import { parseSpending, type SpendingPolicy } from './spending-policy.js'
import { openBudgets, spentOf } from './spending-rules.js'

/** What a buyer is made of. */
export type BuyerOptions = Omit<PayerOptions, 'policy' | 'store' | 'guard'> & {
  /** What it may spend. */
  readonly policy?: SpendingPolicy
  /** Where payments, budgets and memories are kept. Default: in memory. `sqlIntents` of `@groat/client/sql` keeps them on disk. */
  readonly purse?: Purse
  /** Asked above `policy.askAbove`. */
  readonly approve?: Approve
  /** With it, offers that the account cannot pay give way to those that it can. */
  readonly balances?: Balances | CachedBalances
  /** With it, a payment is tried on the chain's node before it is signed. */
  readonly simulate?: Simulate
  /**
   * Where names lead, such as `async (name) => (await lookup(name, { all: true })).map(({ address }) => address)` of `node:dns/promises`. With it a name
   * that leads into a private network, to this machine or nowhere is not paid, asked anew for each payment.
   */
  readonly resolve?: Resolve
  /** Settles payments that belong to no request: `pay` needs one. */
  readonly facilitator?: Facilitator
  /** Bytes of an answer that are read along for its digest. Default 1 MiB; `0`: no digest. */
  readonly digestBytes?: number
  /** Said of every payment, such as `{ principal: 'alice@example.com' }`. A call may add to it. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** Pays within a spending policy, keeps what was paid, and explains what it decides. */
export type Buyer = Payer & {
  /**
   * Pays an account, with no request around it: the same policy, budgets and outcomes. Needs `facilitator`.
   * Throws `X402Error` as `fetch` does, and `unsupported_offer`, `invalid_price`, `invalid_network`, `invalid_config`.
   *
   * @example
   * const outcome = await buyer.pay({ amount: '$0.10', recipient: '0x…', network: 'base', metadata: { task: 'research' } })
   */
  readonly pay: (order: Order) => Promise<PaymentOutcome>
  /**
   * Sends the request without payment and asks every rule about every offer. Signs and writes nothing.
   *
   * @example
   * const { offers } = await buyer.explain('https://api.example/weather')
   */
  readonly explain: (input: string | URL | Request, init?: PayInit) => Promise<Explanation>
  /**
   * What is spent of the budgets that hold for all sellers and of those of every category; with an origin, of all those that a payment to it is counted
   * in.
   *
   * @example
   * for (const { rule, spent, limit } of await buyer.budgets()) console.log(`${rule}: ${spent} of ${limit}`)
   */
  readonly budgets: (task?: string, origin?: string) => Promise<readonly BudgetState[]>
  /** Signs nothing more, in all processes that share the purse, until `resume`. What is signed already may still be presented. */
  readonly stop: (reason?: string) => Promise<void>
  readonly resume: () => Promise<void>
  /** Resolves when everything that is known of the payments so far is written down; call it before the program ends. */
  readonly idle: () => Promise<void>
  readonly purse: Purse
}

/** What would happen to a request. */
export type Explanation =
  | { readonly status: 'free'; readonly httpStatus: number }
  | { readonly status: 'unreadable'; readonly code: ErrorCode; readonly detail?: string }
  | { readonly status: 'payable' | 'refused'; readonly offers: readonly ExplainedOffer[] }

/** How much of a budget is spent. */
export type BudgetState = { readonly rule: string; readonly spent: string; readonly limit: string }

/**
 * Makes a buyer. Throws `X402Error` `invalid_config`, `invalid_price` or `invalid_network` for a policy that cannot be meant.
 *
 * @example
 * const buyer = createBuyer({
 *   schemes: [exactEvm({ account })],
 *   policy: { perPayment: '$0.05', perDay: '$10' },
 *   purse: await sqlIntents(await openStore('purse.db')),
 * })
 * const response = await buyer.fetch('https://api.example/weather', { metadata: { task: 'forecast' } })
 */
export function createBuyer(options: BuyerOptions): Buyer {
  const { policy, purse = memoryPurse(), approve, balances, simulate, resolve, metadata = {}, ...rest } = options
  const { facilitator, digestBytes = 1_048_576, ...ownOptions } = rest
  const { schemes, clock = systemClock, random = systemRandom, fetch = globalThis.fetch } = ownOptions
  const kept = typeof balances === 'object' ? balances : undefined
  const payerOptions = kept ? { ...ownOptions, onEvent: bothOf(kept.watch, ownOptions.onEvent) } : ownOptions
  const spending = parseSpending(policy)
  const tools: GuardTools = {
    ...{ spending, purse, clock, approve, simulate, resolve, metadata },
    balances: typeof balances === 'object' ? balances.look : balances,
    account: (offer) => {
      const half = halfFor(offer, schemes)
      const asset = half?.asset(offer)
      const payer = half?.payer(offer.network)
      return asset && payer !== undefined ? { asset, payer } : undefined
    },
  }
  const guard = spendingGuard(tools)
  const known = spending.knownTermsSeconds === 0 ? {} : { known: knownTerms(spending.knownTermsSeconds, clock) }
  const payerOver = (more: Partial<PayerOptions>) =>
    createPayer({ ...known, ...payerOptions, ...more, store: purse, guard, policy: spending.policy })
  const payer = payerOver({})
  const direct = facilitator && directPayments({ facilitator, schemes, payerOver: (own) => payerOver({ fetch: own }) })
  const notes = createNotes(purse, digestBytes)
  const { answerMs } = { ...defaultLimits, ...payerOptions.limits }
  // Called as a plain function: the platform's own refuses another `this`.
  const owned = createOwned(purse, { fetch: (input, init) => fetch(input, init), clock, answerMs })

  return {
    ...payer,
    purse,
    idle: notes.idle,

    async fetch(input, init) {
      const entitled = await owned.use(input, init)
      if (entitled !== undefined) return entitled
      const response = await payer.fetch(input, init)
      await owned.take(input, init, response)
      notes.take(response, payer.outcome(response))
      return response
    },

    async pay(order) {
      if (direct === undefined) throw new X402Error('invalid_config', { field: 'facilitator', problem: 'is missing' })
      return direct(order)
    },

    async explain(input, init) {
      const request = holdRequest(input, init)
      const { fingerprint } = await request.replay()
      const response = await (init?.fetch ?? fetch)(...request.first)
      const read = response.status === 402 ? await readChallenge(response, answerMs) : undefined
      drain(response, answerMs)
      if (read === undefined) return { status: 'free', httpStatus: response.status }
      if (!read.ok) return { status: 'unreadable', code: read.code, ...(read.detail && { detail: read.detail }) }
      const { challenge, terms } = read.value
      const { url } = request
      const challenged = new URL(response.url || url)
      const question: Question = {
        ...{ request, fingerprint, challenge, terms, schemes, clock, random, challenged },
        ...{ requested: url, policy: spending.policy, binding: false },
      }
      const { budgets, memory, rules: own } = await findOut(question, tools)
      const words = wordsOf(spending, budgets, memory.taken, url.origin)
      const rules = [...spending.policy.rules, ...extensionRules(ownOptions.extensions), ...own]
      const chosen = await choose({ ...question, policy: { ...spending.policy, rules } })
      const tried = chosen.ok ? await trial(chosen, tools) : undefined
      const failed = tried?.ok === false ? tried : undefined
      const offers = challenge.accepts.map((offer): ExplainedOffer => {
        const scheme = halfFor(offer, schemes)
        const asset = scheme?.asset(offer)
        const context = { policy: spending.policy, challenge, requested: url, challenged, scheme, asset }
        const isChosen = chosen.ok && chosen.offer === offer
        const refusal = isChosen ? failed : chosen.refusals.find((refused) => refused.offer === offer)
        const status = refusal ? 'refused' : isChosen ? 'chosen' : 'payable'
        const verdicts = verdictsOn(offer, rules, context, { words, status, refusal })
        return { offer, ...(asset && { asset }), status, decidedBy: refusal?.rule ?? 'cheapest', verdicts }
      })
      return { status: chosen.ok && !failed ? 'payable' : 'refused', offers }
    },

    async budgets(task = '', origin) {
      const open = openBudgets({ spending, origin, metadata: { ...metadata, task }, now: clock() })
      const { taken } = await purse.recall([], open)
      return open.map(({ budget }, place) => ({
        rule: budget.rule,
        spent: spentOf(budget, taken[place] ?? 0n),
        limit: budget.text,
      }))
    },

    stop: (reason = '') => purse.remember(STOPPED, reason),
    resume: () => purse.remember(STOPPED, undefined),
  }
}
