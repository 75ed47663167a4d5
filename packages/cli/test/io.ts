import { createStyle, type Io } from '../src/terminal/io.js'

/** A terminal that remembers what was written and can be told to stop. */
export type RecordedIo = Io & {
  readonly written: () => string
  readonly said: () => string
  readonly stop: () => void
  /** Resolves with the first whole line that was written. */
  readonly firstLine: Promise<string>
}

export function recordedIo(options: Partial<Pick<Io, 'environment' | 'ask' | 'progress'>> = {}): RecordedIo {
  let written = ''
  let said = ''
  let stop = () => {}
  let tellFirst: (line: string) => void = () => {}
  const firstLine = new Promise<string>((resolve) => {
    tellFirst = resolve
  })
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  return {
    environment: options.environment ?? {},
    ask: options.ask,
    progress: options.progress,
    style: createStyle(false),
    stopped,
    out(text) {
      written += text
      if (written.includes('\n')) tellFirst(written.slice(0, written.indexOf('\n')))
    },
    say(line) {
      said += `${line}\n`
    },
    written: () => written,
    said: () => said,
    stop,
    firstLine,
  }
}
