import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { comparableBody, joinBytes, readBounded } from './bytes.js'

const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 })

/** A stream of those parts, and whether it was given up. */
function streamOf(chunks: readonly Uint8Array[], end: 'ends' | 'hangs' | 'breaks' = 'ends') {
  let cancelled = false
  const left = [...chunks]
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = left.shift()
      if (next !== undefined) return controller.enqueue(next)
      if (end === 'ends') controller.close()
      if (end === 'breaks') controller.error(new Error('broken'))
      return end === 'hangs' ? new Promise<void>(() => {}) : undefined
    },
    cancel() {
      cancelled = true
    },
  })
  return { stream, cancelled: () => cancelled }
}

test('parts are one piece, in their order', () => {
  fc.assert(
    fc.property(parts, (drawn) => {
      expect([...joinBytes(drawn)]).toEqual(drawn.flatMap((part) => [...part]))
    }),
  )
})

describe('a stream is read', () => {
  test('to its end, where it holds no more than it may', async () => {
    await fc.assert(
      fc.asyncProperty(parts, fc.nat(200), async (drawn, maxBytes) => {
        const whole = drawn.flatMap((part) => [...part])
        const read = await readBounded(streamOf(drawn).stream, { maxBytes })
        expect(read && [...read]).toEqual(whole.length > maxBytes ? undefined : whole)
      }),
    )
    expect(await readBounded(null, { maxBytes: 0 })).toEqual(new Uint8Array())
  })

  test('no further than it may be, nor longer', async () => {
    for (const { stream, cancelled } of [streamOf([new Uint8Array(11)], 'hangs'), streamOf([], 'hangs')]) {
      expect(await readBounded(stream, { maxBytes: 10, ms: 20 })).toBeUndefined()
      expect(cancelled()).toBe(true)
    }
  })

  test('and what breaks it is thrown', async () => {
    await expect(readBounded(streamOf([new Uint8Array(1)], 'breaks').stream, { maxBytes: 10 })).rejects.toThrow(
      'broken',
    )
  })

  test('while somebody holds a copy and does not read on', async () => {
    const [copy, held] = streamOf([new Uint8Array(11)], 'hangs').stream.tee()
    expect(await readBounded(copy, { maxBytes: 10 })).toBeUndefined()
    expect(held.locked).toBe(false)
  })
})

describe('a body that is compared', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const form = (boundary: string, ...words: string[]) =>
    bytes(`${words.map((each) => `--${boundary}\r\n\r\n${each}\r\n`).join('')}--${boundary}--\r\n`)
  const compared = (body: Uint8Array, type: string) => new TextDecoder().decode(comparableBody(body, type))
  const type = (boundary: string) => `multipart/form-data; boundary=${boundary}`

  test('is that of a form without its boundary, in every spelling of the header', () => {
    const one = compared(form('one', 'a', 'b'), type('one'))
    for (const said of [type('two'), type('"two"'), 'Multipart/Mixed;charset=utf-8;BOUNDARY=two']) {
      expect(compared(form('two', 'a', 'b'), said)).toBe(one)
    }
  })

  test('differs where the parts do, and where a boundary stands in the text', () => {
    const others = [
      compared(form('two', 'a'), type('two')),
      compared(form('two', 'ab'), type('two')),
      compared(form('two', 'atwo', 'b'), type('two')),
      compared(form('two', 'a--two', 'b'), type('two')),
      compared(form('two', 'b', 'a'), type('two')),
    ]
    const one = compared(form('one', 'a', 'b'), type('one'))
    expect(new Set([one, ...others]).size).toBe(6)
  })

  test('is any other body as it is', () => {
    const body = Uint8Array.of(0, 128, 255)
    for (const said of [null, undefined, 'text/plain', 'application/json; boundary=x', 'multipart/form-data']) {
      expect(comparableBody(body, said)).toBe(body)
    }
    const both = fc.uint8Array({ maxLength: 20 })
    fc.assert(
      fc.property(both, both, (a, b) => {
        const same = compared(a, type('x')) === compared(b, type('x'))
        expect(same).toBe(String([...a]) === String([...b]))
      }),
    )
  })
})
