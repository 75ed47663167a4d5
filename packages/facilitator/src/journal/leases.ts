import type { Network } from '@groat/core'
import type { Store } from '@groat/store'
import { processHost } from './process-host.js'
import type { JournalTables } from './tables.js'

/** Which of the processes on one journal may do what. Time is the database's. */
export interface Leases {
  /**
   * This replica is alive, and so are the lanes that it holds; the nodes of these networks answer it. Answers how many are alive, which others reach which network,
   * which lanes of it are still its, which are others', and which replicas of this host were found dead.
   */
  renew(milliseconds: number, reaches?: readonly Network[]): Promise<Renewed>
  /** Takes a lane that nobody else alive holds; `undefined` when somebody does. Who has it and forgot so gets it under another fence. */
  acquire(network: Network, signer: string, milliseconds: number): Promise<TakenLane | undefined>
  /** Lets a lane go. */
  release(lane: HeldLane): Promise<void>
  /** Lets everything go: lanes, and payments that nothing was signed for. */
  leave(): Promise<void>
}

/** A lane, and the fence under which it is held. */
export type HeldLane = { readonly network: Network; readonly signer: string; readonly fence: number }

/** A lane that was taken; `from`: whose it was who did not let it go. */
export type TakenLane = HeldLane & { readonly from?: string }

/** How a replica stands among the others. */
export type Renewed = {
  readonly alive: number
  /** Which others say that the nodes of a network answer them. */
  readonly reached: ReadonlyMap<string, readonly string[]>
  readonly held: readonly HeldLane[]
  readonly theirs: readonly Omit<HeldLane, 'fence'>[]
  readonly gone: readonly string[]
}

/** Makes the leases of one replica. */
export function createLeases(store: Store<JournalTables>, replica: string): Leases {
  const transact: typeof store.transaction = (fn) => store.transaction(fn, { isolation: 'read committed' })
  const host = processHost()

  return {
    renew: (milliseconds, reaches = []) =>
      transact(async (trx) => {
        const now = await store.now(trx)
        const lease_until = now + milliseconds
        const neighbours = await trx
          .selectFrom('replica')
          .select(['id', 'process'])
          .where('host', '=', host)
          .where('id', '!=', replica)
          .execute()
        const gone = neighbours.flatMap(({ id, process }) => (isRunning(process) ? [] : [id]))
        if (gone.length > 0) {
          await trx.deleteFrom('replica').where('id', 'in', gone).execute()
          await trx.updateTable('lane').set({ owner: null, lease_until: 0 }).where('owner', 'in', gone).execute()
        }
        await trx
          .insertInto('replica')
          .values({ id: replica, host, process: process.pid, lease_until, reaches: reaches.join(' ') })
          .onConflict((conflict) => conflict.column('id').doUpdateSet({ lease_until, reaches: reaches.join(' ') }))
          .execute()
        await trx
          .deleteFrom('replica')
          .where('lease_until', '<', now - REMEMBERED)
          .execute()
        const held = await trx
          .updateTable('lane')
          .set({ lease_until })
          .where('owner', '=', replica)
          .returning(['network', 'signer', 'fence'])
          .execute()
        const living = await trx
          .selectFrom('replica')
          .select(['id', 'reaches'])
          .where('lease_until', '>', now)
          .execute()
        const others = living.filter(({ id }) => id !== replica)
        const reached = new Map<string, readonly string[]>()
        for (const { id, reaches } of others) {
          for (const name of wordsOf(reaches)) reached.set(name, [...(reached.get(name) ?? []), id])
        }
        const theirs = await trx
          .selectFrom('lane')
          .select(['network', 'signer'])
          .where('owner', '!=', replica)
          .where('lease_until', '>', now)
          .execute()
        // A codec: the journal holds nothing else.
        return {
          alive: living.length,
          reached,
          held: held as HeldLane[],
          theirs: theirs as Omit<HeldLane, 'fence'>[],
          gone,
        }
      }),

    acquire: (network, signer, milliseconds) =>
      transact(async (trx) => {
        const now = await store.now(trx)
        const fresh = { network, signer, next: 0, owner: null, fence: 0, lease_until: 0 }
        await trx
          .insertInto('lane')
          .values(fresh)
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        const before = await trx
          .selectFrom('lane')
          .select('owner')
          .where('network', '=', network)
          .where('signer', '=', signer)
          .executeTakeFirst()
        const taken = await trx
          .updateTable('lane')
          .set((eb) => ({ owner: replica, fence: eb('fence', '+', 1), lease_until: now + milliseconds }))
          .where('network', '=', network)
          .where('signer', '=', signer)
          .where((eb) => eb.or([eb('owner', 'is', null), eb('owner', '=', replica), eb('lease_until', '<=', now)]))
          .returning('fence')
          .executeTakeFirst()
        if (taken === undefined) return undefined
        const from = before?.owner ?? replica
        return { network, signer, fence: taken.fence, ...(from === replica ? {} : { from }) }
      }),

    async release({ network, signer, fence }) {
      await transact((trx) =>
        trx
          .updateTable('lane')
          .set({ owner: null, lease_until: 0 })
          .where('network', '=', network)
          .where('signer', '=', signer)
          .where('owner', '=', replica)
          .where('fence', '=', fence)
          .execute(),
      )
    },

    async leave() {
      await transact(async (trx) => {
        await trx.updateTable('lane').set({ owner: null, lease_until: 0 }).where('owner', '=', replica).execute()
        await trx
          .updateTable('settlement')
          .set({ owner: null })
          .where('owner', '=', replica)
          .where('phase', 'is not', null)
          .where('state', '=', 'claimed')
          .execute()
        await trx.deleteFrom('replica').where('id', '=', replica).execute()
      })
    },
  }
}

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(' ')
}

/** Milliseconds for which a replica that broke off is still known, to whoever looks for it. */
const REMEMBERED = 24 * 3_600_000

/**
 * Whether a process of this machine lives: one that was killed is not waited for. Should that be wrong, it is only too early: whoever lost
 * its lane finds the fence changed and writes nothing.
 */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
