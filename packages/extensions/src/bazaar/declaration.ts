import { isJsonObject, type Json, type JsonObject, X402Error } from '@groat/core'
import { isRouteTemplate, parametersOf } from './route-template.js'

/** How a route or a tool is called, as its seller writes it down. Schemas are JSON Schema 2020-12. */
export type BazaarDeclaration = {
  /** `GET`, `HEAD`, `DELETE`, `POST`, `PUT` or `PATCH`. */
  readonly method?: string
  /** The path with its parameters, as `/books/:isbn`. */
  readonly route?: string
  /** Of the query's members. */
  readonly query?: JsonObject
  /** Of the parameters in the path; text, and their own names for an example, unless told. */
  readonly params?: JsonObject
  /** Of headers beside the usual ones. */
  readonly headers?: JsonObject
  /** Of the body. */
  readonly body?: JsonObject
  readonly bodyType?: 'json' | 'form-data' | 'text'
  /** What a request could look like; what is left out is made of the schemas. */
  readonly example?: {
    readonly query?: JsonObject
    readonly params?: JsonObject
    readonly headers?: JsonObject
    readonly body?: Json
  }
  readonly output?: {
    readonly type?: string
    readonly format?: string
    readonly schema?: JsonObject
    readonly example?: Json
  }
  /** A tool of an MCP server in the place of a route. */
  readonly tool?: {
    readonly name: string
    readonly inputSchema: JsonObject
    readonly description?: string
    readonly transport?: 'streamable-http' | 'sse'
    readonly example?: JsonObject
  }
}

/** What stands in a challenge under `bazaar`. */
export type BazaarBlock = { readonly info: JsonObject; readonly schema: JsonObject; readonly routeTemplate?: string }

/**
 * What a challenge says of how a route is called (BAZAAR-001 to BAZAAR-005). Throws `X402Error` `invalid_config` for a method, a body type or a tool that
 * is none, and for a declaration of more than 4,096 characters: it travels in a header with every challenge.
 *
 * @example
 * declareBazaar({ method: 'GET', query: { type: 'object', properties: { city: { type: 'string' } } } })
 */
export function declareBazaar(declaration: BazaarDeclaration): BazaarBlock {
  const block = declaration.tool === undefined ? routeBlock(declaration) : toolBlock(declaration, declaration.tool)
  if (JSON.stringify(block).length > MAX_BLOCK) throw wrong('bazaar', `more than ${MAX_BLOCK} characters`)
  return block
}

/** The block with the method of a request, where the seller named none. */
export function withMethod(block: BazaarBlock, method: string): BazaarBlock {
  const { input } = block.info
  if (!isJsonObject(input) || input.type !== 'http' || input.method !== undefined) return block
  return { ...block, info: { ...block.info, input: { ...input, method } } }
}

const MAX_BLOCK = 4_096

const WITH_BODY = ['POST', 'PUT', 'PATCH']
const BARE = ['GET', 'HEAD', 'DELETE']

function routeBlock({
  method,
  route,
  query,
  params,
  headers,
  body,
  bodyType,
  example = {},
  output,
}: BazaarDeclaration): BazaarBlock {
  if (method !== undefined && ![...WITH_BODY, ...BARE].includes(method))
    throw wrong('method', 'GET, HEAD, DELETE, POST, PUT or PATCH')
  if (route !== undefined && !isRouteTemplate(route)) throw wrong('route', 'a path such as /books/:isbn')
  const takesBody =
    body !== undefined || bodyType !== undefined || example.body !== undefined || WITH_BODY.includes(method ?? '')
  if (takesBody && BARE.includes(method ?? '')) throw wrong('body', `a ${method} has none`)
  const type = bodyType ?? 'json'
  if (!['json', 'form-data', 'text'].includes(type)) throw wrong('bodyType', 'json, form-data or text')
  const plain = plainParams(route)
  const maps = [
    ['queryParams', query, example.query],
    ['pathParams', params ?? plain?.schema, example.params ?? (params === undefined ? plain?.example : undefined)],
    ['headers', headers, example.headers],
  ] as const
  const said = maps.flatMap(([name, schema, given]) => {
    if (schema === undefined && given === undefined) return []
    const object = { type: 'object', ...schema }
    return [{ name, schema: object, value: given ?? exampleOf(object) }]
  })
  const bodySchema = body ?? (type === 'json' && isJsonObject(example.body ?? {}) ? { type: 'object' } : {})
  const bodyParts = takesBody
    ? {
        info: { bodyType: type, body: example.body ?? exampleOf(bodySchema) },
        schema: { bodyType: { type: 'string', enum: [type] }, body: bodySchema },
      }
    : { info: {}, schema: {} }
  return {
    ...(route === undefined ? {} : { routeTemplate: route }),
    info: {
      input: {
        type: 'http',
        ...(method === undefined ? {} : { method }),
        ...bodyParts.info,
        ...Object.fromEntries(said.map(({ name, value }) => [name, value])),
      },
      ...outputInfo(output),
    },
    schema: schemaOf(
      {
        type: { type: 'string', const: 'http' },
        method: { type: 'string', enum: method === undefined ? (takesBody ? WITH_BODY : BARE) : [method] },
        ...bodyParts.schema,
        ...Object.fromEntries(said.map(({ name, schema }) => [name, schema])),
      },
      ['type', 'method', ...(takesBody ? ['bodyType', 'body'] : [])],
      output,
    ),
  }
}

