import { type Message, type Part, Role, type Task, TaskState } from '@a2a-js/sdk'
import { AgentEvent, type AgentExecutor, type ExecutionEventBus, RequestContext } from '@a2a-js/sdk/server'
import { canonicalJson, type JsonObject, problem, sha256Hex, X402Error, type X402Version } from '@groat/core'
import {
  paywall as httpPaywall,
  type Paywall,
  type PaywallOptions,
  type RouteInput,
  type VerifiedPayment,
} from '@groat/server'
import { carriedHeaders, type GateAnswer, readGateAnswer } from '@groat/server/transport'
import { extensionUris, metadataKeys, metadataOf, type PaymentStatus, receiptsIn } from '../wire.js'
import { errorWord } from './error-words.js'
import { type Deed, decodeDeed, encodeDeed, holdEvents } from './held-events.js'
import { createTurns } from './turns.js'

/** How an agent is sold. */
export type AgentRoute = {
  /** Where clients reach the agent: the resource of its offers. */
  readonly url: string
  /** What one task costs, as a route of `@groat/server` says it. Its work is held back until it is paid for, or begun when it is, by the route's mode. */
  readonly route: RouteInput
  /** What people are told when they are asked to pay. */
  readonly ask?: string
}

/** An executor that is run for a payment. */
export interface PaidExecutor {
  execute(context: RequestContext, bus: ExecutionEventBus, payment: VerifiedPayment): Promise<void>
  /** Asked only while nothing is being settled: a task that is being paid for completes. */
  cancelTask: AgentExecutor['cancelTask']
}

/** Puts prices before the executors of A2A agents. */
export interface A2aPaywall {
  /** An executor for `DefaultRequestHandler`. Throws `X402Error` for what is wrong in the route. */
  agent(route: AgentRoute, executor: PaidExecutor): AgentExecutor
  readonly ready: Paywall<unknown>['ready']
}

/**
 * A paywall for A2A agents of the official SDK: the gate of `@groat/server`, with its modes, claims and stored answers. A task that is not paid for waits in
 * `input-required` with the offers in the metadata of its status; the payment comes in a message to the same task; what the executor publishes leaves
 * when it is settled. Throws `X402Error` for what is wrong in the configuration. Requirements: A2A-001 to A2A-023.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * const executor = paid.agent({ url: 'https://agent.example/a2a', route: '$0.01' }, painter)
 */
export function paywall(options: PaywallOptions): A2aPaywall {
  const http = httpPaywall(options)
  return {
    ready: http.ready,
    agent({ url, route, ask = 'This task has to be paid for.' }, executor) {
      type Work = (payment: VerifiedPayment) => Promise<Deed>
      const handle = http(route, async (_, payment, work: Work) => {
        const deed = await work(payment)
        const headers = { 'content-type': 'application/json' }
        return new Response(JSON.stringify(encodeDeed(deed)), { status: deed.sold ? 200 : 500, headers })
      })
      const said = typeof route === 'object' ? route : {}
      const isPaidFirst = said.prepaid !== undefined || (said.mode ?? options.mode ?? 'strict') !== 'strict'
      const turns = createTurns((taskId, bus) => executor.cancelTask(taskId, bus))
      return {
        cancelTask: turns.cancel,
        async execute(context, bus) {
          activate(context)
          const turn = turnOf(context)
          const { status, payload } = turn
          const about = { bus, context, turn }
          if (status === 'payment-rejected') {
            say(about, TaskState.TASK_STATE_FAILED, 'Not paid for.', { status })
            return
          }
          const { headers, version } = carriedHeaders({ payment: payload })
          const parts = canonicalJson(JSON.parse(JSON.stringify(turn.wanted.parts)))
          // What is claimed is claimed for this message: a payment buys its answer, in whatever task it comes again.
          const request = new Request(`${url}?message=${sha256Hex(parts)}`, { method: 'POST', headers })
          const open = turns.open(
            context.taskId,
            bus,
            payload === undefined ? undefined : sha256Hex(JSON.stringify(payload)),
          )
          const work: Work = async (payment) => {
            open.begin(isPaidFirst)
            if (open.isEnded) return CANCELLED
            say(about, TaskState.TASK_STATE_WORKING, undefined, { status: 'payment-verified' })
            const deed = await holdEvents((held) => executor.execute(wantedContext(context, turn), held, payment))
            return open.end(deed.sold) ? deed : CANCELLED
          }
          try {
            if (payload !== undefined && !(await open.mayPay)) return
            const answer = await answerOf(async () => handle(request, work), version)
            if (answer.type !== 'payment-required') open.took()
            if (open.end(true)) reply(about, answer, ask, payload !== undefined)
          } finally {
            open.close()
          }
        },
      }
    },
  }
}

/** What is left of a task that was cancelled while it was worked on. */
const CANCELLED: Deed = { sold: false, state: TaskState.TASK_STATE_CANCELED, artifacts: [] }

/** What one message to an agent comes to. */
type Turn = {
  readonly status: unknown
  readonly payload: unknown
  /** What is to be done: the message itself, or the one that the task began with where this one only pays. */
  readonly wanted: Message
  readonly receipts: readonly JsonObject[]
}

type About = { readonly bus: ExecutionEventBus; readonly context: RequestContext; readonly turn: Turn }

function turnOf({ userMessage, task }: RequestContext): Turn {
  const metadata = metadataOf(userMessage)
  const payload = metadata[metadataKeys.payload]
  const before = metadataOf(task?.status?.message)
  // A payer may say which message it pays for: whoever else knows the task may have asked for something else since.
  const asked = metadata[metadataKeys.message] ?? before[metadataKeys.message]
  const wanted =
    payload === undefined
      ? undefined
      : task?.history.find(({ role, messageId }) => role === Role.ROLE_USER && messageId === asked)
  return { status: metadata[metadataKeys.status], payload, wanted: wanted ?? userMessage, receipts: receiptsIn(before) }
}

