// What named imports weigh in a browser, against size-budgets.json. A raised budget says why in its commit.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { report } from '../lib/report.mjs'
import { root } from '../lib/root.mjs'
import { weigh } from '../lib/size.mjs'

const budgets = JSON.parse(readFileSync(join(root, 'scripts/size-budgets.json'), 'utf8'))
for (const budget of budgets) {
  const { bytes, problems } = await weigh(budget)
  process.stdout.write(`${budget.name}: ${bytes} of ${budget.max} bytes\n`)
  report(problems)
}
