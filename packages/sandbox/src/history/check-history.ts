import { deliveryLaws } from './delivery-laws.js'
import { engineLaws } from './engine-laws.js'
import type { History } from './history.js'
import { journalLaws } from './journal-laws.js'
import type { Law } from './law.js'
import { walletLaws } from './wallet-laws.js'

/** What became of one invariant. */
export type Finding = {
  readonly id: Law['id']
  readonly says: string
  readonly status: 'held' | 'broken' | 'not recorded'
  /** Payments, transactions or accounts by which it is broken. */
  readonly by: readonly string[]
}

/**
 * Replays what was recorded of a run against the invariants INV-1 to INV-24, in their order. It takes nobody's word: what the journal says is
 * compared with what the chain has, and the other way round. An amount that is no amount breaks INV-21, and then what needs it cannot be judged.
 *
 * @example
 * const broken = checkHistory(history).filter(({ status }) => status === 'broken')
 */
export function checkHistory(history: History): readonly Finding[] {
  return laws.map((law) => {
    const by = rule(law, history)
    if (by === 'not recorded') return { id: law.id, says: law.says, status: by, by: [] }
    return { id: law.id, says: law.says, status: by.length === 0 ? 'held' : 'broken', by }
  })
}

const laws: readonly Law[] = [...journalLaws, ...deliveryLaws, ...walletLaws, ...engineLaws].sort(
  (a, b) => Number(a.id.slice(4)) - Number(b.id.slice(4)),
)

function rule(law: Law, history: History) {
  try {
    return law.judge(history)
  } catch (error) {
    if (error instanceof SyntaxError) return 'not recorded'
    throw error
  }
}
