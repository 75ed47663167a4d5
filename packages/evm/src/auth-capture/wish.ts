import type { ErrorCode } from '@groat/core'
import type { HoldRow, PendingAction } from './hold-table.js'

/** What is to become of a hold, or why that cannot be. Amounts in atomic units. */
export type Wish = GoodWish | { readonly code: ErrorCode }

/** Something that the balances of a hold allow. */
export type GoodWish = { readonly kind: PendingAction['kind']; readonly amount: bigint }

type Balances = Pick<HoldRow, 'capturable' | 'refundable'>

/** To have a part paid out, or all that is left. */
export function wishCapture({ capturable }: Balances, amount?: bigint): Wish {
  const left = BigInt(capturable)
  const wanted = amount ?? left
  if (wanted < 1n) return { code: NOTHING_HELD }
  return wanted > left
    ? { code: 'invalid_auth_capture_evm_insufficient_authorization' }
    : { kind: 'capture', amount: wanted }
}

/** To let go of what is left. */
export function wishVoid({ capturable }: Balances): Wish {
  return capturable === '0' ? { code: NOTHING_HELD } : { kind: 'void', amount: BigInt(capturable) }
}

/** To give back a part of what was paid out. */
export function wishRefund({ refundable }: Balances, amount: bigint): Wish {
  return amount < 1n || amount > BigInt(refundable)
    ? { code: 'invalid_auth_capture_evm_refund_exceeds_capture' }
    : { kind: 'refund', amount }
}

/** Whether what was asked for is what is wished for. */
export const isWish = (pending: PendingAction, wish: Wish): boolean =>
  'kind' in wish && wish.kind === pending.kind && wish.amount.toString() === pending.amount

/** The balances when it is done. */
export function balancesAfter(
  { kind, amount }: Pick<PendingAction, 'kind' | 'amount'>,
  balances: Balances,
): Partial<Balances> {
  const [capturable, refundable, moved] = [BigInt(balances.capturable), BigInt(balances.refundable), BigInt(amount)]
  switch (kind) {
    case 'void':
      return { capturable: '0' }
    case 'capture':
      return { capturable: `${capturable - moved}`, refundable: `${refundable + moved}` }
    case 'refund':
      return { refundable: `${refundable - moved}` }
  }
}

/** Nothing is held by this name, or nothing any more. */
export const NOTHING_HELD: ErrorCode = 'invalid_auth_capture_evm_zero_authorization'
