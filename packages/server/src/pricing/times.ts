import { X402Error } from '@groat/core'
import type { Condition, Factor, Times } from '../price-words.js'
import type { GateRequest } from '../terms.js'
import { atomicOf, type Decimal, formatDecimal, multiply, ONE, parseDecimal } from './decimal.js'
import { invalid } from './tariff.js'

/** Reads expressions: what is true of a request, and who sends it. `createConditions` of `@groat/server/conditions` makes one. */
export interface Conditions {
  /** Throws `X402Error` `invalid_config` for what is no condition. */
  condition(text: string): (request: GateRequest) => boolean
  /** Throws `X402Error` `invalid_config` for what is no text. */
  text(text: string): (request: GateRequest) => string | undefined
}

/** A factor, and the number that it is. */
export type ExactFactor = Factor & { readonly value: Decimal }

/**
 * Compiles multipliers with their conditions. Those that hold are multiplied with one another; the product is exact.
 * Throws `X402Error` `invalid_config`, `invalid_price`.
 */
export function compileTimes(
  times: readonly Times[],
  conditions: Conditions | undefined,
): (request: GateRequest) => ExactFactor | undefined {
  const rules = times.flatMap((rule) =>
    Object.entries(rule).map(([text, condition]) => {
      const value = parseDecimal(text)
      if (value.units === 0n) throw invalid('times', 'a multiplier is above nothing')
      return { value, holds: compile(condition, conditions) }
    }),
  )
  return (request) => {
    const product = rules.reduce((value, rule) => (rule.holds(request) ? multiply(value, rule.value) : value), ONE)
    return product === ONE ? undefined : factorOf(product)
  }
}

function compile(condition: Condition, conditions: Conditions | undefined): (request: GateRequest) => boolean {
  if (typeof condition === 'function') return condition
  return named('times', () => needed(conditions, 'times').condition(condition))
}

/** Says in which word an expression stands that cannot be read. */
export function named<T>(field: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!X402Error.is(error)) throw error
    throw new X402Error(error.code, { ...error.context, field }, { cause: error })
  }
}

/** Throws `X402Error` `invalid_config` where nobody reads expressions. */
export function needed(conditions: Conditions | undefined, field: string): Conditions {
  if (conditions !== undefined) return conditions
  const reason = 'an expression needs createPricing({ conditions }) with those of @groat/server/conditions'
  throw new X402Error('invalid_config', { field, reason })
}

function factorOf(value: Decimal): ExactFactor {
  return {
    key: formatDecimal(value),
    value,
    times: (decimal, decimals) => atomicOf(multiply(parseDecimal(decimal), value), decimals),
  }
}
