#!/usr/bin/env node
// Generates the shapes of zod schemas: `groat-shapes src/schema/v1.ts src/schema/v2.ts [--check]` writes `v1.shapes.ts` and
// `v2.shapes.ts` beside them, with one constant for every exported schema. A shape is the schema's JSON Schema as a
// constant, which `check` of @groat/core decides without zod. Whatever a shape cannot say stops the generator.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const check = process.argv.includes('--check')
const files = process.argv.slice(2).filter((argument) => argument.endsWith('.ts'))
const { z, modules } = await load(files)

/** Every exported schema by its constant: `{ file, name, schema }`. A schema under two names counts under the first. */
const constants = files.flatMap((file, at) =>
  Object.entries(modules[at])
    .filter(([, value]) => value?._zod !== undefined)
    .map(([name, schema]) => ({ file, name, schema })),
)
const firstOf = new Map(constants.toReversed().map((constant) => [constant.schema, constant]))
const idOf = ({ file, name }) => `${files.indexOf(file)}/${name}`
const registry = z.registry()
for (const constant of firstOf.values()) registry.add(constant.schema, { id: idOf(constant) })
const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => id })

for (const file of files) {
  const path = shapesOf(file)
  const text = write(file)
  if (!check) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    process.exitCode = 1
    process.stderr.write(`${path} is stale: run \`npm run gen\`\n`)
  }
}

/** The modules from their sources, and the zod that made them. */
async function load(paths) {
  const bundle = join('node_modules', `.shapes-${process.pid}.mjs`)
  const lines = [
    `export * as z from 'zod/mini'`,
    ...paths.map((path, at) => `import * as m${at} from ${JSON.stringify(resolve(path))}`),
    `export const modules = [${paths.map((_, at) => `m${at}`).join(', ')}]`,
  ]
  try {
    await build({
      stdin: { contents: lines.join('\n'), resolveDir: process.cwd() },
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['source'],
      logLevel: 'error',
    })
    return await import(pathToFileURL(bundle).href)
  } finally {
    rmSync(bundle, { force: true })
  }
}

function write(file) {
  const written = new Map()
  const used = new Set()
  for (const constant of constants) if (constant.file === file) define(constant)
  const core = JSON.parse(readFileSync('package.json', 'utf8')).name === '@groat/core'
  const imports = [
    ['type * as z', 'zod/mini'],
    ['type { Shape }', core ? '../codec/check.js' : '@groat/core'],
    ['type * as schema', `./${nameOf(file)}.js`],
    ...[...used].map((other) => [`* as ${nameOf(other)}`, `./${nameOf(other)}.shapes.js`]),
  ].sort(([, a], [, b]) => distanceOf(b) - distanceOf(a) || (a < b ? -1 : 1))
  return [
    '// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.',
    ...imports.map(([names, from]) => `import ${names} from '${from}'`),
    '',
    ...written.values(),
    '',
  ].join('\n')

  /** Writes a constant after those that it is made of. */
  function define(constant) {
    if (written.has(constant.name)) return
    const first = firstOf.get(constant.schema)
    const shape = first === constant ? shapeText(schemas[idOf(constant)]) : refer(first)
    written.set(
      constant.name,
      `export const ${constant.name}: Shape<z.output<typeof schema.${constant.name}>> = ${shape}`,
    )
  }

  function refer(constant) {
    if (constant.file === file) {
      define(constant)
      return constant.name
    }
    used.add(constant.file)
    return `${nameOf(constant.file)}.${constant.name}`
  }

  function shapeText({ $schema, $id, id, $ref, ...keywords }) {
    if (Array.isArray(keywords.type)) {
      return shapeText({ anyOf: keywords.type.map((type) => (type === 'null' ? { type } : { ...keywords, type })) })
    }
    if ($ref !== undefined) {
      const constant = constants.find((candidate) => idOf(candidate) === $ref)
      if (constant === undefined) throw new Error(`${file}: a reference to ${$ref}`)
      return refer(constant)
    }
    if (!isEmpty(keywords.properties ?? {}) && !isEmpty(keywords.additionalProperties ?? {})) {
      throw new Error(`${file}: a shape names all members or none`)
    }
    const members = Object.entries(keywords).flatMap(([keyword, value]) => {
      const text = keywordText(keyword, value)
      return text === undefined ? [] : [`${keyword}: ${text}`]
    })
    return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
  }

  function keywordText(keyword, value) {
    switch (keyword) {
      case 'type':
      case 'const':
      case 'minLength':
      case 'maxLength':
      case 'minItems':
      case 'maxItems':
      case 'exclusiveMinimum':
        return literal(value)
      case 'required':
        return `[${value.map(literal).join(', ')}]`
      case 'pattern':
        return `${new RegExp(value)}`
      case 'anyOf':
        return `[${value.map(shapeText).join(', ')}]`
      case 'items':
        return isEmpty(value) ? undefined : shapeText(value)
      case 'additionalProperties':
        return isEmpty(value) ? undefined : shapeText(value)
      case 'propertyNames':
        if (JSON.stringify(value) === '{"type":"string"}') return undefined
        break
      case 'properties': {
        const members = Object.entries(value).map(
          ([name, member]) => `\n  ${name}: ${shapeText(member).replaceAll('\n', '\n  ')},`,
        )
        return members.length === 0 ? undefined : `{${members.join('')}\n}`
      }
    }
    throw new Error(`${file}: a shape cannot say ${keyword} ${JSON.stringify(value)}`)
  }
}

function shapesOf(file) {
  return file.replace(/\.ts$/, '.shapes.ts')
}

function nameOf(file) {
  return basename(file, '.ts')
}

/** Packages are imported first, then what is above, then what is beside. */
function distanceOf(specifier) {
  return specifier.startsWith('./') ? 0 : specifier.startsWith('../') ? 1 : 2
}

function literal(value) {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value)
}

function isEmpty(value) {
  return JSON.stringify(value) === '{}'
}
