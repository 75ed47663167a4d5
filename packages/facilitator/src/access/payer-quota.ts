import type { Clock, Pid } from '@groat/core'
import { createQuota, type Rate } from './quota.js'

/** A payment as far as its payer's quota goes. */
export type CountedPayment = {
  /** With the network: accounts of two networks are two payers. */
  readonly payer: string
  readonly pid: Pid
  /** Which tenant presents it; absent where there are none. */
  readonly tenant?: string | undefined
  /** Seconds since 1970: after that it cannot be settled any more, and is forgotten. */
  readonly expiresAt: number
}

/** How a payment may be looked at. */
export type Presented = {
  /** Seconds to wait before it is; 0: now. */
  readonly wait: number
  /** It was counted when it was verified here: its settlement draws nothing, also not where replicas count together. */
  readonly isCounted: boolean
  /** Tells, once, what came of it. `passed`: it is its payer's own, and counts from now on; what only says so, in anybody's name, never does. */
  ended(passed: boolean): void
}

/** Counts the payments of payers, each once. */
export interface PayerQuota {
  present(kind: 'verify' | 'settle', payment: CountedPayment): Presented
}

/** Payments that are remembered. One that is forgotten is counted again. */
const MAX_PAYMENTS = 100_000

/**
 * Makes the quota of payers. A payment that was verified here is settled without a second draw and without a refusal, once; presented yet again, it
 * draws from another bucket of the same rate, which the payer has with each tenant: what one of them repeats takes nothing of what others may. So a
 * payer has its rate of new payments, as many first settlements, and with each tenant its rate of repetitions.
 *
 * What does not pass gives back what it drew, because anybody may have written the payer's name: it takes from the payer for as long as it is looked at.
 *
 * @example
 * const quota = createPayerQuota({ perSecond: 5 }, clock)
 * const { wait, ended } = quota.present('verify', payment)
 * if (wait === 0) ended(await isGood(payment))
 */
export function createPayerQuota(rate: Rate, clock: Clock, most = MAX_PAYMENTS): PayerQuota {
  const fresh = createQuota(rate, clock)
  const again = createQuota(rate, clock)
  const counted = new Map<string, { readonly expiresAt: number; isSettled: boolean }>()

  function find({ payer, pid }: CountedPayment) {
    const key = `${payer} ${pid}`
    const known = counted.get(key)
    if (known === undefined || known.expiresAt > clock() / 1000) return known
    counted.delete(key)
    return undefined
  }

  function ended(kind: 'verify' | 'settle', payment: CountedPayment, passed: boolean): void {
    // Presented twice at a time it counts once.
    if (!passed || find(payment) !== undefined) {
      fresh.give(payment.payer)
      return
    }
    const [oldest] = counted.size >= most ? counted.keys() : []
    if (oldest !== undefined) counted.delete(oldest)
    counted.set(`${payment.payer} ${payment.pid}`, { expiresAt: payment.expiresAt, isSettled: kind === 'settle' })
  }

  return {
    present(kind, payment) {
      const known = find(payment)
      if (known === undefined) {
        const wait = fresh.take(payment.payer)
        return { wait, isCounted: false, ended: (passed) => (wait === 0 ? ended(kind, payment, passed) : undefined) }
      }
      const counts = { isCounted: true, ended() {} }
      if (kind === 'verify' || known.isSettled) {
        return { wait: again.take(`${payment.payer} ${payment.tenant ?? ''}`), ...counts }
      }
      known.isSettled = true
      return { wait: 0, ...counts }
    },
  }
}
