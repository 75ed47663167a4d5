import { TaskState } from '@a2a-js/sdk'
import { TaskNotCancelableError } from '@a2a-js/sdk/errors'
import type { AgentExecutionEvent, AgentExecutor, ExecutionEventBus } from '@a2a-js/sdk/server'

/** One message to an agent, while it is answered. */
export interface OpenTurn {
  /** The work begins. What is paid for before it is done can be cancelled no more. */
  begin(isPaidFirst: boolean): void
  /** The work is done, and is sold from now on unless it failed; `false`: its task was ended before, and nothing of it is. */
  end(isSold: boolean): boolean
  /** Whether its task was ended while it was worked on: nobody waits for an answer. */
  readonly isEnded: boolean
  close(): void
}

/** The turns under way, by their tasks. */
export interface Turns {
  open(taskId: string, bus: ExecutionEventBus): OpenTurn
  /**
   * Cancels a task, as long as nothing of it is being settled: what is paid for is delivered. Throws the SDK's `TaskNotCancelableError`.
   */
  cancel(taskId: string, bus: ExecutionEventBus): Promise<void>
}

/**
 * Keeps a cancelled task from being charged, and one that is charged from being cancelled (A2A-021, A2A-022). A task that is cancelled before its work has begun waits for that: until then it may turn
 * out to have been paid for before.
 */
export function createTurns(cancelTask: AgentExecutor['cancelTask']): Turns {
  const tasks = new Map<string, Set<State>>()
  return {
    open(taskId, bus) {
      let begun = (): void => {}
      const state: State = {
        phase: 'checked',
        begun: new Promise((resolve) => {
          begun = resolve
        }),
      }
      const own = tasks.get(taskId) ?? new Set()
      tasks.set(taskId, own.add(state))
      // Whoever ends a task says so on its own bus; the executor of this turn has another one.
      const hear = (event: AgentExecutionEvent): void => {
        if (state.phase !== 'selling' && isEnd(event)) state.phase = 'ended'
      }
      bus.on('event', hear)
      return {
        begin(isPaidFirst) {
          if (state.phase === 'checked') state.phase = isPaidFirst ? 'selling' : 'working'
          begun()
        },
        end(isSold) {
          if (state.phase === 'ended') return false
          bus.off('event', hear)
          if (isSold) state.phase = 'selling'
          return true
        },
        get isEnded() {
          return state.phase === 'ended'
        },
        close() {
          bus.off('event', hear)
          if (state.phase !== 'ended') state.phase = 'selling'
          own.delete(state)
          if (own.size === 0) tasks.delete(taskId)
          begun()
        },
      }
    },

    async cancel(taskId, bus) {
      const open = [...(tasks.get(taskId) ?? [])]
      await Promise.all(open.map(({ begun }) => begun))
      const isSelling = () => open.some(({ phase }) => phase === 'selling')
      let isLate = isSelling()
      if (!isLate) {
        // What the executor says once the settlement has begun comes too late.
        const mayEnd = () => {
          isLate ||= isSelling()
          return !isLate
        }
        await cancelTask(taskId, guarded(bus, mayEnd))
      }
      if (isLate) throw new TaskNotCancelableError(`Task not cancelable: ${taskId} is being paid for`)
    },
  }
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
