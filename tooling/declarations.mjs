// Writes the type declarations of every package, `packages/x/src/a.ts` to `packages/x/dist/a.d.ts`, from one program:
// package by package the compiler would read the same libraries again, and packages would wait for each other.
// Nothing is checked here; `npm run check` checks the whole repository.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const packages = [...readdirSync(join(root, 'packages')).map((name) => `packages/${name}`), 'conformance'].filter(
  (path) => existsSync(join(root, path, 'src')),
)

for (const path of packages) removeDeclarations(join(root, path, 'dist'))
const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
const { fileNames, options } = ts.parseJsonConfigFileContent(
  {
    ...config,
    include: packages.map((path) => `${path}/src`),
    exclude: ['**/*.test.ts', '**/*.test-d.ts', '**/*.bench.ts'],
  },
  ts.sys,
  root,
)
const emit = { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, noCheck: true }
const { diagnostics } = ts
  .createProgram({ rootNames: fileNames, options: { ...emit, rootDir: root, outDir: root } })
  .emit(undefined, writeDeclaration)
for (const { messageText } of diagnostics)
  process.stderr.write(`${ts.flattenDiagnosticMessageText(messageText, '\n')}\n`)
process.exitCode = diagnostics.length > 0 ? 1 : 0

function writeDeclaration(path, text) {
  const file = path.replace(/(\/(?:packages\/[^/]+|conformance))\/src\//, '$1/dist/')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

function removeDeclarations(dist) {
  if (!existsSync(dist)) return
  for (const file of readdirSync(dist, { recursive: true })) {
    if (file.endsWith('.d.ts')) rmSync(join(dist, file))
  }
}
