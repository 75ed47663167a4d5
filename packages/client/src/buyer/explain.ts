import {
  type Asset,
  type ErrorCode,
  formatUnits,
  networkFamily,
  type PaymentRequirements,
  type Refusal,
  v1NameOf,
} from '@groat/core'
import type { RuleRefusal } from '../entry.js'
import type { ParsedPolicy } from '../policy.js'
import type { Rule, RuleContext } from '../rules.js'
import type { ParsedSpending } from './spending-policy.js'
import type { OpenBudget } from './spending-rules.js'
import { priceText, spentOf } from './spending-rules.js'

/** What one rule says of one offer. */
export type RuleVerdict = {
  readonly rule: string
  readonly ok: boolean
  /** What the rule allows here, or why it refuses. */
  readonly says: string
  readonly code?: ErrorCode
}

/** One offer of a challenge, and what every rule says of it. */
export type ExplainedOffer = {
  readonly offer: PaymentRequirements
  readonly asset?: Asset
  /** `chosen`: it would be paid. `payable`: it could be, and another is cheaper. */
  readonly status: 'chosen' | 'payable' | 'refused'
  /** The rule that decides: the first that refuses, `cheapest` for the offer that is chosen or passed over. */
  readonly decidedBy: string
  readonly verdicts: readonly RuleVerdict[]
}

/**
 * Asks every rule, also behind the first that refuses: what a person wants to see, and a payer has no time for. Behind them stand the verdicts on what would be
 * signed: both limits for the offer that would be paid, and for another the rule that refuses it.
 *
 * @example
 * const verdicts = verdictsOn(offer, rules, context, { words, status: 'refused', refusal })
 */
export function verdictsOn(
  offer: PaymentRequirements,
  rules: readonly Rule[],
  context: RuleContext,
  { words, status, refusal }: Decision,
): readonly RuleVerdict[] {
  const verdict = (rule: string, refused?: Refusal): RuleVerdict => {
    const says = words.get(rule) ?? ''
    if (refused === undefined) return { rule, ok: true, says }
    const { code } = refused
    const detail = rule === 'perPayment' && context.asset ? priceText(offer.amount, context.asset) : refused.detail
    return { rule, ok: false, code, says: [...new Set([detail, says])].filter(Boolean).join('; ') }
  }
  const asked = eachOnce(rules.map(({ name, check }) => verdict(name, check(offer, context))))
  if (status === 'chosen') return [...asked, verdict('maxLifetimeSeconds'), verdict('allowance')]
  return refusal && asked.every(({ ok }) => ok) ? [...asked, verdict(refusal.rule, refusal)] : asked
}

/** What goes by one name is one rule to its reader, also where it is judged in two places: the first that refuses speaks for it. */
function eachOnce(verdicts: readonly RuleVerdict[]): readonly RuleVerdict[] {
  const byRule = new Map<string, RuleVerdict>()
  for (const verdict of verdicts) {
    if (byRule.get(verdict.rule)?.ok ?? true) byRule.set(verdict.rule, verdict)
  }
  return [...byRule.values()]
}

/** What became of an offer, and what the rules say in words. */
type Decision = Pick<ExplainedOffer, 'status'> & {
  readonly words: ReadonlyMap<string, string>
  readonly refusal: RuleRefusal | undefined
}

/** What each rule allows here, in words. */
export function wordsOf(
  { policy, assets, pins, trustFirst, priceRise, caps }: ParsedSpending,
  budgets: readonly OpenBudget[],
  taken: readonly bigint[],
  origin: string,
): ReadonlyMap<string, string> {
  const list = (of: Iterable<string> | undefined, any = 'any') => (of === undefined ? any : [...of].join(', '))
  return new Map([
    ['https', 'https, or this machine'],
    ['redirect', 'the same origin'],
    ['origins', list(policy.origins)],
    ['versions', `version ${policy.versions.join(', ')}`],
    ['resource', `the same ${policy.resource}`],
    ['schemes', list(policy.schemes)],
    ['networks', list(policy.networks)],
    ['payment-flow', 'authorization'],
    ['recipients', list(policy.recipients)],
    ['perPayment', `at most ${moneyText(policy)}`],
    ['maxLifetimeSeconds', `at most ${policy.maxLifetimeSeconds} seconds`],
    ['allowance', policy.allowance],
    ['assets', list(assets, 'any known')],
    ['pins', list(pins.get(origin))],
    ['trustFirst', trustFirst === 'off' ? 'off' : `the first at this ${trustFirst}`],
    ['priceRise', priceRise === undefined ? 'any' : `at most ${formatUnits(priceRise, 2)}% above the last price`],
    ...caps.map(({ rule, text }): [string, string] => [rule, `at most ${text}`]),
    ...budgets.map(({ budget }, place): [string, string] => [
      budget.rule,
      `${spentOf(budget, taken[place] ?? 0n)} of ${budget.text} are taken`,
    ]),
  ])
}

/**
 * An explanation as lines for people: each offer, each rule, and who decided.
 *
 * @example
 * for (const line of explainedLines(explanation.offers)) console.log(line)
 */
export function explainedLines(offers: readonly ExplainedOffer[]): readonly string[] {
  return offers.flatMap(({ offer, asset, status, decidedBy, verdicts }) => [
    `${offer.scheme} on ${v1NameOf(offer.network) ?? networkFamily(offer.network)}: ${
      asset ? priceText(offer.amount, asset) : `${offer.amount} atomic units of an unknown asset`
    } to ${offer.payTo.slice(0, 80)}`,
    ...verdicts.map(({ rule, ok, code, says }) =>
      `  ${ok ? 'ok' : 'no'}  ${rule.padEnd(28)} ${says}${code ? ` (${code})` : ''}`.trimEnd(),
    ),
    `  -> ${outcomes[status]}, decided by ${decidedBy}`,
  ])
}

const outcomes = { chosen: 'would be paid', payable: 'could be paid, another is cheaper', refused: 'not paid' } as const

function moneyText({ perPayment: { units, decimals } }: ParsedPolicy): string {
  return `$${formatUnits(units, decimals)}`
}
