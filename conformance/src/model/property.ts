import fc from 'fast-check'
import { Outcome } from './finding.js'

/** How a property or a model is tried. */
export type Trials = {
  readonly runs: number
  readonly seed: number
  /** Continues at a counterexample. */
  readonly path?: string
  /** Counterexamples of earlier runs, which are tried first. */
  readonly regressions?: readonly Found[]
}

/** Where a counterexample is found again. */
export type Found = { readonly seed: number; readonly path: string }

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
  const { regressions = [], seed, path, runs } = trials
  for (const found of regressions) await tried({ ...found, runs: 1 }, () => arbitrary, law)
  await tried({ seed, runs, ...(path === undefined ? {} : { path }) }, () => arbitrary, law)
}

/** What a model is made of: actions that a target is put through in generated order, and what is known of it meanwhile. */
export type Model<M extends object, R> = {
  readonly commands: readonly fc.Arbitrary<fc.AsyncCommand<M, R>>[]
  /** Fresh for every sequence. */
  setup(): Promise<{ readonly model: M; readonly real: R }>
  /** The longest sequence. */
  readonly most: number
}

/** Puts a target through sequences of actions. The shortest sequence that breaks a law ends the check as a failure. */
export async function sequences<M extends object, R>(trials: Trials, model: Model<M, R>): Promise<void> {
  const { regressions = [], seed, path, runs } = trials
  const commands = (found: string | undefined) => {
    // The path to a sequence has two parts: to the list of actions, and to those of it that were played.
    const replayPath = found?.split('|')[1]
    return fc.commands([...model.commands], {
      maxCommands: model.most,
      // As long as they may be: short ones say little.
      size: 'max',
      ...(replayPath === undefined ? {} : { replayPath }),
    })
  }
  const play = (sequence: Iterable<fc.AsyncCommand<M, R>>) => fc.asyncModelRun(model.setup, sequence)
  for (const found of regressions) await tried({ ...found, runs: 1 }, commands, play)
  await tried({ seed, runs, ...(path === undefined ? {} : { path }) }, commands, play)
}

type Tries = { readonly runs: number; readonly seed: number; readonly path?: string }

async function tried<T>(
  { runs, seed, path }: Tries,
  arbitrary: (path: string | undefined) => fc.Arbitrary<T>,
  law: (value: T) => Promise<void>,
): Promise<void> {
  let other: unknown
  let broken: Outcome | undefined
  const details = await fc.check(
    fc.asyncProperty(arbitrary(path), async (value) => {
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
      numRuns: runs,
      seed,
      ...(path === undefined ? {} : { path: path.split('|')[0] ?? path }),
      interruptAfterTimeLimit: mostMs,
      markInterruptAsFailure: false,
      endOnFailure: false,
    },
  )
  if (other !== undefined) throw other
  if (!details.failed || broken === undefined) return
  const value = asShown(details.counterexample?.[0])
  // A sequence says by itself how its actions are found again.
  const replayPath = /replayPath="([^"]*)"/.exec(String(value))?.[1]
  const way = `${details.counterexamplePath ?? ''}${replayPath === undefined ? '' : `|${replayPath}`}`
  const shown = replayPath === undefined ? value : String(value).replace(/\s*\/\*replayPath=[^*]*\*\//, '')
  throw new Counterexample(broken, shown, { seed, path: way })
}

/** A schedule is shown as the order in which things happened. */
function asShown(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('report' in value)) return value
  const { report } = value
  if (typeof report !== 'function') return value
  const steps: unknown = report.call(value)
  return Array.isArray(steps) ? steps.map(({ label }: { readonly label: string }) => label) : value
}

/** A failure with the value that shows it. */
export class Counterexample extends Outcome {
  readonly counterexample: unknown
  readonly found: Found

  constructor({ finding }: Outcome, counterexample: unknown, found: Found) {
    super('fail', finding)
    this.counterexample = JSON.parse(
      fc.stringify(counterexample).length > 20_000 ? '"(large)"' : safeJson(counterexample),
    )
    this.found = found
  }
}

function safeJson(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? each.toString() : each)) ?? 'null'
}
