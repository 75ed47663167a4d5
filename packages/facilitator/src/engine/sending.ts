import { type ChainDriver, type Clock, type SendOutcome, X402Error } from '@groat/core'
import type { Slot, Slots } from './slots.js'
import type { LaneStanding } from './standing.js'

/** Hands what is signed in a lane to the nodes. */
export interface Sending {
  /** Sends the dearest of a slot, unless it is being sent right now. Never throws. */
  transmit(slot: Slot): Promise<SendOutcome>
  /** The same, behind all below it that are not out. */
  send(slot: Slot): Promise<SendOutcome>
}

/** What sending works with. */
export type SendingOptions = {
  readonly chain: ChainDriver
  readonly clock: Clock
  readonly slots: Slots
  readonly standing: LaneStanding
  /** Whether somebody waits to be signed for. */
  readonly isWaitedFor: () => boolean
  /** A node has taken something; `included`: and it is in a block. */
  readonly onAccepted: (included: boolean) => void
  readonly onError: (error: unknown) => void
}

/**
 * Makes the way of a lane to its nodes.
 *
 * @example
 * const sending = createSending({ chain, clock, slots, standing, isWaitedFor, onAccepted, onError })
 */
export function createSending(options: SendingOptions): Sending {
  const { chain, clock, slots, standing, isWaitedFor, onAccepted, onError } = options
  const isOrdered = chain.nextNonce !== undefined

  function transmit(slot: Slot): Promise<SendOutcome> {
    slot.flight ??= sendBytes(slot).finally(() => {
      slot.flight = undefined
    })
    return slot.flight
  }

  async function sendBytes(slot: Slot): Promise<SendOutcome> {
    const newest = slot.transactions.at(-1)
    if (newest === undefined) return { status: 'unknown', reason: 'nothing is signed' }
    slot.sentAt = clock()
    // An answer that waits for the block would keep others waiting for theirs.
    const isLonely = !isWaitedFor() && slots.waiting() <= 1
    const said = await chain.send(newest, isLonely && slots.isQuick).catch((error): SendOutcome => {
      if (!X402Error.is(error)) onError(error)
      return { status: 'unknown', reason: X402Error.is(error) ? error.code : 'unexpected' }
    })
    slot.out = said.status === 'accepted' || said.status === 'nonce_taken'
    slot.failed ||= !slot.out
    if (said.status === 'accepted') {
      standing.accept()
      if (said.included) slots.include(slot)
      onAccepted(said.included === true)
    }
    if (said.status === 'rejected') standing.block(said.code)
    // It may be that somebody else signs with this key.
    if (said.status === 'nonce_taken') standing.next = undefined
    return said
  }

  return {
    transmit,
    async send(mine) {
      if (!isOrdered) return transmit(mine)
      for (const lower of slots) {
        const isUnderWay = lower.flight !== undefined && !lower.failed
        if (lower.out || lower.included || isUnderWay || lower.nonce >= mine.nonce) continue
        const said = await transmit(lower)
        if (said.status === 'unknown' || said.status === 'rejected') {
          return { status: 'unknown', reason: 'an earlier transaction is not out yet' }
        }
      }
      return transmit(mine)
    },
  }
}
