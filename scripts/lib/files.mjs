import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The files below a folder in a stable order, without what is installed or built. */
export function filesBelow(dir) {
  if (!existsSync(dir)) return []
  return readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(dir, entry.name)
      if (entry.isFile()) return [path]
      return entry.isDirectory() && !skipped.has(entry.name) ? filesBelow(path) : []
    })
}

const skipped = new Set(['node_modules', 'dist', '.turbo', '.git'])
