/** No message of the protocol is nested deeper; whatever walks through a deeper value runs out of stack. */
const DEEPEST = 256

/**
 * The JSON in a text of a target, or undefined when it is none, or nested so deep that looking at it would end the run.
 *
 * @example
 * parseJson('{"a":1}') // { a: 1 }
 */
export function parseJson(text: string): unknown {
  if (depthOf(text) > DEEPEST) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** How deep brackets are nested outside strings. */
function depthOf(text: string): number {
  let [depth, most, quoted] = [0, 0, false]
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (quoted && character === '\\') at += 1
    else if (character === '"') quoted = !quoted
    else if (quoted) continue
    else if (character === '[' || character === '{') depth += 1
    else if (character === ']' || character === '}') depth -= 1
    if (depth > most) most = depth
  }
  return most
}
