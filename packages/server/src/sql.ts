import { encodeSettlement, type Pid } from '@groat/core'
import type { AnyStore, Store } from '@groat/store'
import type { Transaction } from 'kysely'
import {
  type ClaimedBefore,
  type ClaimOutcome,
  type ClaimStore,
  type ClaimToken,
  KEEP_ANSWER_MS,
  KEEP_UNSETTLED_ANSWER_MS,
  KEEP_UNSETTLED_MS,
} from './claims.js'
import { withBook } from './ledger/book.js'
import type { Ledger } from './ledger/ledger.js'
import type { Refunds } from './refunds/refunds.js'
import {
  answerFrom,
  headFrom,
  migrations,
  type Row,
  receiptFrom,
  rowFrom,
  type State,
  type Tables,
} from './sql-claim-row.js'
import { sqlEntitlements } from './sql-entitlements.js'

/** How long claims stay in a database. */
export type SqlClaimsOptions = {
  /** Milliseconds for which the receipt of a payment is kept after the payment has expired. Default 30 days. */
  readonly keepReceiptsMs?: number
  /** The books, in the same database: what ends a claim and what is written of it are one transaction. */
  readonly ledger?: Pick<Ledger, 'book'>
  /** What gives money back for work that failed, on routes with `refund`; over the same books. */
  readonly refunds?: Pick<Refunds, 'order'>
}

/**
 * Claims in a database, shared by every process that serves these routes, and kept over crashes. Brings its own table. What the work
 * made is kept until 15 minutes after its payment has expired, and until it is settled; the receipt stays longer, as the record of what was delivered for which payment.
 * Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * const store = await sqlClaims(await openStore('shop.db'))
 * const paid = paywall({ facilitator, payTo, schemes, store })
 */
