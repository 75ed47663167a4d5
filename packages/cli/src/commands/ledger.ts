import { formatUnits, isNetwork, type Network, v1NameOf } from '@groat/core'
import { BATCH_SETTLEMENT } from '@groat/evm/batch-settlement/manager'
import {
  type AccountSum,
  CSV_HEAD,
  createLedger,
  csvLine,
  type Difference,
  type EntryFilter,
  type EntryKind,
  exportEntry,
  jsonLine,
  type Ledger,
  reconcile,
} from '@groat/server/ledger'
import { type BooksConfig, readBooksPlace } from '../config/shop-config.js'
import { readersOf } from '../shop/shop-refunds.js'
import { counted } from '../terminal/counted.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain, shortened } from '../terminal/io.js'
import { nodesOf } from './chains.js'
import { openNamedStore } from './open-store.js'

/** Options of `groat ledger`. */
export type LedgerCommand = {
  readonly store?: string
  readonly json?: boolean
  readonly csv?: boolean
  readonly limit?: string
  readonly group?: string
  readonly route?: string
  readonly payer?: string
  readonly kind?: readonly string[]
  readonly since?: string
  readonly until?: string
  readonly rpc?: readonly string[]
}

/** `groat ledger list [FILE]`: entries for people, the newest first. */
export async function listLedger(file: string | undefined, options: LedgerCommand, io: Io): Promise<number> {
  return withLedger(file, options, io, async (ledger) => {
    const entries = await ledger.list(filterOf(options), limitOf(options))
    if (options.json) for (const entry of entries) io.out(jsonLine(exportEntry(entry, ledger.asset(entry))))
    else {
      const rows = entries.map((entry) => {
        const { time, kind, amount, asset, atomic_amount, from, to, route, payment } = exportEntry(
          entry,
          ledger.asset(entry),
        )
        const money = amount === '' ? atomic_amount : `${amount} ${asset}`
        return [time, kind, money, `${shortened(from)} -> ${shortened(to)}`, route, payment]
      })
      const [head = '', ...lines] = columns([['time', 'kind', 'amount', 'from -> to', 'route', 'payment'], ...rows])
      // What reads standard output reads entries.
      if (rows.length > 0) io.say(io.style.quiet(head))
      for (const line of lines) io.out(`${plain(line)}\n`)
    }
    return exitCodes.ok
  })
}

/** `groat ledger export [FILE]`: all entries, the oldest first, as CSV or as JSON lines. */
export async function exportLedger(file: string | undefined, options: LedgerCommand, io: Io): Promise<number> {
  return withLedger(file, options, io, async (ledger) => {
    const line = options.csv ? csvLine : jsonLine
    if (options.csv) io.out(CSV_HEAD)
    for await (const entry of ledger.entries(filterOf(options))) io.out(line(exportEntry(entry, ledger.asset(entry))))
    return exitCodes.ok
  })
}

/** `groat ledger reconcile [FILE]`: compares the books with the chains; 1 when they differ by one atomic unit. */
export async function reconcileLedger(file: string | undefined, options: LedgerCommand, io: Io): Promise<number> {
  return withLedger(file, { ...options, nodes: true }, io, async (ledger, rpc) => {
    const named = Object.entries(rpc).map(([name, url]) => `${name}=${url}`)
    const nodes = nodesOf(await networksOf(ledger), [...named, ...(options.rpc ?? [])])
    const readers = readersOf(Object.fromEntries(nodes))
    const { equal, entries, sums, differences } = await reconcile(ledger.entries(filterOf(options)), readers, {
      escrows: [BATCH_SETTLEMENT],
    })
    if (options.json) {
      const text = (_: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)
      io.out(`${JSON.stringify({ equal, entries, sums, differences }, text)}\n`)
    } else {
      for (const line of columns(sums.map((sum) => sumRow(sum, ledger)))) io.out(`${plain(line)}\n`)
      for (const line of columns(differences.map((each) => differenceRow(each, ledger)))) io.out(`${plain(line)}\n`)
      const { good, bad } = io.style
      io.say(
        equal
          ? good(`books and chain say the same of ${counted(entries, 'entry', 'entries')}`)
          : bad(counted(differences.length, 'difference')),
      )
    }
    return equal ? exitCodes.ok : exitCodes.no
  })
}

