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
}

/** Counts the payments of payers, each once. */
export interface PayerQuota {
  present(kind: 'verify' | 'settle', payment: CountedPayment): Presented
  /** Tells that a payment is its payer's own: from now on it is counted. What only says so, in anybody's name, never is. */
  passed(kind: 'verify' | 'settle', payment: CountedPayment): void
}

/** Payments that are remembered. One that is forgotten is counted again. */
const MAX_PAYMENTS = 100_000

/**
 * Makes the quota of payers. A payment that was verified here is settled without a second draw and without a refusal, once; presented yet again, it
 * draws from another bucket of the same rate, which the payer has with each tenant: what one of them repeats takes nothing of what others may. So a
 * payer has its rate of new payments, as many first settlements, and with each tenant its rate of repetitions.
 *
 * It is drawn when the payment has passed, because before that anybody may have written the payer's name. What comes at once may therefore pass
 * together: the bucket owes for it, and nothing new passes until that is made up for.
 *
 * @example
 * const quota = createPayerQuota({ perSecond: 5 }, clock)
 * if (quota.present('verify', payment).wait === 0 && (await isGood(payment))) quota.passed('verify', payment)
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

  return {
    present(kind, payment) {
      const known = find(payment)
      if (known === undefined) return { wait: fresh.wait(payment.payer), isCounted: false }
      if (kind === 'verify' || known.isSettled)
        return { wait: again.take(`${payment.payer} ${payment.tenant ?? ''}`), isCounted: true }
      known.isSettled = true
      return { wait: 0, isCounted: true }
    },

    passed(kind, payment) {
      if (find(payment) !== undefined) return
      fresh.draw(payment.payer)
      const [oldest] = counted.size >= most ? counted.keys() : []
      if (oldest !== undefined) counted.delete(oldest)
      counted.set(`${payment.payer} ${payment.pid}`, { expiresAt: payment.expiresAt, isSettled: kind === 'settle' })
    },
  }
}
