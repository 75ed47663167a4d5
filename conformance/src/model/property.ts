import fc from 'fast-check'
import { Outcome } from './finding.js'

/** How a property is tried. */
export type Trials = { readonly runs: number; readonly seed: number; readonly path?: string }

/** Tries are cut off after this time, and shrinking too: over HTTP both are slow. */
const mostMs = 60_000

/**
 * Holds a law for generated values. The smallest value that breaks it ends the check as a failure, with the path by which
 * it is found again.
 */
export async function property<T>(
  trials: Trials,
  arbitrary: fc.Arbitrary<T>,
  law: (value: T) => Promise<void>,
): Promise<void> {
  let other: unknown
  let broken: Outcome | undefined
  const details = await fc.check(
    fc.asyncProperty(arbitrary, async (value) => {
      try {
        await law(value)
      } catch (error) {
        // What is no failure of the target ends the check as it is.
        if (error instanceof Outcome && error.status === 'fail') {
          broken = error
          throw error
        }
        if (!(error instanceof fc.PreconditionFailure)) other = error
        throw error
      }
    }),
    {
      numRuns: trials.runs,
      seed: trials.seed,
      ...(trials.path === undefined ? {} : { path: trials.path }),
      interruptAfterTimeLimit: mostMs,
      markInterruptAsFailure: false,
      endOnFailure: false,
    },
  )
  if (other !== undefined) throw other
  if (!details.failed || broken === undefined) return
  throw new Counterexample(broken, details.counterexample?.[0], details.counterexamplePath ?? '')
}

/** A failure with the value that shows it. */
export class Counterexample extends Outcome {
  readonly counterexample: unknown
  readonly path: string

  constructor({ finding }: Outcome, counterexample: unknown, path: string) {
    super('fail', finding)
    this.counterexample = JSON.parse(
      fc.stringify(counterexample).length > 20_000 ? '"(large)"' : safeJson(counterexample),
    )
    this.path = path
  }
}

function safeJson(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? each.toString() : each)) ?? 'null'
}
