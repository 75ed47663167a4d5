import type { Transaction } from 'kysely'
import { newestOf } from './moved.js'
import { openPhases } from './state.js'
import type { JournalStatements } from './statements.js'
import { inPhases, type JournalTables, type SettlementRow } from './tables.js'
import { together } from './together.js'

export type Trx = Transaction<JournalTables>

/** What a write is decided by. */
export type Needs = {
  /** Payments whose standing it is. */
  readonly pids: readonly string[]
  /** Whether it matters if they travel in a transaction that may still land. */
  readonly rides?: boolean
  /** A lane. */
  readonly lane?: { readonly network: string; readonly signer: string }
  /** A chain, for how often it undid blocks. */
  readonly network?: string
  /** A payer; and what has moved its money since then (milliseconds since 1970), if that matters. */
  readonly payer?: PayerName & { readonly movedSince?: number | undefined }
  /** A transaction whose credits it is. */
  readonly transaction?: { readonly network: string; readonly hash: string }
  /** Keys of quotas that all replicas share. */
  readonly quotas?: readonly string[]
  /** A tenant, for how much it has under way. */
  readonly tenant?: string
}

/** Where a payment stands. */
export type Standing = Pick<SettlementRow, 'pid' | 'state' | 'owner' | 'tenant' | 'told' | 'created_at'>
type OpenPayment = Pick<SettlementRow, 'network' | 'asset' | 'amount'>
/** A payer, with what it has under way. */
export type Payer = { claims: number; failures: number; failing_since: number; readonly open: OpenPayment[] }

/** What the writes of a batch are decided by. */
export type Facts = {
  readonly settlements: Map<string, Standing>
  /** Under which id the journal has a payment. */
  readonly ids: Map<string, number>
  /** Payments with a live ride, and in which slot that is. */
  readonly riding: Map<string, string>
  readonly lanes: Map<string, JournalTables['lane']>
  /** How often chains undid blocks. */
  readonly undone: ReadonlyMap<string, number>
  readonly payers: Map<string, Payer>
  /** In which blocks payers' money has moved of late. */
  readonly moved: ReadonlyMap<string, bigint>
  /** Logs that credit payments, and the blocks that show them. */
  readonly credited: Map<string, string>
  readonly quotas: Map<string, JournalTables['quota']>
  /** How many payments of a tenant are under way. */
  readonly tenants: Map<string, number>
}

/** Reads what writes are decided by, and locks it where others may write at the same time. */
export async function readFacts(
  writes: readonly Needs[],
  { trx, statements }: { readonly trx: Trx; readonly statements: JournalStatements },
): Promise<Facts> {
  const { locks } = statements
  const pids = [...new Set(writes.flatMap((write) => write.pids))]
  const transactions = unique(
    writes.flatMap(({ transaction }) => transaction ?? []),
    ({ network, hash }) => laneKey(network, hash),
  )
  const lanes = unique(
    writes.flatMap(({ lane }) => lane ?? []),
    ({ network, signer }) => laneKey(network, signer),
  )
  const payers = unique(
    writes.flatMap(({ payer }) => payer ?? []),
    ({ network, payer }) => laneKey(network, payer),
  )
  const networks = [...new Set(writes.flatMap(({ network }) => network ?? []))]
  const keys = [...new Set(writes.flatMap(({ quotas }) => quotas ?? []))].sort()
  const hashes = transactions.map(({ hash }) => hash)
  const riders = [...new Set(writes.flatMap((write) => (write.rides ? write.pids : [])))]
  const tenants = [...new Set(writes.flatMap(({ tenant }) => tenant ?? []))]
  // Locks are taken in one order by everybody: quotas, payers, payments, lanes.
  const quotas = await readQuotas(trx, keys, locks)
  const [accounts, standings, laneRows, riding, chains, open, moved, credited, tenantsOpen] = await together([
    readPayers(trx, payers, statements),
    pids.length === 0 ? NONE : statements.standings(trx, { pids }),
    together(lanes.map((lane) => statements.lane(trx, lane))),
    // What was locked may have been waited for: the rest is as it is after that.
    riders.length === 0 ? NONE : statements.riding(trx, { pids: riders }),
    networks.length === 0 ? NONE : statements.chains(trx, { networks }),
    // After the chains: a payment that is open again is among these, or its chain will have undone more when somebody wants to sign.
    payers.length === 0 ? NONE : statements.open(trx, { accounts: accountsOf(payers) }),
    // After those: what is not open any more by then is in a block, if it has moved money.
    readMoved(writes, { trx, statements }),
    hashes.length === 0 ? NONE : statements.credited(trx, { hashes }),
    readTenants(trx, tenants),
  ])
  return {
    settlements: new Map(standings.rows.map((row) => [row.pid, row])),
    ids: new Map(standings.rows.map(({ pid, id }) => [pid, id])),
    riding: new Map(riding.rows.map(({ pid, slot }) => [pid, slot])),
    lanes: new Map(laneRows.flatMap(({ rows }) => rows).map((row) => [laneKey(row.network, row.signer), row])),
    undone: new Map(chains.rows.map(({ network, undone }) => [network, undone])),
    payers: payersOf(accounts.rows, open.rows),
    moved,
    credited: new Map(
      credited.rows.map((row) => [creditKey(row.network, row.transaction, row.log_index), row.block_hash]),
    ),
    quotas,
    tenants: tenantsOpen,
  }
}

