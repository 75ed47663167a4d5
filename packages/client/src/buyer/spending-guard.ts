import {
  type Asset,
  type Clock,
  type JsonObject,
  type PaymentEffect,
  type PaymentRequirements,
  type Refusal,
  refuse,
  type Simulate,
} from '@groat/core'
import type { Chosen } from '../choose.js'
import type { Entry, RuleRefusal } from '../entry.js'
import type { Guard, Question } from '../guard.js'
import type { Memory, Purse } from '../purse.js'
import type { Rule } from '../rules.js'
import { compareValues } from '../value.js'
import type { CachedBalances } from './cached-balances.js'
import { DIRECT_ORIGIN } from './direct.js'
import { isAddress, isInside } from './private-address.js'
import type { ParsedSpending } from './spending-policy.js'
import {
  chargesOf,
  countedValue,
  factsOf,
  factsWanted,
  type Moment,
  type OpenBudget,
  openBudgets,
  PRICE_RISE,
  spendingRules,
} from './spending-rules.js'

/** What a person is asked. */
export type ApprovalRequest = {
  readonly url: string
  readonly offer: PaymentRequirements
  readonly asset: Asset
  /** Atomic units. */
  readonly amount: bigint
  /** What would be signed. */
  readonly preview: JsonObject
  readonly metadata: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
}

/** Asks a person. Only `true` is a yes. */
export type Approve = (request: ApprovalRequest) => Promise<boolean>

/** Looks at the money of an account: atomic units, or `undefined` where nobody can be asked. */
export type Balances = (asset: Asset, account: string) => Promise<bigint | undefined>

/** Addresses of a host's name, as this machine would reach it. */
export type Resolve = (hostname: string) => Promise<readonly string[]>

/** What a spending guard works with. */
export type GuardTools = {
  readonly spending: ParsedSpending
  readonly purse: Purse
  readonly clock: Clock
  readonly approve: Approve | undefined
  readonly balances: CachedBalances['look'] | undefined
  readonly simulate: Simulate | undefined
  readonly resolve: Resolve | undefined
  /** Added to what the caller says of each payment. */
  readonly metadata: Readonly<Record<string, string>>
  /** The payer's account and asset for an offer. */
  readonly account: (offer: PaymentRequirements) => { readonly asset: Asset; readonly payer: string } | undefined
}

/** What a guard has found out about one challenge: from here on the rules are pure. */
export type Findings = {
  readonly moment: Moment
  readonly budgets: readonly OpenBudget[]
  readonly memory: Memory
  /** Asked after those of the plain policy. */
  readonly rules: readonly Rule[]
}

/** The guard of a spending policy: its memory is a purse, and the budgets are charged in the step that writes the intent. */
export function spendingGuard(tools: GuardTools): Guard {
  return (choose) => async (asked) => {
    const findings = await findOut(asked, tools)
    const rules = [...asked.policy.rules, ...findings.rules]
    const choice = await choose({ ...asked, policy: { ...asked.policy, rules } })
    if (!choice.ok) return choice
    const tried = await trial(choice, tools)
    const entry = tried && !tried.ok ? tried : asked.binding ? await admit(choice, findings, tools) : undefined
    if (entry === undefined) return { ...choice, ...(tried?.ok && { effect: tried }) }
    if (!('rule' in entry)) return { ...choice, entry }
    return { ...entry, refusals: [...choice.refusals, { ...entry, offer: choice.offer }] }
  }
}

/** Looks up what the rules of a challenge have to know. Changes nothing. */
export async function findOut(question: Question, tools: GuardTools): Promise<Findings> {
  const { spending, purse, clock } = tools
  const metadata = { ...tools.metadata, ...question.request.metadata }
  const moment: Moment = { spending, question, metadata, now: clock() }
  const budgets = openBudgets({ spending, origin: question.requested.origin, metadata, now: moment.now })
  const [memory, inside, balance] = await Promise.all([
    purse.recall(factsWanted(moment), budgets),
    insideOf(question.requested, tools),
    balanceRule(question, tools),
  ])
  const rules = [...spendingRules(moment, budgets, memory, inside), ...balance]
  return { moment, budgets, memory, rules }
}

