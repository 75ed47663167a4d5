/** Prints rows of `roundRobin` or `interleave` with aligned columns. */
export function printTable(title, rows) {
  const timed = rows.some(({ processor }) => processor !== undefined)
  const cells = [
    ['', 'per second', 'min … max', 'ratio', ...(timed ? ['processor'] : [])],
    ...rows.map(({ name, perSecond, min, max, ratio, processor }) => [
      name,
      figure(perSecond),
      `${figure(min)} … ${figure(max)}`,
      `${ratio.toFixed(2)}x`,
      ...(timed ? [`${figure(processor)} µs`] : []),
    ]),
  ]
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)))
  console.log(`\n${title}`)
  for (const row of cells) {
    console.log(
      `  ${row.map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column]))).join('   ')}`,
    )
  }
}

function figure(value) {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1)
}
