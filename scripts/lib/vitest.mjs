import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countTests } from './closing.mjs'
import { root } from './root.mjs'
import { run } from './run.mjs'

/** Runs vitest once and returns its counts; a run that broke without saying how counts as one failure. */
export async function runVitest(args = []) {
  const dir = mkdtempSync(join(tmpdir(), 'groat-vitest-'))
  try {
    const report = join(dir, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const vitest = join(root, 'node_modules/vitest/vitest.mjs')
    const { code } = await run(process.execPath, [vitest, 'run', ...reporters, ...args], { stdio: 'inherit' })
    const counts = readCounts(report)
    return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function readCounts(file) {
  try {
    return countTests(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}
