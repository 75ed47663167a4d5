import { type Asset, canonicalAddress, formatUnits, type PaymentRequirements, refuse, sameAddress } from '@groat/core'
import { type Charge, type Fact, overdrawn } from '../entry.js'
import type { Question } from '../guard.js'
import { type Memory, STOPPED, stoppedBy } from '../purse.js'
import { type Rule, type RuleContext, sellerRule, worthOf } from '../rules.js'
import { compareValues, type Value } from '../value.js'
import { isPrivateHost } from './private-address.js'
import { type Budget, COUNTER_DECIMALS, inCounters, type ParsedSpending, type Reach } from './spending-policy.js'

/** One challenge and the moment at which it is decided. Pure from here: what is known comes as values. */
export type Moment = {
  readonly spending: ParsedSpending
  readonly question: Question
  /** What is said of the payment, by the buyer and by the call. */
  readonly metadata: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly now: number
}

/** A budget that a payment to this seller would be counted in, and its counter at this moment. */
export type OpenBudget = {
  readonly budget: Budget
  readonly counter: string
  readonly slot: number
  readonly since: number
}

/** What decides which budgets a payment is counted in. */
export type WhoPaysWhom = Pick<Moment, 'spending' | 'metadata' | 'now'> & {
  /** `undefined`: every budget that needs no origin to be named. */
  readonly origin: string | undefined
}

/** The budgets that a payment for this question has to fit into. */
export function openBudgets({ spending, origin, metadata, now }: WhoPaysWhom): readonly OpenBudget[] {
  return spending.budgets.flatMap((budget) => {
    const whom = whomOf(budget.reach, origin)
    if (whom === undefined) return []
    const task = budget.span === 'perTask' ? (metadata.task ?? '') : ''
    return [{ budget, counter: JSON.stringify([budget.rule, whom, task]), ...slotsOf(budget.span, now) }]
  })
}

/** What a payment takes out of each budget. */
export function chargesOf(budgets: readonly OpenBudget[], value: Value): readonly Charge[] {
  return budgets.map(({ budget: { rule, counts, limit }, counter, slot, since }) => ({
    ...{ rule, counter, slot, since, limit },
    code: counts === 'money' ? 'budget_exceeded' : 'too_many_payments',
    units: counts === 'money' ? inCounters(value) : 1n,
  }))
}

/** Keys of what has to be known before the question can be decided. */
export function factsWanted(moment: Moment): readonly string[] {
  const { accepts } = moment.question.challenge
  return [STOPPED, priceKey(moment), ...new Set(accepts.map((offer) => pinKey(moment, offer)))]
}

/** What a payment leaves behind for later decisions: whom it went to, and its price, which is what the offer asks. */
export function factsOf(moment: Moment, offer: PaymentRequirements, price: Value): readonly Fact[] {
  const asked = { key: priceKey(moment), value: inCounters(price).toString() }
  if (moment.spending.trustFirst === 'off') return [asked]
  const fixed = { rule: 'trustFirst', code: 'recipient_changed' } as const
  return [asked, { key: pinKey(moment, offer), value: canonicalAddress(offer.payTo), fixed }]
}

/** The rule that compares prices of one request over time. */
export const PRICE_RISE = 'priceRise'

