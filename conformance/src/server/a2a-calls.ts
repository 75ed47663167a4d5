import { randomUUID } from 'node:crypto'
import type { Payer } from '../chain/rail.js'
import { type Answer, isObject, jsonIn } from '../http/exchange.js'
import { expectThat, fail, notApplicable } from '../model/finding.js'
import type { Payment, Requirements } from '../wire/messages.js'
import { paymentFor } from './extended.js'
import { type ServerStage, secret } from './stage.js'

type Members = Readonly<Record<string, unknown>>

/** Keys of the metadata of messages. */
export const a2aKey = {
  status: 'x402.payment.status',
  required: 'x402.payment.required',
  payload: 'x402.payment.payload',
  receipts: 'x402.payment.receipts',
  error: 'x402.payment.error',
} as const

/** The names of the extension that circulate. */
export const a2aExtensions: readonly string[] = [
  'https://github.com/google-a2a/a2a-x402/v0.1',
  'https://github.com/google-agentic-commerce/a2a-x402/blob/main/spec/v0.2',
]

/** What an agent answered: a task as it stands, in the words of A2A 0.3 whatever version it speaks. */
export type Told = {
  /** Empty when the answer is no task. */
  readonly task: { readonly id: string; readonly contextId: string }
  /** `input-required`, for one; `error` for an error of JSON-RPC. */
  readonly state: string
  /** Of the message of its status. */
  readonly metadata: Members
  /** The texts of its artifacts and of its status. */
  readonly texts: readonly string[]
  readonly answer: Answer
}

/** What is said to an agent. */
export type Saying = { readonly in?: Told; readonly metadata?: Members; readonly asks?: readonly string[] }

/** An agent of a target, over JSON-RPC. */
export interface Agent {
  readonly card: Members
  /** The names of extensions in its card. */
  readonly declared: readonly string[]
  /** Sends a message, and waits until the task is at rest. */
  say(text: string, saying?: Saying): Promise<Told>
  /** Cancels a task. */
  cancel(told: Told): Promise<Told>
  /** A right payment for what a task asks for, not sent yet. */
  pay(asked: Told, payer?: Payer): Promise<Payment>
}

/** A message that pays. */
export const submitted = (payment: unknown): Members => ({
  [a2aKey.status]: 'payment-submitted',
  [a2aKey.payload]: payment,
})

