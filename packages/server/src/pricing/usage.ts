import { isJsonObject, type Json } from '@groat/core'

/** Tokens that an answer says it took; `undefined`: it has not said. */
export type TokenUsage = { readonly input: bigint | undefined; readonly output: bigint | undefined }

/**
 * Reads what a language model's answer, or one event of it, says of its tokens: `usage` as OpenAI (chat completions, responses) and
 * Anthropic (messages) write it. Tokens that came from a cache were input too.
 *
 * @example
 * usageOf({ usage: { prompt_tokens: 12, completion_tokens: 34 } }) // { input: 12n, output: 34n }
 */
export function usageOf(value: Json | undefined): TokenUsage | undefined {
  if (!isJsonObject(value)) return undefined
  const { usage, response, message } = value
  const found = [usage, inside(response), inside(message)].find(isJsonObject)
  if (found === undefined) return undefined
  const input = countOf(found.prompt_tokens ?? found.input_tokens)
  const output = countOf(found.completion_tokens ?? found.output_tokens)
  if (input === undefined && output === undefined) return undefined
  const cached = (countOf(found.cache_creation_input_tokens) ?? 0n) + (countOf(found.cache_read_input_tokens) ?? 0n)
  return { input: input === undefined ? undefined : input + cached, output }
}

/**
 * What one event of a stream says: its usage, or that it carries a piece of the answer, which counts as one token until the usage is told.
 * `text` is the event as it was sent.
 */
export function readEvent(text: string): { readonly usage?: TokenUsage; readonly piece: boolean } {
  const data = text
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5))
    .join('\n')
  if (!data.includes('"usage"')) return { piece: data.includes('"delta"') }
  const usage = usageOf(jsonOf(data))
  return usage === undefined ? { piece: data.includes('"delta"') } : { usage, piece: false }
}

/** The JSON of a text, where it is some. */
export function jsonOf(text: string): Json | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const inside = (value: Json | undefined): Json | undefined => (isJsonObject(value) ? value.usage : undefined)

function countOf(value: Json | undefined): bigint | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined
}
