import { summarize } from './round-robin.mjs'

/** Each case measures a rate by itself; they take turns. The first turn warms up and does not count. */
export async function interleave(cases, rounds = 5) {
  const rates = Object.fromEntries(Object.keys(cases).map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, measure] of Object.entries(cases)) {
      const rate = await measure()
      if (round > 0) rates[name].push(rate)
    }
  }
  return summarize(rates)
}
