import type { Clock, NodeStatus } from '@groat/core'
import { X402Error } from '@groat/core'
import type { Store } from '@groat/store'
import type { KyselyPlugin } from 'kysely'
import type { CrashPoint } from '../../src/crashpoint.js'
import type { Timers } from '../../src/timers.js'
import { NETWORK } from '../fake-chain.js'
import type { Scheduler } from './scheduler.js'
import type { Reach } from './sim-node.js'

/** A process, as far as it can be told from outside: it reaches the world through ports, and when it dies all of them fall silent. */
export type Replica = {
  readonly store: Store
  readonly timers: Timers
  readonly clock: Clock
  readonly reach: Reach
  /** How its node stands, by how it has answered. */
  standing(): NodeStatus
  /** For so many milliseconds its node answers it nothing, and takes `hangs` milliseconds for that each time. */
  cutOff(milliseconds: number, hangs: number): void
  /** By this the scheduler knows its events. */
  readonly life: unknown
  isAlive(): boolean
  kill(): void
  /** Nothing will kill it any more, and its node is there. */
  calm(): void
  /** Whether this is where it dies. */
  passes(point: CrashPoint): boolean
}

export type ReplicaOptions = {
  readonly scheduler: Scheduler
  readonly store: Store
  readonly clock: Clock
  readonly skew: number
  readonly delay: () => number
  readonly fault: (where: 'store' | 'node') => 'before' | 'after' | undefined
  readonly arms: { readonly point: CrashPoint; readonly left: number } | undefined
}

/** Makes one. */
export function createReplica(options: ReplicaOptions): Replica {
  const { scheduler, delay, fault, skew } = options
  const life = {}
  let isAlive = true
  let { point, left } = options.arms ?? { point: undefined, left: 0 }
  const silence = new Promise<never>(() => {})

  /** What takes its time, and never ends for the dead. */
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      scheduler.after(
        ms,
        () => {
          if (isAlive) resolve()
        },
        life,
      )
    })

  const timers: Timers = {
    after: (ms, call) =>
      scheduler.after(
        ms,
        () => {
          if (isAlive) call()
        },
        life,
      ),
    background: (ms, call) => timers.after(ms, call),
    turn: () => pause(0),
  }

  const node = { cutUntil: 0, hangs: 0, failures: 0, failedAt: 0 }

  const reach: Reach = async (method, work) => {
    if (method === 'sign') return signing(work)
    const began = scheduler.now
    try {
      const answer = await ask(method, work)
      node.failures = 0
      return answer
    } catch (error) {
      if (began >= node.failedAt) Object.assign(node, { failures: node.failures + 1, failedAt: scheduler.now })
      throw error
    }
  }

  /** Keys are here. */
  async function signing<T>(work: () => T): Promise<T> {
    await pause(0)
    const answer = work()
    await pause(0)
    return answer
  }

  async function ask<T>(method: string, work: () => T): Promise<T> {
    await pause(delay())
    if (scheduler.now < node.cutUntil) {
      await pause(node.hangs)
      throw new X402Error('rpc_unreachable', { network: NETWORK, method })
    }
    const when = fault('node')
    if (when === 'before') throw new X402Error('rpc_unreachable', { network: NETWORK, method })
    const answer = work()
    await pause(delay())
    if (when === 'after') throw new X402Error('rpc_unreachable', { network: NETWORK, method })
    return answer
  }

  const reads: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      // It is read while the connection is held, so it takes no time.
      if (fault('store') === 'before')
        throw new X402Error('store_unavailable', { reason: 'unreachable', committed: false })
      return result
    },
  }

  function wrap(real: Store): Store {
    return new Proxy(real, {
      get(target, key) {
        if (key === 'withTables') return () => wrap(target)
        // Its tables are made: finding that out takes longer than a run.
        if (key === 'migrate') return async () => []
        // A reader is a Kysely, of which the port shows less.
        if (key === 'db')
          return (target.db as unknown as { withPlugin(plugin: KyselyPlugin): unknown }).withPlugin(reads)
        if (key === 'transaction') return transaction(target)
        return Reflect.get(target, key)
      },
    })
  }

  function transaction(target: Store): Store['transaction'] {
    return async (fn, more) => {
      await pause(delay())
      const when = fault('store')
      if (when === 'before') throw new X402Error('store_unavailable', { reason: 'unreachable', committed: false })
      const work = target.transaction(async (trx) => {
        const answer = await fn(trx)
        // Who dies before the commit has written nothing.
        if (!isAlive) throw new Died()
        return answer
      }, more)
      const answer = await scheduler.working(work).catch((error: unknown) => {
        if (error instanceof Died) return silence
        throw error
      })
      await pause(delay())
      if (when === 'after') throw new X402Error('store_unavailable', { reason: 'unreachable', committed: 'unknown' })
      return answer
    }
  }

  return {
    life,
    timers,
    reach,
    standing: () => ({
      host: 'node.example',
      state: node.failures >= 5 ? 'down' : node.failures > 0 ? 'failing' : 'up',
      failures: node.failures,
      lag: 0n,
    }),
    cutOff(milliseconds, hangs) {
      Object.assign(node, { cutUntil: scheduler.now + milliseconds, hangs })
    },
    store: wrap(options.store),
    clock: () => options.clock() + skew,
    isAlive: () => isAlive,
    kill() {
      isAlive = false
    },
    calm() {
      point = undefined
      node.cutUntil = 0
    },
    passes(at) {
      if (!isAlive || at !== point) return false
      left -= 1
      return left === 0
    },
  }
}

class Died extends Error {}
