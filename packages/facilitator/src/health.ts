import { type Clock, type ErrorCode, X402Error } from '@groat/core'
import { fundedChain, readyChain } from './chain-ready.js'
import type { Routes } from './engine/route.js'
import type { Journal } from './journal/journal.js'
import type { Health, HealthReason } from './service.js'

/** What health is asked of. */
export type HealthOptions = {
  readonly journal: Pick<Journal, 'ready'>
  readonly routes: Routes
  readonly clock: Clock
  readonly phase: () => 'starting' | 'serving' | 'stopping'
}

/** Makes the question after health. Probes that come in quick succession share one answer: asking must cost the chain nothing. */
export function createHealth({ journal, routes, clock, phase }: HealthOptions): () => Promise<Health> {
  let known: { readonly at: number; readonly reasons: Promise<readonly HealthReason[]> } | undefined

  async function probe(): Promise<readonly HealthReason[]> {
    const asked = [
      reasonOf(journal.ready(), (code): HealthReason => ({ part: 'store', code })),
      ...routes.chains.map((chain) =>
        reasonOf(
          readyChain(chain).then(() => fundedChain(chain)),
          (code): HealthReason => ({ part: 'chain', network: chain.network, code }),
        ),
      ),
    ]
    return (await Promise.all(asked)).flat()
  }

  function blocked(): HealthReason[] {
    return routes
      .lanes()
      .flatMap(({ network, blocked: code }) => (code === undefined ? [] : [{ part: 'chain' as const, network, code }]))
  }

  return async () => {
    if (known === undefined || clock() - known.at >= FRESH) known = { at: clock(), reasons: probe() }
    const state = phase()
    const reasons: HealthReason[] = state === 'serving' ? [] : [{ part: 'service', state }]
    reasons.push(...(await known.reasons))
    reasons.push(...blocked().filter((reason) => !reasons.some((known) => isSame(known, reason))))
    return { ready: reasons.length === 0, reasons }
  }
}

function isSame(a: HealthReason, b: HealthReason): boolean {
  return a.part === 'chain' && b.part === 'chain' && a.network === b.network && a.code === b.code
}

/** Milliseconds for which an answer holds. */
const FRESH = 1000

async function reasonOf(asked: Promise<void>, say: (code: ErrorCode) => HealthReason): Promise<HealthReason[]> {
  try {
    await asked
    return []
  } catch (error) {
    return [say(X402Error.is(error) ? error.code : 'unexpected_settle_error')]
  }
}
