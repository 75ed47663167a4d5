import { type ChainDriver, type Clock, type ErrorCode, sameAddress, X402Error } from '@groat/core'
import { poorSigners } from './chain-ready.js'
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

/** What nodes and the store said: what stands in the way, and which signers of a chain cannot pay. */
type Probe = { readonly reasons: readonly HealthReason[]; readonly poor: ReadonlyMap<ChainDriver, readonly string[]> }

/** Makes the question after health. Probes that come in quick succession share one answer: asking must cost the chain nothing. */
export function createHealth({ journal, routes, clock, phase }: HealthOptions): () => Promise<Health> {
  let known: { readonly at: number; readonly probe: Promise<Probe> } | undefined

  async function probe(): Promise<Probe> {
    const poor = new Map<ChainDriver, readonly string[]>()
    const asked = [
      reasonOf(journal.ready(), (code): HealthReason => ({ part: 'store', code })),
      ...routes.chains.map((chain) =>
        reasonOf(
          poorSigners(chain).then((signers) => void poor.set(chain, signers)),
          (code): HealthReason => ({ part: 'chain', network: chain.network, code }),
        ),
      ),
    ]
    return { reasons: (await Promise.all(asked)).flat(), poor }
  }

  /** The signers of a chain that can send nothing: in the way when none of this replica's can, else worth a note. */
  function signersOf(chain: ChainDriver, poor: readonly string[]) {
    const { network, signers } = chain
    const lanes = routes.lanes().filter((lane) => lane.network === network && lane.held)
    const here = signers.flatMap((signer) => lanes.find((lane) => sameAddress(lane.signer, signer)) ?? [])
    const mine = here.length > 0 ? here.map(({ signer }) => signer) : signers
    const stuck = signers.flatMap((signer) => {
      const code = here.find((lane) => sameAddress(lane.signer, signer))?.blocked
      const isPoor = poor.includes(signer)
      return code === undefined && !isPoor ? [] : [{ signer, code: code ?? ('signer_out_of_gas' as const) }]
    })
    const isStuck = (each: string) => stuck.some(({ signer }) => sameAddress(signer, each))
    const inTheWay = mine.every(isStuck)
    const said = stuck.map(({ signer, code }): HealthReason => ({ part: 'chain', network, code, signer }))
    return inTheWay ? { reasons: said, notes: [] } : { reasons: [], notes: said }
  }

  return async () => {
    if (known === undefined || clock() - known.at >= FRESH) known = { at: clock(), probe: probe() }
    const state = phase()
    const { reasons: asked, poor } = await known.probe
    const signers = routes.chains.map((chain) => signersOf(chain, poor.get(chain) ?? []))
    const starting: HealthReason[] = state === 'serving' ? [] : [{ part: 'service', state }]
    const reasons = [...starting, ...asked, ...signers.flatMap((each) => each.reasons)]
    const notes = signers.flatMap((each) => each.notes)
    return { ready: reasons.length === 0, reasons, ...(notes.length === 0 ? {} : { notes }) }
  }
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
