import { describe, expect, test } from 'vitest'
import { X402Error } from '../errors/x402-error.js'
import { formatUnits, parseAtomic, parseMoney, parseUnits } from './money.js'

describe('parseMoney', () => {
  test.each([
    ['$0.001', { decimal: '0.001', ticker: 'USD' }],
    ['0.05', { decimal: '0.05', ticker: 'USD' }],
    [' $ 12 ', { decimal: '12', ticker: 'USD' }],
    ['0.5 eurc', { decimal: '0.5', ticker: 'EURC' }],
    ['3 USDC.e', { decimal: '3', ticker: 'USDC.E' }],
  ])('reads %j', (text, money) => expect(parseMoney(text)).toEqual(money))

  test.each(['', '.5', '1.', '1e-7', '1,000', '-1', '+1', 'USD 1', '1USD', '€1', '$', '0x10', 'NaN', '١'])(
    'refuses %j',
    (text) => expect(codeOf(() => parseMoney(text))).toBe('invalid_price'),
  )
})

describe('parseUnits', () => {
  test.each([
    ['0.001', 6, 1000n],
    ['0.0010000000', 6, 1000n],
    ['8.2', 6, 8_200_000n],
    ['0.000123', 6, 123n],
    ['1', 18, 10n ** 18n],
    ['0', 6, 0n],
    ['007', 0, 7n],
  ])('%s with %i decimals is %s', (decimal, decimals, atomic) => expect(parseUnits(decimal, decimals)).toBe(atomic))

  test('a price below one atomic unit is an error, never zero', () => {
    expect(codeOf(() => parseUnits('0.0000001', 6))).toBe('price_too_small')
    expect(codeOf(() => parseUnits('0.0000015', 6))).toBe('price_too_small')
    expect(codeOf(() => parseUnits('1.5', 0))).toBe('price_too_small')
  })

  test('a price above 2^256 - 1 is an error', () => {
    expect(parseUnits((2n ** 256n - 1n).toString(), 0)).toBe(2n ** 256n - 1n)
    expect(codeOf(() => parseUnits((2n ** 256n).toString(), 0))).toBe('price_too_large')
  })
})

test.each([
  '',
  '00',
  '01',
  '-0',
  '-1',
  '+1',
  '1.0',
  '1e3',
  '0x10',
  ' 1',
  '1 ',
  '1n',
  '٣',
  (2n ** 256n).toString(),
  '9'.repeat(200),
])('%j is no atomic amount', (text) => expect(parseAtomic(text)).toBeUndefined())

test('formatUnits drops trailing zeros and nothing else', () => {
  expect([formatUnits(1000n, 6), formatUnits(0n, 6), formatUnits(1_000_000n, 6), formatUnits(5n, 0)]).toEqual([
    '0.001',
    '0',
    '1',
    '5',
  ])
})

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    return X402Error.is(error) ? error.code : 'not an X402Error'
  }
  return undefined
}
