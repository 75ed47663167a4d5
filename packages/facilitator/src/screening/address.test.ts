import { formatAddress, parseAddress } from '@groat/svm/wire'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isAddress } from './address.js'

const arbDigits = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes).toString('hex'))

test('an EVM address is one in either case', () => {
  fc.assert(
    fc.property(arbDigits(20), fc.constantFrom('0x', '0X'), (digits, prefix) => {
      expect(isAddress(prefix + digits)).toBe(true)
      expect(isAddress(prefix + digits.toUpperCase())).toBe(true)
      expect(isAddress(prefix + digits.slice(2))).toBe(false)
      expect(isAddress(`${prefix}${digits}00`)).toBe(false)
    }),
  )
})

test('base58 is an address where it is 32 bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 30, maxLength: 34 }), fc.nat(34), (some, zeros) => {
      const bytes = some.map((byte, at) => (at < zeros ? 0 : byte))
      expect(isAddress(formatAddress(bytes))).toBe(bytes.length === 32)
    }),
  )
})

test('what is a Solana address to the chain is one here, and nothing else is', () => {
  const unit = fc.constantFrom(...'1zZ9A0Ol')
  fc.assert(
    fc.property(fc.string({ minLength: 30, maxLength: 46, unit }), (text) => {
      expect(isAddress(text)).toBe(parseAddress(text) !== undefined)
    }),
  )
})

test.each([
  '1'.repeat(32),
  'So11111111111111111111111111111111111111112',
  'JEKNVnkbo3jma5nREBBJCDoXFVeKkD56V3xKrvRmWxFG',
])('%s is an address', (text) => expect(isAddress(text)).toBe(true))
