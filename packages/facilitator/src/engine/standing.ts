import type { ErrorCode } from '@groat/core'
import type { Hold } from '../journal/journal.js'

/** How a lane stands, which all of its parts go by. */
export type LaneStanding = {
  /** Under what this replica may sign; `undefined` while it may not. */
  hold: Hold | undefined
  /** The next nonce; read again when `undefined`. */
  next: bigint | undefined
  /** Nonces below are in blocks. */
  mined: bigint | undefined
  stopped: boolean
  /** Why nothing new can be sent. */
  readonly blocked: ErrorCode | undefined
  /** Nothing new can be sent, until something can. */
  block(code: ErrorCode): void
  /** A node has taken something: all can be sent. */
  accept(): void
  /** What stood in the way may be gone; the next send says whether something still does. */
  doubt(): void
  /** What the signer has for fees: with nothing it signs nothing. */
  weigh(coin: bigint): void
  /** Whether the hour can pay for what is usual. */
  afford(can: boolean): void
  /** Somebody else signs here from now on: what was known is theirs to find out. */
  lose(): void
}

/** What is done when a lane can send nothing new, and when it can again. */
export type OnBlocked = {
  /** What waits may go elsewhere. */
  readonly onBlock: () => void
  /** Once for each time: `undefined` when it is over. */
  readonly onTold: (code: ErrorCode | undefined) => void
}

/**
 * Makes the standing of a lane that is not taken yet.
 *
 * @example
 * const standing = createStanding({ onBlock: () => boarding.lose(), onTold: (code) => say(code) })
 */
export function createStanding({ onBlock, onTold }: OnBlocked): LaneStanding {
  /** What a node said, whether the signer has nothing at all, whether the hour is used up, and what was told last. */
  let said: ErrorCode | undefined
  let isEmpty = false
  let isUsedUp = false
  let told: ErrorCode | undefined

  const blocked = () => said ?? (isEmpty ? 'signer_out_of_gas' : isUsedUp ? 'fee_above_limit' : undefined)

  function note(before: ErrorCode | undefined): void {
    const now = blocked()
    if (now !== told) {
      told = now
      onTold(now)
    }
    if (before === undefined && now !== undefined) onBlock()
  }

  return {
    ...{ hold: undefined, next: undefined, mined: undefined, stopped: false },
    get blocked() {
      return blocked()
    },
    block(code) {
      const before = blocked()
      said = code
      note(before)
    },
    accept() {
      const before = blocked()
      said = undefined
      isEmpty = false
      note(before)
    },
    doubt() {
      said = undefined
    },
    weigh(coin) {
      const before = blocked()
      isEmpty = coin === 0n
      note(before)
    },
    afford(can) {
      if (isUsedUp === !can) return
      const before = blocked()
      isUsedUp = !can
      note(before)
    },
    lose() {
      this.hold = undefined
      this.next = undefined
      said = undefined
      isEmpty = false
      isUsedUp = false
      told = undefined
    },
  }
}
