import { expect, test } from 'vitest'
import { createBearers } from './bearer.js'
import { createQuotes } from './quotes.js'
import type { GateRequest } from './terms.js'
import { watched } from './watched.js'

test('SRV-039 a quote is for the headers that the price was made from, and no others', async () => {
  const quotes = createQuotes(createBearers(new Uint8Array(32)))
  const ask = (headers: Readonly<Record<string, string>>): GateRequest => {
    const all: Readonly<Record<string, string>> = { 'x-other': `${Math.random()}`, ...headers }
    const of: GateRequest = { method: 'POST', url: '/video', header: (name) => all[name.toLowerCase()] }
    const seen = watched(of)
    seen.header('X-Size')
    seen.header('x-absent')
    return of
  }
  const quote = await quotes.make('r', ask({ 'x-size': 'small' }), '$1', 2_000_000_000)
  const priceOf = (of: GateRequest) => quotes.read('r', of, quote, 1_000)
  expect(await priceOf(ask({ 'x-size': 'small' }))).toBe('1 USD')
  expect(await priceOf(ask({ 'x-size': 'big' }))).toBeUndefined()
  expect(await priceOf(ask({}))).toBeUndefined()
  expect(await priceOf(ask({ 'x-size': 'small', 'x-absent': '' }))).toBeUndefined()
})
