import { type FacilitatorRequest, type Network, network, type SchemeFacilitator } from '@groat/core'
import { seededRandom } from '@groat/sandbox'
import { openMemoryStore, type Store } from '@groat/store'
import { createFacilitator } from '../../src/index.js'
import { journalMigrations } from '../../src/journal/migrations.js'
import type { JournalTables } from '../../src/journal/tables.js'
import { ASSET } from '../fake-chain.js'
import { createReplica } from '../simulator/replica.js'
import { createScheduler } from '../simulator/scheduler.js'
import { type Call, SimChain } from '../simulator/sim-chain.js'
import { createSimDriver, createSimScheme } from '../simulator/sim-node.js'

/** What a facilitator is asked to carry, and with what. */
export type CapacityOptions = {
  readonly chains: number
  /** Signers of each chain. */
  readonly lanes: number
  /** Payments a second, all chains together, spread evenly. */
  readonly rate: number
  /** How long they come. */
  readonly seconds: number
  readonly blockSeconds: number
  /** Payments in one transaction at the most. */
  readonly groups: number
  /** Transactions of a lane that wait for a block. */
  readonly depth: number
  /** Said now and then: payments that have settled, of so many. */
  readonly onProgress?: (settled: number, all: number) => void
}

/** What it came to. Times in virtual milliseconds, but for `processorMs`, which this process really took. */
export type Capacity = {
  readonly payments: number
  readonly settled: number
  /** Payments a second, from the first to the last that settled. */
  readonly rate: number
  readonly lateness: { readonly p50: number; readonly p99: number; readonly most: number }
  readonly transactions: number
  readonly commits: number
  readonly rows: number
  readonly processorMs: number
}

const START = Date.UTC(2030, 0, 1)
const SELLER = '0x00000000000000000000000000000000000000a1'
/** Each pays again and again, and is never out of money. */
const PAYERS = Array.from({ length: 10_000 }, (_, at) => address(0xb0000 + at))
const MONEY = new Map(PAYERS.map((payer) => [payer, 10n ** 18n]))
/** What a node and a database take to answer, in milliseconds. */
const DELAY = 5
const ROWS = ['settlement', 'request', 'attempt', 'ride', 'evidence', 'event', 'outbox', 'delivery'] as const

/**
 * Lets a facilitator carry payments over chains in memory, in virtual time: how many lanes carry, how long a payment waits, and what the journal writes
 * are those of the real engine and the real journal. Only processors, networks and disks are as fast as they are told.
 *
 * @example
 * const { settled, lateness } = await measureCapacity({ chains: 50, lanes: 2, rate: 10_000, seconds: 5, blockSeconds: 2, groups: 100, depth: 4 })
 */
