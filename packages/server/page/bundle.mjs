// The page as one script and one style sheet, from their sources. A build writes what this gives; tests take it from here.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
// What runs from a clone has no package that this one only develops with: the tooling has the bundler, and the command line what the page is made of.
const { build, transformSync } = createRequire(here('../../../tooling/package.json'))('esbuild')

const { outputFiles } = await build({
  entryPoints: [here('./main.ts')],
  bundle: true,
  minify: true,
  write: false,
  format: 'iife',
  platform: 'browser',
  target: 'es2022',
  conditions: ['source'],
  nodePaths: [here('../../cli/node_modules')],
  // It stands in a page, and must not end its element.
  supported: { 'inline-script': false },
})

export const script = outputFiles[0].text
export const style = transformSync(readFileSync(here('./page.css'), 'utf8'), { loader: 'css', minify: true }).code
export const scriptHash = hashOf(script)
export const styleHash = hashOf(style)

function hashOf(text) {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
