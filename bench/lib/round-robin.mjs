// Implementations take turns inside one process, so that whatever else the machine does hits them alike.
// The figure is the median over the rounds; the ratio is the median of the ratios of each round.

/** Times `cases` ({ name: fn }) in turn. The first name is the yardstick that ratios refer to. */
export async function roundRobin(cases, { rounds = 7, roundMs = 150, warmupMs = 100 } = {}) {
  const names = Object.keys(cases)
  for (const name of names) await timed(cases[name], warmupMs)
  const rates = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of names) rates[name].push(await timed(cases[name], roundMs))
  }
  return summarize(rates)
}

/** Rows for a table from the rates of each round. */
export function summarize(rates) {
  const [yardstick] = Object.keys(rates)
  return Object.entries(rates).map(([name, each]) => ({
    name,
    perSecond: median(each),
    min: Math.min(...each),
    max: Math.max(...each),
    ratio: median(each.map((rate, round) => rate / rates[yardstick][round])),
  }))
}

async function timed(fn, ms) {
  let runs = 0
  const start = performance.now()
  let elapsed = 0
  while (elapsed < ms) {
    // Ten at a time keeps the clock out of the figure; a promise is awaited, a value is not.
    for (let i = 0; i < 10; i++) {
      const result = fn()
      if (result instanceof Promise) await result
    }
    runs += 10
    elapsed = performance.now() - start
  }
  return (runs / elapsed) * 1000
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