/** Where a name leads inside a private network or nowhere, in words: a name may lead elsewhere each time it is asked for. */
async function insideOf(
  { hostname, origin }: URL,
  { resolve, spending }: Pick<GuardTools, 'resolve' | 'spending'>,
): Promise<string | undefined> {
  if (resolve === undefined || spending.privateAddresses || isAddress(hostname) || hostname === 'localhost')
    return undefined
  // Nobody is asked there.
  if (origin === DIRECT_ORIGIN) return undefined
  const addresses = await resolve(hostname).catch(() => [])
  if (addresses.length === 0) return `${hostname} leads nowhere`
  const inside = addresses.find(isInside)
  return inside === undefined ? undefined : `${hostname} leads to ${inside}`
}

/** What the chosen payment would do, where a node can be asked. */
export async function trial(
  { offer, asset, prepared }: Chosen,
  { simulate }: GuardTools,
): Promise<PaymentEffect | RuleRefusal | undefined> {
  const effect = await simulate?.({ ...offer, amount: prepared.amount }, prepared.payer, asset)
  return effect && (effect.ok ? effect : { ...effect, rule: 'simulation' })
}

/** The last word on the chosen offer, before anything is written down or signed. */
async function admit(
  { offer, asset, prepared }: Chosen,
  { moment, budgets, rules }: Findings,
  { spending, approve }: GuardTools,
): Promise<Entry | RuleRefusal> {
  const { question, metadata } = moment
  const { amount, preview } = prepared
  const taken = { ...offer, amount }
  // A scheme may sign for more than the offer asks, such as a deposit for many payments. How the price has changed is said by the offer alone.
  const others = rules.filter(({ name }) => name !== PRICE_RISE)
  const over = amount === offer.amount ? undefined : firstRefusal(others, taken, asset, question)
  if (over !== undefined) return over
  const value = countedValue(taken, { policy: question.policy, asset })
  if (spending.askAbove !== undefined && compareValues(value, spending.askAbove) > 0) {
    const { signal, url } = question.request
    const ask = { url: url.href, offer, asset, amount, preview, metadata, signal }
    const denied = approve === undefined ? refuse('approval_required') : await answerOf(approve(ask), signal)
    if (denied !== undefined) return { ...denied, rule: 'askAbove' }
  }
  const facts = factsOf(moment, offer, countedValue(offer, { policy: question.policy, asset }))
  return { charges: chargesOf(budgets, value), facts, terms: question.terms, metadata }
}

/** Balances are looked up first, so that an offer that cannot be paid gives way to one that can. */
async function balanceRule(
  question: Question,
  { balances, account }: Pick<GuardTools, 'balances' | 'account'>,
): Promise<readonly Rule[]> {
  if (balances === undefined) return []
  const known = new Map<PaymentRequirements, bigint>()
  await Promise.all(
    question.challenge.accepts.map(async (offer) => {
      const found = account(offer)
      const balance = found && (await balances(found.asset, found.payer, offer.amount).catch(() => undefined))
      if (balance !== undefined) known.set(offer, balance)
    }),
  )
  return [
    {
      name: 'balance',
      check: (offer, { scheme }) => {
        if (scheme?.prefunded) return undefined
        const balance = known.get(offer)
        return balance !== undefined && balance < offer.amount
          ? refuse('insufficient_balance', `${balance} atomic units are there`)
          : undefined
      },
    },
  ]
}

function firstRefusal(
  rules: readonly Rule[],
  offer: PaymentRequirements,
  asset: Asset,
  { policy, challenge, requested, challenged }: Question,
): RuleRefusal | undefined {
  for (const { name, check } of rules) {
    const refusal = check(offer, { policy, challenge, requested, challenged, scheme: undefined, asset })
    if (refusal !== undefined) return { ...refusal, rule: name }
  }
  return undefined
}

/** A caller that gives up is not kept by a person who does not answer. */
async function answerOf(asking: Promise<boolean>, signal: AbortSignal | undefined): Promise<Refusal | undefined> {
  const yes = await new Promise<boolean>((resolve, reject) => {
    const stop = () => reject(signal?.reason)
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    asking.then(resolve, reject).finally(() => signal?.removeEventListener('abort', stop))
  })
  return yes === true ? undefined : refuse('approval_denied')
}
