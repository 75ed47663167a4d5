import { programs } from '../programs.js'
import type { AccountState } from '../vm/vm.js'
import type { Blocks } from './blocks.js'

/** The sysvar with the last 512 blockhashes before a slot, which the lookup table program reads. */
export function slotHashesAccount(blocks: Blocks, slot: number): AccountState {
  const data = Buffer.alloc(8 + kept * 40)
  data.writeBigUInt64LE(BigInt(kept), 0)
  for (let i = 0; i < kept; i++) {
    const block = blocks.at(slot - 1 - i)
    if (block === undefined) break
    data.writeBigUInt64LE(BigInt(block.slot), 8 + i * 40)
    data.set(block.hashBytes, 16 + i * 40)
  }
  return { lamports: 1n, data, owner: programs.sysvarOwner, executable: false, rentEpoch: 0n }
}

const kept = 512
