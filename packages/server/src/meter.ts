import { X402Error } from '@groat/core'
import type { Tally } from './price-words.js'
import type { VerifiedPayment } from './protect.js'

/** The payment as the work sees it, and what the work says of its price. */
export type Meter = {
  readonly payment: VerifiedPayment
  /** Ends the meter: what is charged, in atomic units; `undefined`: nothing was said, and the ceiling is charged whole. */
  close(): bigint | undefined
  /** False where what was used should be known by now and is not. */
  known(): boolean
  /** False where something may have been used that is not charged. */
  covers(): boolean
}

/** What a meter may charge. */
export type MeterOptions = {
  /** Atomic units; without it the price is fixed. */
  readonly ceiling?: bigint | undefined
  /** Counts what is charged by use. */
  readonly tally?: Tally | undefined
}

/**
 * Counts what the work charges. What it says in `charge` counts before what was counted.
 *
 * @example
 * const meter = createMeter(about, { ceiling: 50_000n })
 * meter.payment.charge(1_234n)
 * meter.close() // 1234n
 */
export function createMeter(
  about: Omit<VerifiedPayment, 'charge' | 'use'>,
  { ceiling, tally }: MeterOptions = {},
): Meter {
  let charged: bigint | undefined
  let said = false
  let open = true
  return {
    payment: {
      ...about,
      charge(wanted) {
        if (ceiling === undefined) throw invalid('the price is fixed')
        if (!open) throw invalid('the answer is made')
        if (wanted < 0n || wanted > ceiling) throw invalid('not between nothing and the ceiling')
        charged = wanted
        said = true
      },
      use(used) {
        if (tally === undefined) throw invalid('the route has no price by use')
        if (!open) throw invalid('the answer is made')
        return tally.use(used)
      },
    },
    close() {
      if (open) charged ??= tally?.total()
      open = false
      return charged
    },
    known: () => charged !== undefined || tally === undefined || tally.known(),
    covers: () => said || tally === undefined || tally.covers(),
  }
}

const invalid = (reason: string) => new X402Error('invalid_charge', { reason })
