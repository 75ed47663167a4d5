import { type ChainDriver, type Clock, type ErrorCode, type Network, sameAddress, X402Error } from '@groat/core'
import { poorSigners } from './chain-ready.js'
import type { Routes } from './engine/route.js'
import type { Journal } from './journal/journal.js'
import { createLastKnown, type Known } from './last-known.js'
import type { Health, HealthReason } from './service.js'
import type { Timers } from './timers.js'

/** What health is asked of. */
export type HealthOptions = {
  readonly journal: Pick<Journal, 'ready'>
  readonly routes: Routes
  readonly clock: Clock
  readonly timers: Timers
  /** Why payments of a network cannot be judged yet, if they cannot. */
  readonly shut: (network: Network) => ErrorCode | undefined
  readonly phase: () => 'starting' | 'serving' | 'stopping'
}

/** What nodes and the store said: what stands in the way, and which signers of a chain cannot pay. */
type Probe = { readonly reasons: readonly HealthReason[]; readonly poor: ReadonlyMap<ChainDriver, readonly string[]> }

/**
 * Makes the question after health. Probes that come in quick succession share one answer: asking must cost the chain nothing. A node or a store that
 * hangs keeps nobody waiting: for some seconds it counts as it was, and then as gone.
 */
export function createHealth({ journal, routes, clock, timers, shut, phase }: HealthOptions): () => Promise<Health> {
  let known: { readonly at: number; readonly probe: Promise<Probe> } | undefined
  const store = createLastKnown(() => journal.ready(), { clock, timers })
  const chains = routes.chains.map((chain) => ({
    chain,
    poorOnes: createLastKnown(() => poorSigners(chain), { clock, timers }),
  }))

  async function probe(): Promise<Probe> {
    const poor = new Map<ChainDriver, readonly string[]>()
    const asked = [
      store().then((said) => reasonOf(said, 'store_unavailable', (code) => ({ part: 'store', code }))),
      ...chains.map(async ({ chain, poorOnes }) => {
        const { network } = chain
        const code = shut(network)
        // Somebody asks its nodes all the time, and more is not known of them.
        if (code !== undefined) return { part: 'chain', network, code } as const
        const said = await poorOnes()
        if (said?.ok) poor.set(chain, said.value)
        return reasonOf(said, 'rpc_unreachable', (code) => ({ part: 'chain', network, code }))
      }),
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

/** `silent`: what no answer means. */
function reasonOf(
  said: Known<unknown> | undefined,
  silent: ErrorCode,
  say: (code: ErrorCode) => HealthReason,
): HealthReason[] {
  if (said?.ok) return []
  if (said === undefined) return [say(silent)]
  return [say(X402Error.is(said.error) ? said.error.code : 'unexpected_settle_error')]
}
