import { type Clock, type Pid, type Receipt, systemClock, X402Error } from '@groat/core'
import type { Answer } from './answer.js'
import {
  type ClaimedBefore,
  type ClaimOutcome,
  type ClaimRequest,
  type ClaimStore,
  type ClaimToken,
  KEEP_ANSWER_MS,
  KEEP_UNSETTLED_MS,
} from './claims.js'
import { createMemoryEntitlements } from './entitlements.js'

/** How the memory store is bounded. */
export type MemoryClaimsOptions = {
  /** Says that this process is the only one that serves these routes, and that a restart may forget. */
  readonly singleProcess: true
  /** Bytes that claims and kept answers may take together. Default 64 MiB. */
  readonly maxBytes?: number
  readonly clock?: Clock
}

/**
 * Claims in the memory of one process. Two processes would each sell the same payment once, so this must be asked for by name.
 *
 * When room runs out, answers of settled payments go first, the oldest before the others: such a payment is then refused with
 * `payment_already_used` instead of being answered again. Then go answers of payments that expired 15 minutes ago and whose end nobody
 * knows: whoever paid for one of those is worked for again. When that is not enough, claiming throws `X402Error` `store_unavailable`,
 * and nothing is charged.
 *
 * @example
 * paywall({ facilitator, payTo, schemes, store: createMemoryClaims({ singleProcess: true }) })
 */
