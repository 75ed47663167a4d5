import { encodeCallWithBytes } from '../abi.js'
import type { Address } from '../address.js'
import type { Hex } from '../hex.js'
import { PERMIT2, UPTO_PERMIT2_PROXY } from '../permit2/contracts.js'
import { encodeAllowance as allowanceOf } from '../permit2/diagnosis.js'
import type { CallRequest } from '../rpc.js'
import type { Eip2612Permit } from '../sponsoring/eip2612.js'
import { bareSignature } from '../wallet.js'
import type { UptoPayment } from './shared.js'

/**
 * The call that takes a part of what was permitted (EVM-UPTO-051); with a permit, Permit2 is allowed to in the same breath.
 *
 * @example
 * settleCall(payment, 12_345n)
 */
export function settleCall(
  { authorization, signature }: UptoPayment,
  amount: bigint,
  permit?: Eip2612Permit,
): Pick<CallRequest, 'to' | 'data'> {
  const { from, token, nonce, deadline, to, facilitator, validAfter } = authorization
  const first = permit ? [permit.value, permit.deadline, permit.r, permit.s, permit.v] : []
  const words = [...first, token, authorization.amount, nonce, deadline, amount, from, to, facilitator, validAfter]
  return {
    to: UPTO_PERMIT2_PROXY,
    data: encodeCallWithBytes(permit ? SETTLE_WITH_PERMIT : SETTLE, words, bareSignature(signature)),
  }
}

/** `settle(((address,uint256),uint256,uint256),uint256,address,(address,address,uint256),bytes)` */
const SETTLE: Hex = '0xff11e7b4'
/** `settleWithPermit((uint256,uint256,bytes32,bytes32,uint8), …)` and the arguments of `settle` */
const SETTLE_WITH_PERMIT: Hex = '0x016c1748'

/** What Permit2 may take from an account: `allowance(address,address)`. */
export const encodeAllowance = (owner: Address): Hex => allowanceOf(owner, PERMIT2)
