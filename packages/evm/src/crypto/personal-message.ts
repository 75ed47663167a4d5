/**
 * The bytes whose hash an Ethereum account signs for a text (EIP-191, version 0x45).
 *
 * @example
 * const digest = engine.keccak256(personalMessage('hello'))
 */
export function personalMessage(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  const head = new TextEncoder().encode(`\u0019Ethereum Signed Message:\n${bytes.length}`)
  const all = new Uint8Array(head.length + bytes.length)
  all.set(head)
  all.set(bytes, head.length)
  return all
}