export async function measureCapacity(options: CapacityOptions): Promise<Capacity> {
  const { chains, lanes, rate, seconds, blockSeconds, groups, depth, onProgress = () => {} } = options
  const random = seededRandom(1)
  const scheduler = createScheduler(random, START)
  const clock = () => scheduler.now
  const store = await openMemoryStore({ clock, transactionTimeout: Number.POSITIVE_INFINITY })
  let commits = 0
  const counted = counting(store, () => {
    commits += 1
  })
  const replica = createReplica({
    ...{ scheduler, store: counted, clock, skew: 0, arms: undefined },
    delay: () => DELAY,
    fault: () => undefined,
  })
  const networks = Array.from({ length: chains }, (_, at) => network(`eip155:${84_000 + at}`))
  const worlds = networks.map((each, at) => worldOf(each, at))

  function worldOf(name: Network, place: number) {
    const chain = new SimChain(clock, MONEY)
    const signers = Array.from({ length: lanes }, (_, lane) => address(0xf00000 + place * lanes + lane))
    const driver = createSimDriver(chain, signers, replica)
    const { groups: joining } = driver
    if (joining === undefined) throw new TypeError('The chain in memory joins payments')
    const company = (calls: readonly Call[]) => calls.slice(0, groups).map((_, at) => at)
    const named = { ...driver, network: name, groups: { ...joining, company } }
    const scheme: SchemeFacilitator<Call> = { ...createSimScheme(chain, named, replica), networks: [name] }
    const mine = () => {
      chain.mine()
      scheduler.after(blockSeconds * 1000, mine)
    }
    // Chains do not make their blocks in step.
    scheduler.after(random() * blockSeconds * 1000, mine)
    return { name, chain, scheme }
  }

  const facilitator = createFacilitator({
    ...{ store: replica.store, clock, timers: replica.timers, depth },
    schemes: worlds.map(({ scheme }) => scheme),
    settleTimeout: 3_600_000,
    onFault: ({ error }) => faults.push(error),
  })
  const faults: unknown[] = []
  await store.migrate(journalMigrations)
  const before = process.cpuUsage()
  let isReady = false
  void facilitator.start().then(() => {
    isReady = true
  })
  await scheduler.run(60_000, () => isReady)

  const late: number[] = []
  const all = Math.round(rate * seconds)
  const begun = scheduler.now
  let last = begun
  for (let count = 0; count < all; count++) {
    scheduler.after((count + random()) * (1000 / rate), async () => {
      const since = scheduler.now
      const asked = request(pick(networks, count), pick(PAYERS, count), count, since)
      if ((await facilitator.settle(asked)).status !== 'settled') return
      last = scheduler.now
      late.push(last - since)
    })
  }
  // What comes faster than it is carried is carried in the end.
  while (late.length < all && faults.length === 0 && scheduler.now - begun < 100_000 * seconds) {
    await scheduler.run(1000, () => late.length === all)
    onProgress(late.length, all)
  }
  if (faults.length > 0) throw faults[0]
  const { user, system } = process.cpuUsage(before)
  const rows = await countRows(store)
  replica.kill()
  await store.close()
  return {
    ...{ payments: all, settled: late.length, commits, rows },
    transactions: worlds.reduce((sum, { chain }) => sum + chain.seen.size, 0),
    rate: (late.length * 1000) / (last - begun),
    lateness: { p50: quantile(late, 0.5), p99: quantile(late, 0.99), most: quantile(late, 1) },
    processorMs: (user + system) / 1000,
  }
}

async function countRows(store: Store): Promise<number> {
  const { db } = store.withTables<JournalTables>()
  const counts = await Promise.all(
    ROWS.map((table) =>
      db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as('rows'))
        .executeTakeFirst(),
    ),
  )
  return counts.reduce((sum, found) => sum + Number(found?.rows ?? 0), 0)
}

function quantile(all: readonly number[], share: number): number {
  const sorted = [...all].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

function pick<T>(items: readonly T[], at: number): T {
  return items[at % items.length] as T
}

function address(number: number): string {
  return `0x${number.toString(16).padStart(40, '0')}`
}

function request(on: Network, from: string, count: number, now: number): FacilitatorRequest {
  const terms = {
    scheme: 'exact',
    network: on,
    amount: 1000n,
    asset: ASSET,
    payTo: SELLER,
    maxTimeoutSeconds: 3600,
    extra: {},
  }
  const nonce = `0x${count.toString(16).padStart(64, '0')}`
  const validBefore = Math.floor(now / 1000) + 3600
  const payload = { from, to: SELLER, value: '1000', nonce, validBefore, signature: 'good' }
  return { payment: { x402Version: 2, scheme: 'exact', network: on, accepted: terms, payload }, requirements: terms }
}

/** A store whose transactions are counted. */
function counting(store: Store, onCommit: () => void): Store {
  return new Proxy(store, {
    get(target, key) {
      if (key === 'withTables') return () => counting(target, onCommit)
      const value = Reflect.get(target, key)
      if (key !== 'transaction') return value
      return (...work: Parameters<Store['transaction']>) => {
        onCommit()
        return target.transaction(...work)
      }
    },
  })
}