async function readMoved(
  writes: readonly Needs[],
  { trx, statements }: { readonly trx: Trx; readonly statements: JournalStatements },
): Promise<Map<string, bigint>> {
  const asked = writes.flatMap(({ payer }) =>
    payer?.movedSince === undefined ? [] : { ...payer, movedSince: payer.movedSince },
  )
  const found = await together(
    networksOf(asked).map(async (network) => {
      const mine = asked.filter((each) => each.network === network)
      const since = Math.min(...mine.map(({ movedSince }) => movedSince))
      const { rows } = await statements.moved(trx, { network, since, payers: accountsOf(mine) })
      return mine.flatMap(({ payer }) => {
        const block = newestOf(rows, payer)
        return block === undefined ? [] : ([[laneKey(network, payer), block]] as const)
      })
    }),
  )
  return new Map(found.flat())
}

async function readQuotas(
  trx: Trx,
  keys: readonly string[],
  locks: boolean,
): Promise<Map<string, JournalTables['quota']>> {
  if (keys.length === 0) return new Map()
  if (locks) {
    // A row that is not there yet cannot be locked.
    await trx
      .insertInto('quota')
      .values(keys.map((key) => ({ key, left: 0, at: 0 })))
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
  const rows = await trx
    .selectFrom('quota')
    .selectAll()
    .where('key', 'in', keys)
    .orderBy('key')
    .$if(locks, (query) => query.forUpdate())
    .execute()
  return new Map(rows.map((row) => [row.key, row]))
}

async function readTenants(trx: Trx, tenants: readonly string[]): Promise<Map<string, number>> {
  if (tenants.length === 0) return new Map()
  const rows = await trx
    .selectFrom('settlement')
    .select((eb) => ['tenant', eb.fn.countAll<number>().as('open')])
    .where('tenant', 'in', tenants)
    .where(inPhases(openPhases))
    .groupBy('tenant')
    .execute()
  return new Map(rows.map(({ tenant, open }) => [tenant ?? '', Number(open)]))
}

/** Payers. Where others write too, their rows are locked, so that no two claims count past each other. */
function readPayers(trx: Trx, payers: readonly PayerName[], statements: JournalStatements) {
  if (payers.length === 0) return NONE
  const blank = { claims: 0, failures: 0, failing_since: 0 }
  return statements.locks
    ? statements.lockPayers(trx, { rows: payers.map(({ network, payer }) => ({ network, payer, ...blank })) })
    : statements.payers(trx, { networks: networksOf(payers), accounts: accountsOf(payers) })
}

function payersOf(
  rows: readonly JournalTables['payer'][],
  open: readonly (OpenPayment & { readonly payer: string })[],
): Map<string, Payer> {
  const found = new Map<string, Payer>()
  for (const { network, payer, claims, failures, failing_since } of rows) {
    found.set(laneKey(network, payer), { claims, failures, failing_since, open: [] })
  }
  for (const row of open) found.get(laneKey(row.network, row.payer))?.open.push(row)
  return found
}

type PayerName = { readonly network: string; readonly payer: string }

const accountsOf = (payers: readonly PayerName[]) => [...new Set(payers.map(({ payer }) => payer))]
const networksOf = (payers: readonly PayerName[]) => [...new Set(payers.map(({ network }) => network))]

const NONE = { rows: [] } as const

/** By what lanes and payers are known. */
export function laneKey(network: string, account: string): string {
  return `${network} ${account}`
}

/** By what a log is known. */
export function creditKey(network: string, transaction: string, logIndex: number): string {
  return `${network} ${transaction} ${logIndex}`
}

function unique<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}
