import { type Network, type PaymentHeader, type Pid, X402Error, type X402Version } from '@groat/core'
import type { Entry, RuleRefusal } from './entry.js'

/**
 * What a payer means to pay, written down before it signs.
 *
 * `open`: decided, not signed. `signed`: the payment exists and can be settled until it expires. The rest are ends: `settled` (with a
 * receipt), `answered` (the answer was had without a receipt), `disputed` (answered with a receipt that contradicts the payment),
 * `dead` (expired without an answer), `void` (proven that it can never be settled) and `unsent` (the payment never left this machine).
 * All but `void` and `unsent` count as spent.
 */
export type IntentState = 'open' | 'signed' | IntentEnd
/** How an intent ended. */
export type IntentEnd = 'settled' | 'answered' | 'disputed' | 'dead' | 'void' | 'unsent'

/** What is written down of one payment, from before its signature to its end. */
export type Intent = {
  readonly id: string
  /** Identity of the logical request. */
  readonly key: string
  /** The caller named the request: there is at most one living intent under the key, and it keeps its payment after its end. */
  readonly exclusive: boolean
  /** SHA-256 over method, URL and body. */
  readonly fingerprint: string
  readonly origin: string
  /** SHA-256 of the challenge as it was received. */
  readonly challenge: string
  readonly pid: Pid
  readonly x402Version: X402Version
  readonly scheme: string
  readonly network: Network
  readonly asset: string
  readonly payTo: string
  readonly payer: string
  /** Atomic units that the signature allows to be taken. */
  readonly amount: bigint
  /** Seconds since 1970 after which the signature is worth nothing. */
  readonly expiresAt: number
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly state: IntentState
  /** The signed payment; there from `signed` on. */
  readonly payment?: PaymentHeader
  /** Transaction of the receipt. */
  readonly transaction?: string
}

/** A call that works on an intent, and until when it has said that it does. */
export type Claim = { readonly owner: string; readonly until: number }

/** What is known under a key: an intent that is now the caller's, or the claims of those who have the others. */
export type Taken = { readonly intent?: Intent; readonly claims: readonly Claim[] }

/**
 * Where intents are kept. Every method is atomic, and has happened durably when its promise resolves: what this port promises is what
 * keeps a payer from paying twice.
 */
export interface Intents {
  /** Milliseconds for which a claim lasts unless it is renewed. Absent: claims last until they are given back. */
  readonly claimMs?: number
  /**
   * Claims a payment that may be presented under a key: one that is `signed`, or an exclusive one that has ended with an answer. An
   * `open` intent whose claim has lapsed was never sent and becomes `unsent`.
   */
  take(key: string, owner: string): Promise<Taken>
  /**
   * Writes an `open` intent, claimed by its owner, with the entry of a guard. `false` when it is exclusive and its key has a living
   * intent already; a refusal when the entry does not fit.
   *
   * With `sign`, it is asked for the payment once nothing stands against the intent, and the intent is `signed` when it is written: one step, and
   * nothing of it is known to anybody before it is durable. What `sign` throws is thrown, and nothing is written. It may be asked again when the step
   * has to run again; then what it gave before is nowhere.
   */
  create(
    intent: Intent,
    owner: string,
    entry?: Entry,
    sign?: () => Promise<PaymentHeader>,
  ): Promise<boolean | RuleRefusal>
  /**
   * Keeps the signed payment, and its identity, which may be known only now: the intent becomes `signed`. `false` when the owner has lost its claim: then
   * nothing may be sent.
   */
  sign(id: string, owner: string, payment: PaymentHeader, pid: Pid): Promise<boolean>
  renew(id: string, owner: string): Promise<void>
  /**
   * Gives the claim back, notes the transaction of a receipt, and with an end, ends the intent. An end that an answer proves (`settled`,
   * `answered`, `disputed`) is kept even if the claim was lost. What was `unsent` is forgotten as a payment.
   */
  release(id: string, owner: string, end?: IntentEnd, transaction?: string): Promise<void>
}

/**
 * Intents in memory: they protect the calls of this process and are forgotten with it. Above 10 000 the ended ones are forgotten, and
 * those that expired a day ago.
 *
 * @example
 * createPayer({ schemes, store: memoryIntents() })
 */
export function memoryIntents(): Intents {
  const rows = new Map<string, Row>()
  const byKey = new Map<string, Set<Row>>()

  return {
    async take(key, owner) {
      const claims: Claim[] = []
      for (const row of byKey.get(key) ?? []) {
        if (!isPresentable(row.intent) && row.owner === undefined) continue
        if (row.owner === undefined) {
          row.owner = owner
          return { intent: row.intent, claims }
        }
        claims.push({ owner: row.owner, until: Number.POSITIVE_INFINITY })
      }
      return { claims }
    },

    async create(intent, owner, _, sign) {
      const siblings = byKey.get(intent.key) ?? new Set()
      if (intent.exclusive && siblings.size > 0) return false
      if (rows.size >= MAX_ROWS) forgetOld(intent.createdAt)
      const row: Row = { intent, owner }
      rows.set(intent.id, row)
      byKey.set(intent.key, siblings.add(row))
      if (sign === undefined) return true
      try {
        row.intent = { ...intent, state: 'signed', payment: await sign() }
        return true
      } catch (error) {
        forget(row)
        throw error
      }
    },

    async sign(id, owner, payment, pid) {
      const row = rows.get(id)
      if (row?.owner !== owner) return false
      row.intent = { ...row.intent, pid, state: 'signed', payment }
      return true
    },

    async renew() {},

    async release(id, owner, end, transaction) {
      const row = rows.get(id)
      if (row?.owner !== owner) return
      row.owner = undefined
      const { state } = row.intent
      row.intent = { ...row.intent, state: end ?? state, ...(transaction === undefined ? {} : { transaction }) }
      if (end !== undefined && !isPresentable(row.intent)) forget(row)
    },
  }

  function forget(row: Row): void {
    const { id, key } = row.intent
    rows.delete(id)
    const siblings = byKey.get(key)
    siblings?.delete(row)
    if (siblings?.size === 0) byKey.delete(key)
  }

  function forgetOld(now: number): void {
    const yesterday = now / 1000 - 86_400
    for (const row of rows.values()) {
      const { state, expiresAt } = row.intent
      if (row.owner === undefined && (state !== 'signed' || expiresAt < yesterday)) forget(row)
    }
  }
}

/** Whether the payment of an intent may be presented (again). */
export function isPresentable({ state, exclusive }: Pick<Intent, 'state' | 'exclusive'>): boolean {
  return state === 'signed' || (exclusive && (state === 'settled' || state === 'answered' || state === 'disputed'))
}

/** The same intents, whose faults carry a registered code: a store may throw what it likes. */
export function withCodes(intents: Intents): Intents {
  return {
    ...(intents.claimMs !== undefined && { claimMs: intents.claimMs }),
    take: (...args) => intents.take(...args).catch(recode),
    create: (...args) => intents.create(...args).catch(recode),
    sign: (...args) => intents.sign(...args).catch(recode),
    renew: (...args) => intents.renew(...args).catch(recode),
    release: (...args) => intents.release(...args).catch(recode),
  }
}

function recode(cause: unknown): never {
  throw X402Error.is(cause) ? cause : new X402Error('store_unavailable', {}, { cause })
}

const MAX_ROWS = 10_000

type Row = { intent: Intent; owner: string | undefined }
