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
  /** Why nothing new can be sent. */
  blocked: ErrorCode | undefined
  stopped: boolean
}