/** Whoever asks what a route costs needs a path to ask for: its parameters, each by its own name. */
function plainParams(route = ''): { readonly schema: JsonObject; readonly example: JsonObject } | undefined {
  const names = parametersOf(route)
  if (names.length === 0) return undefined
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]))
  const example = Object.fromEntries(names.map((name) => [name, name]))
  return { schema: { type: 'object', properties, required: names }, example }
}

/** `tool` as the protocol's text has it, and `toolName` as its code does. */
function toolBlock({ output }: BazaarDeclaration, tool: NonNullable<BazaarDeclaration['tool']>): BazaarBlock {
  const { name, inputSchema, description, transport, example } = tool
  if (typeof name !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(name))
    throw wrong('tool.name', 'printable text without spaces')
  if (!isJsonObject(inputSchema)) throw wrong('tool.inputSchema', 'a JSON Schema')
  if (transport !== undefined && transport !== 'streamable-http' && transport !== 'sse')
    throw wrong('tool.transport', 'streamable-http or sse')
  return {
    info: {
      input: {
        ...{ type: 'mcp', tool: name, toolName: name, inputSchema },
        ...(description === undefined ? {} : { description }),
        ...(transport === undefined ? {} : { transport }),
        ...(example === undefined ? {} : { example }),
      },
      ...outputInfo(output),
    },
    schema: schemaOf(
      {
        type: { type: 'string', const: 'mcp' },
        tool: { type: 'string' },
        toolName: { type: 'string' },
        inputSchema: { type: 'object' },
        description: { type: 'string' },
        transport: { type: 'string', enum: ['streamable-http', 'sse'] },
        example: { type: 'object' },
      },
      ['type', 'toolName', 'inputSchema'],
      output,
    ),
  }
}

function outputInfo(output: BazaarDeclaration['output']): JsonObject {
  if (output === undefined) return {}
  const { type = 'json', format, example, schema } = output
  const shown = example === undefined && schema !== undefined ? exampleOf(schema) : example
  return {
    output: { type, ...(format === undefined ? {} : { format }), ...(shown === undefined ? {} : { example: shown }) },
  }
}

function schemaOf(input: JsonObject, required: readonly string[], output: BazaarDeclaration['output']): JsonObject {
  const answered = {
    type: 'object',
    properties: { type: { type: 'string' }, format: { type: 'string' }, example: output?.schema ?? {} },
    required: ['type'],
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: {
      input: { type: 'object', properties: input, required, additionalProperties: false },
      ...(output === undefined ? {} : { output: answered }),
    },
    required: ['input'],
  }
}

/** A value that a schema allows, as far as its plain words tell: indexers call a service with the example that it gives. */
function exampleOf(schema: JsonObject, depth = 0): Json {
  const {
    examples,
    example,
    default: fallback,
    const: only,
    enum: several,
    properties,
    required,
    items,
    minimum,
    minLength,
  } = schema
  const given =
    example ??
    (Array.isArray(examples) ? examples[0] : undefined) ??
    fallback ??
    only ??
    (Array.isArray(several) ? several[0] : undefined)
  if (given !== undefined) return given
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (type ?? (properties === undefined ? 'string' : 'object')) {
    case 'object': {
      const wanted = Array.isArray(required) ? required : []
      const members = isJsonObject(properties) && depth < 8 ? Object.entries(properties) : []
      return Object.fromEntries(
        members.flatMap(([name, member]) =>
          isJsonObject(member) && (wanted.includes(name) || 'example' in member || 'default' in member)
            ? [[name, exampleOf(member, depth + 1)]]
            : [],
        ),
      )
    }
    case 'array':
      return isJsonObject(items) && Number(schema.minItems ?? 0) > 0 && depth < 8 ? [exampleOf(items, depth + 1)] : []
    case 'integer':
    case 'number':
      return typeof minimum === 'number' ? minimum : 1
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return 'x'.repeat(Math.min(64, Math.max(1, Number(minLength ?? 1))))
  }
}

const wrong = (field: string, reason: string) =>
  new X402Error('invalid_config', { field: `extensions.bazaar.${field}`, reason })
