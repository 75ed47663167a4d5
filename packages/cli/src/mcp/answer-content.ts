import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'

/** Most of an answer that is given to an agent: 1 MiB. */
const MAX_BYTES = 1_048_576

/** The body of an answer as MCP has it: text, an image, or bytes. What is longer than 1 MiB is cut, and that is said. */
export async function answerContent(response: Response): Promise<CallToolResult['content']> {
  const { bytes, isCut } = await beginningOf(response)
  if (bytes.length === 0) return []
  const cut = isCut ? [textBlock(`(cut after ${bytes.length} bytes)`)] : []
  const mimeType = response.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? 'text/plain'
  if (/^(text\/|application\/(.+\+)?(json|xml|yaml|x-ndjson|problem))/.test(mimeType)) {
    return [textBlock(new TextDecoder().decode(bytes)), ...cut]
  }
  const data = Buffer.from(bytes).toString('base64')
  if (mimeType.startsWith('image/')) return [{ type: 'image', data, mimeType }, ...cut]
  return [{ type: 'resource', resource: { uri: response.url || 'groat:answer', mimeType, blob: data } }, ...cut]
}

/** What is behind the beginning is not read: it may have no end. */
async function beginningOf({ body }: Response): Promise<{ readonly bytes: Uint8Array; readonly isCut: boolean }> {
  const reader = body?.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  while (reader !== undefined && size <= MAX_BYTES) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    size += value.length
  }
  if (size > MAX_BYTES) void reader?.cancel().catch(() => {})
  return { bytes: Buffer.concat(chunks).subarray(0, MAX_BYTES), isCut: size > MAX_BYTES }
}

function textBlock(text: string) {
  return { type: 'text', text } as const
}
