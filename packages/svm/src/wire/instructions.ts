import type { Key } from './address.js'
import { joinBytes, littleEndian, readU32, readU64 } from './bytes.js'
import type { PlannedInstruction } from './message.js'
import { programs } from './programs.js'

/** What `TransferChecked` of a token program moves. */
export type TransferChecked = {
  readonly source: Key
  readonly mint: Key
  readonly destination: Key
  /** Who may move it: the source's owner, or a delegate. */
  readonly authority: Key
  /** Atomic units. */
  readonly amount: bigint
  readonly decimals: number
}

const SET_COMPUTE_UNIT_LIMIT = 2
const SET_COMPUTE_UNIT_PRICE = 3
const TRANSFER_CHECKED = 12

/**
 * Caps the compute units of a transaction.
 *
 * @example
 * setComputeUnitLimit(20_000)
 */
export const setComputeUnitLimit = (units: number): PlannedInstruction =>
  computeBudget(SET_COMPUTE_UNIT_LIMIT, littleEndian(units, 4))

/**
 * Sets what a compute unit costs, in millionths of a lamport.
 *
 * @example
 * setComputeUnitPrice(1n)
 */
export const setComputeUnitPrice = (price: bigint): PlannedInstruction =>
  computeBudget(SET_COMPUTE_UNIT_PRICE, littleEndian(price, 8))

/**
 * Moves tokens.
 *
 * @example
 * transferChecked(programs.token, { source, mint, destination, authority, amount: 1000n, decimals: 6 })
 */
export function transferChecked(tokenProgram: Key, transfer: TransferChecked): PlannedInstruction {
  const { source, mint, destination, authority, amount, decimals } = transfer
  return {
    program: tokenProgram,
    accounts: [
      { key: source, writable: true },
      { key: mint },
      { key: destination, writable: true },
      { key: authority, signer: true },
    ],
    data: joinBytes(new Uint8Array([TRANSFER_CHECKED]), littleEndian(amount, 8), new Uint8Array([decimals])),
  }
}

/**
 * Writes a text into the transaction.
 *
 * @example
 * memo(new TextEncoder().encode('order-7'))
 */
export const memo = (text: Uint8Array): PlannedInstruction => ({ program: programs.memo, accounts: [], data: text })

/**
 * The compute units that an instruction of the compute-budget program caps a transaction to; `undefined` for any other.
 *
 * @example
 * readComputeUnitLimit(setComputeUnitLimit(20_000).data) // 20000
 */
export function readComputeUnitLimit(data: Uint8Array): number | undefined {
  return data.length === 5 && data[0] === SET_COMPUTE_UNIT_LIMIT ? readU32(data, 1) : undefined
}

/**
 * The price per compute unit that an instruction sets, in millionths of a lamport; `undefined` for any other.
 *
 * @example
 * readComputeUnitPrice(setComputeUnitPrice(1n).data) // 1n
 */
export function readComputeUnitPrice(data: Uint8Array): bigint | undefined {
  return data.length === 9 && data[0] === SET_COMPUTE_UNIT_PRICE ? readU64(data, 1) : undefined
}

/**
 * Amount and decimals of a `TransferChecked`; `undefined` for any other instruction of a token program.
 *
 * @example
 * readTransferChecked(instruction.data)?.amount
 */
export function readTransferChecked(data: Uint8Array): { amount: bigint; decimals: number } | undefined {
  if (data.length !== 10 || data[0] !== TRANSFER_CHECKED) return undefined
  return { amount: readU64(data, 1), decimals: data[9] ?? 0 }
}

function computeBudget(kind: number, value: Uint8Array): PlannedInstruction {
  return { program: programs.computeBudget, accounts: [], data: joinBytes(new Uint8Array([kind]), value) }
}
