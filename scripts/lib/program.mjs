import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'
import { root } from './root.mjs'

/**
 * The whole repository as one TypeScript program, by its root tsconfig.json, and with it the `ts` examples of these
 * documents, which may import what the bench folder may. The examples of a document are one module together; one that
 * is marked `ts module` stands alone.
 */
export function createRepositoryProgram({ base = root, documents = [] } = {}) {
  const file = join(base, 'tsconfig.json')
  const config = ts.getParsedCommandLineOfConfigFile(file, {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail })
  const examples = new Map(
    documents.flatMap((path) =>
      exampleModules(readFileSync(join(base, path), 'utf8')).map((text, index) => [
        join(base, examplesFolder, `${path}#${index}.ts`),
        text,
      ]),
    ),
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
  const document = path.startsWith(examplesFolder)
    ? path.slice(examplesFolder.length + 1).replace(/#\d+\.ts$/, '')
    : path
  return `${document}:${line + 1}`
}

/** The modules of a document: its text with all other lines blanked, so that lines keep their numbers. */
function exampleModules(markdown) {
  const lines = markdown.split('\n')
  const blank = () => lines.map(() => '')
  const together = blank()
  const modules = [together]
  let current
  lines.forEach((line, index) => {
    const fence = /^\s*```(\w*) *(\w*)/.exec(line)
    if (fence && current) current = undefined
    else if (fence?.[1] === 'ts') {
      current = fence[2] === 'module' ? blank() : together
      if (current !== together) modules.push(current)
    } else if (current) current[index] = line
    else if (fence) current = []
  })
  return modules.map((module) => module.join('\n'))
}

const examplesFolder = join('bench', '.examples')

function fail(diagnostic) {
  throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
}
