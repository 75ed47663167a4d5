import { median, summarize } from './round-robin.mjs'

/**
 * Each case measures a rate by itself, or `{ rate, processor }`: what one of it took, in microseconds of this process's processors. They take
 * turns. The first turn warms up and does not count.
 */
export async function interleave(cases, rounds = 5) {
  const names = Object.keys(cases)
  const rates = Object.fromEntries(names.map((name) => [name, []]))
  const processor = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const measured = await cases[name]()
      if (round === 0) continue
      rates[name].push(measured.rate ?? measured)
      processor[name].push(measured.processor)
    }
  }
  return summarize(rates).map((row) => {
    const [first] = processor[row.name]
    return first === undefined ? row : { ...row, processor: median(processor[row.name]) }
  })
}
