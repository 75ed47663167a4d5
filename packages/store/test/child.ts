// A process of its own for processes.test.ts: opens the store and does what it is told, a line per result.

import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { sql } from 'kysely'
import { type Migrations, openStore } from '../src/index.js'

const [task = '', target = '', name = '', transactionTimeout = '5000'] = process.argv.slice(2)
// At once, also when the process is killed the moment after.
const say = (line: string) => writeSync(1, `${line}\n`)

type Tables = { claim: { pid: string; owner: string }; half: { id: string; side: string } }

const migrations: Migrations = {
  namespace: 'child',
  steps: {
    '001_claim': async (db) => {
      await db.schema
        .createTable('claim')
        .addColumn('pid', 'text', (c) => c.primaryKey())
        .addColumn('owner', 'text', (c) => c.notNull())
        .execute()
      // Long enough that the others are in the middle of it, too.
      await sleep(50)
    },
    '002_half': async (db) => {
      await db.schema
        .createTable('half')
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('side', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('half_key', ['id', 'side'])
        .execute()
      await sql`insert into half (id, side) values ('seed', 'left'), ('seed', 'right')`.execute(db)
    },
  },
}

async function begin() {
  say('ready')
  await once(process.stdin, 'data')
  return openStore<Tables>(target, { transactionTimeout: Number(transactionTimeout) })
}

const tasks: Record<string, () => Promise<void>> = {
  /** Migrates an empty database at the same moment as others. */
  async migrate() {
    const store = await begin()
    say(JSON.stringify(await store.migrate(migrations)))
    await store.close()
  },

  /** Claims the same keys as others and says which it won. */
  async claim() {
    const store = await begin()
    await store.migrate(migrations)
    const pids = Array.from({ length: 200 }, (_, i) => `pid-${i}`)
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
          const row = { pid, owner: name }
          const won = await store.transaction((trx) =>
            trx
              .insertInto('claim')
              .values(row)
              .onConflict((c) => c.doNothing())
              .returning('pid')
              .execute(),
          )
          if (won.length === 1) say(pid)
        }
      }),
    )
    await store.close()
  },

  /** Writes both halves of one thing after another until it is killed, and says each that was acknowledged. */
  async burst() {
    const store = await begin()
    await store.migrate(migrations)
    let count = 0
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (;;) {
          const id = `${name}-${count++}`
          await store.transaction(async (trx) => {
            await trx.insertInto('half').values({ id, side: 'left' }).execute()
            await trx.insertInto('half').values({ id, side: 'right' }).execute()
          })
          say(id)
        }
      }),
    )
  },

  /** Has the store open, and writes once when it is told to. */
  async keep() {
    const store = await begin()
    await store.migrate(migrations)
    say('open')
    await once(process.stdin, 'data')
    await store.transaction((trx) => trx.insertInto('claim').values({ pid: 'kept', owner: name }).execute())
    say('written')
    await once(process.stdin, 'data')
  },

  /** Looks into the store, closes it, and lets go of all that it held of the file. */
  async visit() {
    const store = await begin()
    await store.migrate(migrations)
    await store.db.selectFrom('claim').selectAll().execute()
    await store.close()
    setFlagsFromString('--expose-gc')
    for (let turn = 0; turn < 5; turn++) {
      runInNewContext('gc')()
      await sleep(10)
    }
  },

  /** Holds the write lock until it is told to let go. */
  async hold() {
    const store = await begin()
    await store.migrate(migrations)
    await store.transaction(async (trx) => {
      await trx.insertInto('claim').values({ pid: 'held', owner: name }).execute()
      say('holding')
      await once(process.stdin, 'data')
    })
    say('released')
    await store.close()
  },
}

await tasks[task]?.()
process.stdin.destroy()
