// A process that plays the seeds it is told, one after the other.
import { openSimulator, type Simulation } from './world.js'

/** A run, as it is told to another process. */
export type Played = Pick<Simulation, 'broken' | 'payments' | 'events' | 'virtualMs'> & {
  readonly passed: readonly string[]
}

const simulator = await openSimulator()
process.on('message', async ({ seed, steps }: { seed: number; steps: number }) => {
  const { broken, payments, events, virtualMs, passed } = await simulator.simulate(seed, { steps })
  process.send?.({ broken, payments, events, virtualMs, passed: [...passed] } satisfies Played)
})
process.on('disconnect', () => void simulator.close().then(() => process.exit(0)))
