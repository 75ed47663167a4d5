import { readFileSync } from 'node:fs'
import { entryPoints } from './entry-points.mjs'

/** What is wrong with a packed package, as the people who install it would meet it. */
export async function packedProblems(tarball) {
  const [{ publint }, { formatMessage }, attw] = await Promise.all([
    import('publint'),
    import('publint/utils'),
    import('@arethetypeswrong/core'),
  ])
  const bytes = readFileSync(tarball)
  const { messages, pkg } = await publint({ pack: { tarball: asArrayBuffer(bytes) }, strict: true })
  const contents = attw.createPackageFromTarballData(new Uint8Array(bytes))
  const types = await attw.checkPackage(contents)
  return [
    ...messages.map((message) => `publint: ${formatMessage(message, pkg)}`),
    ...typesProblems(types, pkg),
    ...contentProblems(contents.listFiles().map((file) => file.replace(/^\/node_modules\/(@[^/]+\/)?[^/]+\//, ''))),
  ].map((problem) => `${pkg.name}: ${problem}`)
}

const typesProblems = (types, pkg) =>
  types.types === false
    ? entryPoints(pkg).map((file) => `attw: no types for ${file}`)
    : types.problems.filter(concernsEsm).map((problem) => `attw: ${describe(problem)}`)

/** ES modules only: how a CommonJS or pre-exports resolver sees the package is not a problem of ours. */
const concernsEsm = ({ resolutionKind, resolutionOption }) =>
  resolutionKind === undefined
    ? resolutionOption === undefined || resolutionOption !== 'node10'
    : resolutionKind !== 'node10' && resolutionKind !== 'node16-cjs'

const describe = ({ kind, entrypoint, resolutionKind, fileName }) =>
  [kind, entrypoint, resolutionKind, fileName].filter(Boolean).join(' ')

function contentProblems(files) {
  const missing = ['README.md', 'LICENSE']
    .filter((file) => !files.includes(file))
    .map((file) => `${file} is not packed`)
  const extra = files
    .filter((file) => /\.(test|bench|test-d)\./.test(file))
    .map((file) => `${file} should not be packed`)
  return [...missing, ...extra]
}

const asArrayBuffer = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
