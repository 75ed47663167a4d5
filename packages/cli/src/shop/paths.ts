/**
 * A path as the most forgiving server could read it: decoded as often as it can be, without dots, doubled slashes, parameters and case.
 * `undefined`: it is encoded too often. Two paths that some server takes for one have one spelling here.
 */
export function loosePath(path: string): string | undefined {
  let text = path
  for (let times = 0; /%[0-9a-f]{2}/i.test(text); times++) {
    if (times === 4) return undefined
    text = decoded(text)
  }
  const parts: string[] = []
  for (const segment of text.replaceAll('\\', '/').split('/')) {
    const name = (segment.split(/[;\0]/, 1)[0] ?? '').trim().replace(/\.+$/, (dots) => (dots === segment ? dots : ''))
    if (name === '..') parts.pop()
    else if (name !== '' && name !== '.') parts.push(name.toLowerCase())
  }
  return `/${parts.join('/')}`
}

/** What is no UTF-8 some servers read byte by byte. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replace(/%([0-9a-f]{2})/gi, (_, byte: string) => String.fromCharCode(Number.parseInt(byte, 16)))
  }
}
