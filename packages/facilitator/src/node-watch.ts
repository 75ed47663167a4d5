import type { ChainDriver, Network, X402Event } from '@groat/core'
import type { Timers } from './timers.js'

/** Tells when nodes of chains are away, and when they are back. */
export interface NodeWatch {
  start(): void
  stop(): void
}

/** What a watch works with. */
export type NodeWatchOptions = {
  readonly chains: readonly Pick<ChainDriver, 'network' | 'nodes'>[]
  readonly timers: Pick<Timers, 'background'>
  readonly tell: (event: NodeEvent) => void
  /** Milliseconds between two looks; 1,000 unless told. */
  readonly interval?: number
}

/** A node went, or came back. */
export type NodeEvent = Pick<X402Event, 'network' | 'node' | 'code'> & { readonly type: 'node_away' | 'node_back' }

/** Looks in a row at which nothing but failures was known of a node: one question that fails is no outage. */
const LOOKS = 2

/**
 * Makes a watch over the nodes. It asks none of them: it reads how they have answered whoever asked.
 *
 * @example
 * const watch = createNodeWatch({ chains, timers, tell: ({ type, node }) => say(type, node) })
 * watch.start()
 */
export function createNodeWatch({ chains, timers, tell, interval = 1_000 }: NodeWatchOptions): NodeWatch {
  const watched = chains.filter(({ nodes }) => nodes !== undefined)
  const looks = new Map<string, number>()
  let cancel: (() => void) | undefined

  function look(network: Network, nodes: ReturnType<NonNullable<ChainDriver['nodes']>>): void {
    for (const { host, failures, fault } of nodes) {
      const key = `${network} ${host}`
      const before = looks.get(key) ?? 0
      if (failures === 0) {
        looks.delete(key)
        if (before >= LOOKS) tell({ type: 'node_back', network, node: host })
        continue
      }
      looks.set(key, before + 1)
      if (before + 1 !== LOOKS) continue
      tell({ type: 'node_away', network, node: host, ...(fault === undefined ? {} : { code: fault }) })
    }
  }

  function next(): void {
    cancel = timers.background(interval, () => {
      for (const chain of watched) look(chain.network, chain.nodes?.() ?? [])
      next()
    })
  }

  return {
    start() {
      if (watched.length > 0) next()
    },
    stop() {
      cancel?.()
    },
  }
}
