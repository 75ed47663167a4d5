import { TaskState } from '@a2a-js/sdk'
import { TaskNotCancelableError } from '@a2a-js/sdk/errors'
import type { AgentExecutionEvent, AgentExecutor, ExecutionEventBus } from '@a2a-js/sdk/server'

/** One message to an agent, while it is answered. */
export interface OpenTurn {
  /** Settles when no earlier payment for the task is on its way; `false`: another one has bought it, or may have. */
  readonly mayPay: Promise<boolean>
  /** Its payment has bought the task, or may have. */
  took(): void
  /** The work begins. What is paid for before it is done can be cancelled no more. */
  begin(isPaidFirst: boolean): void
  /** The work is done, or there is none to do, and its answer leaves from now on unless nothing is sold; `false`: its task was ended before, and nothing of it does. */
  end(isSold: boolean): boolean
  /** Whether its task was ended while it was worked on: nobody waits for an answer. */
  readonly isEnded: boolean
  close(): void
}

/** The turns under way, by their tasks. */
export interface Turns {
  /** `payment` says which payment the message carries, where it does. */
  open(taskId: string, bus: ExecutionEventBus, payment?: string): OpenTurn
  /**
   * Cancels a task, as long as nothing of it is being settled: what is paid for is delivered. Throws the SDK's `TaskNotCancelableError`.
   */
  cancel(taskId: string, bus: ExecutionEventBus): Promise<void>
}

/**
 * Keeps a cancelled task from being charged, one that is charged from being cancelled, and two payments from buying one task (A2A-021 to A2A-023). A task that is cancelled before its work has begun waits for that: until then it may turn
 * out to have been paid for before.
 */
export function createTurns(cancelTask: AgentExecutor['cancelTask']): Turns {
  const tasks = new Map<string, Work>()
  const workOn = (taskId: string): Work => {
    const work = tasks.get(taskId) ?? {
      turns: new Set(),
      cancellers: new Set(),
      paying: Promise.resolve(),
      bought: undefined,
    }
    tasks.set(taskId, work)
    return work
  }
  const leave = (taskId: string, { turns, cancellers }: Work): void => {
    if (turns.size + cancellers.size === 0) tasks.delete(taskId)
  }
  return {
    open(taskId, bus, payment) {
      let begun = (): void => {}
      let paid = (): void => {}
      const state: State = {
        phase: 'checked',
        begun: new Promise((resolve) => {
          begun = resolve
        }),
      }
      const work = workOn(taskId)
      work.turns.add(state)
      const mayPay = work.paying.then(() => work.bought === undefined || work.bought === payment)
      if (payment !== undefined) {
        const over = new Promise<void>((resolve) => {
          paid = resolve
        })
        work.paying = mayPay.then(() => over)
      }
      // Whoever ends a task says so on its own bus; the executor of this turn has another one.
      const hear = (event: AgentExecutionEvent): void => {
        if (state.phase !== 'selling' && isEnd(event)) state.phase = 'ended'
      }
      bus.on('event', hear)
      const sell = (): void => {
        state.phase = 'selling'
        for (const hearLate of work.cancellers) hearLate()
      }
      return {
        mayPay,
        took() {
          work.bought = payment
        },
        begin(isPaidFirst) {
          if (state.phase === 'checked') {
            if (isPaidFirst) sell()
            else state.phase = 'working'
          }
          begun()
        },
        end(isSold) {
          if (state.phase === 'ended') return false
          bus.off('event', hear)
          if (isSold) sell()
          return true
        },
        get isEnded() {
          return state.phase === 'ended'
        },
        close() {
          bus.off('event', hear)
          if (state.phase !== 'ended') sell()
          work.turns.delete(state)
          leave(taskId, work)
          begun()
          paid()
        },
      }
    },

    async cancel(taskId, bus) {
      const work = workOn(taskId)
      const { turns, cancellers } = work
      let isLate = [...turns].some(({ phase }) => phase === 'selling')
      // Also by a turn that begins meanwhile.
      const hearLate = (): void => {
        isLate = true
      }
      cancellers.add(hearLate)
      try {
        await Promise.all([...turns].map(({ begun }) => begun))
        // What the executor says once the settlement has begun comes too late.
        const mayEnd = () => !isLate
        if (mayEnd()) await cancelTask(taskId, guarded(bus, mayEnd))
      } finally {
        cancellers.delete(hearLate)
        leave(taskId, work)
      }
      if (isLate) throw new TaskNotCancelableError(`Task not cancelable: ${taskId} is being paid for`)
    },
  }
}

/** Who is at a task: turns, whoever cancels it and has to hear that something of it is sold, and payments, one after the other. */
type Work = {
  readonly turns: Set<State>
  readonly cancellers: Set<() => void>
  /** Settles when the last payment that has come is over. */
  paying: Promise<void>
  bought: string | undefined
}

type State = {
  phase: 'checked' | 'working' | 'selling' | 'ended'
  readonly begun: Promise<void>
}

/** A bus on which a task is ended only while it may be. */
function guarded(bus: ExecutionEventBus, mayEnd: () => boolean): ExecutionEventBus {
  return new Proxy(bus, {
    get(target, name) {
      if (name === 'publish') {
        return (event: AgentExecutionEvent) => {
          if (!isEnd(event) || mayEnd()) target.publish(event)
        }
      }
      if (name === 'finished') return () => mayEnd() && target.finished()
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

function isEnd({ kind, data }: AgentExecutionEvent): boolean {
  return (kind === 'task' || kind === 'statusUpdate') && data.status !== undefined && ENDS.has(data.status.state)
}

const ENDS: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_REJECTED,
])
