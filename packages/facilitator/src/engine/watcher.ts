import type { ChainDriver } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import type { Lane } from './lane.js'

/** Follows what is settled until its block cannot be undone any more. */
export interface Watcher {
  start(): void
  stop(): Promise<void>
}

/** What a watcher works with. */
export type WatcherOptions = {
  readonly journal: Journal
  readonly chains: readonly ChainDriver[]
  readonly lanes: () => readonly Lane[]
  /** Milliseconds between two looks. */
  readonly interval: number
  /** Asks the chain again whether a payment is settled, and in which block; `undefined` when it is not. */
  readonly blockOf: (
    record: SettlementRecord,
  ) => Promise<{ readonly number: bigint; readonly hash: string } | undefined>
  readonly onFinal: (record: SettlementRecord) => void
  /** Its block is gone. Carries on with it. */
  readonly onReorg: (record: SettlementRecord) => void
  readonly onError: (error: unknown) => void
}

/**
 * Makes a watcher. Where a block still is, all before it are too: one question a look is enough while nothing is undone.
 *
 * @example
 * const watcher = createWatcher({ journal, chains, lanes, interval: 2000, blockOf, onFinal, onReorg, onError })
 */
export function createWatcher(options: WatcherOptions): Watcher {
  const { journal, chains, lanes, interval, onFinal, onReorg, onError } = options
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<unknown> | undefined
  let stopped = false

  async function look(chain: ChainDriver): Promise<void> {
    if (chain.head === undefined) return
    const [newest] = await journal.watched(chain.network, 'newest', 1)
    if (newest === undefined) return
    const isThere = createPresence(chain, options.blockOf)
    const { final } = await chain.head()
    if (!(await isThere(newest))) await undo(chain, isThere)
    while (!stopped && (await finish(chain, final, isThere))) {}
  }

  /** One page of those whose blocks are deep enough; true when there may be more of them. */
  async function finish({ network }: ChainDriver, final: bigint, isThere: Presence): Promise<boolean> {
    const records = await journal.watched(network, 'oldest', PAGE)
    const deep = records.filter(
      ({ state, evidence }) => state === 'settled' && evidence && evidence.blockNumber <= final,
    )
    const there = await Promise.all(deep.map(isThere))
    const written = await Promise.all(deep.filter((_, at) => there[at]).map((record) => journal.final(record)))
    for (const record of written) if (record !== 'moved') onFinal(record)
    return records.length === PAGE && written.length === PAGE && written.every((record) => record !== 'moved')
  }

  /** From the newest backwards, until one is met that is still there. */
  async function undo(chain: ChainDriver, isThere: Presence): Promise<void> {
    const undone: SettlementRecord[] = []
    for (let more = true; more && !stopped; ) {
      const records = await journal.watched(chain.network, 'newest', PAGE)
      const gone: SettlementRecord[] = []
      for (const record of records) {
        if (await isThere(record)) break
        gone.push(record)
      }
      const written = await Promise.all(gone.map((record) => journal.reorged(record)))
      for (const record of written) if (record !== 'moved') undone.push(record)
      more = gone.length === PAGE && written.every((record) => record !== 'moved')
    }
    for (const lane of lanes()) if (lane.network === chain.network) await lane.reopen()
    undone.forEach(onReorg)
  }

  function schedule(): void {
    timer = setTimeout(() => {
      looking = Promise.all(chains.map((chain) => look(chain).catch(onError))).finally(() => {
        if (!stopped) schedule()
      })
    }, interval).unref()
  }

  return {
    start: schedule,
    async stop() {
      stopped = true
      clearTimeout(timer)
      await looking
    },
  }
}

/** Settlements that are looked at together. */
const PAGE = 200

type Presence = (record: SettlementRecord) => Promise<boolean>

/** Whether the block of a record's evidence is still in the chain, asked once for every block. */
function createPresence({ blockHash }: ChainDriver, blockOf: WatcherOptions['blockOf']): Presence {
  const hashes = new Map<bigint, Promise<string | undefined>>()
  return async (record) => {
    const { evidence } = record
    if (evidence === undefined) return true
    if (blockHash === undefined) return (await blockOf(record)) !== undefined
    const known = hashes.get(evidence.blockNumber) ?? blockHash(evidence.blockNumber)
    hashes.set(evidence.blockNumber, known)
    return (await known) === evidence.blockHash
  }
}
