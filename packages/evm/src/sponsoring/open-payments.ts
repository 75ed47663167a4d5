import type { Pid } from '@groat/core'
import type { EvmAccount } from '../account.js'

/** What an account has signed that may still be taken through Permit2. Payments of one token share what Permit2 is allowed of it. */
export type OpenPayments = {
  /** Atomic units that may still be taken of a token, at a time in seconds since 1970. */
  readonly total: (token: string, now: number) => bigint
  /** Notes a payment that is being signed; `until` in seconds since 1970. */
  readonly add: (token: string, pid: Pid, payment: OpenPayment) => void
  /** Notes Permit2's number of a payment that was signed, by which the chain can be asked for it. */
  readonly signed: (pid: Pid, nonce: bigint) => void
  /** Ends the payments of a token whose numbers are used up, as somebody says who has looked. */
  readonly endUsed: (token: string, isUsed: (nonce: bigint) => Promise<boolean>) => Promise<void>
  /** A payment that was settled takes nothing more. */
  readonly end: (pid: Pid) => void
}

/** Atomic units, and seconds since 1970 after which nobody can take them. */
export type OpenPayment = { readonly amount: bigint; readonly until: number; readonly nonce?: bigint }

/**
 * The open payments of an account, for all halves that pay with it: known while the process runs. What came before it, the facilitator sees on the chain.
 *
 * @example
 * openPaymentsOf(account).total('eip155:8453 0x…', now)
 */
export function openPaymentsOf(account: EvmAccount): OpenPayments {
  const known = byAccount.get(account)
  if (known !== undefined) return known
  const fresh = createOpenPayments()
  byAccount.set(account, fresh)
  return fresh
}

/** By the account itself: whoever makes another one has its money in another place, or in another process. */
const byAccount = new WeakMap<EvmAccount, OpenPayments>()

function createOpenPayments(): OpenPayments {
  const byToken = new Map<string, Map<Pid, OpenPayment>>()
  return {
    total(token, now) {
      const payments = byToken.get(token)
      let sum = 0n
      for (const [pid, { amount, until }] of payments ?? []) {
        if (until + CLOCK_MARGIN_SECONDS < now) payments?.delete(pid)
        else sum += amount
      }
      return sum
    },
    add(token, pid, payment) {
      const payments = byToken.get(token) ?? new Map<Pid, OpenPayment>()
      byToken.set(token, payments.set(pid, payment))
    },
    signed(pid, nonce) {
      for (const payments of byToken.values()) {
        const payment = payments.get(pid)
        if (payment !== undefined) payments.set(pid, { ...payment, nonce })
      }
    },
    async endUsed(token, isUsed) {
      const payments = byToken.get(token) ?? new Map<Pid, OpenPayment>()
      const ended = await Promise.all(
        [...payments].map(async ([pid, { nonce }]) => (nonce !== undefined && (await isUsed(nonce)) ? pid : undefined)),
      )
      for (const pid of ended) if (pid !== undefined) payments.delete(pid)
    },
    end(pid) {
      for (const payments of byToken.values()) payments.delete(pid)
    },
  }
}

/** Seconds by which a block's clock may be behind ours. */
const CLOCK_MARGIN_SECONDS = 30
