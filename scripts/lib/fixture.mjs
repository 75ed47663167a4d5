import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Writes files, `{ path: text or JSON value }`, into a new folder for a test; `remove` takes it away. */
export function fixture(files) {
  const dir = mkdtempSync(join(tmpdir(), 'groat-fixture-'))
  const write = (path, content) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  for (const [path, content] of Object.entries(files)) write(path, content)
  return { dir, write, remove: () => rmSync(dir, { recursive: true, force: true }) }
}
