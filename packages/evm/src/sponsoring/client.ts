import { type Asset, isJsonObject, type Json, type JsonObject, type Refusal, refuse } from '@groat/core'
import { decodeInteger, encodeCall } from '../abi.js'
import { type EvmAccount, signTyped } from '../account.js'
import { type Address, formatAddress } from '../address.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { Hex } from '../hex.js'
import { PERMIT2 } from '../permit2/contracts.js'
import { encodeAllowance } from '../permit2/diagnosis.js'
import type { PermitTransfer } from '../permit2/signing.js'
import type { EvmRpc } from '../rpc.js'
import { EIP2612_GAS_SPONSORING, permitDigest, permitTypedData } from './eip2612.js'

/** A payer who is about to pay through Permit2. */
export type Permit2Payer = {
  readonly account: EvmAccount
  readonly engine: SigningEngine
  readonly asset: Asset
  readonly chainId: bigint
  readonly payer: Address
  readonly transfer: PermitTransfer
}

/** What is signed along, and under which key it goes. */
export type SignedExtension = { readonly key: string; sign(): Promise<JsonObject> }

/**
 * What has to be signed along so that Permit2 may take the amount: nothing where it may already, else what the seller announces to sponsor.
 * Refuses `permit2_allowance_required` where nothing would do. Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * const added = await planAllowance(rpc, { account, engine, asset, chainId, payer, transfer }, challenge.extensions)
 */
export async function planAllowance(
  rpc: EvmRpc,
  who: Permit2Payer,
  announced: JsonObject | undefined = {},
): Promise<readonly SignedExtension[] | Refusal> {
  const { payer, transfer, asset } = who
  const to = transfer.token
  const [allowance, permits] = await Promise.all([
    rpc.call({ to, data: encodeAllowance(payer, PERMIT2) }),
    rpc.call({ to, data: encodeCall(NONCES, payer) }),
  ])
  if (allowance.ok && (decodeInteger(allowance.data) ?? 0n) >= transfer.amount) return []
  const nonce = permits.ok ? decodeInteger(permits.data) : undefined
  if (announced[EIP2612_GAS_SPONSORING] !== undefined && asset.domain !== undefined && nonce !== undefined) {
    return [permitOf(who, asset.domain, nonce)]
  }
  return refuse('permit2_allowance_required')
}

/** `nonces(address)` */
const NONCES: Hex = '0x7ecebe00'

/** A permit of exactly what is paid: the proxies take no other. */
function permitOf(
  { account, engine, chainId, payer, transfer }: Permit2Payer,
  domain: NonNullable<Asset['domain']>,
  nonce: bigint,
): SignedExtension {
  const { token, amount, deadline } = transfer
  const under = { ...domain, chainId, verifyingContract: token }
  const message = { owner: payer, spender: PERMIT2, value: amount, nonce, deadline }
  return {
    key: EIP2612_GAS_SPONSORING,
    sign: async () => ({
      from: account.address,
      asset: formatAddress(token),
      spender: formatAddress(PERMIT2),
      amount: amount.toString(),
      nonce: nonce.toString(),
      deadline: deadline.toString(),
      signature: await signTyped(
        account,
        () => permitDigest(engine, under, message),
        () => permitTypedData(under, message),
      ),
      version: '1',
    }),
  }
}

/** The announcement with the payer's answer in it: added to, never changed. */
export function answerTo(announced: Json | undefined, info: JsonObject): JsonObject {
  const extension = isJsonObject(announced) ? announced : {}
  const said = isJsonObject(extension.info) ? extension.info : {}
  return { ...extension, info: { ...info, ...said } }
}
