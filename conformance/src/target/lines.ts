import { isObject } from '../http/exchange.js'
import { fail, untestable } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import { createPatience } from '../run/session.js'
import { startCommand, UnreachableError } from './process.js'

/** A program that is asked in JSON lines, each with a `seq` that its answer repeats, in any order. */
export interface Lines {
  /** What it said to hello. */
  readonly hello: Readonly<Record<string, unknown>>
  /** Its answer. A program that ends or says nothing in time fails the check. */
  ask(command: object): Promise<unknown>
  close(): Promise<void>
}

/** How to start it. */
export type LinesCommand = {
  readonly start: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Milliseconds in which a program has to answer, unless told. */
export const usualAnswerMs = 60_000
const helloMs = 30_000

/** Starts one and says hello. `what` it is, for findings. Throws `UnreachableError`. */
export async function openLines(
  { start, cwd, env = {} }: LinesCommand,
  what: string,
  answerMs: number,
): Promise<Lines> {
  const started = startCommand(start, env, cwd)
  const waiting = new Map<number, (answer: unknown) => void>()
  let seq = 0
  let ended = false

  const send = (command: object, timeoutMs: number): Promise<unknown> => {
    seq += 1
    const mine = seq
    return new Promise((resolve) => {
      if (ended) return resolve(undefined)
      const timer = setTimeout(() => finish(undefined), timeoutMs)
      const finish = (answer: unknown) => {
        clearTimeout(timer)
        waiting.delete(mine)
        resolve(answer)
      }
      waiting.set(mine, finish)
      started.write(JSON.stringify({ seq: mine, ...command }))
    })
  }

  async function read(): Promise<void> {
    for (;;) {
      const line = await started.line(2 ** 30)
      if (line === undefined) break
      const value = parseJson(line)
      if (isObject(value) && typeof value.seq === 'number') waiting.get(value.seq)?.(value)
    }
    ended = true
    for (const finish of [...waiting.values()]) finish(undefined)
  }
  const reading = read()

  const hello = await send({ cmd: 'hello', protocol: 1 }, helloMs)
  if (!isObject(hello) || !isObject(hello.ok)) {
    await started.stop()
    throw new UnreachableError(`\`${start}\` does not answer hello\n${started.complaints()}`.trimEnd())
  }
  return {
    hello: hello.ok,
    async ask(command) {
      const answer = await send(command, answerMs)
      if (answer !== undefined) return answer
      const why = ended ? 'ended in the middle of a request' : `did not answer within ${answerMs / 1000} s`
      return fail(`the ${what} ${why}`, 'a line of JSON', started.complaints())
    },
    async close() {
      await started.stop()
      await reading
    },
  }
}

/** Asks as before, until nothing came in time three times in a row: a program that hangs for good does not make a run hang. */
export function patiently<Q, A>(
  ask: (question: Q) => Promise<A>,
  { what, answerMs }: { readonly what: string; readonly answerMs: number },
): (question: Q) => Promise<A> {
  const patience = createPatience(3)
  return async (question) => {
    if (patience.isGone()) untestable(`the ${what} stopped answering during an earlier check`)
    const began = performance.now()
    try {
      return await ask(question)
    } finally {
      patience.heard(performance.now() - began < answerMs)
    }
  }
}
