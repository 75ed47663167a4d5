import {
  canonicalAddress,
  decodeChallenge,
  isJsonObject,
  type Json,
  type JsonObject,
  type PaymentRequired,
} from '@groat/core'
import { type HttpAnswer, type HttpCall, NoAnswer, nodeCall, publicCall } from '@groat/core/http'
import { parametersOf, readDeclaration } from '@groat/extensions/bazaar/facilitator'
import type { Store } from '@groat/store'
import type { Selectable } from 'kysely'
import { createReporter, type Fault } from '../fault.js'
import { askTool, type ToolAnswer } from './ask-tool.js'
import { replaceOffers, saidOf } from './record.js'
import { type BazaarTables, bazaarMigrations } from './tables.js'
import { wordsOf } from './words.js'

/** How origins are asked. */
export type ProberOptions = {
  readonly store: Store
  /** Makes the exchange. Default: one that follows no redirect and, without `allowPrivate`, reaches no private address. */
  readonly call?: HttpCall
  /** Milliseconds between two probes of one listing. Default six hours. */
  readonly every?: number
  /** Milliseconds for one answer. Default 10,000. */
  readonly timeoutMs?: number
  /** Whether this machine and private networks are asked too, by plain http as well: for tests and closed networks. Default false. */
  readonly allowPrivate?: boolean
  readonly clock?: () => number
  readonly onFault?: (fault: Fault) => void
}

/** Asks the origins of listings what they say themselves. */
export interface Prober {
  start(): Promise<void>
  /** Probes the listings that are due, eight at the most, and answers how many. */
  round(): Promise<number>
  stop(): Promise<void>
}

/** Times in a row that an origin may fail before its listing is taken off. */
const PATIENCE = 5

/**
 * Asks each listing's own URL for its price, unpaid and without following anything (BAZAAR-031 to BAZAAR-034). Where its 402 asks for payments to the listed account, the listing says from then on what the
 * origin says; where it asks for other accounts only, the listing is taken off; an origin that fails five times in a row, or answers 410, is gone until it comes back. A server of MCP is asked which tools it
 * has: a tool that it does not list is taken off, and the words of the others are shown. No tool is called, so whom it is paid to stays unconfirmed (BAZAAR-027).
 *
 * @example
 * const prober = createProber({ store })
 * await prober.start()
 */
export function createProber(options: ProberOptions): Prober {
  const { every = 6 * 3_600_000, timeoutMs = 10_000, allowPrivate = false, clock = Date.now, onFault } = options
  const report = createReporter({ onFault })
  const onError = (error: unknown) => void report(error, { during: 'bazaar' })
  const store = options.store.withTables<BazaarTables>()
  const call = options.call ?? (allowPrivate ? nodeCall() : publicCall())
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()

  async function round(): Promise<number> {
    const now = clock()
    // Taken before they are asked: another replica asks others.
    const due = await store.transaction(async (trx) => {
      const rows = await trx
        .selectFrom('bazaar_resource')
        .selectAll()
        .where('probed_at', '<', now - every)
        .where('hidden', 'is', null)
        .orderBy('probed_at')
        .orderBy('seq')
        .limit(8)
        .execute()
      for (const { seq } of rows)
        await trx.updateTable('bazaar_resource').set({ probed_at: now }).where('seq', '=', seq).execute()
      return rows
    })
    await Promise.all(due.map((row) => probe(row).catch(onError)))
    return due.length
  }

  async function probe(row: Selectable<BazaarTables['bazaar_resource']>): Promise<void> {
    const began = clock()
    const asked = row.type === 'mcp' ? await askForTool(row) : await askForPrice(row)
    if (asked === undefined) return
    const { found, status } = asked
    const at = clock()
    await store.transaction(async (trx) => {
      const failures = found.state === 'failed' ? Number(row.failures) + 1 : 0
      const state = stateAfter(found, row, failures)
      const report = {
        at: new Date(at).toISOString(),
        ms: at - began,
        status: status ?? null,
        outcome: found.state,
      }
      const isShown = state !== 'gone' && state !== 'disowned'
      const known = await trx
        .updateTable('bazaar_resource')
        .set(({ eb }) => ({
          ...{ origin_state: state, failures, probe: JSON.stringify(report) },
          // The operator may have taken it off while its origin was asked.
          shown: eb
            .case()
            .when('hidden', 'is', null)
            .then(isShown ? 1 : 0)
            .else(0)
            .end(),
          ...found.words,
        }))
        .where('seq', '=', row.seq)
        .returning('seq')
        .executeTakeFirst()
      if (known !== undefined && found.offers !== undefined) await replaceOffers(trx, Number(row.seq), found.offers, at)
    })
  }

  const limits = { timeoutMs, maxBytes: 262_144 }

  async function askForPrice(row: Row): Promise<Asked | undefined> {
    const question = questionOf(row, allowPrivate)
    if (question === undefined || call === undefined) return undefined
    const answer = await call({ ...question.ask, ...limits }).catch((error: unknown) => {
      if (error instanceof NoAnswer) return undefined
      throw error
    })
    return { found: judgeAnswer(answer, row, question.isGuess), status: answer?.status }
  }

  async function askForTool(row: Row): Promise<Asked | undefined> {
    const { url, tool } = row
    if (tool === null || call === undefined || (!allowPrivate && !url.startsWith('https:'))) return undefined
    const answer = await askTool({ call, url, tool, ...limits })
    return { found: judgeTool(answer, row), status: answer.status }
  }

  const tick = () => {
    running = round().catch(onError)
  }
  return {
    async start() {
      await store.migrate(bazaarMigrations(store.kind))
      timer ??= setInterval(tick, allowPrivate ? SOON_MS : ROUND_MS).unref()
    },
    round,
    async stop() {
      clearInterval(timer)
      await running
    },
  }
}

