import type { Bank } from '../bank/bank.js'
import { keptBlocks } from '../bank/blocks.js'
import type { View } from '../bank/view.js'
import type { Leader } from '../leader.js'
import { type Commitment, type Config, commitmentIn, integerIn } from './params.js'
import { RpcError } from './rpc-error.js'

/** How many slots a transaction waits before a commitment covers it. */
export type CommitmentLag = { readonly confirmed: number; readonly finalized: number }

/** What one node knows of the chain, which may be less than there is. */
export interface Node {
  readonly bank: Bank
  readonly leader: Leader
  readonly genesisHash: string
  /** The chain as this node knows it at a commitment; `finalized` unless told. */
  view(commitment?: Commitment | undefined): View
  /** The view that a call's configuration asks for. Throws -32016 when it is not there yet. */
  viewFor(config: Config): View
  /** Slots between the newest and the newest that this node knows. */
  behind(): number
  setBehind(slots: number): void
  /** From now on the node learns nothing new, until the function it returns is called. */
  freeze(): () => void
}

/** A node of a chain that knows everything. */
export function createNode(bank: Bank, leader: Leader, genesisHash: string, lag: CommitmentLag): Node {
  let slotsBehind = 0
  let frozenAt: number | undefined

  function tip(): number {
    const slot = Math.min(bank.head.slot - slotsBehind, frozenAt ?? Number.POSITIVE_INFINITY)
    return Math.max(slot, bank.head.slot - furthest)
  }

  function view(commitment: Commitment = 'finalized'): View {
    return bank.at(tip() - (commitment === 'processed' ? 0 : lag[commitment]))
  }

  return {
    bank,
    leader,
    genesisHash,
    view,
    viewFor(config) {
      const found = view(commitmentIn(config))
      const least = integerIn(config, 'minContextSlot')
      if (least !== undefined && found.slot < least) {
        throw new RpcError(-32016, 'Minimum context slot has not been reached', { contextSlot: found.slot })
      }
      return found
    },
    behind: () => bank.head.slot - tip(),
    setBehind(slots) {
      slotsBehind = Math.max(0, slots)
      leader.changed()
    },
    freeze() {
      frozenAt = tip()
      return () => {
        frozenAt = undefined
        leader.changed()
      }
    },
  }
}

/** Blockhashes of 150 blocks and the finalized commitment must still be known at the furthest. */
const furthest = keptBlocks - 300

/** What a node answers with: the slot it speaks of, and what it has to say. */
export function respond(view: View, value: unknown) {
  return { context: { apiVersion: version, slot: view.slot }, value }
}

/** The version of the runtime, which is what a client asks a node for. */
export const version = '4.3.0'
