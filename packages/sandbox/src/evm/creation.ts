import { type Address, concat, encodeAbiParameters, type Hex } from 'viem'

/** Creation code with addresses as its constructor's arguments. */
export function withAddresses(creation: Hex, ...addresses: readonly Address[]): Hex {
  return concat([creation, ...addresses.map((address) => encodeAbiParameters([{ type: 'address' }], [address]))])
}
