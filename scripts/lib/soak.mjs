/** The checks that did not pass in every run, with the seeds of those runs and the first finding. */
export function readFlakes(runs) {
  const found = new Map()
  for (const { seed, results } of runs) {
    for (const { check, status, finding } of results) {
      if (status === 'pass' || status === 'not-applicable') continue
      const { seeds, what } = found.get(check) ?? { seeds: [], what: `${status}: ${finding?.what ?? ''}` }
      found.set(check, { seeds: [...seeds, seed], what })
    }
  }
  return [...found].map(([check, each]) => ({ check, ...each })).sort((a, b) => a.check.localeCompare(b.check))
}
