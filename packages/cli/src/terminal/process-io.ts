import { createInterface } from 'node:readline/promises'
import { createStyle, type Io, painted, plain } from './io.js'

/** The terminal and environment of this process. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process
  const isWatched = stderr.isTTY === true
  const isPerson = stdin.isTTY === true && stderr.isTTY === true
  // Whoever reads has had enough, such as `head`: what was still to come is not missed, and what was begun is finished.
  for (const stream of [stdout, stderr]) stream.on('error', unlessClosed)
  let drawn = false
  /** Takes the line of progress away before something else is written. */
  const wipe = () => {
    if (drawn) stderr.write(WIPE)
    drawn = false
  }
  return {
    environment: env,
    out(text) {
      wipe()
      // What is piped elsewhere stays as it is; a terminal would obey it.
      stdout.write(stdout.isTTY === true ? painted(text) : text)
    },
    say(line) {
      wipe()
      stderr.write(`${isWatched ? painted(line) : line}\n`)
    },
    progress: isWatched
      ? (line) => {
          const { columns = 80 } = stderr
          stderr.write(`${WIPE}${plain(line).slice(0, columns - 1)}`)
          drawn = true
        }
      : undefined,
    ask: isPerson ? ask : undefined,
    style: createStyle(isWatched && env.NO_COLOR === undefined),
    stopped: new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
    }),
  }
}

/** To the first column, and nothing behind it. */
const WIPE = '\r\u001b[2K'

function unlessClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}

async function ask(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await lines.question(`${question} [y/N] `)
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}
