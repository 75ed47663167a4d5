// Lets a child process run the sources: Node 20 reads no TypeScript.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'

export function resolve(specifier, context, next) {
  const sources = context.parentURL?.endsWith('.ts') && /^\.\.?\//.test(specifier)
  return next(sources ? specifier.replace(/\.js$/, '.ts') : specifier, context)
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context)
  const { code } = await transform(await readFile(fileURLToPath(url), 'utf8'), { loader: 'ts', target: 'node20' })
  return { format: 'module', source: code, shortCircuit: true }
}
