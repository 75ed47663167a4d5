import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorTable, fieldTable, fillBlocks, networkTable } from './blocks.js'
import { pages, type Requirement, readRequirements } from './requirements.js'
import { publishedSchema } from './schemas.js'
import { readTestedBy, type TestedBy } from './tested.js'
import { networkNames, readJson } from './vectors.js'
import { wireTypes } from './wire-types.js'

/** Everything that is generated: contents by path, relative to the folder `spec`. */
export function generate(root: string): ReadonlyMap<string, string> {
  const requirements = readRequirements(root)
  const testedBy = readTestedBy(join(root, '..'))
  const excluded = readJson<Excluded>(root, 'excluded.json')
  const files = new Map<string, string>()
  for (const type of wireTypes) {
    files.set(`schemas/${type.version}/${type.name}.schema.json`, json(publishedSchema(type)))
  }
  const blocks = {
    fields: fieldTable,
    errors: errorTable,
    networks: () => networkTable(networkNames(root)),
    example: (path: string) => fenced(readFileSync(join(root, 'examples', path), 'utf8')),
    counts: () => countTable(requirements, testedBy, excluded),
  }
  for (const page of ['README.md', ...pages]) {
    files.set(page, fillBlocks(readFileSync(join(root, page), 'utf8'), blocks))
  }
  files.set('requirements.json', requirementsJson(requirements, testedBy, excluded))
  return files
}

/** Reasons for which a requirement has no test here, by id. */
export type Excluded = Readonly<Record<string, string>>

/** The first path whose content on disk differs from `generated`, and the first line that does. */
export function firstDifference(root: string, generated: ReadonlyMap<string, string>): string | undefined {
  for (const [path, content] of generated) {
    const there = readIfThere(join(root, path))
    if (there === content) continue
    if (there === undefined) return `${path} is missing`
    const [old, fresh] = [there.split('\n'), content.split('\n')]
    const line = fresh.findIndex((text, index) => text !== old[index])
    const at = line === -1 ? fresh.length : line
    return `${path}:${at + 1}\n  is:        ${old[at] ?? '(nothing)'}\n  should be: ${fresh[at] ?? '(nothing)'}`
  }
  return undefined
}

const UPSTREAM = {
  repository: 'coinbase/x402',
  commit: 'dd927a26cfefc98c24b3ec38b3a8f204dad0c60d',
  files: {
    S1: 'specs/x402-specification-v1.md',
    S2: 'specs/x402-specification-v2.md',
    H1: 'specs/transports-v1/http.md',
    H2: 'specs/transports-v2/http.md',
    M2: 'specs/transports-v2/mcp.md',
    A2: 'specs/transports-v2/a2a.md',
    E2: 'specs/schemes/exact/scheme_exact_evm.md',
  },
}

function requirementsJson(requirements: readonly Requirement[], testedBy: TestedBy, excluded: Excluded): string {
  const rows = requirements.map((requirement) => ({
    ...requirement,
    since: '0.1',
    testedBy: testedBy.get(requirement.id) ?? [],
    ...(excluded[requirement.id] === undefined ? {} : { excluded: excluded[requirement.id] }),
  }))
  return json({ edition: '0.1', upstream: UPSTREAM, requirements: rows })
}

function countTable(requirements: readonly Requirement[], testedBy: TestedBy, excluded: Excluded): string {
  const areas = [...new Set(requirements.map(({ id }) => areaOf(id)))]
  const row = (name: string, of: readonly Requirement[]) => {
    const tested = of.filter(({ id }) => testedBy.has(id))
    const without = of.filter(({ id }) => !testedBy.has(id))
    const left = without.filter(({ id }) => excluded[id] !== undefined)
    return `| ${name} | ${of.length} | ${tested.length} | ${left.length} | ${without.length - left.length} |`
  }
  return [
    '| area | requirements | tested | excluded, with a reason | open |',
    '| --- | --- | --- | --- | --- |',
    ...areas.map((area) =>
      row(
        area,
        requirements.filter(({ id }) => areaOf(id) === area),
      ),
    ),
    row('**all**', requirements),
  ].join('\n')
}

function areaOf(id: string): string {
  return id.slice(0, id.lastIndexOf('-'))
}

function fenced(text: string): string {
  return `\n\`\`\`json\n${text.trim()}\n\`\`\`\n`
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
