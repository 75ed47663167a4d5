import { Artifact, Message, TaskState, taskStateFromJSON, taskStateToJSON } from '@a2a-js/sdk'
import { type AgentExecutionEvent, DefaultExecutionEventBus, type ExecutionEventBus } from '@a2a-js/sdk/server'
import { isJsonObject, type JsonObject } from '@groat/core'

/** What an executor made, in a form that can be kept and sent again. */
export type Deed = {
  /** It completed its task: only that is sold. */
  readonly sold: boolean
  readonly state: TaskState
  readonly artifacts: readonly Artifact[]
  /** What it said last. */
  readonly message?: Message
}

/** Runs an executor and holds back what it publishes. One that ends before its task does has failed. */
export async function holdEvents(execute: (bus: ExecutionEventBus) => Promise<void>): Promise<Deed> {
  const bus = new DefaultExecutionEventBus()
  const events: AgentExecutionEvent[] = []
  bus.on('event', (event) => events.push(event))
  await execute(bus)
  let state: TaskState = TaskState.TASK_STATE_WORKING
  let message: Message | undefined
  let artifacts: readonly Artifact[] = []
  for (const { kind, data } of events) {
    switch (kind) {
      case 'message':
        state = TaskState.TASK_STATE_COMPLETED
        message = data
        break
      case 'task':
        artifacts = data.artifacts
        state = data.status?.state ?? state
        message = data.status?.message ?? message
        break
      case 'statusUpdate':
        state = data.status?.state ?? state
        message = data.status?.message ?? message
        break
      case 'artifactUpdate':
        if (data.artifact !== undefined) artifacts = withArtifact(artifacts, data.artifact, data.append)
    }
  }
  const ended = ENDS.has(state) ? state : TaskState.TASK_STATE_FAILED
  return { sold: ended === TaskState.TASK_STATE_COMPLETED, state: ended, artifacts, ...(message && { message }) }
}

/** As JSON, by the SDK's own codecs. */
export function encodeDeed({ sold, state, artifacts, message }: Deed): JsonObject {
  return {
    sold,
    state: taskStateToJSON(state),
    artifacts: artifacts.map((artifact) => asJson(Artifact.toJSON(artifact))),
    ...(message && { message: asJson(Message.toJSON(message)) }),
  }
}

/** What was kept. */
export function decodeDeed({ sold, state, artifacts, message }: JsonObject): Deed {
  return {
    sold: sold === true,
    state: taskStateFromJSON(state),
    artifacts: Array.isArray(artifacts) ? artifacts.map((artifact) => Artifact.fromJSON(artifact)) : [],
    ...(isJsonObject(message) && { message: Message.fromJSON(message) }),
  }
}

/** States in which an executor may leave its task. */
const ENDS: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
  TaskState.TASK_STATE_INPUT_REQUIRED,
  TaskState.TASK_STATE_AUTH_REQUIRED,
])

function withArtifact(artifacts: readonly Artifact[], artifact: Artifact, append: boolean): readonly Artifact[] {
  const at = artifacts.findIndex(({ artifactId }) => artifactId === artifact.artifactId)
  const before = artifacts[at]
  if (before === undefined) return [...artifacts, artifact]
  const joined = append ? { ...before, ...artifact, parts: [...before.parts, ...artifact.parts] } : artifact
  return artifacts.with(at, joined)
}

/** The SDK's codecs give JSON and call it `unknown`. */
function asJson(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}
