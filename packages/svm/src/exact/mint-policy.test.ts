import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { mintAccount } from '../../testing/mints.js'
import { DEVNET, SELLER } from '../../testing/payments.js'
import { decodeMint, type MintExtension } from '../wire/token.js'
import { judgeMint } from './mint-policy.js'

const judge = (extensions: readonly MintExtension[]) => judgeMint(DEVNET, SELLER, { extensions }, { allowed: [] })
const KNOWN = new Set([1, 3, 4, 6, 9, 10, 12, 14, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26])

test('SVM-EXACT-053 an extension that nobody here knows is refused, and named', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 65_535 }), fc.uint8Array({ maxLength: 40 }), (type, data) => {
      fc.pre(!KNOWN.has(type))
      expect(
        judge([
          { type: 3, data },
          { type, data },
        ]),
      ).toEqual({
        ok: false,
        code: 'invalid_exact_svm_mint_extension_not_allowed',
        detail: `extension ${type}`,
      })
    }),
  )
})

test('extensions are read as they were written, and what is cut off is no mint', () => {
  const extension = fc.record({ type: fc.integer({ min: 1, max: 99 }), data: fc.uint8Array({ maxLength: 40 }) })
  fc.assert(
    fc.property(fc.array(extension, { minLength: 1, maxLength: 5 }), fc.nat(3), (extensions, missing) => {
      const { data } = mintAccount(extensions)
      expect(decodeMint(data!)).toEqual({ decimals: 6, extensions })
      const last = extensions.at(-1)?.data.length ?? 0
      if (missing > 0 && missing <= last) expect(decodeMint(data!.subarray(0, -missing))).toBeUndefined()
    }),
  )
})
