import { join, relative } from 'node:path'
import ts from 'typescript'
import { root } from './root.mjs'

/** The whole repository as one TypeScript program, by its root tsconfig.json. */
export function createRepositoryProgram(base = root) {
  const file = join(base, 'tsconfig.json')
  const config = ts.getParsedCommandLineOfConfigFile(file, {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail })
  return ts.createProgram({ rootNames: config.fileNames, options: config.options })
}

/** What the compiler has to say about it. */
export const typeErrors = (program, base = root) =>
  ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')
    const at = diagnostic.file ? `${place(diagnostic.file, diagnostic.start, base)}: ` : ''
    return `${at}TS${diagnostic.code} ${text}`
  })

/** `path:line` of a position. */
export function place(sourceFile, position, base = root) {
  const { line } = sourceFile.getLineAndCharacterOfPosition(position)
  return `${relative(base, sourceFile.fileName)}:${line + 1}`
}

function fail(diagnostic) {
  throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
}
