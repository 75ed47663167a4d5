import type { FindingText, Status } from './result.js'

/** Ends a check with an outcome other than a pass. */
export class Outcome extends Error {
  override readonly name = 'Outcome'
  readonly status: Exclude<Status, 'pass'>
  readonly finding: FindingText

  constructor(status: Exclude<Status, 'pass'>, finding: FindingText) {
    super(formatFinding(finding))
    this.status = status
    this.finding = finding
  }
}

/** The target does not do what the requirement says. Throws. */
export function fail(what: string, expected?: unknown, saw?: unknown): never {
  throw new Outcome('fail', findingOf(what, expected, saw))
}

/** The target does what it must, and not quite what it ought to. Throws. */
export function warn(what: string, expected?: unknown, saw?: unknown): never {
  throw new Outcome('warn', findingOf(what, expected, saw))
}

/** The target does not have what the check is about, and need not have it. Throws. */
export function notApplicable(why: string): never {
  throw new Outcome('not-applicable', { what: why })
}

/** What the check needs is missing. Throws. */
export function untestable(why: string): never {
  throw new Outcome('untestable', { what: why })
}

/** Fails unless the two are the same, as JSON says it. */
export function expectSame(what: string, expected: unknown, saw: unknown): void {
  if (exact(expected) !== exact(saw)) fail(what, shown(expected, saw), shown(saw, expected))
}

/** Text is told from a number that looks like it. */
const shown = (value: unknown, beside: unknown) =>
  typeof value === 'string' && typeof beside !== 'string' ? JSON.stringify(value) : value

const exact = (value: unknown) =>
  JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}n` : each)) ?? 'undefined'

/** Fails unless it holds. */
export function expectThat(holds: boolean, what: string, expected?: unknown, saw?: unknown): asserts holds {
  if (!holds) fail(what, expected, saw)
}

/** One line: what, expected, seen. */
export function formatFinding({ what, expected, saw }: FindingText): string {
  return oneLine(
    `${what}${expected === undefined ? '' : `: expected ${expected}`}${saw === undefined ? '' : `, saw ${saw}`}`,
  )
}

/**
 * Text of a target as one line that a terminal and the log of a workflow can be shown: characters that end lines, move the cursor or turn the
 * direction of what follows are written as escapes.
 *
 * @example
 * oneLine('no\n::error::yes') // 'no\\n::error::yes'
 */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (character) => {
    const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character]
    return short ?? `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}

/** A value in one line of at most 200 characters. */
export function show(value: unknown): string {
  if (typeof value === 'string') return cut(oneLine(value))
  const text = JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? each.toString() : each))
  return cut(oneLine(text ?? String(value)))
}

function findingOf(what: string, expected: unknown, saw: unknown): FindingText {
  return {
    what,
    ...(expected === undefined ? {} : { expected: show(expected) }),
    ...(saw === undefined && expected === undefined ? {} : { saw: show(saw ?? 'nothing') }),
  }
}

const cut = (text: string) => (text.length > 200 ? `${text.slice(0, 197)}...` : text)
