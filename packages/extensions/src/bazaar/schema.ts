import * as z from 'zod/mini'

const Method = z.string().check(z.regex(/^(?:GET|HEAD|DELETE|POST|PUT|PATCH)$/))
const Members = z.looseObject({})
const Output = z.looseObject({
  type: z.string(),
  format: z.optional(z.string()),
  example: z.optional(z.unknown()),
})

/** How a thing over HTTP is called. `method` is absent where the challenge does not know it; `bodyType` and `body` stand together, for methods that have a body. */
export const BazaarHttpInfo = z.looseObject({
  input: z.looseObject({
    type: z.literal('http'),
    method: z.optional(Method),
    queryParams: z.optional(Members),
    pathParams: z.optional(Members),
    headers: z.optional(Members),
    bodyType: z.optional(z.string().check(z.regex(/^(?:json|form-data|text)$/))),
    body: z.optional(z.unknown()),
  }),
  output: z.optional(Output),
})

/** How a tool of an MCP server is called: the protocol's text names it `tool`, its code `toolName`; sellers write both. */
export const BazaarToolInfo = z.looseObject({
  input: z.looseObject({
    type: z.literal('mcp'),
    tool: z.optional(z.string()),
    toolName: z.optional(z.string()),
    inputSchema: Members,
    description: z.optional(z.string()),
    transport: z.optional(z.string().check(z.regex(/^(?:streamable-http|sse)$/))),
    example: z.optional(Members),
  }),
  output: z.optional(Output),
})
