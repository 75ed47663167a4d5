import type { Pid } from '@groat/core'
import type { AnyStore, Migrations } from '@groat/store'
import type { Transaction } from 'kysely'
import { type Exposure, type Exposures, judgeExposure, KEPT_SECONDS, type OpenPayments } from './exposure.js'

/**
 * Keeps exposures in a database: all replicas that share it know what a payer has let itself in for, and so does a process that is started
 * anew. What is open is looked up and added to in one serialisable transaction, so two replicas never take one balance twice (EVM-UPTO-045).
 * Brings its own table. Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * uptoEvm({ chains: [chain], exposures: await sqlExposures(await openStore('postgres://…')) })
 */
export async function sqlExposures(anyStore: AnyStore): Promise<Exposures> {
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)

  async function lookAt(from: Reads, account: string, pid: Pid, now: number): Promise<OpenPayments> {
    const rows = await from
      .selectFrom('evm_upto_exposure')
      .select(['pid', 'amount'])
      .where('account', '=', account)
      .where('until', '>=', Math.floor(now))
      .execute()
    let [count, sum, freed] = [0, 0n, 0n]
    for (const { pid: other, amount } of rows) {
      if (other === FREED) freed = BigInt(amount)
      else if (other !== pid) {
        count += 1
        sum += BigInt(amount)
      }
    }
    return { count, amount: sum, freed }
  }

  return {
    look: (account, pid, now) => lookAt(store.db, account, pid, now),
    take: (exposure, limits) =>
      store.transaction(async (trx) => {
        const { account, pid, amount } = exposure
        const judged = judgeExposure(amount, await lookAt(trx, account, pid, limits.now), limits)
        if (judged === 'taken') {
          // An account's own rows that are over go with its next one: other accounts are in nobody's way.
          await trx
            .deleteFrom('evm_upto_exposure')
            .where('account', '=', account)
            .where('until', '<', Math.floor(limits.now))
            .execute()
          await put(trx, exposure)
        }
        return judged
      }),
    hold: (exposure) =>
      store.transaction((trx) => (exposure.amount === 0n ? remove(trx, exposure) : put(trx, exposure))),
    free: (account, pid, now) =>
      store.transaction(async (trx) => {
        const amountOf = async (of: string) =>
          BigInt(
            (
              await trx
                .selectFrom('evm_upto_exposure')
                .select('amount')
                .where('account', '=', account)
                .where('pid', '=', of)
                .executeTakeFirst()
            )?.amount ?? '0',
          )
        const ended = await amountOf(pid)
        if (ended === 0n) return
        await remove(trx, { account, pid })
        const amount = (await amountOf(FREED)) + ended
        await put(trx, { account, pid: FREED, amount, until: now + KEPT_SECONDS })
      }),
  }
}

/** In the place of a payment: the row that counts what payments which are over could take. */
const FREED = ''

type Key = { readonly account: string; readonly pid: string }

async function remove(trx: Transaction<Tables>, { account, pid }: Key): Promise<void> {
  await trx.deleteFrom('evm_upto_exposure').where('account', '=', account).where('pid', '=', pid).execute()
}

async function put(
  trx: Transaction<Tables>,
  { account, pid, amount, until }: Key & Pick<Exposure, 'amount' | 'until'>,
): Promise<void> {
  const row = { amount: amount.toString(), until: Math.ceil(until) }
  await trx
    .insertInto('evm_upto_exposure')
    .values({ account, pid, ...row })
    .onConflict((conflict) => conflict.columns(['account', 'pid']).doUpdateSet(row))
    .execute()
}

type Tables = {
  readonly evm_upto_exposure: {
    readonly account: string
    readonly pid: string
    readonly amount: string
    /** Seconds since 1970. */
    readonly until: number
  }
}
type Reads = Pick<Transaction<Tables>, 'selectFrom'>

const migrations: Migrations = {
  namespace: 'evm_upto',
  steps: {
    '001_exposure': async (db) => {
      await db.schema
        .createTable('evm_upto_exposure')
        .addColumn('account', 'text', (column) => column.notNull())
        .addColumn('pid', 'text', (column) => column.notNull())
        .addColumn('amount', 'text', (column) => column.notNull())
        .addColumn('until', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('evm_upto_exposure_key', ['account', 'pid'])
        .execute()
    },
  },
}
