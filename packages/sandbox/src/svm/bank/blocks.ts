import { createHash } from 'node:crypto'
import { formatBase58, parseBase58 } from '../wire/base58.js'

/** One slot and the block in it. Every slot has a block. */
export type Block = {
  readonly slot: number
  /** Blocks before it. Not the slot: on public chains many slots are empty. */
  readonly height: number
  readonly blockhash: string
  readonly hashBytes: Uint8Array
  /** Seconds since 1970. */
  readonly time: number
}

/** The blocks that still matter, and the newest. */
export interface Blocks {
  readonly head: Block
  /** The block in a slot; undefined for slots to come and forgotten ones. */
  at(slot: number): Block | undefined
  /** The block that a blockhash is of. */
  find(blockhash: string): Block | undefined
  /** Adds the next block. */
  push(time: number): Block
  /** Remembers where the chain is; the function it returns goes back there, to a future with other blockhashes. */
  mark(): () => void
}

/** How many blocks are remembered, and so how far behind a node can be. */
export const keptBlocks = 1_024

/** Slots before this one never had a block here. */
const firstSlot = 447_552_000
const skippedSlots = 22_222_222

/** Blocks as if the chain had been running up to `time`. Blockhashes follow from `seed`. */
export function createBlocks(seed: Uint8Array, time: number): Blocks {
  let branch = 0
  let kept: Block[] = []
  let byHash = new Map<string, Block>()

  function push(seconds: number): Block {
    const last = kept.at(-1)
    const slot = last === undefined ? firstSlot : last.slot + 1
    const hashBytes = createHash('sha256').update(seed).update(`${branch}:${slot}`).digest()
    const block = createBlock(slot, hashBytes, Math.max(seconds, last?.time ?? 0))
    kept.push(block)
    byHash.set(keyOf(block.hashBytes), block)
    if (kept.length >= 2 * keptBlocks) {
      for (const { hashBytes: old } of kept.splice(0, keptBlocks)) byHash.delete(keyOf(old))
    }
    return block
  }

  for (let i = keptBlocks; i > 0; i--) push(Math.floor(time - 0.4 * i))
  return {
    get head() {
      // Filled above and never emptied.
      return kept[kept.length - 1] as Block
    },
    at: (slot) => kept[slot - (kept[0]?.slot ?? 0)],
    find: (blockhash) => byHash.get(keyOf(parseBase58(blockhash) ?? new Uint8Array())),
    push,
    mark() {
      const before = [...kept]
      return () => {
        branch += 1
        kept = [...before]
        byHash = new Map(before.map((block) => [keyOf(block.hashBytes), block]))
      }
    },
  }
}

/** Base58 is slow, and most blockhashes are never asked for. */
function createBlock(slot: number, hashBytes: Uint8Array, time: number): Block {
  let text: string | undefined
  return {
    ...{ slot, height: slot - skippedSlots, hashBytes, time },
    get blockhash() {
      text ??= formatBase58(hashBytes)
      return text
    },
  }
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
