import { epochOf, slotsPerEpoch } from '../../bank/bank.js'
import { keptBlocks } from '../../bank/blocks.js'
import type { Methods } from '../method.js'
import { type Node, version } from '../node.js'
import { configAt, integerAt } from '../params.js'
import { invalidParams, RpcError } from '../rpc-error.js'

/** What the node is and where the chain stands. */
export const statusMethods: Methods = {
  getHealth: (_, node) => {
    assertHealthy(node)
    return 'ok'
  },
  getVersion: () => ({ 'solana-core': version, 'feature-set': 1_430_000_000 }),
  getGenesisHash: (_, node) => node.genesisHash,
  getSlot: (params, node) => node.viewFor(configAt(params, 0)).slot,
  getBlockHeight: (params, node) => node.viewFor(configAt(params, 0)).block.height,
  getBlocks: (params, node) => {
    const from = integerAt(params, 0)
    const hasEnd = typeof params[1] === 'number'
    const newest = node.viewFor(configAt(params, hasEnd ? 2 : 1)).slot
    const to = hasEnd ? integerAt(params, 1) : newest
    if (to - from > mostSlots) throw invalidParams(`Slot range too large; max ${mostSlots}`)
    const oldest = Math.max(from, node.bank.head.slot - keptBlocks)
    return Array.from({ length: Math.max(0, Math.min(to, newest) - oldest + 1) }, (_, i) => oldest + i)
  },
  getEpochInfo: (params, node) => {
    const { slot, block } = node.viewFor(configAt(params, 0))
    return {
      absoluteSlot: slot,
      blockHeight: block.height,
      epoch: epochOf(slot),
      slotIndex: slot % slotsPerEpoch,
      slotsInEpoch: slotsPerEpoch,
      transactionCount: node.bank.landed.findLastIndex((landed) => landed.slot <= slot) + 1,
    }
  },
}

/** Throws -32005 when the node is far behind the chain. */
export function assertHealthy(node: Node): void {
  const numSlotsBehind = node.behind()
  if (numSlotsBehind <= tolerated) return
  throw new RpcError(-32005, `Node is behind by ${numSlotsBehind} slots`, { numSlotsBehind })
}

const tolerated = 128
const mostSlots = 500_000
