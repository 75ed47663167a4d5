import type { Clock } from '@groat/core'

/** How much may be under way in one process. */
export type PressureLimits = {
  /** Settlements under way at once; 2,000 unless told. */
  readonly maxSettling?: number
  /** Verifications under way at once; 1,000 unless told. */
  readonly maxVerifying?: number
  /** Seconds that a settlement may have to wait before it is better refused; 20 unless told. */
  readonly patience?: number
}

/** Says when there is too much to do, before anything is accepted. */
export interface Pressure {
  /** Seconds to wait before a verification is taken; 0: now. Verification gives way to settlement. */
  verify(): number
  /** Seconds to wait before a settlement is taken that has so many seconds left to live; 0: now. */
  settle(secondsLeft: number): number
  /** Tells that work began; what it gives back tells that it ended. */
  began(kind: 'verify' | 'settle'): () => void
  readonly verifying: number
  readonly settling: number
  /** Seconds that a settlement would wait by how fast they have ended lately. */
  estimate(): number
}

/** Settlements that are taken without asking how fast they end. */
const ALWAYS = 64

/** Milliseconds for which work has to have been there before how fast it ends says anything: an idle service knows nothing about that. */
const EVIDENCE_MS = 2_000

/** Milliseconds over which ends are counted. */
const WINDOW_MS = 5_000

/**
 * Makes the judge of how much is too much.
 *
 * @example
 * const wait = pressure.settle(60)
 * if (wait > 0) return overloaded(wait)
 */
export function createPressure(limits: PressureLimits, clock: Clock): Pressure {
  const { maxSettling = 2_000, maxVerifying = 1_000, patience = 20 } = limits
  const running = { verify: 0, settle: 0 }
  const rate = createRateMeter(clock)

  let busySince = clock()
  const busyMs = () => {
    // Set back, it begins anew.
    if (running.settle === 0 || clock() < busySince) busySince = clock()
    return clock() - busySince
  }
  const estimate = () => running.settle / Math.max(rate.perSecond(busyMs()), 1)
  return {
    get verifying() {
      return running.verify
    },
    get settling() {
      return running.settle
    },
    estimate,
    verify() {
      const crowded = running.verify >= maxVerifying || running.settle >= maxSettling * 0.9
      return crowded ? 1 : 0
    },
    settle(secondsLeft) {
      if (running.settle >= maxSettling) return Math.min(Math.max(1, Math.ceil(estimate() / 2)), 30)
      if (running.settle < ALWAYS || busyMs() < EVIDENCE_MS) return 0
      const over = estimate() - Math.min(patience, secondsLeft)
      return over > 0 ? Math.min(Math.ceil(over), 30) : 0
    },
    began(kind) {
      if (kind === 'settle') busyMs()
      running[kind] += 1
      return () => {
        running[kind] -= 1
        if (kind === 'settle') rate.count()
      }
    },
  }
}

/** Counts by halves of a window, so that it needs no list of times. */
function createRateMeter(clock: Clock): { count(): void; perSecond(busyMs: number): number } {
  const half = WINDOW_MS / 2
  let [before, now] = [0, 0]
  let since = clock()
  const roll = () => {
    const past = clock() - since
    // Set back, it begins anew.
    if (past >= 0 && past < half) return
    before = past >= 0 && past < WINDOW_MS ? now : 0
    now = 0
    since = clock()
  }
  return {
    count() {
      roll()
      now += 1
    },
    perSecond(busyMs) {
      roll()
      const counted = half + Math.min(clock() - since, half)
      return ((before + now) / Math.min(counted, Math.max(busyMs, EVIDENCE_MS))) * 1000
    },
  }
}