export async function sqlClaims(
  anyStore: AnyStore,
  { keepReceiptsMs = KEEP_UNSETTLED_MS, ledger, refunds }: SqlClaimsOptions = {},
): Promise<ClaimStore> {
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)
  const book = ledger?.book
  let fences = 0
  let sweptAt = 0
  const processId = globalThis.crypto.randomUUID()
  const newFence = (): string => `${processId}:${++fences}`

  const sweep = async (trx: Transaction<Tables>, now: number): Promise<void> => {
    if (now - sweptAt < SWEEP_EVERY_MS) return
    sweptAt = now
    await trx
      .deleteFrom('server_claim')
      .where('expires_at', '<=', now - keepReceiptsMs)
      .execute()
    await trx.deleteFrom('server_claim').where('expires_at', '<=', now).where('state', '=', 'claimed').execute()
    await trx
      .updateTable('server_claim')
      .set({ head: null, body: null })
      .where('expires_at', '<=', now - KEEP_ANSWER_MS)
      .where('state', '=', 'settled')
      .where('head', 'is not', null)
      .execute()
    await trx
      .updateTable('server_claim')
      .set({ body: null })
      .where('expires_at', '<=', now - KEEP_UNSETTLED_ANSWER_MS)
      .where('state', '=', 'settling')
      .where('body', 'is not', null)
      .execute()
  }

  /** Hands out a claim that may have been settled. */
  const takeUp = async (
    trx: Transaction<Tables>,
    pid: Pid,
    row: Row,
    lease: Pick<Row, 'fence' | 'lease_until'>,
  ): Promise<ClaimedBefore> => {
    const answer = answerFrom(row)
    const kept = answer === undefined ? {} : { answer }
    if (row.state === 'refunded') return { status: 'refunded' }
    if (row.state === 'settled') return { status: 'settled', receipt: receiptFrom(row), ...kept }
    await trx.updateTable('server_claim').set(lease).where('pid', '=', pid).execute()
    const token = { pid, fence: lease.fence }
    if (row.state === 'open') return { status: 'open', token, receipt: receiptFrom(row), partly: row.partly }
    const charged = row.charged ?? headFrom(row)?.charged
    return { status: 'settling', token, ...kept, ...(charged === undefined ? {} : { charged }) }
  }

  const isProofOfAnother = async (pid: Pid, evidence: string) => {
    const proved = store.db.selectFrom('server_claim').select('pid').where('evidence', '=', evidence)
    const row = await proved.executeTakeFirst()
    return row !== undefined && row.pid !== pid
  }

  return {
    audience: await audienceOf(store),
    entitlements: await sqlEntitlements(store, book),
    claim: ({ pid, binding, expiresAt, leaseMs }) =>
      store.transaction(async (trx): Promise<ClaimOutcome> => {
        const now = await store.now(trx)
        await sweep(trx, now)
        const token: ClaimToken = { pid, fence: newFence() }
        const lease = { fence: token.fence, lease_until: now + leaseMs }
        const fresh = { pid, binding, state: 'claimed' as const, expires_at: Math.ceil(expiresAt * 1000), ...lease }
        const made = await trx
          .insertInto('server_claim')
          .values({ ...fresh, partly: 0, head: null, body: null, receipt: null, charged: null, evidence: null })
          .onConflict((conflict) => conflict.column('pid').doNothing())
          .returning('pid')
          .executeTakeFirst()
        if (made !== undefined) return { status: 'claimed', token }

        const row = await trx.selectFrom('server_claim').selectAll().where('pid', '=', pid).executeTakeFirstOrThrow()
        if (!isEnded(row) && row.lease_until > now) return { status: 'busy' }
        if (row.state === 'claimed') {
          await trx.updateTable('server_claim').set(fresh).where('pid', '=', pid).execute()
          return { status: 'claimed', token }
        }
        return row.binding === binding ? takeUp(trx, pid, row, lease) : { status: 'mismatch' }
      }),

    resume: ({ pid, binding, leaseMs }) =>
      store.transaction(async (trx) => {
        const now = await store.now(trx)
        const row = await trx
          .selectFrom('server_claim')
          .selectAll()
          .where('pid', '=', pid)
          .where('binding', '=', binding)
          .where('state', '!=', 'claimed')
          .executeTakeFirst()
        if (row === undefined) return undefined
        if (!isEnded(row) && row.lease_until > now) return { status: 'busy' }
        return takeUp(trx, pid, row, { fence: newFence(), lease_until: now + leaseMs })
      }),

    settling: ({ pid, fence }, answer, leaseMs, sale) =>
      store.transaction(async (trx) => {
        const lease_until = (await store.now(trx)) + leaseMs
        const kept = await trx
          .updateTable('server_claim')
          .set({ state: 'settling', lease_until, ...(answer === undefined ? {} : rowFrom(answer)) })
          .where('pid', '=', pid)
          .where('fence', '=', fence)
          .where('state', '=', 'claimed')
          .returning('pid')
          .executeTakeFirst()
        if (kept !== undefined && sale !== undefined) await book?.verified(withBook(trx), sale)
        return kept !== undefined
      }),

    renew: ({ pid, fence }, leaseMs, charged) =>
      store.transaction(async (trx) => {
        const lease_until = (await store.now(trx)) + leaseMs
        const kept = await trx
          .updateTable('server_claim')
          .set({ lease_until, ...(charged === undefined ? {} : { charged }) })
          .where('pid', '=', pid)
          .where('fence', '=', fence)
          .where('state', 'in', ['settling', 'open'])
          .returning('pid')
          .executeTakeFirst()
        return kept !== undefined
      }),

    settled: async ({ pid }, receipt, evidence, sale) => {
      const settlement = encodeSettlement(2, receipt.network, { status: 'settled', receipt })
      try {
        await store.transaction(async (trx) => {
          const ended = await trx
            .updateTable('server_claim')
            .set((eb) => ({
              state: eb
                .case()
                .when('head', 'is', null)
                .then(eb.val<State>('open'))
                .else(eb.val<State>('settled'))
                .end(),
              receipt: JSON.stringify(settlement),
              evidence,
            }))
            .where('pid', '=', pid)
            .where('state', '=', 'settling')
            .returning('pid')
            .executeTakeFirst()
          if (ended !== undefined && sale !== undefined) await book?.settled(withBook(trx), sale, receipt)
        })
        return true
      } catch (error) {
        if (await isProofOfAnother(pid, evidence)) return false
        throw error
      }
    },

    delivered: ({ pid, fence }, answer) =>
      store.transaction(async (trx) => {
        await trx
          .updateTable('server_claim')
          .set({ state: 'settled', ...(answer === undefined ? {} : rowFrom(answer)) })
          .where('pid', '=', pid)
          .where('fence', '=', fence)
          .where('state', '=', 'open')
          .execute()
      }),

    ...(refunds === undefined
      ? {}
      : {
          refund: ({ pid, fence }: ClaimToken, reason: string) =>
            store.transaction(async (trx) => {
              const closed = await trx
                .updateTable('server_claim')
                .set({ state: 'refunded' })
                .where('pid', '=', pid)
                .where('fence', '=', fence)
                .where('state', '=', 'open')
                // What was sent in part is owed: who has had it is not given its price besides.
                .where('partly', '=', 0)
                .returning('pid')
                .executeTakeFirst()
              if (closed === undefined) return false
              if ((await refunds.order(trx, { pid, reason, by: 'gate', isDue: true })).ok) {
                await book?.failed(withBook(trx), 'delivery_failed', pid, await store.now(trx))
                return true
              }
              await trx.updateTable('server_claim').set({ state: 'open' }).where('pid', '=', pid).execute()
              return false
            }),
        }),
    pause: ({ pid, fence }, partly) =>
      store.transaction(async (trx) => {
        const paused = await trx
          .updateTable('server_claim')
          .set((eb) => ({ lease_until: 0, ...(partly ? { partly: eb('partly', '+', 1) } : {}) }))
          .where('pid', '=', pid)
          .where('fence', '=', fence)
          .where('state', 'in', ['settling', 'open'])
          .returning('state')
          .executeTakeFirst()
        if (paused?.state === 'open') await book?.failed(withBook(trx), 'delivery_failed', pid, await store.now(trx))
      }),

    release: ({ pid, fence }) =>
      store.transaction(async (trx) => {
        const gone = await trx
          .deleteFrom('server_claim')
          .where('pid', '=', pid)
          .where('fence', '=', fence)
          .where('state', 'in', ['claimed', 'settling'])
          .returning('state')
          .executeTakeFirst()
        if (gone?.state === 'settling') await book?.failed(withBook(trx), 'payment_failed', pid, await store.now(trx))
      }),
  }
}

const SWEEP_EVERY_MS = 60_000

/** Nothing happens to it any more. */
const isEnded = ({ state }: Row): boolean => state === 'settled' || state === 'refunded'

async function audienceOf(store: Store<Tables>): Promise<string> {
  const audience = globalThis.crypto.randomUUID().slice(0, 18)
  return store.transaction(async (trx) => {
    await trx
      .insertInto('server_audience')
      .values({ one: 1, audience })
      .onConflict((conflict) => conflict.column('one').doNothing())
      .execute()
    const row = await trx.selectFrom('server_audience').select('audience').executeTakeFirstOrThrow()
    return row.audience
  })
}