/** Reads the card of an agent. A target without one is not asked. `in03`: it is spoken to in version 0.3, or not at all. */
export async function meetAgent(stage: ServerStage, route: string, in03 = false): Promise<Agent> {
  const found = await stage.ask(`${route}/.well-known/agent-card.json`)
  const card = jsonIn(found)
  // A server that answers everything alike has no card.
  if (found.status !== 200 || !isObject(card) || !isObject(card.capabilities) || versionsIn(card).length === 0) {
    if (stage.claims(route)) fail(`/conformance/${route} has no card of an agent`, '200 and the card', found.status)
    notApplicable(`the target has no agent at /conformance/${route}`)
  }
  const versions = versionsIn(card)
  if (in03 && !versions.some((version) => version.startsWith('0.3')))
    notApplicable('the card of the agent does not list version 0.3')
  const old = in03 || !versions.some((version) => version.startsWith('1'))

  async function call(method: string, params: object, asks: readonly string[]): Promise<Told> {
    const headers = {
      'content-type': 'application/json',
      ...(old ? {} : { 'a2a-version': '1.0' }),
      [old ? 'x-a2a-extensions' : 'a2a-extensions']: asks.join(','),
    }
    const id = randomUUID()
    const answer = await stage.ask(route, headers, 'POST', JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    const reply = jsonIn(answer)
    if (!isObject(reply) || (!isObject(reply.result) && !isObject(reply.error)))
      fail(`${method} has no answer of JSON-RPC`, 'a result or an error', `${answer.status} ${answer.text}`)
    return readTold(reply, answer)
  }

  return {
    card,
    declared: extensionsIn(card),
    async say(text, { in: before, metadata, asks = a2aExtensions } = {}) {
      const { id: taskId = '', contextId = '' } = before?.task ?? {}
      const inTask = { ...(taskId === '' ? {} : { taskId }), ...(contextId === '' ? {} : { contextId }) }
      const common = { messageId: randomUUID(), ...inTask, ...(metadata === undefined ? {} : { metadata }) }
      const message = old
        ? { kind: 'message', role: 'user', parts: [{ kind: 'text', text }], ...common }
        : { role: 'ROLE_USER', parts: [{ text }], ...common }
      const configuration = old ? { configuration: { blocking: true } } : {}
      let told = await call(old ? 'message/send' : 'SendMessage', { message, ...configuration }, asks)
      // An agent may answer before it has done its work.
      for (let times = 0; times < 50 && ['submitted', 'working'].includes(told.state); times += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        told = await call(old ? 'tasks/get' : 'GetTask', { id: told.task.id }, asks)
      }
      return told
    },
    cancel: ({ task }) => call(old ? 'tasks/cancel' : 'CancelTask', { id: task.id }, a2aExtensions),
    async pay(asked, payer) {
      const required = challengeOf(asked)
      const offer = offersOf(asked).find(({ scheme, network }) => scheme === 'exact' && network === stage.rail.network)
      if (offer === undefined || !isObject(required?.resource))
        fail('the task cannot be paid for', 'a resource and an offer', asked.metadata)
      const { resource } = required
      return paymentFor(stage, { offer, resource }, payer ?? (await stage.rail.payer(1_000_000n)))
    },
  }
}

/** The challenge in the metadata of a task. */
export function challengeOf({ metadata }: Told): Members | undefined {
  const required = metadata[a2aKey.required]
  return isObject(required) ? required : undefined
}

/** The offers in it. */
export function offersOf(told: Told): readonly Requirements[] {
  const { accepts } = challengeOf(told) ?? {}
  return Array.isArray(accepts) ? accepts.filter(isObject) : []
}

/** The receipts of a task, the oldest first. */
export function receiptsOf({ metadata }: Told): readonly Members[] {
  const receipts = metadata[a2aKey.receipts]
  return Array.isArray(receipts) ? receipts.filter(isObject) : []
}

/** Fails unless the task is done, and has what is sold. */
export function expectDone(told: Told, what = 'a payment that is right'): void {
  const done = told.state === 'completed' && told.texts.some((text) => text.includes(secret))
  expectThat(done, `${what} does not complete the task`, `completed, and ${secret}`, [told.state, ...told.texts])
}

/** Fails if what is sold stands anywhere in the answer, or a receipt looks as if it ought to. */
export function expectNotDone(told: Told, because: string): void {
  expectThat(!told.answer.text.includes(secret), `the work leaves although ${because}`, 'no work', told.texts)
  expectThat(told.state !== 'completed', `the task is completed although ${because}`, 'another state', told.state)
  const paid = receiptsOf(told).find(({ success }) => success === true)
  expectThat(paid === undefined, `a receipt says success although ${because}`, 'none', paid)
}

function readTold({ result, error }: Members, answer: Answer): Told {
  const nothing = { task: { id: '', contextId: '' }, metadata: {}, texts: [], answer }
  if (!isObject(result)) return { ...nothing, state: 'error', texts: [JSON.stringify(error)] }
  // Version 1.0 says by a member what version 0.3 says by `kind`.
  const task = [result.task, result].find((each) => isObject(each) && isObject(each.status))
  if (!isObject(task) || !isObject(task.status)) {
    const message = isObject(result.message) ? result.message : result
    return { ...nothing, state: 'message', metadata: membersIn(message.metadata), texts: textsIn(message.parts) }
  }
  const { id, contextId, status, artifacts } = task
  const message = membersIn(status.message)
  const made = Array.isArray(artifacts) ? artifacts.filter(isObject) : []
  return {
    task: { id: String(id ?? ''), contextId: String(contextId ?? '') },
    state: String(status.state)
      .replace(/^TASK_STATE_/, '')
      .toLowerCase()
      .replaceAll('_', '-'),
    metadata: membersIn(message.metadata),
    texts: [...made.flatMap(({ parts }) => textsIn(parts)), ...textsIn(message.parts)],
    answer,
  }
}

const membersIn = (value: unknown): Members => (isObject(value) ? value : {})

const textsIn = (parts: unknown): readonly string[] =>
  (Array.isArray(parts) ? parts.filter(isObject) : []).flatMap(({ text }) => (typeof text === 'string' ? [text] : []))

function versionsIn({ supportedInterfaces, protocolVersion }: Members): readonly string[] {
  const all = Array.isArray(supportedInterfaces) ? supportedInterfaces.filter(isObject) : []
  const spoken = all.filter(({ protocolBinding }) => protocolBinding === 'JSONRPC').map((each) => each.protocolVersion)
  return [...spoken, protocolVersion].filter((version) => typeof version === 'string')
}

function extensionsIn({ capabilities }: Members): readonly string[] {
  const { extensions } = membersIn(capabilities)
  return (Array.isArray(extensions) ? extensions.filter(isObject) : []).map(({ uri }) => String(uri))
}