export function createMemoryClaims(options: MemoryClaimsOptions): ClaimStore {
  // Programs without types forget it, and then there are no options at all.
  if (options?.singleProcess !== true) {
    const reason = 'write createMemoryClaims({ singleProcess: true }), or use sqlClaims'
    throw new X402Error('invalid_config', { field: 'singleProcess', reason })
  }
  const { maxBytes = 64 * 1024 * 1024, clock = systemClock } = options
  const rows = new Map<Pid, Row>()
  const evidenceOf = new Map<string, Pid>()
  /** Settled rows that still have their answer, oldest first. */
  const answered = new Map<Pid, Row>()
  let bytes = 0
  let fences = 0
  let sweptAt = clock()

  const drop = (pid: Pid, row: Row): void => {
    rows.delete(pid)
    answered.delete(pid)
    if (row.evidence !== undefined) evidenceOf.delete(row.evidence)
    bytes -= row.bytes
  }

  const sweep = (now: number): void => {
    if (now - sweptAt < (bytes < maxBytes / 2 ? SWEEP_EVERY_MS : SWEEP_EVERY_MS / 10)) return
    sweptAt = now
    for (const [pid, row] of rows) if (row.expiresAt + keepMs(row) <= now) drop(pid, row)
  }

  const forgetAnswer = (pid: Pid, row: Row): void => {
    answered.delete(pid)
    bytes -= row.bytes - ROW_BYTES
    row.bytes = ROW_BYTES
    delete row.answer
  }

  const makeRoom = (wanted: number): void => {
    if (bytes + wanted <= maxBytes) return
    for (const [pid, row] of answered) {
      if (bytes + wanted <= maxBytes) return
      forgetAnswer(pid, row)
    }
    const now = clock()
    for (const [pid, row] of rows) {
      if (bytes + wanted <= maxBytes) return
      // Whoever paid for it and comes after all is worked for again.
      if (row.state === 'settling' && row.leaseUntil <= now && row.expiresAt + KEEP_ANSWER_MS <= now)
        forgetAnswer(pid, row)
    }
    if (bytes + wanted > maxBytes) throw new X402Error('store_unavailable', { reason: 'memory is full', maxBytes })
  }

  const held = ({ pid, fence }: ClaimToken): Row | undefined => {
    const row = rows.get(pid)
    return row?.fence === fence ? row : undefined
  }

  const lease = (pid: Pid, row: Row, now: number, leaseMs: number): ClaimToken => {
    row.fence = String(++fences)
    row.leaseUntil = now + leaseMs
    return { pid, fence: row.fence }
  }

  const claim = ({ pid, binding, expiresAt, leaseMs }: ClaimRequest): ClaimOutcome => {
    const now = clock()
    sweep(now)
    const known = rows.get(pid)
    if (known === undefined) {
      makeRoom(ROW_BYTES)
      const fresh = { state: 'claimed', fence: '', leaseUntil: 0, partly: 0, bytes: ROW_BYTES } as const
      const row: Row = { binding, expiresAt: expiresAt * 1000, ...fresh }
      rows.set(pid, row)
      bytes += ROW_BYTES
      return { status: 'claimed', token: lease(pid, row, now, leaseMs) }
    }
    if (known.state !== 'settled' && known.leaseUntil > now) return { status: 'busy' }
    if (known.state === 'claimed') {
      known.binding = binding
      return { status: 'claimed', token: lease(pid, known, now, leaseMs) }
    }
    return known.binding === binding ? takeUp(pid, known, now, leaseMs) : { status: 'mismatch' }
  }

  const takeUp = (pid: Pid, row: Row, now: number, leaseMs: number): ClaimedBefore => {
    const { receipt, answer, charged, state, partly } = row
    const kept = answer === undefined ? {} : { answer }
    if (receipt === undefined) {
      const price = charged === undefined ? {} : { charged }
      return { status: 'settling', token: lease(pid, row, now, leaseMs), ...kept, ...price }
    }
    if (state === 'settled') return { status: 'settled', receipt, ...kept }
    return { status: 'open', token: lease(pid, row, now, leaseMs), receipt, partly }
  }

  const keep = (row: Row, answer: Answer): void => {
    const size = sizeOf(answer)
    makeRoom(size)
    row.answer = answer
    if (answer.charged !== undefined) row.charged = answer.charged
    row.bytes += size
    bytes += size
  }

  return {
    entitlements: createMemoryEntitlements(clock),
    audience: globalThis.crypto.randomUUID().slice(0, 18),
    claim: async (request) => claim(request),
    resume: async ({ pid, binding, leaseMs }) => {
      const now = clock()
      const row = rows.get(pid)
      if (row === undefined || row.state === 'claimed' || row.binding !== binding) return undefined
      if (row.state !== 'settled' && row.leaseUntil > now) return { status: 'busy' }
      return takeUp(pid, row, now, leaseMs)
    },
    settling: async (token, answer, leaseMs) => {
      const row = held(token)
      if (row === undefined || row.state !== 'claimed') return false
      if (answer !== undefined) keep(row, answer)
      row.state = 'settling'
      row.leaseUntil = clock() + leaseMs
      return true
    },
    renew: async (token, leaseMs, charged) => {
      const row = held(token)
      if (row === undefined || (row.state !== 'settling' && row.state !== 'open')) return false
      row.leaseUntil = clock() + leaseMs
      if (charged !== undefined) row.charged = charged
      return true
    },
    settled: async ({ pid }, receipt, evidence) => {
      const owner = evidenceOf.get(evidence)
      if (owner !== undefined && owner !== pid) return false
      const row = rows.get(pid)
      if (row === undefined || row.receipt !== undefined) return true
      evidenceOf.set(evidence, pid)
      row.evidence = evidence
      row.receipt = receipt
      row.state = row.answer === undefined ? 'open' : 'settled'
      if (row.answer !== undefined) answered.set(pid, row)
      return true
    },
    delivered: async (token, answer) => {
      const row = held(token)
      if (row?.state !== 'open') return
      row.state = 'settled'
      if (answer === undefined) return
      // An answer that finds no room is not kept: it has been delivered.
      try {
        keep(row, answer)
        answered.set(token.pid, row)
      } catch (error) {
        if (!X402Error.is(error)) throw error
      }
    },
    pause: async (token, partly) => {
      const row = held(token)
      if (row === undefined) return
      row.leaseUntil = 0
      if (partly) row.partly += 1
    },
    release: async (token) => {
      const row = held(token)
      if (row !== undefined && row.receipt === undefined) drop(token.pid, row)
    },
  }
}

type Row = {
  state: 'claimed' | 'settling' | 'open' | 'settled'
  binding: string
  fence: string
  leaseUntil: number
  readonly expiresAt: number
  /** How often some of the answer was sent. */
  partly: number
  bytes: number
  answer?: Answer
  charged?: string
  receipt?: Receipt
  evidence?: string
}

/** Milliseconds for which a row outlives its payment. */
function keepMs({ state }: Row): number {
  if (state === 'settled') return KEEP_ANSWER_MS
  return state === 'claimed' ? 0 : KEEP_UNSETTLED_MS
}

/** What a row takes beside its answer, generously. */
const ROW_BYTES = 1024
const SWEEP_EVERY_MS = 10_000

function sizeOf(answer: Answer): number {
  const body = typeof answer.body === 'string' ? answer.body.length * 2 : answer.body.byteLength
  return body + 2 * JSON.stringify([answer.headers, answer.trailers]).length
}
