import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'
import { root } from './root.mjs'

/**
 * The whole repository as one TypeScript program, by its root tsconfig.json, and with it the `ts` examples of these
 * documents: all examples of a document are one module, with what the bench folder may import.
 */
export function createRepositoryProgram({ base = root, documents = [] } = {}) {
  const file = join(base, 'tsconfig.json')
  const config = ts.getParsedCommandLineOfConfigFile(file, {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail })
  const examples = new Map(
    documents.map((path) => [
      join(base, examplesFolder, `${path}.ts`),
      onlyExamples(readFileSync(join(base, path), 'utf8')),
    ]),
  )
  const host = ts.createCompilerHost(config.options)
  const { fileExists, readFile } = host
  host.fileExists = (name) => examples.has(name) || fileExists(name)
  host.readFile = (name) => examples.get(name) ?? readFile(name)
  return ts.createProgram({ rootNames: [...config.fileNames, ...examples.keys()], options: config.options, host })
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
  const path = relative(base, sourceFile.fileName)
  const document = path.startsWith(examplesFolder) ? path.slice(examplesFolder.length + 1, -'.ts'.length) : path
  return `${document}:${line + 1}`
}

/** The text with everything outside its `ts` fences blanked, so that lines keep their numbers. */
export function onlyExamples(markdown) {
  let inside = false
  return markdown
    .split('\n')
    .map((line) => {
      const fence = /^\s*```(\w*)/.exec(line)
      if (fence) inside = !inside && fence[1] === 'ts'
      return inside && !fence ? line : ''
    })
    .join('\n')
}

const examplesFolder = join('bench', '.examples')

function fail(diagnostic) {
  throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
}
