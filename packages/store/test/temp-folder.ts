import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** A folder that goes when the test file ends, and names of files in it that nobody has used. */
export function tempFolder() {
  const path = mkdtempSync(join(tmpdir(), 'groat-store-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  let count = 0
  return { path, fresh: () => join(path, `${count++}.db`) }
}
