/** What a command sees of the process it runs in. */
export type Io = {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** For results: JSON, bodies, receipts. */
  out(text: string): void
  /** For people: progress and what went wrong. */
  say(line: string): void
  /** Shows how far something is, in the place of what it showed before; only where a person looks on. */
  readonly progress?: ((line: string) => void) | undefined
  /** Asks a yes-or-no question; only where a person can answer. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined
  readonly style: Style
  /** Resolves when the process is told to stop. */
  readonly stopped: Promise<void>
}

/** Colours, or none where nobody sees them. */
export type Style = {
  bold(text: string): string
  quiet(text: string): string
  good(text: string): string
  bad(text: string): string
}

/**
 * The colours of a terminal, or no colours.
 *
 * @example
 * createStyle(process.stderr.isTTY === true).good('paid')
 */
export function createStyle(colours: boolean): Style {
  const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
  return { bold: paint(1), quiet: paint(2), good: paint(32), bad: paint(31) }
}

/**
 * Aligned columns, two spaces between them.
 *
 * @example
 * columns([['EVM chain', 'http://127.0.0.1:8545'], ['API', 'http://127.0.0.1:4402']])
 */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((wide, row) => row.map((cell, at) => Math.max(wide[at] ?? 0, cell.length)), [])
  return rows.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '),
  )
}

/**
 * An address or a hash as people tell it from others: its beginning and its end. Anything short stays as it is.
 *
 * @example
 * shortened('0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266') // '0xf39Fd6…2266'
 */
export function shortened(text: string): string {
  return /^[0-9A-Za-z]{25,}$/.test(text) ? `${text.slice(0, 8)}…${text.slice(-4)}` : text
}

/**
 * Text of a stranger as one line that a terminal can be shown: without control characters, which move the cursor, clear the screen or name
 * the window, and without those that turn the direction of what follows.
 *
 * @example
 * plain('\u001b[2Jexact') // '[2Jexact'
 */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '')
}

/**
 * An answer as a terminal can be shown it: like `plain`, but with its lines and tabs.
 *
 * @example
 * plainLines('11 °C\n\u001b[2J') // '11 °C\n[2J'
 */
export function plainLines(text: string): string {
  return text.replace(/[^\n\t]+/g, plain)
}

/**
 * What is said as a terminal can be shown it: like `plainLines`, but with the colours of `createStyle`.
 *
 * @example
 * painted('\u001b[32mpaid\u001b[0m 0x1\u001b[2J') // '\u001b[32mpaid\u001b[0m 0x1[2J'
 */
export function painted(text: string): string {
  return text
    .split(COLOURS)
    .map((part, at) => (at % 2 === 0 ? plainLines(part) : part))
    .join('')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape is what is looked for
const COLOURS = /(\u001b\[(?:0|1|2|31|32)m)/

/** Where a duration went, for people: `35 ms`, `1.2 s`. */
export function formatDuration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`
}
