import { encodeCallWithBytes } from '../abi.js'
import type { EvmCall } from '../chain.js'
import type { Hex } from '../hex.js'
import { EXACT_PERMIT2_PROXY } from '../permit2/contracts.js'
import type { Eip2612Permit } from '../sponsoring/eip2612.js'
import type { Permit2Payment } from './permit2.js'

/** `settle`, or `settleWithPermit` where the payer permits Permit2 in the same breath. */
export function settleCall(payment: Permit2Payment, permit: Eip2612Permit | undefined): Omit<EvmCall, 'gas'> {
  const { signature } = payment
  const words = permit ? [permit.value, permit.deadline, permit.r, permit.s, permit.v] : []
  const head = [...words, ...settlementWords(payment)]
  return { to: EXACT_PERMIT2_PROXY, data: encodeCallWithBytes(permit ? SETTLE_WITH_PERMIT : SETTLE, head, signature) }
}

/** What both calls say of a payment, in the order of their arguments. */
export function settlementWords({ payer, transfer, witness }: Permit2Payment): readonly (Hex | bigint)[] {
  const { token, amount, nonce, deadline } = transfer
  return [token, amount, nonce, deadline, payer, witness.to, witness.validAfter]
}

/** `settle(((address,uint256),uint256,uint256),address,(address,uint256),bytes)` */
export const SETTLE: Hex = '0x13cd3b53'
/** `settleWithPermit((uint256,uint256,bytes32,bytes32,uint8), …)` and the arguments of `settle` */
export const SETTLE_WITH_PERMIT: Hex = '0xfa340378'
