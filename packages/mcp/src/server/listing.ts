import { decodeJsonObject, isJsonObject, type Json, type JsonObject, X402Error } from '@groat/core'
import {
  type AnySchema,
  normalizeObjectSchema,
  type ZodRawShapeCompat,
} from '@modelcontextprotocol/sdk/server/zod-compat.js'
import { toJsonSchemaCompat } from '@modelcontextprotocol/sdk/server/zod-json-schema-compat.js'

/** What a tool takes: what `registerTool` is given as `inputSchema`, or a JSON Schema. */
export type ToolInput = ZodRawShapeCompat | AnySchema | JsonObject

/** What is known of a tool that is to be listed. */
export type ListedTool = {
  readonly name: string
  readonly description?: string | undefined
  readonly inputSchema?: ToolInput | undefined
  /** Where the server is reached. */
  readonly endpoint: string | undefined
}

/**
 * The declaration of a tool for `bazaar` of `@groat/extensions`: its `mcp` form, whatever is left out taken from the tool itself (BAZAAR-005, BAZAAR-007).
 * Throws `X402Error` `invalid_config` for what no catalogue could list: a server without an endpoint, a tool whose input nobody has said, and members that are of HTTP.
 */
export function declareTool(said: Json, { name, description, inputSchema, endpoint }: ListedTool): JsonObject {
  if (said !== true && !isJsonObject(said)) throw wrong('extensions.bazaar', 'true, or what the tool takes and gives')
  if (endpoint === undefined) {
    throw wrong('endpoint', `missing: the URL at which catalogues find the tool ${name}, of streamable HTTP`)
  }
  const { tool: own = {}, output, ...other }: JsonObject = said === true ? {} : said
  const [stray] = Object.keys(other)
  if (stray !== undefined) throw wrong(`extensions.bazaar.${stray}`, `of HTTP: the tool ${name} has tool and output`)
  if (!isJsonObject(own) || (own.name !== undefined && own.name !== name)) {
    throw wrong('extensions.bazaar.tool', `not the tool ${name}`)
  }
  const input = own.inputSchema ?? (inputSchema === undefined ? undefined : schemaOf(inputSchema))
  if (input === undefined) {
    throw wrong(
      'inputSchema',
      `missing: what the tool ${name} takes, as registerTool is told; {} where that is nothing`,
    )
  }
  const about = { name, ...(description === undefined ? {} : { description }), ...own, inputSchema: input }
  return { tool: about, ...(output === undefined ? {} : { output }) }
}

/** Reads the URL at which a server is reached. Throws `X402Error` `invalid_config`. */
export function endpointOf(endpoint: string | URL): string {
  const url = URL.canParse(String(endpoint)) ? new URL(String(endpoint)) : undefined
  const isPlain = url !== undefined && url.username === '' && url.password === '' && !/[?#]/.test(url.href)
  if (!isPlain || !/^https?:$/.test(url.protocol)) {
    throw wrong('endpoint', 'not an http(s) URL without credentials, query and fragment')
  }
  return url.href
}

/** As the SDK's own list of tools says it. */
function schemaOf(input: ToolInput): Json {
  // What is no schema of Zod, and no shape of such schemas, is JSON Schema: the SDK tells them apart, by looking at any object.
  const zod = normalizeObjectSchema(input as AnySchema | ZodRawShapeCompat)
  const schema = zod === undefined ? input : toJsonSchemaCompat(zod, { strictUnions: true, pipeStrategy: 'input' })
  const plain = decodeJsonObject(JSON.stringify(schema))
  if (!plain.ok) throw wrong('inputSchema', 'neither a schema of Zod nor a JSON Schema')
  return { type: 'object', ...plain.value }
}

const wrong = (field: string, reason: string) => new X402Error('invalid_config', { field, reason })
