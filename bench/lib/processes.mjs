import { fork } from 'node:child_process'
import { once } from 'node:events'

/**
 * Starts a server in a process of its own: a module that is told its settings as JSON, sends `{ url }` when it serves, and ends on SIGTERM.
 * `stop` waits until it has ended.
 */
export async function startProcess(module, settings, options = {}) {
  const child = fork(module, [JSON.stringify(settings)], { stdio: 'inherit', ...options })
  const ended = once(child, 'exit')
  const first = await Promise.race([once(child, 'message'), ended.then(([code]) => [{ code }])])
  const [{ url, code }] = first
  if (url === undefined) throw new Error(`${module} ended with ${code} before it served`)
  const isAlive = () => child.exitCode === null && child.signalCode === null
  return {
    child,
    url,
    ended,
    isAlive,
    /** What a process says of itself when it is asked; nothing when it has ended. */
    async figures() {
      if (!isAlive()) return undefined
      const answer = once(child, 'message').then(([{ figures }]) => figures)
      child.send('figures')
      return Promise.race([answer, ended.then(() => undefined)])
    },
    async stop(signal = 'SIGTERM') {
      if (isAlive()) child.kill(signal)
      await ended
    },
  }
}
