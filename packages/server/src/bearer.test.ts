import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBearers, webMarks } from './bearer.js'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => new Uint8Array(bytes))
const what = fc.stringMatching(/^[0-9a-f]{64}$/)

test('SRV-029 with Node or without, a token is the same, is read, and is good for its own key alone', async () => {
  await fc.assert(
    fc.asyncProperty(key, key, what, fc.nat(63), async (ours, others, pid, at) => {
      fc.pre(!Buffer.from(ours).equals(Buffer.from(others)))
      const here = createBearers(ours)
      const web = createBearers(ours, webMarks)
      const token = await here.make(pid)
      expect(await web.make(pid)).toBe(token)
      const digit = token.length - 1 - at
      const forged = `${token.slice(0, digit)}${token[digit] === '0' ? '1' : '0'}${token.slice(digit + 1)}`
      for (const reader of [here, web]) {
        expect(await reader.read(token)).toBe(pid)
        expect(await reader.read(forged)).toBeUndefined()
        expect(await reader.read(token.toUpperCase())).toBeUndefined()
      }
      expect(await createBearers(others).read(token)).toBeUndefined()
    }),
    { numRuns: 50 },
  )
})
