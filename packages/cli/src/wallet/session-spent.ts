import type { PaymentRecord, Purse } from '@groat/client/buyer'
import { decodePayment, sameAddress } from '@groat/core'
import { type Session, type SessionSpent, sessionDay } from '@groat/evm/session'

/**
 * What the payments of a purse have spent of a session, as far as they were answered: those that were only signed may bring nothing.
 *
 * @example
 * const { today } = await spentOf(session, purse)
 */
export async function spentOf(
  session: Session,
  purse: Pick<Purse, 'records'>,
  now: number = Date.now(),
): Promise<SessionSpent> {
  const day = sessionDay(session, now / 1000) * 1000
  const records = await purse.records({
    state: ['settled', 'answered', 'disputed'],
    since: session.startsAt * 1000,
    limit: MOST,
  })
  let [total, today] = [0n, 0n]
  for (const { intent } of records) {
    if (!isBy(session, intent)) continue
    total += intent.amount
    if (intent.createdAt >= day) today += intent.amount
  }
  return { total, today }
}

/** Payments that are looked at. */
const MOST = 100_000

/** A payment carries the delegation that the owner has signed. */
function isBy(
  { network, delegator, limits, signature }: Session,
  { payment, ...intent }: PaymentRecord['intent'],
): boolean {
  if (payment === undefined || intent.network !== network) return false
  if (!sameAddress(intent.payer, delegator) || !sameAddress(intent.asset, limits.token)) return false
  const read = decodePayment((name) => (name === payment.name ? payment.value : undefined))
  const context = read?.ok ? read.value.payload.permissionContext : undefined
  return typeof context === 'string' && context.toLowerCase().includes(signature.slice(2).toLowerCase())
}
