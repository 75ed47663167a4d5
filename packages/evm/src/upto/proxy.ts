import { encodeCallWithBytes } from '../abi.js'
import type { Address } from '../address.js'
import type { Hex } from '../hex.js'
import { PERMIT2, UPTO_PERMIT2_PROXY } from '../permit2/contracts.js'
import { encodeAllowance as allowanceOf } from '../permit2/diagnosis.js'
import type { CallRequest } from '../rpc.js'
import { bareSignature } from '../wallet.js'
import type { UptoPayment } from './shared.js'

/**
 * The call that takes a part of what was permitted (EVM-UPTO-051).
 *
 * @example
 * settleCall(payment, 12_345n)
 */
export function settleCall(
  { authorization, signature }: UptoPayment,
  amount: bigint,
): Pick<CallRequest, 'to' | 'data'> {
  const { from, token, nonce, deadline, to, facilitator, validAfter } = authorization
  const words = [token, authorization.amount, nonce, deadline, amount, from, to, facilitator, validAfter]
  return { to: UPTO_PERMIT2_PROXY, data: encodeCallWithBytes('0xff11e7b4', words, bareSignature(signature)) }
}

/** What Permit2 may take from an account: `allowance(address,address)`. */
export const encodeAllowance = (owner: Address): Hex => allowanceOf(owner, PERMIT2)
