import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../model/json.js'
import { checkEcho } from './echo.js'
import { defineExtension } from './extension.js'

const code = defineExtension({ key: 'code', info: {}, fresh: ['nonce'], grows: { s: 3 }, owned: ['a'] })
const announced: JsonObject = {
  x: { info: { a: 1, deep: { b: [1, 2] } }, schema: { type: 'object' } },
  code: { info: { s: ['one'], nonce: '1' }, schema: {} },
}
const judge = (echoed: JsonObject | undefined) => checkEcho(echoed, announced, [code])?.detail

describe('an echo', () => {
  test.each<readonly [string, JsonObject | undefined]>([
    ['nothing', undefined],
    ['no key', {}],
    ['a key that was never announced', { y: { info: 1 } }],
    ['all of it', announced],
    ['info alone', { x: { info: { a: 1, deep: { b: [1, 2] } } } }],
    ['more members', { x: { info: { a: 1, deep: { b: [1, 2], c: 1 }, more: 1 } } }],
    ['another schema', { x: { info: { a: 1, deep: { b: [1, 2] } }, schema: { pattern: '^(a+)+$' } } }],
  ])('CORE-083 of %s passes', (_, echoed) => expect(judge(echoed)).toBeUndefined())

  test.each<readonly [string, JsonObject]>([
    ['a changed member', { x: { info: { a: 2, deep: { b: [1, 2] } } } }],
    ['a member left out', { x: { info: { a: 1 } } }],
    ['a changed list', { x: { info: { a: 1, deep: { b: [1, 2, 3] } } } }],
    ['info of another type', { x: { info: [1] } }],
    ['no info', { x: {} }],
    ['a value that is none', { x: null }],
  ])('CORE-084 with %s is refused, and says which', (_, echoed) => expect(judge(echoed)).toBe('x'))

  test('CORE-084 of inherited members is none', () => {
    expect(checkEcho({ x: { info: {} } }, { x: { info: { toString: 'y', constructor: 'z' } } }, [])).toBeDefined()
  })

  test('EXT-011 may add to a list as far as the extension lets it', () => {
    expect(judge({ code: { info: { s: ['two', 'one', 'three'] } } })).toBeUndefined()
    expect(judge({ code: { info: { s: ['two', 'one', 'three', 'four'] } } })).toBe('code')
    expect(judge({ code: { info: { s: ['two'] } } })).toBe('code')
    expect(judge({ code: { info: { s: 'one' } } })).toBe('code')
    expect(checkEcho({ code: { info: { s: ['1', '2', '3', '4'] } } }, { code: { info: {} } }, [code])?.detail).toBe(
      'code',
    )
  })
  test('EXT-012 sets no member that is the server’s', () =>
    expect(judge({ code: { info: { s: ['one'], a: 'mine' } } })).toBe('code'))
  test('EXT-013 is not held to what is made anew', () =>
    expect(judge({ code: { info: { s: ['one'], nonce: '2' } } })).toBeUndefined())

  test('CORE-084 any JSON passes as the echo of itself, and with anything added; without one of its members it does not', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue())
    fc.assert(
      fc.property(object, object, (info, more) => {
        const was = { k: { info } } as JsonObject
        expect(checkEcho(was, was, [])).toBeUndefined()
        expect(checkEcho({ k: { info: { ...more, ...info } } } as JsonObject, was, [])).toBeUndefined()
        const [first] = Object.keys(info)
        if (first === undefined) return
        const { [first]: _, ...less } = info
        expect(checkEcho({ k: { info: less } } as JsonObject, was, [])?.code).toBe('extension_echo_mismatch')
      }),
    )
  })
})
