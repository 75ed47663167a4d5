import {
  type ChainDriver,
  type ErrorCode,
  type Network,
  type SendOutcome,
  type SignedTransaction,
  sameAddress,
  X402Error,
} from '@groat/core'
import { crashpoint } from '../crashpoint.js'
import type { Journal, Written } from '../journal/journal.js'
import type { SettlementRecord } from '../journal/record.js'
import { createSerial } from './serial.js'

/**
 * One signer on one chain. Nonces are given out here, one after the other, from the journal; bytes leave only after they are in it, and
 * the lowest nonce that is not out goes first, so that no gap stays open.
 */
export interface Lane {
  readonly network: Network
  readonly signer: string
  /** Why nothing new can be sent: what the node said to the transaction at the head. */
  readonly blocked: ErrorCode | undefined
  /** Takes up where the journal and the chain stand. Throws when either cannot be read. */
  resume(): Promise<void>
  /**
   * Signs under the next nonce and writes the bytes down. `late` says that signing is no longer wanted; then, and when it throws, no
   * nonce is used up. Throws `X402Error` of the chain, of the journal, and the code under which the lane is blocked.
   */
  sign(record: SettlementRecord, call: unknown, late: () => boolean): Promise<Written | 'late'>
  /** Sends bytes that are in the journal. Never throws: what is not certain is `unknown`. */
  send(transaction: SignedTransaction): Promise<SendOutcome>
  /** The transaction has landed or can land no more. */
  forget(hash: string): void
  /** Its payment is over, but its nonce is not: it is sent until the nonce is gone. */
  leave(hash: string): void
  stop(): Promise<void>
}

/** What a lane works with. */
export type LaneOptions = {
  readonly chain: ChainDriver
  readonly signer: string
  readonly journal: Journal
  /** Milliseconds after which what has not landed is sent again. */
  readonly rebroadcast: number
  readonly onError: (error: unknown) => void
}

/** A transaction that may still land, as the lane sees it. */
type Open = {
  readonly transaction: SignedTransaction
  /** A node has it. */
  out: boolean
  /** It is being sent right now. */
  flight?: Promise<SendOutcome> | undefined
  /** Its payment is over. */
  ended: boolean
}

/** Makes a lane. It does nothing before `resume`. */
export function createLane({ chain, signer, journal, rebroadcast, onError }: LaneOptions): Lane {
  /** By hash. Signing goes by nonce, so they stand in its order. */
  const open = new Map<string, Open>()
  /** Without nonces nothing waits for anything. */
  const isOrdered = chain.nextNonce !== undefined
  const inTurn = createSerial()
  /** Read again when `undefined`. */
  let next: bigint | undefined
  let blocked: ErrorCode | undefined
  let timer: NodeJS.Timeout | undefined
  let healing: Promise<void> | undefined
  let stopped = false

  async function signNext(record: SettlementRecord, call: unknown, late: () => boolean): Promise<Written | 'late'> {
    for (;;) {
      if (late()) return 'late'
      if (blocked !== undefined) throw new X402Error(blocked, { network: chain.network })
      const nonce = chain.nextNonce === undefined ? undefined : (next ?? (await standing(chain.nextNonce(signer))))
      crashpoint('FP-04')
      const transaction = await chain.sign(call, nonce === undefined ? { signer } : { signer, nonce })
      if (!sameAddress(transaction.signer, signer) || transaction.nonce !== nonce) {
        throw new TypeError('The chain driver signed something else than it was asked to')
      }
      crashpoint('FP-05')
      // Should writing fail, it may have been written all the same: the journal will say where we stand.
      next = undefined
      const written = await journal.signed(record, transaction)
      if (written === 'nonce_used') continue
      if (written === 'moved') return written
      crashpoint('FP-06')
      if (nonce !== undefined) next = nonce + 1n
      hold(transaction, false)
      return written
    }
  }

  /** The journal knows what we signed, the chain knows what others signed with the same key. */
  async function standing(seen: Promise<bigint>): Promise<bigint> {
    const [{ next: written = 0n }, onChain] = await Promise.all([journal.lane(chain.network, signer), seen])
    if (written > onChain) return written
    return onChain
  }

  function hold(transaction: SignedTransaction, ended: boolean): Open {
    const mine = { transaction, out: false, ended }
    open.set(transaction.hash, mine)
    schedule()
    return mine
  }

  function drop(hash: string): void {
    // What stood in the way may have been this one; the next send says whether something still does.
    if (open.delete(hash)) blocked = undefined
  }

  function transmit(mine: Open): Promise<SendOutcome> {
    mine.flight ??= sendBytes(mine).finally(() => {
      mine.flight = undefined
    })
    return mine.flight
  }

  async function sendBytes(mine: Open): Promise<SendOutcome> {
    const said = await chain.send(mine.transaction).catch((error): SendOutcome => {
      if (!X402Error.is(error)) onError(error)
      return { status: 'unknown', reason: X402Error.is(error) ? error.code : 'unexpected' }
    })
    mine.out = said.status === 'accepted'
    if (said.status === 'accepted') blocked = undefined
    if (said.status === 'rejected') blocked = said.code
    // Somebody else signs with this key.
    if (said.status === 'nonce_taken') next = undefined
    return said
  }

  async function send(transaction: SignedTransaction): Promise<SendOutcome> {
    const mine = open.get(transaction.hash) ?? hold(transaction, false)
    for (const lower of open.values()) {
      if (lower.out || lower.flight !== undefined || nonceOf(lower) >= nonceOf(mine)) continue
      const said = await transmit(lower)
      if (said.status === 'unknown' || said.status === 'rejected') {
        return { status: 'unknown', reason: 'an earlier transaction is not out yet' }
      }
    }
    return transmit(mine)
  }

  async function heal(): Promise<void> {
    const seen = await chain.nextNonce?.(signer)
    for (const mine of open.values()) {
      const { transaction, ended } = mine
      const gone = seen !== undefined && transaction.nonce !== undefined && transaction.nonce < seen
      if (gone && ended) {
        await journal.spent(transaction.hash)
        drop(transaction.hash)
      } else if (!gone) {
        const said = await transmit(mine)
        if (isOrdered && (said.status === 'unknown' || said.status === 'rejected')) return
      }
    }
  }

  function schedule(): void {
    if (stopped || timer !== undefined || open.size === 0) return
    timer = setTimeout(() => {
      healing = heal()
        .catch(onError)
        .finally(() => {
          timer = undefined
          schedule()
        })
    }, rebroadcast).unref()
  }

  return {
    network: chain.network,
    signer,
    get blocked() {
      return blocked
    },
    async resume() {
      const { open: left } = await journal.lane(chain.network, signer)
      for (const { transaction, ended } of left) hold(transaction, ended)
      if (chain.nextNonce !== undefined) next = await standing(chain.nextNonce(signer))
    },
    sign: (record, call, late) =>
      isOrdered ? inTurn(() => signNext(record, call, late)) : signNext(record, call, late),
    send,
    forget: drop,
    leave(hash) {
      const mine = open.get(hash)
      if (mine !== undefined) mine.ended = true
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await healing
    },
  }
}

function nonceOf({ transaction: { nonce } }: Open): bigint {
  return nonce ?? 0n
}
