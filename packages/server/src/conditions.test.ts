import { X402Error } from '@groat/core'
import { Environment } from '@marcbachmann/cel-js'
import { expect, test } from 'vitest'
import { createConditions } from './conditions.js'
import type { GateRequest } from './terms.js'

const conditions = createConditions(Environment)

const request = (url: string, headers: Record<string, string> = {}, method = 'GET'): GateRequest => ({
  method,
  url,
  header: (name) => headers[name.toLowerCase()],
})

test.each([
  ['query_length > 5', true],
  ['query_length > 500', false],
  ['method == "GET" && path == "/a"', true],
  ['query.q == "words"', true],
  ['query.missing == "words"', false],
  ['"q" in query', true],
  ['header["x-tier"] == "gold"', true],
  ['header["x-other"] == "gold"', false],
  ['"x-tier" in header', true],
  ['"x-other" in header', false],
  ['body_length > 100', true],
  ['query_length / 0 > 1', false],
])('%s is %s', (text, is) => {
  const holds = conditions.condition(text)
  expect(holds(request('http://shop/a?q=words', { 'x-tier': 'gold', 'content-length': '101' }))).toBe(is)
})

test.each(['query_length >', 'nobody > 1', 'query_length', 'process.exit()', '1 + "a" == 2', 'constructor("x")()'])(
  '%j is no condition',
  (text) => {
    let thrown: unknown
    try {
      conditions.condition(text)
    } catch (error) {
      thrown = error
    }
    expect(X402Error.is(thrown) && thrown.code).toBe('invalid_config')
  },
)

test('variables of one’s own', () => {
  const own = createConditions(Environment, { requires_browser: ({ url }) => url.includes('render') })
  const holds = own.condition('requires_browser && query_length == 0')
  expect([holds(request('/render')), holds(request('/plain'))]).toEqual([true, false])
})

test('text names who asks', () => {
  const who = conditions.text('header["x-api-key"]')
  expect([who(request('/', { 'x-api-key': 'k' })), who(request('/'))]).toEqual(['k', undefined])
})
