import { describe, expect, test } from 'vitest'
import { createBearers } from './bearer.js'
import { createQuotes } from './quotes.js'
import type { GateRequest } from './terms.js'

const quotes = createQuotes(createBearers(new Uint8Array(32)))
const request = (body: Uint8Array | undefined): GateRequest => ({
  method: 'POST',
  url: '/video',
  header: () => null,
  body: async () => body,
})

describe('a quote', () => {
  const [empty, unread, some] = [new Uint8Array(), undefined, Uint8Array.of(1)].map(request)
  const all = { empty, unread, some }

  test.each([
    ['empty', 'unread'],
    ['empty', 'some'],
    ['unread', 'empty'],
    ['unread', 'some'],
  ] as const)('SRV-039 for a body that is %s is none for one that is %s', async (made, brought) => {
    const [by, to] = [all[made], all[brought]]
    if (by === undefined || to === undefined) throw new Error('no request')
    const quote = await quotes.make('POST /video', by, '$0.01', 2_000)
    expect(await quotes.read('POST /video', by, quote, 1)).toBe('0.01 USD')
    expect(await quotes.read('POST /video', to, quote, 1)).toBeUndefined()
  })

  test('SRV-039 for a form holds for the same form, whatever its boundary', async () => {
    const form = (boundary: string, words: string): GateRequest => {
      const text = `--${boundary}\r\n\r\n${words}\r\n--${boundary}--\r\n`
      const header = (name: string) => (name === 'content-type' ? `multipart/form-data; boundary=${boundary}` : null)
      return { ...request(new TextEncoder().encode(text)), header }
    }
    const quote = await quotes.make('POST /video', form('one', 'a film'), '$0.01', 2_000)
    expect(await quotes.read('POST /video', form('two', 'a film'), quote, 1)).toBe('0.01 USD')
    expect(await quotes.read('POST /video', form('two', 'a long film'), quote, 1)).toBeUndefined()
  })
})