const ROUND_MS = 15_000
/** Whoever tries a shop on this machine waits for it. */
const SOON_MS = 1_000

type Row = Selectable<BazaarTables['bazaar_resource']>

/**
 * What a listing's own example asks for; `undefined` where it cannot be asked: other methods could change something. Nothing of the question is a payer's (BAZAAR-039): where neither its origin nor its
 * seller has given an example, parameters of the path stand for themselves, and query and body are empty. That is a guess.
 */
function questionOf({ url, method, said, said_by, origin_state }: Row, allowPrivate: boolean) {
  const isGuess = said_by === 'payer'
  const { info } = JSON.parse(said) as { info?: JsonObject }
  const input = !isGuess && isJsonObject(info?.input) ? info.input : {}
  if ((method !== null && method !== 'GET' && method !== 'POST') || (!allowPrivate && !url.startsWith('https:')))
    return undefined
  const place = new URL(url)
  const names = parametersOf(place.pathname)
  const params = isGuess
    ? Object.fromEntries(names.map((name) => [name, name]))
    : isJsonObject(input.pathParams)
      ? input.pathParams
      : {}
  // Dots alone would be taken for a way out of the path, and half a character is no text.
  if (names.some((name) => /^\.{0,2}$|\p{Cs}/u.test(textOf(params[name])))) return undefined
  place.pathname = place.pathname
    .split('/')
    .map((part) => (part.startsWith(':') ? encodeURIComponent(textOf(params[part.slice(1)])) : part))
    .join('/')
  for (const [name, value] of Object.entries(isJsonObject(input.queryParams) ? input.queryParams : {}).slice(0, 32)) {
    place.searchParams.set(
      name.slice(0, 64),
      typeof value === 'string' ? value.slice(0, 256) : JSON.stringify(value).slice(0, 256),
    )
  }
  const headers = { accept: 'application/json' }
  const plain = { url: place.href, headers }
  // What was answered with 402 once is a guess no longer.
  const isOpen = isGuess && origin_state !== 'verified'
  if (method !== 'POST' || isGuess) return { ask: { ...plain, method: askedBy(method) }, isGuess: isOpen }
  const body = typeof input.body === 'string' ? input.body : JSON.stringify(input.body ?? {})
  const ask = { ...plain, method: askedBy(method), headers: { ...headers, 'content-type': 'application/json' }, body }
  return { ask, isGuess: isOpen }
}

/** A list or an object is no part of a path, and has no text of its own. */
const textOf = (value: Json | undefined) =>
  ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : ''

const askedBy = (method: string | null) => (method === 'POST' ? ('POST' as const) : ('GET' as const))

type Asked = { readonly found: Found; readonly status: number | undefined }

type Found = {
  /** `unclear`: it answers, and what it was asked was a guess. `named`: a server lists the tool, and has not said whom it is paid to. */
  readonly state: 'verified' | 'named' | 'disowned' | 'gone' | 'failed' | 'unclear'
  readonly words?: Partial<Row>
  readonly offers?: PaymentRequired['accepts']
}

function judgeAnswer(answer: HttpAnswer | undefined, row: Row, isGuess: boolean): Found {
  // Whatever else it answers to a guess says nothing of the place: a real question may be answered with 402.
  if (isGuess && answer !== undefined && answer.status !== 402) return { state: 'unclear' }
  if (answer?.status === 410) return { state: 'gone' }
  if (answer?.status !== 402) return { state: 'failed' }
  const challenge = decodeChallenge(answer.header, answer.text ?? '')
  if (!challenge?.ok) return { state: 'failed' }
  const { accepts } = challenge.value
  const offers = accepts.filter(({ payTo }) => canonicalAddress(payTo) === row.pay_to)
  if (offers.length === 0) return { state: 'disowned' }
  return { state: 'verified', words: wordsFrom(challenge.value, row), offers }
}

/** A list of tools has their words, and no accounts: whoever may speak for both has said more already. */
function judgeTool({ tool }: ToolAnswer, { said_by }: Row): Found {
  switch (tool.is) {
    case 'listed': {
      if (tool.listing === undefined || said_by === 'seller') return { state: 'named' }
      const { name, more } = wordsOf(tool.listing)
      const words = { said: saidOf(tool.listing), said_by: 'origin', name_words: name, more_words: more } as const
      return { state: 'named', words }
    }
    case 'absent':
      return { state: 'disowned' }
    case 'silent':
      return { state: 'failed' }
    case 'unclear':
      return { state: 'unclear' }
  }
}

/** How its origin stands after a probe. One that was gone because nothing answered is back with any answer; one that was gone for what it answered, with a 402 only. */
function stateAfter({ state }: Found, { origin_state, probe }: Row, failures: number): string {
  if (state === 'failed') return failures >= PATIENCE ? 'gone' : origin_state
  if (state !== 'unclear') return state
  const wasSilent = origin_state === 'gone' && probe !== null && JSON.parse(probe).status === null
  return wasSilent ? 'unknown' : origin_state
}

/** What the origin says of the listing, where it says anything. */
function wordsFrom({ extensions, resource }: PaymentRequired, { url, tool }: Row): Partial<Row> {
  const block = extensions?.bazaar
  if (!isJsonObject(block)) return {}
  const read = readDeclaration(block, { ...resource, url })
  if (!read.ok || read.listing.type !== 'http' || tool !== null) return {}
  const { name, more } = wordsOf(read.listing)
  return { said: saidOf(read.listing), said_by: 'origin', name_words: name, more_words: more }
}
