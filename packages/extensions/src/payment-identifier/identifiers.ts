import { type Clock, type Pid, systemClock } from '@groat/core'

/** A name that was given to a payment. */
export type IdentifierRow = {
  /** Chain family and address of the payer: names of different payers have nothing to do with one another. */
  readonly payer: string
  readonly id: string
  readonly fingerprint: string
  readonly pid: Pid
  /** The payment, as it was presented. */
  readonly payment: string
  /** Milliseconds since 1970 until which the name is remembered. */
  readonly keepUntil: number
}

/** Where names of payments are kept, shared by every process that serves the routes. Each method is one atomic step. Faults are thrown. */
export interface Identifiers {
  /** Gives the name to the payment unless another has it; answers with the payment that has it now. */
  bind(row: IdentifierRow): Promise<IdentifierRow>
  /** Gives the name to the payment if `former` still has it. */
  replace(row: IdentifierRow, former: Pid): Promise<boolean>
}

/** Names in the memory of one process: a restart forgets them, and a retry after it pays again. */
export function memoryIdentifiers({ clock = systemClock }: { readonly clock?: Clock } = {}): Identifiers {
  const rows = new Map<string, IdentifierRow>()
  const keyOf = ({ payer, id }: IdentifierRow): string => `${payer} ${id}`
  const prune = (now: number): void => {
    for (const [key, row] of rows) if (row.keepUntil <= now) rows.delete(key)
  }
  return {
    async bind(row) {
      const now = clock()
      if (rows.size % PRUNE_EVERY === PRUNE_EVERY - 1) prune(now)
      const known = rows.get(keyOf(row))
      if (known !== undefined && known.keepUntil > now) return known
      rows.set(keyOf(row), row)
      return row
    },
    async replace(row, former) {
      if (rows.get(keyOf(row))?.pid !== former) return false
      rows.set(keyOf(row), row)
      return true
    },
  }
}

const PRUNE_EVERY = 1024
