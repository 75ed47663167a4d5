import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type CheckResult, type RunRecord, renderHtml } from '@groat/conformance'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

// The report in the browser that people have, from its file.

const executablePath = [process.env.GROAT_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
)
let browser: Browser
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-report-'))
  if (executablePath) browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
})
afterAll(async () => {
  await browser?.close()
  await rm(folder, { recursive: true, force: true })
})

const result = (check: string, status: CheckResult['status']): CheckResult => ({
  ...{ type: 'result', check, requirement: 'FAC-031', role: 'facilitator', profile: 'core', kind: 'scenario' },
  ...{ title: 'a payment that comes twice is settled once, and whoever asks again hears of that settlement', status },
  ...{ level: 'MUST', ms: 3 },
})

const run = (name: string): RunRecord => ({
  header: {
    ...{ type: 'run', suite: '1.0.0', specification: '1', upstream: '', seed: 1, runs: 20, profile: 'core', checks: 3 },
    ...{ at: '2026-01-31T12:00:00.000Z', target: { name, version: '1.2.3', language: 'TypeScript' } },
  },
  results: [
    result('FAC-031/a-name-that-is-longer-than-a-telephone-is-wide/evm', 'pass'),
    result('FAC-031/a-name-that-is-longer-than-a-telephone-is-wide/svm', 'fail'),
    result('FAC-031/twice', 'pass'),
  ],
})

test.skipIf(executablePath === undefined)(
  'a report can be read on a telephone: nothing is cut off, and words are not a letter wide',
  async () => {
    for (const targets of [['groat'], ['groat', 'another-facilitator']]) {
      const file = join(folder, `${targets.length}.html`)
      await writeFile(file, renderHtml(targets.map(run)))
      const page = await browser.newPage({ viewport: { width: 360, height: 740 } })
      await page.goto(pathToFileURL(file).href)
      const seen = await page.evaluate(() => {
        const [, title] = document.querySelectorAll('#matrix tbody td')
        return { width: document.documentElement.scrollWidth, title: title?.getBoundingClientRect().width ?? 0 }
      })
      expect(seen.width).toBe(360)
      expect(seen.title).toBeGreaterThan(280)
      if (process.env.GROAT_SHOTS)
        await page.screenshot({ path: join(process.env.GROAT_SHOTS, `${targets.length}.png`), fullPage: true })
      await page.close()
    }
  },
)
