import { X402Error } from '@groat/core'
import type { Environment } from '@marcbachmann/cel-js'
import type { Conditions } from './pricing/times.js'
import { type GateRequest, pathOf } from './terms.js'

export type { Conditions } from './pricing/times.js'

/** A variable of our own, for expressions: what it is called, and its value for a request. */
export type Variables = Readonly<Record<string, (request: GateRequest) => boolean | string | bigint>>

/**
 * Reads conditions written in CEL, the Common Expression Language: no loops, no side effects, nothing of this program is within their reach.
 * They know `method`, `path`, `query_length` (characters), `body_length` (bytes, as announced), `query` and `header` (names in lower
 * case), and the variables that are given. The library that reads them is the caller's: `Environment` of `@marcbachmann/cel-js`.
 *
 * @example
 * createConditions(Environment).condition('query_length > 1000 && method == "GET"')
 */
export function createConditions(Cel: typeof Environment, variables: Variables = {}): Conditions {
  const environment = new Cel({ limits: { maxAstNodes: 500, maxDepth: 50 } })
    .registerVariable('method', 'string')
    .registerVariable('path', 'string')
    .registerVariable('query_length', 'int')
    .registerVariable('body_length', 'int')
    .registerVariable('query', 'map<string, string>')
    .registerVariable('header', 'map<string, string>')
  for (const name of Object.keys(variables)) environment.registerVariable(name, 'dyn')

  const compile = (text: string, type: string): ((request: GateRequest) => unknown) => {
    try {
      const run = environment.parse(text)
      const checked = run.check()
      if (!checked.valid) throw checked.error
      if (checked.type !== type && checked.type !== 'dyn') throw new TypeError(`it is ${checked.type}, not ${type}`)
      return (request) => run(valuesOf(request, variables))
    } catch (cause) {
      const [words] = cause instanceof Error ? cause.message.split('\n') : []
      throw new X402Error(
        'invalid_config',
        { field: 'condition', value: text, reason: words ?? 'it cannot be read' },
        { cause },
      )
    }
  }
  return {
    condition: (text) => {
      const run = compile(text, 'bool')
      return (request) => value(run, request) === true
    },
    text: (text) => {
      const run = compile(text, 'string')
      return (request) => {
        const found = value(run, request)
        return typeof found === 'string' && found !== '' ? found : undefined
      }
    },
  }
}

/** A condition over something that a request has not got does not hold. */
function value(run: (request: GateRequest) => unknown, request: GateRequest): unknown {
  try {
    return run(request)
  } catch {
    return undefined
  }
}

function valuesOf(request: GateRequest, variables: Variables): Record<string, unknown> {
  const { method, url, header } = request
  const [path = '', query = ''] = pathOf(url).split('?', 2)
  const length = header('content-length') ?? ''
  const own = Object.entries(variables).map(([name, read]) => [name, read(request)])
  return {
    method,
    path,
    query_length: BigInt(query.length),
    body_length: /^[0-9]{1,15}$/.test(length) ? BigInt(length) : 0n,
    query: new Map(new URLSearchParams(query)),
    header: headersOf(header),
    ...Object.fromEntries(own),
  }
}

/** Headers by name, as CEL asks for them. */
function headersOf(header: GateRequest['header']): Map<string, string> {
  const found = new Map<string, string>()
  found.has = (name) => header(name) != null
  found.get = (name) => header(name) ?? undefined
  return found
}
