import { decodeInteger } from '../abi.js'
import type { Address } from '../address.js'
import type { Hex } from '../hex.js'
import type { EvmRpc } from '../rpc.js'

// Lower case, as every address in this package: the literals are what the brand stands for.

/** Uniswap's Permit2, at one address on every chain. */
export const PERMIT2 = '0x000000000022d473030f116ddee9f6b43ac78ba3' as Address
/** The spender of `exact`: takes the whole amount, to the signed recipient, for anybody. */
export const EXACT_PERMIT2_PROXY = '0x402085c248eea27d92e8b30b2c58ed07f9e20001' as Address
/** The spender of `upto`: takes any part of the amount, to the signed recipient, for the signed facilitator. */
export const UPTO_PERMIT2_PROXY = '0x4020a4f3b7b90cca423b9fabcc0ce57c6c240002' as Address
/** A proxy of x402, and the type hash of the witness that it insists on. */
export type Permit2Proxy = { readonly address: Address; readonly witnessTypehash: Hex }

/** The proxy of `exact`: `Witness(address to,uint256 validAfter)`. */
export const exactPermit2Proxy: Permit2Proxy = {
  address: EXACT_PERMIT2_PROXY,
  witnessTypehash: '0xd97b3239a7f32295517bd14cb074edfdd188dfe5eb42f802bb26d4fd1eb12c37',
}

/** The proxy of `upto`: `Witness(address to,address facilitator,uint256 validAfter)`. */
export const uptoPermit2Proxy: Permit2Proxy = {
  address: UPTO_PERMIT2_PROXY,
  witnessTypehash: '0xd4171c445a74218b01d4fd8af34ff1106580ea1e36ff837e64484bfaa2253b75',
}

/**
 * Whether Permit2 and the proxy are there and are what they should be: a call to an address without code succeeds and moves nothing,
 * so nothing is settled before this is `true`. A chain that has them keeps them, so it is asked until it says so and then no more.
 * Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * if (!(await hasPermit2Proxy(chain.rpc, uptoPermit2Proxy))) return refuse('permit2_proxy_not_deployed')
 */
export function hasPermit2Proxy(rpc: EvmRpc, proxy: Permit2Proxy): Promise<boolean> {
  const known = proven.get(rpc) ?? new Map<Address, Promise<boolean>>()
  proven.set(rpc, known)
  const answer = known.get(proxy.address) ?? prove(rpc, proxy)
  known.set(proxy.address, answer)
  const forget = () => known.get(proxy.address) === answer && known.delete(proxy.address)
  answer.then((there) => there || forget(), forget)
  return answer
}

const proven = new WeakMap<EvmRpc, Map<Address, Promise<boolean>>>()

async function prove(rpc: EvmRpc, { address: to, witnessTypehash }: Permit2Proxy): Promise<boolean> {
  const [code, target, typehash] = await Promise.all([
    rpc.code(PERMIT2),
    rpc.call({ to, data: PERMIT2_OF_PROXY }),
    rpc.call({ to, data: WITNESS_TYPEHASH }),
  ])
  const isOurs = target.ok && decodeInteger(target.data) === BigInt(PERMIT2)
  return code !== '0x' && isOurs && typehash.ok && typehash.data === witnessTypehash
}

/** `PERMIT2()` */
const PERMIT2_OF_PROXY: Hex = '0x6afdd850'
/** `WITNESS_TYPEHASH()` */
const WITNESS_TYPEHASH: Hex = '0x2c03ae6a'
