import { type ChainDriver, type ErrorCode, type Network, X402Error } from '@groat/core'
import { readyChain } from './chain-ready.js'
import type { Timers } from './timers.js'

/** Which chains have been checked, and may be settled on. One whose nodes are away keeps none of the others waiting. */
export interface Opening {
  /** Once it has started: why payments of a network cannot be judged yet; `undefined` when all of its chains have been checked. */
  shut(network: Network): ErrorCode | undefined
  /**
   * Resolves when each chain is open or its nodes are known not to answer; those are asked again until they do. Rejects when none can be opened, and when one answers
   * what no waiting mends: another chain's id, an asset that is none. May be called again.
   */
  start(): Promise<void>
  /** Nothing is asked any more; what is shut stays so. */
  stop(): void
}

/** What an opening works with. */
export type OpeningOptions = {
  readonly chains: readonly ChainDriver[]
  readonly timers: Pick<Timers, 'background'>
  /** A chain that was away when the others were opened is open. */
  readonly onOpen: () => void
  readonly onError: (error: unknown, network: Network) => void
}

/**
 * Makes an opening.
 *
 * @example
 * const opening = createOpening({ chains, timers, onOpen: () => keeper.nudge(), onError: report })
 * await opening.start()
 */
export function createOpening({ chains, timers, onOpen, onError }: OpeningOptions): Opening {
  const away = new Map<ChainDriver, Away>()
  /** What was begun in a round that is over says nothing any more. */
  let round = {}

  /** Why it is not open. */
  async function open(chain: ChainDriver): Promise<X402Error | undefined> {
    try {
      await readyChain(chain).catch(leaveToHealth)
      return undefined
    } catch (error) {
      return X402Error.is(error) ? error : new X402Error('unexpected_settle_error', {}, { cause: error })
    }
  }

  function askLater(chain: ChainDriver, { code }: X402Error): void {
    const mine = round
    const again = async () => {
      const error = await open(chain)
      if (round !== mine) return
      if (error === undefined) {
        away.delete(chain)
        onOpen()
        return
      }
      // Why is told when it is known, and when it changes.
      if (error.code !== code) onError(error, chain.network)
      askLater(chain, error)
    }
    away.set(chain, { code, cancel: timers.background(ASK_AGAIN, () => void again()) })
  }

  function stop(): void {
    round = {}
    for (const { cancel } of away.values()) cancel()
  }

  return {
    shut: (network) => [...away].find(([chain]) => chain.network === network)?.[1].code,
    async start() {
      stop()
      const mine = round
      const asked = await Promise.all(chains.map(async (chain) => ({ chain, error: await open(chain) })))
      if (round !== mine) return
      const failed = asked.flatMap(({ chain, error }) => (error === undefined ? [] : { chain, error }))
      const fatal =
        failed.find(({ error }) => !isAway(error)) ?? (failed.length === chains.length ? failed[0] : undefined)
      if (fatal !== undefined) throw fatal.error
      away.clear()
      for (const { chain, error } of failed) {
        onError(error, chain.network)
        askLater(chain, error)
      }
    },
    stop,
  }
}

type Away = { readonly code: ErrorCode; readonly cancel: () => void }

/** A signer that is poor may not be the only one, and is no reason to forget what it has sent: health says so. */
function leaveToHealth(error: unknown): void {
  if (!X402Error.is(error) || error.code !== 'signer_out_of_gas') throw error
}

/** Waiting may mend it. */
function isAway({ code }: X402Error): boolean {
  return code === 'rpc_unreachable' || code === 'rpc_invalid_answer'
}

/** Milliseconds between two questions to nodes that did not answer. */
const ASK_AGAIN = 1000
