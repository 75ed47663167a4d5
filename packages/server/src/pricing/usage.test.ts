import { expect, test } from 'vitest'
import { createEventSplitter } from './event-splitter.js'
import { readEvent, usageOf } from './usage.js'

test.each([
  ['OpenAI chat', { usage: { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 } }, 12n, 34n],
  ['OpenAI responses', { usage: { input_tokens: 5, output_tokens: 6 } }, 5n, 6n],
  [
    'an event of OpenAI responses',
    { type: 'response.completed', response: { usage: { input_tokens: 5, output_tokens: 6 } } },
    5n,
    6n,
  ],
  [
    'Anthropic',
    { usage: { input_tokens: 7, cache_read_input_tokens: 100, cache_creation_input_tokens: 20, output_tokens: 8 } },
    127n,
    8n,
  ],
  ['Anthropic, begun', { type: 'message_start', message: { usage: { input_tokens: 7, output_tokens: 1 } } }, 7n, 1n],
  ['Anthropic, ended', { type: 'message_delta', usage: { output_tokens: 15 } }, undefined, 15n],
])('the tokens of %s', (_, json, input, output) => {
  expect(usageOf(json)).toEqual({ input, output })
})

test.each([
  ['nothing', undefined],
  ['no usage', { choices: [] }],
  ['usage that is none', { usage: null }],
  ['parts of tokens', { usage: { prompt_tokens: 1.5, completion_tokens: -2 } }],
  ['words', { usage: { prompt_tokens: '12', completion_tokens: '34' } }],
])('%s is no usage', (_, json) => {
  expect(usageOf(json)).toBeUndefined()
})

test('events: a piece of the answer counts as a token until the usage is told', () => {
  expect(readEvent('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')).toEqual({ piece: true })
  expect(readEvent('data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\n')).toEqual({ piece: true })
  expect(readEvent('data: [DONE]\n\n')).toEqual({ piece: false })
  expect(readEvent(': ping\n\n')).toEqual({ piece: false })
  expect(readEvent('data: {"choices":[],\ndata: "usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n')).toEqual({
    piece: false,
    usage: { input: 1n, output: 2n },
  })
})

test.each(['\n', '\r\n', '\r'])('events are cut where they end, whatever the pieces are (%j)', (newline) => {
  const text = ['event: a', 'data: 1', '', 'data: 2', '', '', ': ping', '', 'data: 3'].join(newline)
  const whole = ['event: a', 'data: 1', '', ''].join(newline)
  for (let size = 1; size < text.length; size++) {
    const splitter = createEventSplitter()
    const events: string[] = []
    const bytes = new TextEncoder().encode(text)
    for (let at = 0; at < bytes.length; at += size) {
      for (const event of splitter.push(bytes.subarray(at, at + size))) events.push(new TextDecoder().decode(event))
    }
    expect([events[0], [...events, new TextDecoder().decode(splitter.rest())].join('')]).toEqual([whole, text])
  }
})
