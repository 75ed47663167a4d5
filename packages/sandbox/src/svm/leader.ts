import type { Bank } from './bank/bank.js'
import type { Transaction } from './wire/transaction.js'

/** What becomes of a transaction that a node has accepted: it lands at once, so many slots later, or never. */
export type SvmFate = 'land' | 'drop' | { readonly afterSlots: number }

/** A transaction on its way into a block. */
export type SubmittedTransaction = {
  /** Base58: the transaction's id. */
  readonly signature: string
  /** The accounts that it names itself, the one that pays first. */
  readonly accounts: readonly string[]
  readonly wire: Uint8Array
}

/** Decides about transactions; undefined leaves it to the next rule, and at last to `land`. */
export type SvmFateRule = (transaction: SubmittedTransaction) => SvmFate | undefined

/** Makes blocks in time, and takes transactions into them. */
export interface Leader {
  submit(transaction: Transaction): void
  /** Makes so many blocks, 400 ms of chain time apart. */
  step(slots: number): void
  /** A block every so many milliseconds, or none by itself. */
  setTick(ms: number | 'off'): void
  /** Adds a rule before all others; the function it returns takes it out. */
  intercept(rule: SvmFateRule): () => void
  /** Holds everything that is submitted, and makes no block by itself, until the function it returns is called. */
  freeze(): () => void
  /** Calls back after blocks and transactions; the function it returns ends that. */
  onChange(listener: () => void): () => void
  /** Tells the listeners that somebody else has changed the chain. */
  changed(): void
  /** Remembers what is held and the time; the function it returns goes back. */
  mark(): () => void
  stop(): void
}

/** A leader for `bank`; `clock` returns milliseconds since 1970. */
export function createLeader(bank: Bank, clock: () => number): Leader {
  const rules: SvmFateRule[] = []
  const listeners = new Set<() => void>()
  let held: Array<{ readonly transaction: Transaction; readonly slot: number }> = []
  let freezes = 0
  let lead = 0
  let timer: NodeJS.Timeout | undefined

  function changed(): void {
    for (const listener of listeners) listener()
  }

  function makeBlock(): void {
    bank.next(Math.floor((clock() + lead) / 1_000))
    landDue()
  }

  function landDue(): void {
    if (freezes > 0) return
    const due = held.filter(({ slot }) => slot <= bank.head.slot)
    held = held.filter(({ slot }) => slot > bank.head.slot)
    for (const { transaction } of due) bank.land(transaction)
  }

  function fateOf({ id, message, wire }: Transaction): SvmFate {
    for (const rule of rules) {
      const fate = rule({ signature: id, accounts: message.staticKeys, wire })
      if (fate !== undefined) return fate
    }
    return 'land'
  }

  return {
    submit(transaction) {
      const fate = fateOf(transaction)
      if (fate === 'drop') return
      held.push({ transaction, slot: bank.head.slot + (fate === 'land' ? 0 : fate.afterSlots) })
      landDue()
      changed()
    },
    step(slots) {
      for (let i = 0; i < slots; i++) {
        lead += slotMs
        makeBlock()
      }
      changed()
    },
    setTick(ms) {
      clearInterval(timer)
      if (ms === 'off') return
      timer = setInterval(() => {
        if (freezes > 0) return
        makeBlock()
        changed()
      }, ms).unref()
    },
    intercept(rule) {
      rules.unshift(rule)
      return () => {
        const place = rules.indexOf(rule)
        if (place >= 0) rules.splice(place, 1)
      }
    },
    freeze() {
      freezes += 1
      let frozen = true
      return () => {
        if (!frozen) return
        frozen = false
        freezes -= 1
        landDue()
        changed()
      }
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    changed,
    mark() {
      const before = { held: [...held], lead }
      return () => {
        held = [...before.held]
        lead = before.lead
      }
    },
    stop() {
      clearInterval(timer)
    },
  }
}

/** How long a slot lasts, in milliseconds. */
export const slotMs = 400
