import {
  HTTP_EXTENSION_HEADER,
  type Message,
  Role,
  type SendMessageRequest,
  type SendMessageResult,
  type Task,
  TaskState,
} from '@a2a-js/sdk'
import { type Client, type RequestOptions, ServiceParameters, withA2AExtensions } from '@a2a-js/sdk/client'
import type { Payer, PaymentOutcome, PaymentReceipt } from '@groat/client'
import { answerResponse, carriedPayment, challengeResponse, isPaymentRequired } from '@groat/client/transport'
import { canonicalJson, isJsonObject, type JsonObject, X402Error, type X402Version } from '@groat/core'
import { extensionUris, metadataKeys, metadataOf, receiptsIn } from '../wire.js'

/** A client of the official SDK, or what does its three calls. */
export type A2aClient = Pick<Client, 'sendMessage' | 'getTask'>

/** Under which name an agent is paid. */
export type PayingAgentOptions = {
  /** The URL of the agent, as policies, budgets and receipts know it. */
  readonly agent: string | URL
}

/** What a call may say beside what the SDK knows. */
export type CallOptions = RequestOptions & {
  /** Names the logical call: every call with this key presents one and the same payment. */
  readonly idempotencyKey?: string
  /** What it is for, to be kept with the payment; nobody else is told. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** Sends messages to an agent, and pays for its tasks within the policy of its payer. */
export type PayingAgent = {
  /**
   * As the SDK's `sendMessage`, until the task is done. Where the policy refuses, the task comes back as it waits, and `outcome` tells why. Throws
   * what the SDK throws before payment, and `X402Error` as a payer's `fetch` does.
   */
  readonly sendMessage: (params: SendMessageRequest, options?: CallOptions) => Promise<SendMessageResult>
  /** Tells the agent that a task that asks for payment will not be paid. */
  readonly reject: (task: Task, options?: RequestOptions) => Promise<SendMessageResult>
  /** The receipt that came with a result of this client. */
  readonly receipt: (result: SendMessageResult) => PaymentReceipt | undefined
  /** How payment went for a result; `undefined` when none was asked for. */
  readonly outcome: (result: SendMessageResult) => PaymentOutcome | undefined
}

/**
 * Makes a client of the official A2A SDK pay, with a payer or a buyer of `@groat/client`: its schemes, policy, budgets, intents and receipts, unchanged. Throws `X402Error`
 * `invalid_config` for an agent that is no http(s) URL. Requirements: A2A-030 to A2A-037.
 *
 * @example
 * const paying = payingAgent(client, payer, { agent: 'https://agent.example/a2a' })
 * const task = await paying.sendMessage({ tenant: '', message, configuration: undefined, metadata: undefined })
 * paying.receipt(task)?.transaction
 */
export function payingAgent(client: A2aClient, payer: Payer, { agent }: PayingAgentOptions): PayingAgent {
  const url = agentUrl(agent)
  const outcomes = new WeakMap<object, PaymentOutcome>()
  return {
    async sendMessage(params, { idempotencyKey, metadata, ...options } = {}) {
      const exchange = createExchange(client, params, activating(options))
      const { signal } = options
      const response = await payer.fetch(url, {
        method: 'POST',
        body: JSON.stringify(nameOf(params)),
        fetch: exchange.fetch,
        ...(signal && { signal }),
        ...(idempotencyKey !== undefined && { idempotencyKey }),
        ...(metadata && { metadata }),
      })
      const result = exchange.said(response)
      const outcome = payer.outcome(response)
      if (outcome !== undefined) outcomes.set(result, outcome)
      return result
    },

    reject: (task, options = {}) => {
      const message = answerTo(task, 'I will not pay for this.', { [metadataKeys.status]: 'payment-rejected' })
      return client.sendMessage(requestOf(message), activating(options))
    },

    outcome: (result) => outcomes.get(result),

    receipt: (result) => {
      const outcome = outcomes.get(result)
      return outcome !== undefined && 'receipt' in outcome ? outcome.receipt : undefined
    },
  }
}

/** The way from the payer's requests to the SDK's client, for one message. */
function createExchange(client: A2aClient, params: SendMessageRequest, options: RequestOptions) {
  const said = new WeakMap<Response, SendMessageResult>()
  let asking: Task | undefined
  let presented = false
  // A task keeps the receipts of all that was ever paid in it: those that stood there before are of other payments.
  let former: ReadonlySet<string> = new Set()
  const newReceipts = (metadata: JsonObject): readonly JsonObject[] =>
    receiptsIn(metadata).filter((receipt) => !former.has(canonicalJson(receipt)))

  const send = async (payment: JsonObject | undefined, more: RequestOptions): Promise<SendMessageResult> => {
    if (payment === undefined || asking === undefined) return client.sendMessage(params, more)
    if (presented) {
      // The last answer got lost: the task knows what became of the payment.
      const task = await client.getTask({ tenant: params.tenant, id: asking.id, historyLength: 0 }, more)
      if (isOver(task) || newReceipts(metadataOf(task.status?.message)).some(({ success }) => success === true))
        return task
    }
    presented = true
    const wanted = metadataOf(asking.status?.message)[metadataKeys.message]
    const paid = {
      [metadataKeys.status]: 'payment-submitted',
      [metadataKeys.payload]: payment,
      ...(typeof wanted === 'string' && { [metadataKeys.message]: wanted }),
    }
    return client.sendMessage(
      { ...requestOf(answerTo(asking, 'Here is the payment.', paid)), tenant: params.tenant },
      more,
    )
  }

  return {
    said: (response: Response): SendMessageResult => {
      const found = said.get(response)
      if (found === undefined)
        throw new X402Error('payment_unresolved', { reason: 'the answer is not one of this call' })
      return found
    },
    fetch: async (_: unknown, init?: RequestInit): Promise<Response> => {
      const { payment, version } = carriedPayment(new Headers(init?.headers))
      const result = await send(payment, { ...options, ...(init?.signal && { signal: init.signal }) })
      const metadata = metadataOf(messageOf(result))
      if (isTask(result) && payment === undefined) {
        asking = result
        former = new Set(receiptsIn(metadata).map((receipt) => canonicalJson(receipt)))
      }
      const response = responseOf(result, version, newReceipts(metadata).at(-1))
      said.set(response, result)
      return response
    },
  }
}

/** What a result says, as a payer reads it. */
function responseOf(result: SendMessageResult, version: X402Version, receipt: JsonObject | undefined): Response {
  const metadata = metadataOf(messageOf(result))
  const required = metadata[metadataKeys.required]
  if (isPaymentRequired(required)) return challengeResponse(required, receipt)
  const state = isTask(result) ? result.status?.state : TaskState.TASK_STATE_COMPLETED
  const isFailure = state !== undefined && FAILURES.has(state)
  const problem = metadata[metadataKeys.problem]
  const ok = !isFailure && !isJsonObject(problem)
  const body = isTask(result) ? { task: result.id } : { message: result.messageId }
  return answerResponse({ version, body, ok, receipt, problem })
}

const FAILURES: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_REJECTED,
  TaskState.TASK_STATE_CANCELED,
])

