import { readFile, stat } from 'node:fs/promises'
import * as YAML from 'yaml'
import * as z from 'zod/mini'
import { CliError } from '../terminal/exit.js'
import { nearName } from './near-name.js'

/** Where `${NAME}` in a file takes its values from. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A configuration file, read: values checked, and a way to say where in the file something stands. */
export type ConfigFile<T> = {
  readonly value: T
  /** An error that points at the line of a field. */
  fail(path: readonly PropertyKey[], reason: string): CliError
  /** True when a field stands in the file itself and does not come from the environment. */
  isLiteral(path: readonly PropertyKey[]): boolean
  /** True when nobody but the owner can read the file: only then may secrets stand in it. */
  readonly isPrivate: boolean
}

/**
 * Reads a YAML file and checks it against a schema. `${NAME}` inside a value is replaced from the environment. With `only` the other members of the file
 * are not looked at, nor the variables that they name: `store`, or `networks.*.rpc` for a member of each network.
 * Whatever is wrong is a usage error with file, line and reason.
 */
export async function readYamlFile<T extends z.core.$ZodType>(
  file: string,
  schema: T,
  environment: Environment,
  only?: readonly string[],
): Promise<ConfigFile<z.output<T>>> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const isAbsent = cause.code === 'ENOENT'
    const advice = isAbsent ? 'Check the path.' : 'Check the path and its permissions.'
    throw new CliError('usage', `${file} ${isAbsent ? 'does not exist' : 'cannot be read'}`, advice, { cause })
  })
  const lines = new YAML.LineCounter()
  const document = YAML.parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, prettyErrors: false })
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`
  const [broken] = document.errors
  if (broken) throw new CliError('usage', `${at(broken.pos[0])}: ${broken.message}`)

  const placed = ({ path, reason }: Problem) => {
    const name = path.map(String).join('.')
    const { line } = lines.linePos(offsetOf(document, path))
    return { line, said: `${file}:${line}: ${name === '' ? '' : `${name}: `}${reason}` }
  }
  const failAll = (found: readonly Problem[]) => {
    const inOrder = found.map(placed).toSorted((a, b) => a.line - b.line)
    return new CliError('usage', inOrder.map(({ said }) => said).join('\n'))
  }
  const fail = (path: Problem['path'], reason: string) => failAll([{ path, reason }])

  const problems: Problem[] = []
  const expanded = expand(someOf(valuesOf(document, file), only), [], environment, problems)
  if (problems.length > 0) throw failAll(problems)
  // What other modules of the process set as the checker's language is not ours to say; a schema's own words are.
  const result = z.safeParse(schema, expanded, { error: wordsOf })
  if (!result.success) throw failAll(result.error.issues.flatMap((issue) => problemsOf(issue, expanded)))
  const { mode } = await stat(file)
  const isLiteral = (path: readonly PropertyKey[]) => !/\$\{/.test(String(document.getIn(path)))
  return { value: result.data, fail, isLiteral, isPrivate: (mode & 0o077) === 0 }
}

const NO_WORDS = 'not valid'

/** Of fields that are not known: the names of those that are, since only here it is told which object they stand in. */
function wordsOf({ code, inst }: z.core.$ZodRawIssue): string {
  const isUnknown = code === 'unrecognized_keys' && inst instanceof z.core.$ZodObject
  return isUnknown ? Object.keys(inst._zod.def.shape).join(' ') : NO_WORDS
}

/** What is wrong, and where. */
type Problem = { readonly path: readonly PropertyKey[]; readonly reason: string }

/** Aliases may name nothing, or make a file of a page one of a million values, or one without an end. */
function valuesOf(document: YAML.Document.Parsed, file: string): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES })
    JSON.stringify(value)
    return value
  } catch (cause) {
    throw new CliError('usage', `${file}: its aliases cannot be followed`, 'Write values out, or use fewer aliases.', {
      cause,
    })
  }
}

const MOST_ALIASES = 50

function someOf(value: unknown, only: readonly string[] | undefined): unknown {
  if (only === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const mine = only.map((path) => path.split('.')).filter(([first]) => first === name || first === '*')
      if (mine.length === 0) return []
      const rest = mine.every((path) => path.length > 1) ? mine.map((path) => path.slice(1).join('.')) : undefined
      return [[name, someOf(inner, rest)]]
    }),
  )
}

/** The place of a field, or of the closest parent that is there. */
function offsetOf(document: YAML.Document.Parsed, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (YAML.isNode(node) && node.range) return node.range[0]
  }
  return 0
}

/** A value with what the environment has in the place of `${NAME}`. */
function expand(value: unknown, path: readonly PropertyKey[], environment: Environment, problems: Problem[]): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = environment[name]
      if (found === undefined || found === '') problems.push({ path, reason: `the environment has no ${name}` })
      return found ?? ''
    })
  }
  if (typeof value === 'number') return inDigits(value)
  if (Array.isArray(value)) return value.map((item, index) => expand(item, [...path, index], environment, problems))
  if (typeof value === 'object' && value !== null) {
    // The checker leaves such a member out, and with it a limit that somebody counts on.
    if (Object.hasOwn(value, '__proto__')) {
      problems.push({ path: [...path, '__proto__'], reason: 'is no name that can be used' })
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, expand(inner, [...path, key], environment, problems)]),
    )
  }
  return value
}

/** A number that JavaScript writes with an exponent (`0.0000005` is `5e-7` to it), as the decimal text that was meant; every other as it is. */
function inDigits(value: number): number | string {
  const [, sign = '', whole = '', part = '', exponent] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(String(value)) ?? []
  if (exponent === undefined) return value
  const [digits, point] = [whole + part, 1 + Number(exponent)]
  return point <= 0 ? `${sign}0.${'0'.repeat(-point)}${digits}` : `${sign}${digits.padEnd(point, '0')}`
}

function problemsOf(issue: z.core.$ZodIssue, value: unknown): readonly Problem[] {
  const { path } = issue
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], reason: unknownField(key, issue, value) }))
    case 'invalid_union': {
      const meant = branchMeant(issue.errors)
      if (meant === undefined) return [{ path, reason: reasonOf(issue) + priceHint(issue, value) }]
      return meant.flatMap((inner) => problemsOf({ ...inner, path: [...path, ...inner.path] }, value))
    }
    case 'invalid_type':
      return [
        { path, reason: valueAt(value, path) === undefined ? 'is missing' : reasonOf(issue) + priceHint(issue, value) },
      ]
    default:
      return [{ path, reason: reasonOf(issue) }]
  }
}

/** A price without its sign is a number to YAML. */
function priceHint(issue: z.core.$ZodIssue, value: unknown): string {
  const { path } = issue
  const found = valueAt(value, path)
  return / text\b/.test(reasonOf(issue)) && path[0] === 'routes' && typeof found === 'number'
    ? `; a price is written as $${found}`
    : ''
}

/** Of several forms that a value may have, the one that it was meant to have: the one that fails further in, or for a reason of its own. */
function branchMeant(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const isOfKind = (issues: readonly z.core.$ZodIssue[]) =>
    issues.every(({ code, path }) => path.length > 0 || (code !== 'invalid_type' && code !== 'invalid_value'))
  const [first, ...others] = branches.filter(isOfKind)
  return others.reduce((best, next) => (best !== undefined && best.length <= next.length ? best : next), first)
}

/** What was expected: the schema's own words, where it has any. */
function reasonOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.message === NO_WORDS ? `expected ${kindOf(issue)}` : issue.message
    case 'invalid_value':
      return `expected ${kindOf(issue)}`
    case 'invalid_union': {
      const kinds = issue.errors.flatMap(([first]) => (first === undefined ? [] : [kindOf(first)]))
      return `expected ${oneOf([...new Set(kinds)])}`
    }
    default:
      return issue.message === NO_WORDS ? boundOf(issue) : issue.message
  }
}

function kindOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return kinds[issue.expected] ?? issue.expected
  return issue.code === 'invalid_value' ? oneOf(issue.values.map(String)) : 'something else'
}

function boundOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small') {
    if (issue.origin === 'string' && issue.minimum === 1) return 'expected text that is not empty'
    if (issue.origin === 'array') return `is empty: expected at least ${issue.minimum} of them`
    return `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`
  }
  if (issue.code === 'too_big')
    return `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`
  return issue.message
}

/** `a, b or c`; a comma before the last, where one of them says `or` itself. */
function oneOf(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  const others = words.slice(0, -1)
  if (others.length === 0) return last
  return `${others.join(', ')}${others.some((word) => / or /.test(word)) ? ',' : ''} or ${last}`
}

/** An extension is told to a route below `extensions`, and easily written beside it. */
function unknownField(key: string, { path, message }: z.core.$ZodIssue, value: unknown): string {
  const isExtension = /^(groat-[a-z-]+|payment-identifier|sign-in-with-x|offer-receipt|builder-code)$/.test(key)
  if (isExtension && path[0] === 'routes' && path.length === 2) {
    return `unknown field; extensions are written as extensions: { ${key}: … }`
  }
  // What stands there already is not what was meant.
  const near = nearName(
    key,
    message.split(' ').filter((name) => valueAt(value, [...path, name]) === undefined),
  )
  return near === undefined ? 'unknown field' : `unknown field; did you mean \`${near}\`?`
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce((inner, key) => (Object(inner) as Record<PropertyKey, unknown>)[key], value)
}

/** How the kinds of values are written, for people who know YAML and not the checker. */
const kinds: Readonly<Record<string, string>> = {
  array: 'a list: [one, another]',
  object: 'fields',
  record: 'fields',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}
