import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** The module names that a source file imports or exports from, in its order. */
export const importsOf = (file) =>
  ts.preProcessFile(readFileSync(file, 'utf8'), true, true).importedFiles.map(({ fileName }) => fileName)

/** Those of them that must be there for the file to load: neither types alone nor `import()`. */
export function loadedImportsOf(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest)
  return source.statements
    .filter(
      (each) => (ts.isImportDeclaration(each) || ts.isExportDeclaration(each)) && each.moduleSpecifier !== undefined,
    )
    .filter((each) => !(each.isTypeOnly || each.importClause?.isTypeOnly))
    .map(({ moduleSpecifier }) => moduleSpecifier.text)
}

/** The package of a bare module name; undefined for a path, a module of Node or a private name of the package itself. */
export function packageOf(specifier) {
  if (/^[./#]/.test(specifier) || isBuiltin(specifier)) return undefined
  const [scope, name] = specifier.split('/')
  return specifier.startsWith('@') ? `${scope}/${name}` : scope
}

const isBuiltin = (specifier) => specifier.startsWith('node:')
