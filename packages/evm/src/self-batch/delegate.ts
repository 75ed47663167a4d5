import { encodeCall } from '../abi.js'
import type { Address } from '../address.js'
import type { Hex } from '../hex.js'

const RUNTIME_DIGITS =
  '608060405260043610610020575f3560e01c80638a89b44b1461002b575f5ffd5b3661002757005b5f5ffd5b348015610036575f5ffd5b5061004a61' +
  '0045366004610131565b61004c565b005b33301461006c576040516314e1dbf760e11b815260040160405180910390fd5b5f5b8181101561012c5736' +
  '838383818110610089576100896101a2565b905060200281019061009b91906101b6565b90505f6100ab60208301836101d4565b9050365f6100bc60' +
  '20850185610201565b909250905060408401355f5a90506100d6610fa08361025f565b6100e1604083610278565b6100eb9083610297565b10156101' +
  '0a57604051636eb14fc360e11b815260040160405180910390fd5b604051838582375f5f85835f8a88f1505050505050505080600101905061006e56' +
  '5b505050565b5f5f60208385031215610142575f5ffd5b823567ffffffffffffffff811115610158575f5ffd5b8301601f81018513610168575f5ffd' +
  '5b803567ffffffffffffffff81111561017e575f5ffd5b8560208260051b8401011115610192575f5ffd5b6020919091019590945092505050565b63' +
  '4e487b7160e01b5f52603260045260245ffd5b5f8235605e198336030181126101ca575f5ffd5b9190910192915050565b5f602082840312156101e4' +
  '575f5ffd5b81356001600160a01b03811681146101fa575f5ffd5b9392505050565b5f5f8335601e19843603018112610216575f5ffd5b8301803591' +
  '5067ffffffffffffffff821115610230575f5ffd5b602001915036819003821315610244575f5ffd5b9250929050565b634e487b7160e01b5f526011' +
  '60045260245ffd5b808201808211156102725761027261024b565b92915050565b5f8261029257634e487b7160e01b5f52601260045260245ffd5b50' +
  '0490565b818103818111156102725761027261024b56'

/** The code that a signer of a facilitator runs to make many calls in one transaction: that of `SelfBatch.sol`, which `@groat/sandbox` carries. */
export const SELF_BATCH_CODE: Hex = `0x${RUNTIME_DIGITS}`

/** What creates it. */
export const SELF_BATCH_CREATION: Hex = `0x6080604052348015600e575f5ffd5b506102aa8061001c5f395ff3fe${RUNTIME_DIGITS}`

/** Creates contracts at addresses that hang on nothing but their code, on almost every chain. */
// Both addresses are written in their canonical lower case.
export const CREATE2_DEPLOYER = '0x4e59b44847b379578588920ca78fbf26c0b4956c' as Address

/**
 * Where it stands on every chain on which somebody has deployed it (`deploySelfBatch`): the same code at the same address, whoever did.
 *
 * @example
 * const chain = await createEvmChain({ network, rpc, signers, selfBatch: SELF_BATCH })
 */
export const SELF_BATCH = '0xfe36c0d95fa168caa65aa7b17937a25c7efb036b' as Address

/** One call of a batch: the account makes it with so much gas and no more. */
export type BatchCall = { readonly to: Address; readonly data: Hex; readonly gas: bigint }

/**
 * Call data of `executeBatch((address,bytes,uint256)[])`: each of them is made, in this order, and may fail.
 *
 * @example
 * const transaction = { to: signer, data: encodeBatch(calls) }
 */
export function encodeBatch(calls: readonly BatchCall[]): Hex {
  let offset = 32n * BigInt(calls.length)
  const heads: bigint[] = []
  let tails = ''
  for (const { to, data, gas } of calls) {
    heads.push(offset)
    const size = (data.length - 2) / 2
    const padded = 32 * Math.ceil(size / 32)
    // target, offset of the bytes, gas, the length of the bytes, the bytes
    const words = encodeCall('0x', to, 96n, gas, BigInt(size))
    tails += words.slice(2) + data.slice(2).padEnd(2 * padded, '0')
    offset += BigInt(4 * 32 + padded)
  }
  return `${encodeCall(EXECUTE_BATCH, 32n, BigInt(calls.length), ...heads)}${tails}`
}

const EXECUTE_BATCH: Hex = '0x8a89b44b'