/** The rules that need a memory, over what is remembered; `inside`: where the name of the host leads that nobody may be paid at. */
export function spendingRules(
  moment: Moment,
  budgets: readonly OpenBudget[],
  memory: Memory,
  inside?: string,
): readonly Rule[] {
  const { spending, question } = moment
  const { origin, hostname } = question.requested
  const last = memory.facts.get(priceKey(moment))
  const stopped = memory.facts.get(STOPPED) ?? (spending.stopped ? 'by the policy' : undefined)
  return [
    sellerRule('stopped', () => (stopped === undefined ? undefined : stoppedBy(stopped))),
    sellerRule('privateAddresses', () => {
      const where = inside ?? (isPrivateHost(hostname) ? hostname : undefined)
      return spending.privateAddresses || where === undefined ? undefined : refuse('private_address', where)
    }),
    {
      name: 'assets',
      check: (offer, { asset }) =>
        spending.assets?.some((name) => name === asset?.symbol || sameAddress(name, offer.asset)) === false
          ? refuse('asset_not_in_policy', asset?.symbol)
          : undefined,
    },
    {
      name: 'pins',
      check: ({ payTo }) =>
        spending.pins.get(origin)?.some((pin) => sameAddress(pin, payTo)) === false
          ? refuse('recipient_not_allowed', payTo.slice(0, 80))
          : undefined,
    },
    {
      name: 'trustFirst',
      check: (offer) => {
        const known = memory.facts.get(pinKey(moment, offer))
        return spending.trustFirst === 'off' || known === undefined || sameAddress(known, offer.payTo)
          ? undefined
          : refuse('recipient_changed', `${known} was paid before`)
      },
    },
    {
      name: PRICE_RISE,
      check: (offer, context) => {
        if (last === undefined || spending.priceRise === undefined) return undefined
        const price = inCounters(countedValue(offer, context))
        const most = (BigInt(last) * (10_000n + spending.priceRise)) / 10_000n
        const [now, before] = [money(price), money(BigInt(last))]
        return price > most
          ? refuse('price_rise_over_limit', `${now} is asked, and ${before} was paid before`)
          : undefined
      },
    },
    ...spending.caps.flatMap(({ rule, reach, limit }): Rule[] =>
      whomOf(reach, origin) === undefined
        ? []
        : [
            {
              name: rule,
              check: (offer, context) =>
                compareValues(countedValue(offer, context), limit) > 0 ? refuse('amount_over_limit') : undefined,
            },
          ],
    ),
    ...budgets.map(({ budget }, place): Rule => {
      const taken = memory.taken[place] ?? 0n
      return {
        name: budget.rule,
        check: (offer, context) => {
          const [charge] = chargesOf(budgets.slice(place, place + 1), countedValue(offer, context))
          const refusal = charge && overdrawn(charge, taken)
          return refusal && refuse(refusal.code, `${spentOf(budget, taken)} of ${budget.text} are taken`)
        },
      }
    }),
  ]
}

/** How much of a budget is taken, as people write it. */
export function spentOf({ counts }: Pick<Budget, 'counts'>, taken: bigint): string {
  return counts === 'money' ? money(taken) : taken.toString()
}

/** What an offer counts for. */
export function countedValue(
  offer: PaymentRequirements,
  { policy, asset }: Pick<RuleContext, 'policy' | 'asset'>,
): Value {
  return asset === undefined ? { units: offer.amount, decimals: 0 } : worthOf(offer.amount, { policy, asset })
}

function money(counted: bigint): string {
  return `$${formatUnits(counted, COUNTER_DECIMALS)}`
}

/** Whom a budget is counted for; `undefined` where it does not reach. */
function whomOf(reach: Reach, origin: string | undefined): string | undefined {
  if (reach.kind === 'all') return ''
  if (reach.kind === 'origin') return origin
  return origin === undefined || reach.includes(origin) ? reach.name : undefined
}

/** An hour is counted in steps of five minutes, a day in steps of an hour; the step that is half over counts in full. */
function slotsOf(span: Budget['span'], now: number): { readonly slot: number; readonly since: number } {
  if (span === 'perHour') return last(12, Math.floor(now / 300_000))
  if (span === 'perDay') return last(24, Math.floor(now / 3_600_000))
  return { slot: 0, since: 0 }
}

const last = (steps: number, slot: number) => ({ slot, since: slot - steps })

function pinKey({ spending, question: { request } }: Moment, { network }: PaymentRequirements): string {
  const { url, method } = request
  const place = spending.trustFirst === 'origin' ? [url.origin] : [method, url.origin + url.pathname]
  return JSON.stringify(['payTo', network, ...place])
}

function priceKey({ question: { fingerprint } }: Moment): string {
  return JSON.stringify(['price', fingerprint])
}

/** For those who explain: what an asset's amount is, in whole units. */
export function priceText(amount: bigint, { decimals, symbol }: Asset): string {
  return `${formatUnits(amount, decimals)} ${symbol}`
}
