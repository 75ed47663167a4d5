import type { Network, Pid } from '@groat/core'
import type { Store } from '@groat/store'
import { sql, type Transaction } from 'kysely'
import type { Means } from './claim.js'
import type { Company } from './company.js'
import { type MovedOf, movedOf, newestOf } from './moved.js'
import type { Attempt, SettledPayment, SettlementRecord } from './record.js'
import { attemptOf, creditOf, recordOf, settledOf } from './rows.js'
import { isOpen, liveStatuses, openPhases, watchedPhases } from './state.js'
import { inPhases, isLiveAttempt, isLiveRide, type JournalTables } from './tables.js'

/** What is read of a journal. */
export interface JournalReads {
  load(pid: Pid): Promise<SettlementRecord | undefined>
  loadAll(pids: readonly Pid[]): Promise<readonly SettlementRecord[]>
  /** Of which schemes, on which networks, payments are open. */
  openSchemes(): Promise<readonly Pick<SettlementRecord, 'network' | 'scheme'>[]>
  /** Where payments stand, and who carries each. */
  standings(pids: readonly Pid[]): Promise<readonly Standing[]>
  /** What a check of a payment that was taken on earlier goes by. */
  means(record: SettlementRecord): Promise<Means>
  /** How often the chains of networks were seen to undo blocks, by whatever replica. */
  undone(): Promise<ReadonlyMap<string, number>>
  /** So many settlements of this replica whose block may still be undone, and that are called settled, from the newest one. */
  watched(network: Network, limit: number): Promise<readonly SettledPayment[]>
  /** So many of them in blocks up to this one, from the oldest. */
  watchedUpTo(network: Network, block: bigint, limit: number): Promise<readonly SettledPayment[]>
  /** The blocks that evidence names which was found since then (milliseconds since 1970), as far as they may still be undone. */
  watchedBlocks(network: Network, since: number): Promise<readonly { readonly number: bigint; readonly hash: string }[]>
  /** What is watched in one of them. */
  watchedIn(
    network: Network,
    block: { readonly number: bigint; readonly hash: string },
  ): Promise<readonly SettlementRecord[]>
  /** What a lane starts from. `mined`: nonces below are in blocks; what was signed under others may land, whatever was said of it. */
  lane(network: Network, signer: string, mined?: bigint): Promise<LaneState>
  /** Payments that travel in a slot. */
  riders(slot: string): Promise<readonly SettlementRecord[]>
  /** What slots signed for since then have cost, or may: of those that outbid each other one lands. Times in milliseconds. */
  spending(network: Network, since: number): Promise<readonly Spending[]>
  /** So many of the last payments at the most, by when they were signed for, whose own transaction has landed. */
  lately(network: Network, limit: number): Promise<readonly SettlementRecord[]>
}

/** Where a payment stands; nobody carries it yet without `owner`. */
export type Standing = Pick<SettlementRecord, 'pid' | 'state' | 'owner'>

/** What the one transaction of a slot that lands has cost (`isLanded`), or may. */
export type Spending = {
  readonly slot: string
  readonly at: number
  readonly cost: bigint
  readonly isLanded: boolean
}

/** A signer's standing in the journal. */
export type LaneState = {
  /** The next nonce; absent when none was ever used. */
  readonly next?: bigint
  /**
   * Transactions that may still land, lowest nonce first: of those that were done with, and whose blocks seem to be gone, the lowest `NONCES_LOADED`.
   * `ended`: their payments are over, only their nonce still matters.
   */
  readonly open: readonly (Attempt & { readonly pids: readonly Pid[]; readonly ended: boolean })[]
}

