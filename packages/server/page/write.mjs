// Writes the page beside the build, as a module without imports.
import { writeFileSync } from 'node:fs'

const names = Object.entries(await import('./bundle.mjs'))
const text = names.map(([name, value]) => `export const ${name} = ${JSON.stringify(value)}\n`).join('')
writeFileSync(new URL('../dist/page-bundle.js', import.meta.url), text)
