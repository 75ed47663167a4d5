import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** The module names that a source file imports or exports from, in its order. */
export const importsOf = (file) =>
  ts.preProcessFile(readFileSync(file, 'utf8'), true, true).importedFiles.map(({ fileName }) => fileName)

/** The package of a bare module name; undefined for a path, a module of Node or a private name of the package itself. */
export function packageOf(specifier) {
  if (/^[./#]/.test(specifier) || isBuiltin(specifier)) return undefined
  const [scope, name] = specifier.split('/')
  return specifier.startsWith('@') ? `${scope}/${name}` : scope
}

const isBuiltin = (specifier) => specifier.startsWith('node:')
