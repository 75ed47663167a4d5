import { type Clock, type Pid, systemClock } from '@groat/core'

/** A payment that opened a scope. */
export type PaidScope = { readonly pid: Pid; readonly network: string }

/**
 * What a server remembers of sign-ins: which proofs were used, and which payments of an account have opened what. Each method is one atomic step; a plain map that is
 * asked first and written to later is none. Faults are thrown.
 */
export interface SignIns {
  /** The key that challenges are made with, the same for all who share the store. */
  readonly key: Uint8Array<ArrayBuffer>
  /** Uses up a nonce, which need not be remembered after `until` (milliseconds since 1970). `false`: it was used before. */
  consume(nonce: string, until: number): Promise<boolean>
  /** Remembers that a payment of an account has opened a scope. */
  record(account: string, scope: string, paid: PaidScope & { readonly expiresAt?: number }): Promise<void>
  /** The last payments of an account that opened a scope, the newest first. */
  paid(account: string, scope: string): Promise<readonly PaidScope[]>
}

/** Payments of one account and scope that are tried. */
export const MAX_TRIED = 16

/** Sign-ins in the memory of one process: a restart forgets who has paid. */
export function memorySignIns({ clock = systemClock }: { readonly clock?: Clock } = {}): SignIns {
  const used = new Map<string, number>()
  const opened = new Map<string, readonly (PaidScope & { readonly expiresAt?: number })[]>()
  const keyOf = (account: string, scope: string): string => JSON.stringify([account, scope])
  return {
    key: globalThis.crypto.getRandomValues(new Uint8Array(32)),
    async consume(nonce, until) {
      const now = clock()
      if (used.size % PRUNE_EVERY === PRUNE_EVERY - 1) for (const [old, end] of used) if (end <= now) used.delete(old)
      if (used.has(nonce)) return false
      used.set(nonce, until)
      return true
    },
    async record(account, scope, paid) {
      const key = keyOf(account, scope)
      const others = (opened.get(key) ?? []).filter(({ pid }) => pid !== paid.pid)
      opened.set(key, [paid, ...others].slice(0, MAX_TRIED))
    },
    async paid(account, scope) {
      const now = clock()
      return (opened.get(keyOf(account, scope)) ?? []).filter(
        ({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt > now,
      )
    },
  }
}

const PRUNE_EVERY = 1024
