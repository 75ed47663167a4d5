// Runs a load in a process of its own, so that making requests does not count as serving them.
import { fork } from 'node:child_process'
import { paymentsFor } from './payments.mjs'
import { load } from './raw-load.mjs'

if (process.send !== undefined && process.argv[2] === 'load') {
  process.once('disconnect', () => process.exit(1))
  process.on('message', async ({ payments, ...options }) => {
    try {
      const headers = payments && (await paymentsFor(options.url, payments))
      process.send({ ready: true })
      process.send({ done: await load(options.url, { ...options, headers }) })
    } catch (error) {
      process.send({ error: error.message })
    }
  })
}

/** A process that loads servers of this process on demand; `payments`: so many are made beforehand, and each request carries another. */
export function startLoad() {
  const child = fork(new URL(import.meta.url), ['load'])
  return {
    /** Answers per second, and the processor time of this process that one took, in microseconds. */
    run: (options) =>
      new Promise((resolve, reject) => {
        let before
        const hear = ({ ready, done, error }) => {
          if (ready) {
            before = process.cpuUsage()
            return
          }
          child.off('message', hear)
          if (error) return reject(new Error(error))
          const { user, system } = process.cpuUsage(before)
          resolve({ rate: done.answers / done.seconds, processor: (user + system) / done.answers })
        }
        child.on('message', hear)
        child.send(options)
      }),
    stop: () => child.kill(),
  }
}