/** Opens the books of a shop's file, or of a store that is named; `nodes`: what is asked for is compared with the chains that the file names. */
async function withLedger<T>(
  file: string | undefined,
  { store: target, nodes = false }: LedgerCommand & { readonly nodes?: boolean },
  io: Io,
  use: (ledger: Ledger, rpc: BooksConfig['rpc']) => Promise<T>,
): Promise<T> {
  const place = file === undefined ? undefined : await readBooksPlace(file, io.environment, { rpc: nodes })
  const where = target ?? place?.store
  if (where === undefined) {
    throw new CliError('usage', 'Which books?', 'Name the YAML file of the shop, or its database with --store.')
  }
  const store = await openNamedStore(where)
  try {
    return await use(await createLedger(store), place?.rpc ?? {})
  } finally {
    await store.close()
  }
}

async function networksOf(ledger: Ledger): Promise<readonly Network[]> {
  const found = new Set<Network>()
  for await (const { network: id } of ledger.entries({ kinds: ['payment', 'refund'] })) if (isNetwork(id)) found.add(id)
  return [...found]
}

function filterOf({ group, route, payer, kind, since, until }: LedgerCommand): EntryFilter {
  return {
    ...(group === undefined ? {} : { group }),
    ...(route === undefined ? {} : { route }),
    ...(payer === undefined ? {} : { payer }),
    ...(kind === undefined ? {} : { kinds: kind.map(kindOf) }),
    ...(since === undefined ? {} : { since: timeOf(since) }),
    ...(until === undefined ? {} : { until: timeOf(until) }),
  }
}

const KINDS: readonly EntryKind[] = ['payment', 'fee', 'usage', 'refund', 'hold']

function kindOf(text: string): EntryKind {
  const kind = KINDS.find((each) => each === text)
  if (kind === undefined) throw new CliError('usage', `There is no kind ${text}`, `One of ${KINDS.join(', ')}.`)
  return kind
}

function timeOf(text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw new CliError('usage', `${text} is no time`, 'Write 2026-01-31 or 2026-01-31T12:00:00Z.')
  return time
}

function limitOf({ limit = '50' }: LedgerCommand): number {
  if (!/^[1-9][0-9]{0,5}$/.test(limit)) throw new CliError('usage', `${limit} is no number of entries`)
  return Number(limit)
}

function nameOf(id: string): string {
  return (isNetwork(id) ? v1NameOf(id) : undefined) ?? id
}

function money(amount: bigint, where: { readonly network: string; readonly asset: string }, ledger: Ledger): string {
  const asset = ledger.asset(where)
  return asset === undefined ? `${amount} of ${where.asset}` : `${formatUnits(amount, asset.decimals)} ${asset.symbol}`
}

function sumRow(sum: AccountSum, ledger: Ledger): readonly string[] {
  const mark = sum.ledger === sum.chain ? '=' : 'x'
  return [
    mark,
    nameOf(sum.network),
    sum.account,
    `books ${money(sum.ledger, sum, ledger)}`,
    `chain ${money(sum.chain, sum, ledger)}`,
  ]
}

function differenceRow(each: Difference, ledger: Ledger): readonly string[] {
  const amounts = [
    ...(each.ledger === undefined ? [] : [`books ${money(each.ledger, each, ledger)}`]),
    ...(each.chain === undefined ? [] : [`chain ${money(each.chain, each, ledger)}`]),
  ]
  return ['x', nameOf(each.network), words[each.type], each.transaction, amounts.join(', ')]
}

const words: Readonly<Record<Difference['type'], string>> = {
  not_on_chain: 'not on chain',
  other_amount: 'another amount',
  not_in_ledger: 'not in the books',
  not_checked: 'no node was named',
}
