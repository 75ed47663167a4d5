const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const digitOf = new Map(Array.from(alphabet, (character, digit) => [character, digit]))

/** Bytes as base58 text. */
export function formatBase58(bytes: Uint8Array): string {
  const digits: number[] = []
  for (const byte of bytes) multiplyAdd(digits, 256, byte, 58)
  return (
    alphabet.charAt(0).repeat(leadingZeros(bytes)) +
    digits
      .reverse()
      .map((digit) => alphabet[digit])
      .join('')
  )
}

/** The bytes that base58 text stands for; undefined when it has a foreign character. */
export function parseBase58(text: string): Uint8Array | undefined {
  const bytes: number[] = []
  let zeros = 0
  for (const character of text) {
    const digit = digitOf.get(character)
    if (digit === undefined) return undefined
    if (digit === 0 && bytes.length === 0) zeros += 1
    else multiplyAdd(bytes, 58, digit, 256)
  }
  return Uint8Array.from([...new Array<number>(zeros).fill(0), ...bytes.reverse()])
}

/** `digits` (least significant first, in `base`) times `factor` plus `carry`. */
function multiplyAdd(digits: number[], factor: number, carry: number, base: number): void {
  let rest = carry
  for (let i = 0; i < digits.length; i++) {
    rest += (digits[i] ?? 0) * factor
    digits[i] = rest % base
    rest = Math.floor(rest / base)
  }
  for (; rest > 0; rest = Math.floor(rest / base)) digits.push(rest % base)
}

function leadingZeros(bytes: Uint8Array): number {
  const first = bytes.findIndex((byte) => byte !== 0)
  return first === -1 ? bytes.length : first
}