function messageOf(result: SendMessageResult): Message | undefined {
  return isTask(result) ? result.status?.message : result
}

function isOver({ status }: Task): boolean {
  return status !== undefined && (status.state === TaskState.TASK_STATE_COMPLETED || FAILURES.has(status.state))
}

function isTask(result: SendMessageResult): result is Task {
  return 'status' in result
}

/** By this the same message has the same payment: what it says, and to which task. */
function nameOf({ message, tenant }: SendMessageRequest): object {
  const { parts = [], taskId = '', contextId = '' } = message ?? {}
  return { tenant, taskId, contextId, parts }
}

function answerTo({ id: taskId, contextId }: Task, text: string, metadata: Record<string, unknown>): Message {
  return {
    messageId: globalThis.crypto.randomUUID(),
    taskId,
    contextId,
    role: Role.ROLE_USER,
    parts: [{ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: 'text/plain' }],
    metadata,
    extensions: [...extensionUris],
    referenceTaskIds: [],
  }
}

function requestOf(message: Message): SendMessageRequest {
  return { tenant: '', message, configuration: undefined, metadata: undefined }
}

/** The call asks for the extension by both of its names, beside what the caller asks for. */
function activating(options: RequestOptions): RequestOptions {
  const { serviceParameters = {} } = options
  const before = serviceParameters[HTTP_EXTENSION_HEADER]?.split(',').map((uri) => uri.trim()) ?? []
  const update = withA2AExtensions(...new Set([...before, ...extensionUris]))
  return { ...options, serviceParameters: ServiceParameters.createFrom(serviceParameters, update) }
}

function agentUrl(agent: string | URL): string {
  const url = URL.canParse(String(agent)) ? new URL(String(agent)) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new X402Error('invalid_config', { field: 'agent', problem: 'is no http(s) URL' })
  }
  return url.href
}
