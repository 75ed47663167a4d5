import { createBuyer, type SpendingPolicy } from '@groat/client/buyer'
import { type SchemeClient, X402Error } from '@groat/core'
import * as z from 'zod/mini'
import { CliError } from '../terminal/exit.js'
import { type PayerFields, parseFields } from './payer-fields.js'
import { type Environment, readYamlFile } from './yaml-file.js'

const money = z.union([z.string(), z.number()])
const count = z.number().check(z.nonnegative())

const allowance = {
  per_payment: z.optional(money),
  per_hour: z.optional(money),
  per_day: z.optional(money),
  per_task: z.optional(money),
  total: z.optional(money),
  payments: z.optional(
    z.strictObject({
      per_hour: z.optional(count),
      per_day: z.optional(count),
      per_task: z.optional(count),
      total: z.optional(count),
    }),
  ),
}
const texts = z.optional(z.array(z.string()))

/** The words of a spending policy as YAML has them: the same ones, with underscores. */
export const PolicyFile = z.strictObject({
  ...allowance,
  origins: texts,
  recipients: texts,
  networks: texts,
  schemes: texts,
  max_lifetime_seconds: z.optional(z.number()),
  allowance: z.optional(money),
  known_terms_seconds: z.optional(z.number()),
  versions: z.optional(z.array(z.union([z.literal(1), z.literal(2)]))),
  resource: z.optional(z.enum(['path', 'origin', 'any'])),
  each_origin: z.optional(z.strictObject(allowance)),
  categories: z.optional(z.record(z.string(), z.strictObject({ ...allowance, origins: z.array(z.string()) }))),
  assets: texts,
  pins: z.optional(z.record(z.string(), z.array(z.string()))),
  trust_first: z.optional(z.enum(['url', 'origin', 'off'])),
  price_rise: z.optional(z.string()),
  ask_above: z.optional(money),
  fees: z.optional(z.record(z.string(), money)),
  worth: z.optional(z.record(z.string(), money)),
  stopped: z.optional(z.boolean()),
  private_addresses: z.optional(z.boolean()),
  sign_in: texts,
  fields: z.optional(
    z.strictObject({
      country: z.optional(z.string()),
      kind: z.optional(z.string()),
      purpose: z.optional(z.string()),
      record_digest: z.optional(z.string()),
    }),
  ),
})

/** What stands in a policy's file: what may be spent, and what sellers who ask for it may be told of the payer, and the origins to sign in at. */
export type PolicyWords = {
  readonly policy: SpendingPolicy
  readonly fields: PayerFields
  readonly signIn: readonly string[]
}

/** Members whose keys are names of the user's own, and no words of a policy. */
const NAMED: ReadonlySet<string> = new Set(['categories', 'pins', 'worth', 'fees'])
/** Members that are counted and not paid. */
const NUMBERS: ReadonlySet<string> = new Set(['payments', 'maxLifetimeSeconds', 'knownTermsSeconds', 'versions'])

/**
 * Reads a spending policy from YAML. Throws a usage error with file, line and reason; what a policy cannot mean is said by `createBuyer`.
 *
 * @example
 * const policy = await readPolicy('policy.yaml', process.env)
 */
export async function readPolicy(file: string, environment: Environment): Promise<SpendingPolicy> {
  return (await readPolicyWords(file, environment)).policy
}

/**
 * Reads all that a policy's file says. Throws as `readPolicy` does.
 *
 * @example
 * const { policy, fields } = await readPolicyWords('policy.yaml', process.env)
 */
export async function readPolicyWords(file: string, environment: Environment): Promise<PolicyWords> {
  const { value: words, fail } = await readYamlFile(file, PolicyFile, environment)
  const { fields = {}, sign_in = [], ...value } = words
  // Checked word by word above: it is a policy but for the spelling of its words.
  const policy = inCode(value) as SpendingPolicy
  try {
    createBuyer({ schemes: [nobody], policy })
  } catch (cause) {
    const wrong = X402Error.is(cause) && cause.code === 'invalid_price' ? pathOf(cause.context.price, value) : undefined
    if (wrong !== undefined) throw fail(wrong, 'is not a price; write it as $0.05')
    if (!X402Error.is(cause) || typeof cause.context.field !== 'string') throw cause
    const field = ruleInFile(cause.context.field.replace(/^policy\./, ''))
    throw new CliError('usage', `${file}: ${field}: ${cause.context.problem ?? cause.context.reason}`, undefined, {
      cause,
    })
  }
  const given = Object.entries(fields).map(([name, said]) => `${name}=${said}`)
  const signIn = sign_in.map((text, at) => {
    if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text).origin
    throw fail(['sign_in', String(at)], 'is not an origin; write it as https://api.example')
  })
  return { policy, fields: parseFields(given, {}, `${file}: fields`), signIn }
}

/**
 * The name of a rule in the words of the file: a category keeps the name that its user gave it.
 *
 * @example
 * ruleInFile('categories.myMaps.payments.perDay') // 'categories.myMaps.payments.per_day'
 */
export function ruleInFile(rule: string): string {
  const [, name = '', rest = rule] = /^(categories\..*?)((?:\.payments)?\.[A-Za-z]+)$/s.exec(rule) ?? []
  return name + inSnakeCase(rest)
}

/** Where a value stands, the first time. */
function pathOf(wanted: unknown, within: object): readonly string[] | undefined {
  for (const [name, value] of Object.entries(within)) {
    if (String(value) === wanted) return [name]
    const below = isRecord(value) ? pathOf(wanted, value) : undefined
    if (below !== undefined) return [name, ...below]
  }
  return undefined
}

/** Pays nothing: a policy is read, and budgets are counted, without an account. */
export const nobody: SchemeClient = {
  scheme: { name: 'none', family: 'none' },
  payer: () => undefined,
  asset: () => undefined,
  prepare: () => ({ ok: false, code: 'missing_scheme' }),
}

function inCode(words: object, counted = false): object {
  return Object.fromEntries(
    Object.entries(words).map(([word, value]) => {
      const name = inCamelCase(word)
      if (NAMED.has(name)) return [name, mapValues(value, (inner) => inCodeOf(inner, false))]
      return [name, inCodeOf(value, counted || NUMBERS.has(name))]
    }),
  )
}

/** Money may be written as a bare number: YAML makes a number of `0.05`, and only numbers of payments stay one. */
function inCodeOf(value: unknown, counted: boolean): unknown {
  if (typeof value === 'number' && !counted) return String(value)
  return isRecord(value) ? inCode(value, counted) : value
}

function mapValues(record: object, change: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]))
}

function inSnakeCase(word: string): string {
  return word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function inCamelCase(word: string): string {
  return word.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
