import { type Sleep, systemSleep } from '@groat/client'
import { decodeJsonObject, errorInfo, type Fetch, isErrorCode, readBounded } from '@groat/core'
import { type Io, plain } from '../terminal/io.js'

/** The `fetch` and the `sleep` of a payer who waits, and what they say of it. */
export type Waits = { readonly fetch: Fetch; readonly sleep: Sleep }

/**
 * Says on standard error for how long a payer waits before it presents its payment again, and why: nobody should wonder whether a
 * command still runs.
 *
 * @example
 * const buyer = createBuyer({ …, ...tellingWaits(askOnce(), io) })
 */
export function tellingWaits(fetch: Fetch, { say, style }: Io, sleep: Sleep = systemSleep): Waits {
  let why: Promise<string> | undefined
  let sinceAnswer = 0
  return {
    async fetch(input, init) {
      sinceAnswer = 0
      try {
        const response = await fetch(input, init)
        // Whoever waits is asked for patience; what was sold is not read twice.
        why = response.status === 202 || response.status >= 409 ? reasonOf(response.clone()) : undefined
        return response
      } catch (error) {
        why = Promise.resolve('there was no answer')
        throw error
      }
    },
    async sleep(ms, signal) {
      const reason = await why
      why = undefined
      if (reason !== undefined)
        say(style.quiet(`  waits ${secondsText(ms)}, then presents the same payment; ${reason}`))
      else if (sinceAnswer < PATIENCE_MS && sinceAnswer + ms >= PATIENCE_MS)
        say(style.quiet('  waits: another command pays for the same request'))
      sinceAnswer += ms
      await sleep(ms, signal)
    },
  }
}

/** Milliseconds of looking at another's payment before it is worth a word. */
const PATIENCE_MS = 1_000

function secondsText(ms: number): string {
  return `${Number((ms / 1000).toPrecision(2))} s`
}

/** The status, and what its code means where that is one of ours. */
async function reasonOf({ status, statusText, body }: Response): Promise<string> {
  const bytes = await readBounded(body, { maxBytes: 16_384, ms: 1_000 }).catch(() => undefined)
  const said = `the answer is ${plain(`${status} ${statusText}`.trim())}`
  const problem = bytes && decodeJsonObject(new TextDecoder().decode(bytes))
  const code = problem?.ok ? problem.value.code : undefined
  return typeof code === 'string' && isErrorCode(code) ? `${said}: ${errorInfo(code).title} (${code})` : said
}
