import type { ChainDriver, Clock, Network } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import type { SettledPayment, SettlementRecord } from '../journal/record.js'
import type { Timers } from '../timers.js'

/** Follows what is settled until its block cannot be undone any more. */
export interface Watcher {
  start(): void
  stop(): Promise<void>
}

/** What a watcher works with. */
export type WatcherOptions = {
  readonly journal: Journal
  /** Those that may be asked. */
  readonly chains: () => readonly ChainDriver[]
  /** Called when the chain of a network has undone blocks. */
  readonly reopen: (network: Network) => Promise<void>
  readonly clock: Clock
  readonly timers: Timers
  /** Milliseconds between two looks. */
  readonly interval: number
  /** Asks the chain again whether a payment is settled, and in which block; `undefined` when it is not. */
  readonly blockOf: (
    record: SettlementRecord,
  ) => Promise<{ readonly number: bigint; readonly hash: string } | undefined>
  readonly onFinal: (record: SettledPayment) => void
  /** Its block is gone. Carries on with it. */
  readonly onReorg: (record: SettlementRecord) => void
  readonly onError: (error: unknown) => void
}

/**
 * Makes a watcher.
 *
 * @example
 * const watcher = createWatcher({ journal, chains, reopen, clock, timers, interval: 2000, blockOf, onFinal, onReorg, onError })
 */
export function createWatcher(options: WatcherOptions): Watcher {
  const { journal, chains, reopen, clock, timers, interval, onFinal, onReorg, onError } = options
  const seen = new Map<Network, Seen>()
  let timer: (() => void) | undefined
  let looking: Promise<unknown> | undefined
  let stopped = false
  /** How many looks in a row did not see a payment, on chains whose blocks cannot be named. */
  const absences = new Map<string, number>()

  async function look(chain: ChainDriver): Promise<void> {
    if (chain.head === undefined) return
    const heads = await chain.head()
    const { blockHash } = chain
    if (blockHash === undefined) await askAfterNewest(chain)
    else await compareBlocks(chain.network, heads.latest, once(blockHash))
    while (!stopped && (await finish(chain, heads.final))) {}
  }

  /**
   * Compares the blocks that evidence names with the chain. While the newest one that was seen is still there, only those can be wrong that were
   * not compared yet: evidence may name a block of a branch that was already given up. Now and then, and when that one is gone, all are compared.
   */
  async function compareBlocks(network: Network, latest: bigint, hashAt: HashAt): Promise<void> {
    const before = seen.get(network)
    const isStanding = before !== undefined && (await hashAt(before.number)) === before.hash
    const isWhole = !isStanding || before.looks % WHOLE === 0
    // A node that is behind says nothing about blocks that it has not seen.
    const blocks = (await journal.watchedBlocks(network, isWhole ? 0 : clock() - RECENT)).filter(
      ({ number }) => number <= latest,
    )
    const compared = isWhole ? new Set<string>() : before.compared
    const standing = await Promise.all(
      blocks.map(async (block) => compared.has(nameOf(block)) || (await hashAt(block.number)) === block.hash),
    )
    const there = blocks.filter((_, at) => standing[at])
    const gone = blocks.filter((_, at) => !standing[at])
    const newest = (isStanding ? [before, ...there] : there).reduce<BlockId | undefined>(
      (most, block) => (most === undefined || block.number > most.number ? block : most),
      undefined,
    )
    if (newest === undefined) seen.delete(network)
    else {
      const { number, hash } = newest
      seen.set(network, { number, hash, looks: (before?.looks ?? 0) + 1, compared: new Set(there.map(nameOf)) })
    }
    if (gone.length === 0) return
    const undone: SettlementRecord[] = []
    for (const block of gone) undone.push(...(await undo(await journal.watchedIn(network, block))))
    await goOn(network, undone)
  }

  /**
   * Where blocks cannot be named, the newest payments are asked after, until one is still there. A node that lags has not seen some of them yet,
   * so one is gone only when several looks in a row do not see it.
   */
  async function askAfterNewest({ network }: ChainDriver): Promise<void> {
    const undone: SettlementRecord[] = []
    for (const { pid } of await journal.watched(network, PAGE)) {
      const record = await journal.load(pid)
      if (record === undefined) continue
      if ((await options.blockOf(record)) !== undefined) {
        absences.delete(record.pid)
        break
      }
      const times = (absences.get(record.pid) ?? 0) + 1
      absences.set(record.pid, times)
      if (times < LOOKS_TO_BE_GONE) continue
      absences.delete(record.pid)
      undone.push(...(await undo([record])))
    }
    if (undone.length > 0) await goOn(network, undone)
  }

  async function undo(records: readonly SettlementRecord[]): Promise<readonly SettlementRecord[]> {
    const written = await Promise.all(records.map((record) => journal.reorged(record)))
    return written.filter((record) => record !== 'moved')
  }

  async function goOn(network: Network, undone: readonly SettlementRecord[]): Promise<void> {
    await reopen(network)
    undone.forEach(onReorg)
  }

  /** One page of those whose blocks are deep enough; true when there may be more of them. */
  async function finish({ network, blockHash }: ChainDriver, final: bigint): Promise<boolean> {
    const deep = await journal.watchedUpTo(network, final, PAGE)
    const hashAt = blockHash && once(blockHash)
    const whole = hashAt === undefined ? await journal.loadAll(deep.map(({ pid }) => pid)) : []
    const records = new Map(whole.map((record) => [record.pid, record]))
    const there = await Promise.all(
      deep.map(async ({ pid, evidence }) => {
        if (hashAt !== undefined) {
          return evidence !== undefined && (await hashAt(evidence.blockNumber)) === evidence.blockHash
        }
        const record = records.get(pid)
        return record !== undefined && (await options.blockOf(record)) !== undefined
      }),
    )
    const written = await Promise.all(deep.filter((_, at) => there[at]).map((record) => journal.final(record)))
    for (const record of written) if (record !== 'moved') onFinal(record)
    return written.length === PAGE && written.every((record) => record !== 'moved')
  }

  function schedule(): void {
    timer = timers.background(interval, () => {
      looking = Promise.all(chains().map((chain) => look(chain).catch(onError))).finally(() => {
        if (!stopped) schedule()
      })
    })
  }

  return {
    start: schedule,
    async stop() {
      stopped = true
      timer?.()
      await looking
    },
  }
}

/** Settlements that are looked at together. */
const PAGE = 200

/** Looks in a row that do not see a payment, until it counts as undone. */
const LOOKS_TO_BE_GONE = 3

/** Milliseconds within which what was found may name a block that was given up before it was compared. */
const RECENT = 60_000

/** Looks of which one compares all blocks: payments that another replica left have been nobody's for a while. */
const WHOLE = 15

/** The newest block that evidence names, and those it names that are known to be below it. */
type Seen = BlockId & { readonly looks: number; readonly compared: ReadonlySet<string> }

type BlockId = { readonly number: bigint; readonly hash: string }
type HashAt = (blockNumber: bigint) => Promise<string | undefined>

const nameOf = ({ number, hash }: BlockId) => `${number} ${hash}`

/** Asks after every block once. */
function once(blockHash: HashAt): HashAt {
  const asked = new Map<bigint, Promise<string | undefined>>()
  return (number) => {
    const known = asked.get(number) ?? blockHash(number)
    asked.set(number, known)
    return known
  }
}
