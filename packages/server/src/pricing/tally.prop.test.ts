import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PriceWords, Tally, Used } from '../price-words.js'
import { createPricing } from './pricing.js'

// What is charged by use: exactly what was used, however it was cut into pieces, and never more than the ceiling.

const arbRate = fc
  .tuple(fc.bigInt(1n, 10n ** 9n), fc.integer({ min: 0, max: 14 }))
  .map(([units, scale]) => ({ units, scale, text: decimalText(units, scale) }))

const arbUses = fc.array(
  fc.record({
    inputTokens: fc.bigInt(0n, 10n ** 7n),
    outputTokens: fc.bigInt(0n, 10n ** 7n),
    cycles: fc.bigInt(0n, 10n ** 9n),
  }),
  { maxLength: 12 },
)

const arbCase = fc.record({
  input: arbRate,
  output: arbRate,
  cycle: arbRate,
  times: fc.tuple(fc.bigInt(1n, 1000n), fc.integer({ min: 0, max: 3 })),
  uses: arbUses,
  decimals: fc.integer({ min: 0, max: 18 }),
  ceiling: fc.bigInt(1n, 10n ** 24n),
})

function tallyOf(
  words: PriceWords,
  { decimals, ceiling, factor = '1' }: { decimals: number; ceiling: bigint; factor?: string },
): Tally {
  const { tally, factor: factorOf } = createPricing().compile({ ...words, times: [{ [factor]: () => true }] }, 'a')
  const request = { method: 'GET', url: '/', header: () => undefined }
  const made = tally?.({ decimals, ceiling, factor: factorOf?.(request), clock: () => 0 })
  if (made === undefined) throw new Error('no tally')
  return made
}

test('SRV-032 the sum of the ticks is the charge, and the charge is no more than the ceiling', () => {
  fc.assert(
    fc.property(arbCase, ({ input, output, cycle, times, uses, decimals, ceiling }) => {
      const [units, scale] = times
      const factor = decimalText(units, scale)
      const words: PriceWords = {
        perToken: { input: input.text, output: output.text },
        perCycle: cycle.text,
        upTo: '999999999999999999999999',
      }
      const ticking = tallyOf(words, { decimals, ceiling, factor })
      for (const use of uses) ticking.use(use)
      const total = uses.reduce(
        (sum, use) => ({
          inputTokens: sum.inputTokens + use.inputTokens,
          outputTokens: sum.outputTokens + use.outputTokens,
          cycles: sum.cycles + use.cycles,
        }),
        { inputTokens: 0n, outputTokens: 0n, cycles: 0n },
      )
      const once = tallyOf(words, { decimals, ceiling, factor })
      once.use(total)
      expect(ticking.total()).toBe(once.total())

      // The same by another way: everything over one denominator, rounded once.
      const at = 14n
      const exact =
        (total.inputTokens * input.units * 10n ** (at - BigInt(input.scale)) +
          total.outputTokens * output.units * 10n ** (at - BigInt(output.scale)) +
          total.cycles * cycle.units * 10n ** (at - BigInt(cycle.scale))) *
        units *
        10n ** BigInt(decimals)
      const over = 10n ** (at + BigInt(scale))
      const rounded = exact / over + (exact % over === 0n ? 0n : 1n)
      expect(ticking.total()).toBe(rounded < ceiling ? rounded : ceiling)
    }),
  )
})

test('SRV-032 more use never costs less', () => {
  fc.assert(
    fc.property(arbCase, ({ input, output, cycle, uses, decimals, ceiling }) => {
      const words: PriceWords = {
        perToken: { input: input.text, output: output.text },
        perCycle: cycle.text,
        upTo: '999999999999999999999999',
      }
      const tally = tallyOf(words, { decimals, ceiling })
      let before = tally.total()
      for (const use of uses) {
        const more = tally.use(use)
        expect(tally.total() >= before).toBe(true)
        expect(more || tally.total() === ceiling).toBe(true)
        before = tally.total()
      }
    }),
  )
})

test('SRV-033 bytes leave as long as they are paid for, and what left is what is charged', () => {
  fc.assert(
    fc.property(
      arbRate,
      fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }),
      fc.bigInt(1n, 5000n),
      fc.integer({ min: 0, max: 18 }),
      (rate, chunks, ceiling, decimals) => {
        const tally = tallyOf({ perByte: rate.text, upTo: '999999999999999999999999' }, { decimals, ceiling })
        tally.begin(() => 'application/octet-stream')
        let left = 0n
        for (const chunk of chunks) {
          const passed = tally.pass(new Uint8Array(chunk))
          left += BigInt(passed.chunk.length)
          expect(passed.stop || passed.chunk.length === chunk.length).toBe(true)
          if (passed.stop) break
        }
        const exact = left * rate.units * 10n ** BigInt(decimals)
        const over = 10n ** BigInt(rate.scale)
        expect(exact <= ceiling * over).toBe(true)
        expect(tally.total()).toBe(exact / over + (exact % over === 0n ? 0n : 1n))
      },
    ),
  )
})

test('SRV-032 no number with a point or a sign is counted', () => {
  for (const bad of [1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1n]) {
    const tally = tallyOf({ perCycle: '$0.01', upTo: '$1' }, { decimals: 6, ceiling: 1_000_000n })
    expect(() => tally.use({ cycles: bad } as Used)).toThrow('whole number')
    expect(tally.total()).toBe(0n)
  }
})

function decimalText(units: bigint, scale: number): string {
  const digits = units.toString().padStart(scale + 1, '0')
  return scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
