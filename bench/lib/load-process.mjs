// Runs a load in a process of its own, so that making requests does not count as serving them.
import { fork } from 'node:child_process'
import { load } from './raw-load.mjs'

if (process.send !== undefined && process.argv[2] === 'load') {
  process.on('message', async ({ url, ...options }) => {
    try {
      process.send({ rate: await load(url, options) })
    } catch (error) {
      process.send({ error: error.message })
    }
  })
}

/** A process that loads servers on demand; `headers` is a list, one entry for each request. */
export function startLoad() {
  const child = fork(new URL(import.meta.url), ['load'])
  return {
    run: (options) =>
      new Promise((resolve, reject) => {
        child.once('message', ({ rate, error }) => (error ? reject(new Error(error)) : resolve(rate)))
        child.send(options)
      }),
    stop: () => child.kill(),
  }
}
