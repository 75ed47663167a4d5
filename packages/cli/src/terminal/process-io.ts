import { createInterface } from 'node:readline/promises'
import { createStyle, type Io, painted, plainLines } from './io.js'

/** The terminal and environment of this process. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process
  const isPerson = stdin.isTTY === true && stderr.isTTY === true
  return {
    environment: env,
    // What is piped elsewhere stays as it is; a terminal would obey it.
    out: (text) => void stdout.write(stdout.isTTY === true ? plainLines(text) : text),
    say: (line) => void stderr.write(`${stderr.isTTY === true ? painted(line) : line}\n`),
    ask: isPerson ? ask : undefined,
    style: createStyle(stderr.isTTY === true && env.NO_COLOR === undefined),
    stopped: new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
    }),
  }
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
