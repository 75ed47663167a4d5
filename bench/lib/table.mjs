/** Prints rows of `roundRobin` with aligned columns. */
export function printTable(title, rows) {
  const cells = [
    ['', 'per second', 'min … max', 'ratio'],
    ...rows.map(({ name, perSecond, min, max, ratio }) => [
      name,
      figure(perSecond),
      `${figure(min)} … ${figure(max)}`,
      `${ratio.toFixed(2)}x`,
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