/** Makes the reads over a journal's tables, as one replica sees them. */
export function createReads(db: Store<JournalTables>['db'], replica: string, company?: Company): JournalReads {
  /** What is called settled, by the blocks that show it. */
  function watchedOf(network: Network) {
    return db
      .selectFrom('settlement')
      .innerJoin('evidence', 'evidence.settlement', 'settlement.id')
      .selectAll('settlement')
      .select(CREDIT)
      .where('settlement.owner', '=', replica)
      .where('settlement.phase', '=', 'settled')
      .where('settlement.network', '=', network)
  }

  return {
    async load(pid) {
      const [record] = await readRecords(db, [pid])
      return record
    },

    loadAll: (pids) => readRecords(db, pids),

    async openSchemes() {
      const open = db.selectFrom('settlement').select(['network', 'scheme']).distinct().where(inPhases(openPhases))
      const rows = await open.orderBy('network').orderBy('scheme').execute()
      return rows.map(({ network, scheme }) => ({ network: network as Network, scheme })) // A codec: the journal holds nothing else.
    },

    async standings(pids) {
      const found: Standing[] = []
      for (let at = 0; at < pids.length; at += MOST_PIDS) {
        const some = pids.slice(at, at + MOST_PIDS)
        const rows = await db
          .selectFrom('settlement')
          .select(['pid', 'state', 'owner'])
          .where('pid', 'in', some)
          .execute()
        for (const { pid, state, owner } of rows) {
          found.push({ pid: pid as Pid, state, ...(owner === null ? {} : { owner }) }) // A codec: the journal holds nothing else.
        }
      }
      return found
    },

    async means({ network, payer, asset, place, pid }) {
      // First: a payment that is open again is then in the sum, or this will have grown when somebody wants to sign.
      const chain = await db.selectFrom('chain').select('undone').where('network', '=', network).executeTakeFirst()
      const since = company?.since(network)
      const rows = await db
        .selectFrom('settlement')
        .leftJoin('evidence', 'evidence.settlement', 'settlement.id')
        .select((eb) => eb.ref('settlement.amount').$castTo<string | null>().as('amount'))
        .select(['evidence.block_number', 'evidence.block_hash'])
        .where('payer', '=', payer)
        .where(inPhases(openPhases))
        .where('settlement.network', '=', network)
        .where('asset', '=', asset)
        .where((eb) => {
          const rides = eb.selectFrom('ride').select('ride.slot').whereRef('ride.settlement', '=', 'settlement.id')
          return eb.or([eb('place', '<', place), eb.exists(rides.where(isLiveRide))])
        })
        .where('pid', '!=', pid)
        // In one statement: between two of them a payment may be settled, and would be in neither.
        .$if(since !== undefined, (query) =>
          query.unionAll(movedAs(db, { network, since: since ?? 0, payers: [payer] })),
        )
        .execute()
      const reserved = rows.reduce((sum, { amount }) => sum + BigInt(amount ?? 0), 0n)
      const moved = newestOf(
        rows.flatMap(({ amount, block_number }) => (amount === null ? { payer, block_number } : [])),
        payer,
      )
      const mined = rows.flatMap(({ amount, block_number: block, block_hash: blockHash }) =>
        amount === null || block === null || blockHash === null
          ? []
          : [{ amount: BigInt(amount), blockNumber: BigInt(block), blockHash }],
      )
      const seen = moved === undefined ? {} : { moved }
      return { reserved, mined, ...seen, undone: chain?.undone ?? 0 }
    },

    async undone() {
      const rows = await db.selectFrom('chain').selectAll().execute()
      return new Map(rows.map(({ network, undone }) => [network, undone]))
    },

    async watched(network, limit) {
      const rows = await watchedOf(network).orderBy('settlement.block', 'desc').limit(limit).execute()
      return rows.map((row) => settledOf(row, creditOf(row)))
    },

    async watchedUpTo(network, block, limit) {
      const upTo = watchedOf(network).where('settlement.block', '<=', Number(block))
      const rows = await upTo.orderBy('settlement.block').limit(limit).execute()
      return rows.map((row) => settledOf(row, creditOf(row)))
    },

    async watchedBlocks(network, since) {
      const rows = await db
        .selectFrom('settlement')
        .innerJoin('evidence', 'evidence.settlement', 'settlement.id')
        .select(['evidence.block_number', 'evidence.block_hash'])
        .distinct()
        .where('settlement.owner', '=', replica)
        .where(inPhases(watchedPhases))
        // Of late it goes by the evidence, from ever on by the payments: of evidence there is more the longer the journal.
        .$if(since > 0, (query) =>
          query.where('evidence.network', '=', network).where('evidence.found_at', '>=', since),
        )
        .$if(since === 0, (query) => query.where('settlement.network', '=', network))
        .execute()
      return rows.map(({ block_number, block_hash: hash }) => ({ number: BigInt(block_number), hash }))
    },

    async watchedIn(network, { number, hash }) {
      const rows = await db
        .selectFrom('evidence')
        .innerJoin('settlement', 'settlement.id', 'evidence.settlement')
        .select('settlement.pid')
        .where('settlement.owner', '=', replica)
        .where(inPhases(watchedPhases))
        .where('settlement.network', '=', network)
        .where('settlement.block', '=', Number(number))
        .where('evidence.block_hash', '=', hash)
        .execute()
      return readRecords(
        db,
        rows.map(({ pid }) => pid),
      )
    },

    async lane(network, signer, mined) {
      const standing = await db
        .selectFrom('lane')
        .select('next')
        .where('network', '=', network)
        .where('signer', '=', signer)
        .executeTakeFirst()
      const signed = db
        .selectFrom('attempt')
        .selectAll()
        .where('network', '=', network)
        .where('signer', '=', signer)
        .orderBy('nonce')
        .orderBy('signed_at')
      const live = await signed.where(isLiveAttempt).execute()
      const undone =
        mined === undefined
          ? []
          : await signed
              .where('nonce', '>=', Number(mined))
              .where('nonce', '<', Number(mined + NONCES_LOADED))
              .where('status', 'not in', liveStatuses)
              .execute()
      const rows = [...live, ...undone].sort(bySigning)
      const riders = await db
        .selectFrom('ride')
        .innerJoin('settlement', 'settlement.id', 'ride.settlement')
        .select(['ride.slot', 'settlement.pid', 'settlement.state'])
        .where('ride.slot', 'in', rows.length === 0 ? [''] : rows.map(({ slot }) => slot))
        .execute()
      const open = rows.map((row) => {
        const mine = riders.filter(({ slot }) => slot === row.slot)
        return {
          ...attemptOf(row),
          pids: mine.map(({ pid }) => pid as Pid), // A codec: the journal holds nothing else.
          ended: mine.every(({ state }) => !isOpen(state)),
        }
      })
      return { open, ...(standing === undefined || standing.next === 0 ? {} : { next: BigInt(standing.next) }) }
    },

    async riders(slot) {
      const rows = await db
        .selectFrom('ride')
        .innerJoin('settlement', 'settlement.id', 'ride.settlement')
        .select('pid')
        .where('slot', '=', slot)
        .orderBy('pid')
        .execute()
      return readRecords(
        db,
        rows.map(({ pid }) => pid),
      )
    },

    async spending(network, since) {
      const rows = await db
        .selectFrom('attempt')
        .select(['slot', 'signed_at', 'max_cost', 'fee', 'status'])
        .where('network', '=', network)
        .where('signed_at', '>', since)
        // A nonce that is gone has cost something, whatever it went to; what has none and did not land has cost nothing.
        .where((eb) => eb.or([eb('status', '!=', 'void'), eb('nonce', 'is not', null)]))
        .orderBy('signed_at')
        .execute()
      const slots = new Map<string, Spending>()
      for (const { slot, signed_at: at, max_cost, fee, status } of rows) {
        // What has landed may be undone, and land at another price.
        const isLanded = fee !== null && status === 'landed'
        const cost = BigInt((isLanded ? fee : max_cost) ?? 0)
        const before = slots.get(slot)
        const isLess = before !== undefined && !isLanded && (before.isLanded || before.cost > cost)
        slots.set(slot, isLess ? before : { slot, at: before?.at ?? at, cost, isLanded })
      }
      return [...slots.values()]
    },

    async lately(network, limit) {
      const rows = await db
        .selectFrom('attempt')
        .innerJoin('ride', 'ride.slot', 'attempt.slot')
        .innerJoin('settlement', 'settlement.id', 'ride.settlement')
        .select('settlement.pid')
        .where('attempt.network', '=', network)
        .where('attempt.status', '=', 'landed')
        .orderBy('attempt.signed_at', 'desc')
        .limit(limit)
        .execute()
      return readRecords(
        db,
        rows.map(({ pid }) => pid),
      )
    },
  }
}

