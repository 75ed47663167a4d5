import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the clone. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The manifest in a folder. */
export const readManifest = (dir) => JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
