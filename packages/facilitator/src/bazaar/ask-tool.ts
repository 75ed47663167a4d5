import { decodeJsonObject, isJsonObject, type JsonObject } from '@groat/core'
import { type HttpAnswer, type HttpCall, NoAnswer } from '@groat/core/http'
import { type Listing, plainText, readDeclaration } from '@groat/extensions/bazaar/facilitator'

/** What an MCP server says of a tool. `status` is that of its last answer; `undefined`: there was none. */
export type ToolAnswer = {
  readonly status: number | undefined
  readonly tool:
    | { readonly is: 'listed'; readonly listing?: Listing }
    | { readonly is: 'absent' }
    | { readonly is: 'silent' }
    /** It answers, and lists nothing to whoever asks like this. */
    | { readonly is: 'unclear' }
}

/** How it is asked. */
export type AskTool = {
  readonly call: HttpCall
  /** The endpoint, for streamable HTTP. */
  readonly url: string
  readonly tool: string
  readonly timeoutMs: number
  readonly maxBytes: number
}

/**
 * Asks an MCP server for its list of tools, as any client does before it calls one: `initialize`, then `tools/list`. No tool is called, so that nothing is done and nothing paid for; what a call costs, and to whom, is
 * therefore not learned (BAZAAR-027).
 */
export async function askTool({ call, url, tool, timeoutMs, maxBytes }: AskTool): Promise<ToolAnswer> {
  let status: number | undefined
  let named: Record<string, string> = {}
  const send = async (message: JsonObject): Promise<HttpAnswer> => {
    const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...named }
    const body = JSON.stringify({ jsonrpc: '2.0', ...message })
    const answer = await call({ url, method: 'POST', headers, body, timeoutMs, maxBytes })
    status = answer.status
    return answer
  }
  try {
    const first = await send({ id: 1, method: 'initialize', params: INITIALIZE })
    const begun = resultIn(first, 1)
    if (begun === undefined) return { status, tool: { is: 'unclear' } }
    const session = first.header('mcp-session-id')
    const { protocolVersion = INITIALIZE.protocolVersion } = begun
    named = {
      'mcp-protocol-version': word(protocolVersion),
      ...(session !== undefined && /^[\x21-\x7e]{1,512}$/.test(session) ? { 'mcp-session-id': session } : {}),
    }
    await send({ method: 'notifications/initialized' })
    let cursor: string | undefined
    for (let page = 0; page < PAGES; page++) {
      const id = page + 2
      const listed = resultIn(
        await send({ id, method: 'tools/list', params: cursor === undefined ? {} : { cursor } }),
        id,
      )
      if (listed === undefined || !Array.isArray(listed.tools)) return { status, tool: { is: 'unclear' } }
      const found = listed.tools.find((each) => isJsonObject(each) && nameOf(each) === tool)
      if (isJsonObject(found)) return { status, tool: { is: 'listed', ...listingOf(found, url, tool) } }
      if (typeof listed.nextCursor !== 'string') return { status, tool: { is: 'absent' } }
      cursor = listed.nextCursor
    }
    return { status, tool: { is: 'unclear' } }
  } catch (error) {
    if (error instanceof NoAnswer) return { status: undefined, tool: { is: 'silent' } }
    throw error
  }
}

const INITIALIZE = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'groat-catalogue', version: '1' },
}

/** Pages of a list that are read. */
const PAGES = 10

const nameOf = ({ name }: JsonObject) => (typeof name === 'string' ? plainText(name, 128) : undefined)

const word = (value: unknown): string =>
  typeof value === 'string' && /^[\w.-]{1,32}$/.test(value) ? value : INITIALIZE.protocolVersion

/** The result of a request, out of JSON or of a stream of events. */
function resultIn({ status, text }: HttpAnswer, id: number): JsonObject | undefined {
  if (status !== 200 || text === undefined) return undefined
  const events = text
    .split(/\r?\n\r?\n/)
    .map((event) =>
      event
        .split(/\r?\n/)
        .flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trim()] : []))
        .join('\n'),
    )
    .filter((data) => data !== '')
  for (const message of [text, ...events]) {
    const decoded = decodeJsonObject(message)
    if (decoded.ok && decoded.value.id === id && isJsonObject(decoded.value.result)) return decoded.value.result
  }
  return undefined
}

/** What the server says of it, within the bounds of any declaration. */
function listingOf(
  { description, inputSchema }: JsonObject,
  url: string,
  tool: string,
): { readonly listing?: Listing } {
  const said = typeof description === 'string' ? { description } : {}
  const input = { type: 'mcp', tool, toolName: tool, inputSchema: inputSchema ?? {}, ...said }
  const read = readDeclaration({ info: { input } }, { url, ...said })
  return read.ok ? { listing: read.listing } : {}
}