/** What has moved of late, among payments: it has no amount. */
function movedAs(db: Reads, of: MovedOf) {
  return db
    .selectFrom(movedOf(db, of).as('moved'))
    .select([sql<string | null>`null`.as('amount'), 'block_number', sql<string | null>`null`.as('block_hash')])
}

const CREDIT = ['transaction', 'log_index', 'block_number', 'block_hash', 'evidence.amount as credited', 'fee'] as const

type Reads = Pick<Transaction<JournalTables>, 'selectFrom'>

/** The order in which transactions of a signer were signed. */
function bySigning(a: AttemptRow, b: AttemptRow): number {
  return (a.nonce ?? 0) - (b.nonce ?? 0) || a.signed_at - b.signed_at
}

type AttemptRow = Pick<JournalTables['attempt'], 'nonce' | 'signed_at'>

/** Nonces from the first that is in no block on, of which everything is known that was signed under them: a node may be wrong about that one. */
export const NONCES_LOADED = 100n

/** Payments that are named at once, where little is read of each. */
const MOST_PIDS = 2000

/** Payments that are read at once. */
export const PAGE = 200

/** Payments with their transactions and evidence, in no order. */
export async function readRecords(db: Reads, pids: readonly string[]): Promise<SettlementRecord[]> {
  const found: SettlementRecord[] = []
  for (let at = 0; at < pids.length; at += PAGE) found.push(...(await readPage(db, pids.slice(at, at + PAGE))))
  return found
}

