import type { Hex } from 'viem'

/** A number as JSON-RPC writes it: hex without leading zeros. */
export function quantity(value: bigint | number): Hex {
  return `0x${value.toString(16)}`
}
