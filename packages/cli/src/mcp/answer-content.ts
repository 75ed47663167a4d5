import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'

/** Most of an answer that is given to an agent: 1 MiB. */
const MAX_BYTES = 1_048_576

/** The body of an answer as MCP has it: text, an image, or bytes. What is longer than 1 MiB is cut, and that is said. */
export async function answerContent(response: Response): Promise<CallToolResult['content']> {
  const all = new Uint8Array(await response.arrayBuffer())
  if (all.length === 0) return []
  const bytes = all.subarray(0, MAX_BYTES)
  const cut = all.length > bytes.length ? [textBlock(`(cut after ${bytes.length} of ${all.length} bytes)`)] : []
  const mimeType = response.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? 'text/plain'
  if (/^(text\/|application\/(.+\+)?(json|xml|yaml|x-ndjson|problem))/.test(mimeType)) {
    return [textBlock(new TextDecoder().decode(bytes)), ...cut]
  }
  const data = Buffer.from(bytes).toString('base64')
  if (mimeType.startsWith('image/')) return [{ type: 'image', data, mimeType }, ...cut]
  return [{ type: 'resource', resource: { uri: response.url || 'groat:answer', mimeType, blob: data } }, ...cut]
}

function textBlock(text: string) {
  return { type: 'text', text } as const
}