async function readPage(db: Reads, pids: readonly string[]): Promise<SettlementRecord[]> {
  // A payment and its evidence are one statement: between two of them a block may be undone, and what was settled would seem to have charged nothing.
  const rows = await db
    .selectFrom('settlement')
    .leftJoin('evidence', 'evidence.settlement', 'settlement.id')
    .leftJoin('request', 'request.settlement', 'settlement.id')
    .selectAll('settlement')
    .select('request.body')
    .select(CREDIT)
    .where('settlement.pid', 'in', pids)
    .execute()
  const attempts = await readAttempts(
    db,
    rows.map(({ id }) => id),
  )
  return rows.map((row) => recordOf(row, attempts.get(row.id) ?? [], creditOf(row)))
}

/** The transactions of payments, of each in the order in which they were signed. One may carry many payments and be long: it is read once. */
async function readAttempts(db: Reads, ids: readonly number[]): Promise<Map<number, Attempt[]>> {
  const found = new Map<number, Attempt[]>()
  if (ids.length === 0) return found
  const rides = new Map<string, JournalTables['ride'][]>()
  for (const ride of await db.selectFrom('ride').selectAll().where('settlement', 'in', ids).execute()) {
    add(rides, ride.slot, ride)
  }
  if (rides.size === 0) return found
  const rows = await db
    .selectFrom('attempt')
    .selectAll()
    .where('slot', 'in', [...rides.keys()])
    .orderBy('signed_at')
    .orderBy('nonce')
    .execute()
  for (const row of rows) {
    for (const { settlement, status } of rides.get(row.slot) ?? []) add(found, settlement, attemptOf(row, status))
  }
  return found
}

function add<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const known = lists.get(key)
  if (known === undefined) lists.set(key, [value])
  else known.push(value)
}