/** What the executor is asked: the message that was paid for, without the payment. */
function wantedContext(
  { request, taskId, contextId, context, task, referenceTasks }: RequestContext,
  { wanted }: Turn,
) {
  const own = Object.entries(metadataOf(wanted)).filter(([key]) => !key.startsWith('x402.payment.'))
  const message = { ...wanted, metadata: Object.fromEntries(own) }
  return new RequestContext({ ...request, message }, taskId, contextId, context, task, referenceTasks)
}

/** Tells the client by which of its extensions it is answered. */
function activate({ context }: RequestContext): void {
  const requested = new Set<string>(context.requestedExtensions ?? [])
  for (const uri of extensionUris) if (requested.has(uri)) context.addActivatedExtension(uri)
}

async function answerOf(handle: () => Promise<Response>, version: X402Version): Promise<GateAnswer> {
  try {
    return await readGateAnswer(await handle(), version)
  } catch (error) {
    // What is ours goes out by its code; the rest is the executor's own.
    if (!X402Error.is(error)) throw error
    return { type: 'problem', problem: { ...problem(error.code) } }
  }
}

function reply(about: About, answer: GateAnswer, ask: string, paid: boolean): void {
  const receipts = [...about.turn.receipts, ...(answer.receipt ? [answer.receipt] : [])]
  const kept = receipts.length === 0 ? {} : { receipts }
  const { TASK_STATE_INPUT_REQUIRED: waits } = TaskState
  switch (answer.type) {
    case 'work': {
      const deed = decodeDeed(answer.body)
      publishDeed(
        about,
        deed,
        answer.receipt ? { status: deed.sold ? 'payment-completed' : 'payment-failed', ...kept } : {},
      )
      break
    }
    case 'payment-required': {
      const { required } = answer
      const error = errorWord(String(required.error ?? ''))
      if (paid) say(about, waits, ask, { status: 'payment-failed', required, error, ...kept })
      else say(about, waits, ask, { status: 'payment-required', required, ...kept })
      break
    }
    case 'problem': {
      const words = String(answer.problem.title ?? 'Nobody knows yet.')
      say(about, waits, words, { status: 'payment-submitted', problem: answer.problem, ...kept })
    }
  }
}

type PaymentWords = {
  readonly status: PaymentStatus
  readonly required?: JsonObject
  readonly receipts?: readonly JsonObject[]
  readonly error?: string
  readonly problem?: JsonObject
  /** The id of the message that is to be paid for. */
  readonly message?: string
}

/** Says how payment stands, as the state of the task. */
function say({ bus, context, turn }: About, state: TaskState, text: string | undefined, words: PaymentWords): void {
  const metadata = metadataFrom({ ...words, message: turn.wanted.messageId })
  const message = agentMessage(context, text === undefined ? [] : [textPart(text)], metadata)
  // Every turn begins with a task, and only an update of its status ends it.
  if (state === TaskState.TASK_STATE_WORKING) {
    bus.publish(AgentEvent.task(taskOf(context, state, message)))
    return
  }
  bus.publish(AgentEvent.task(taskOf(context, TaskState.TASK_STATE_SUBMITTED, undefined)))
  const { taskId, contextId } = context
  const status = { state, message, timestamp: undefined }
  bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined }))
}

/** Publishes what the executor made, with the last word on how payment stands. */
function publishDeed(about: About, deed: Deed, words: Partial<PaymentWords>): void {
  const { bus, context } = about
  const { taskId, contextId } = context
  const metadata = metadataFrom(words)
  // Every turn begins with a task; a copy that is answered from what was kept has not said so yet.
  bus.publish(AgentEvent.task(taskOf(context, TaskState.TASK_STATE_WORKING, undefined)))
  for (const artifact of deed.artifacts) {
    bus.publish(
      AgentEvent.artifactUpdate({ taskId, contextId, artifact, append: false, lastChunk: true, metadata: undefined }),
    )
  }
  const made = deed.message ?? agentMessage(context, [], undefined)
  const message = { ...made, taskId, contextId, metadata: { ...ownOf(made), ...metadata } }
  const status = { state: deed.state, message, timestamp: undefined }
  bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined }))
}

/** Only the gate speaks under the keys of payment. */
function ownOf(message: Message): JsonObject {
  return Object.fromEntries(Object.entries(metadataOf(message)).filter(([key]) => !key.startsWith('x402.payment.')))
}

function metadataFrom(words: Partial<PaymentWords>): Record<string, unknown> {
  const keys = Object.entries(metadataKeys)
  return Object.fromEntries(
    Object.entries(words).flatMap(([name, value]) => {
      const key = keys.find(([known]) => known === name)?.[1]
      return key === undefined || value === undefined ? [] : [[key, value]]
    }),
  )
}

function taskOf(
  { taskId, contextId, task, userMessage }: RequestContext,
  state: TaskState,
  message: Message | undefined,
): Task {
  return {
    id: taskId,
    contextId,
    status: { state, message, timestamp: undefined },
    artifacts: task?.artifacts ?? [],
    history: task?.history ?? [userMessage],
    metadata: task?.metadata,
  }
}

function agentMessage(
  { taskId, contextId }: RequestContext,
  parts: Part[],
  metadata: Record<string, unknown> | undefined,
): Message {
  return {
    messageId: globalThis.crypto.randomUUID(),
    taskId,
    contextId,
    role: Role.ROLE_AGENT,
    parts,
    metadata,
    extensions: [...extensionUris],
    referenceTaskIds: [],
  }
}

function textPart(value: string): Part {
  return { content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: 'text/plain' }
}
