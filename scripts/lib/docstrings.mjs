import { join, relative } from 'node:path'
import ts from 'typescript'
import { entryPoints } from './entry-points.mjs'
import { place } from './program.mjs'
import { root } from './root.mjs'

/** Public names without a sentence: every export of every entry point of these workspaces needs one. */
export function missingDocstrings(program, workspaces, { base = root } = {}) {
  const checker = program.getTypeChecker()
  const missing = new Set()
  const visit = (module) => {
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      const declaration = symbol.declarations?.[0]
      if (!declaration || program.isSourceFileFromExternalLibrary(declaration.getSourceFile())) continue
      if (symbol.flags & ts.SymbolFlags.ValueModule) visit(symbol)
      else if (!hasSentence(symbol, checker)) {
        missing.add(
          `${place(declaration.getSourceFile(), declaration.getStart(), base)}: ${exported.name} has no docstring`,
        )
      }
    }
  }
  for (const { dir, manifest } of workspaces) {
    for (const file of entryPoints(manifest)) {
      const sourceFile = program.getSourceFile(join(dir, file))
      const module = sourceFile && checker.getSymbolAtLocation(sourceFile)
      if (module) visit(module)
      else missing.add(`${relative(base, join(dir, file))}: an entry point that is not there or exports nothing`)
    }
  }
  return [...missing]
}

const hasSentence = (symbol, checker) =>
  ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim().split(/\s+/).length >= 2
