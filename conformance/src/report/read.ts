import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../http/exchange.js'
import type { CheckResult } from '../model/result.js'
import type { RunEvent, RunHeader, RunSummary } from '../run/run.js'
import { UsageError } from '../target/manifest.js'

/** One run, as its `results.ndjson` tells it. */
export type RunRecord = {
  readonly header: RunHeader
  readonly results: readonly CheckResult[]
  readonly summary?: RunSummary
}

/** What a run said. */
export function recordOf(events: readonly RunEvent[]): RunRecord {
  const header = events.find((event) => event.type === 'run')
  if (header === undefined) throw new UsageError('a run has not begun: its results have no header')
  const summary = events.find((event) => event.type === 'summary')
  const results = events.filter((event) => event.type === 'result')
  return { header, results, ...(summary === undefined ? {} : { summary }) }
}

/** Reads `results.ndjson`, or every run in the folders of a folder. Throws `UsageError`. */
export async function readRuns(path: string): Promise<readonly RunRecord[]> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new UsageError(`${path} is not there`)
  if (found.isFile()) return [recordOf(parseEvents(await readFile(path, 'utf8'), path))]
  const own = join(path, 'results.ndjson')
  const files = (await exists(own)) ? [own] : []
  for (const entry of (await readdir(path, { withFileTypes: true })).sort((a, b) => a.name.localeCompare(b.name))) {
    const file = join(path, entry.name, 'results.ndjson')
    if (entry.isDirectory() && (await exists(file))) files.push(file)
  }
  if (files.length === 0) throw new UsageError(`${path} has no results.ndjson`)
  return Promise.all(files.map(async (file) => recordOf(parseEvents(await readFile(file, 'utf8'), file))))
}

const exists = async (path: string) => (await stat(path).catch(() => undefined))?.isFile() === true

function parseEvents(text: string, file: string): readonly RunEvent[] {
  return (
    text
      .split('\n')
      // Behind the last end of a line stands nothing, or what a run that was killed had not written to its end.
      .slice(0, -1)
      .filter((line) => line !== '')
      .map((line, at) => {
        try {
          const value: unknown = JSON.parse(line)
          // The kit wrote it.
          if (isObject(value) && typeof value.type === 'string') return value as unknown as RunEvent
        } catch {
          // Told below.
        }
        throw new UsageError(`${file}:${at + 1} is no event of a run`)
      })
  )
}
