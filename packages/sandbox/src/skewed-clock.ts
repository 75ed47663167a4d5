/** A clock that goes wrong as it is told. */
export interface SkewedClock {
  /** Milliseconds since 1970, as this clock has it. */
  (): number
  /** Sets it ahead by so many milliseconds, or behind. */
  skew(ms: number): void
  /** Makes it run faster (1.01) or slower (0.99) from now on. */
  drift(rate: number): void
}

/**
 * A clock to hand to a program under test, as its `clock`: right at first, then ahead, behind, too fast or too slow.
 *
 * @example
 * ```ts
 * const clock = createSkewedClock()
 * clock.skew(-600_000) // ten minutes behind
 * ```
 */
export function createSkewedClock(real: () => number = Date.now): SkewedClock {
  let rate = 1
  let since = real()
  let at = since
  const now = () => Math.round(at + (real() - since) * rate)
  const settle = (shown: number) => {
    at = shown
    since = real()
  }
  return Object.assign(now, {
    skew: (ms: number) => settle(now() + ms),
    drift(next: number) {
      settle(now())
      rate = next
    },
  })
}
