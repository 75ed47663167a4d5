import { type Message, Role, type SendMessageRequest, type Task, TaskState } from '@a2a-js/sdk'
import { type Client, ClientFactory, JsonRpcTransportFactory } from '@a2a-js/sdk/client'
import { AgentEvent } from '@a2a-js/sdk/server'
import { createPayer, type Payer, type PayerOptions } from '@groat/client'
import { createBuyer } from '@groat/client/buyer'
import {
  decodeChallenge,
  encodeHeaderObject,
  encodePayment,
  isJsonObject,
  type JsonObject,
  systemRandom,
} from '@groat/core'
import { exactEvm as exactEvmClient, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims, type RouteInput } from '@groat/server'
import { expect, test } from 'vitest'
import { A2aCompleted, A2aRequired } from '../../../spec/scripts/lib/transport-types.js'
import { type StubFacilitator, stubFacilitator } from '../../mcp/test/support/facilitator.js'
import { payingAgent } from '../src/client/index.js'
import { errorWord, extensionUris, type PaidExecutor, paywall } from '../src/server/index.js'
import { serveAgent } from './served-agent.js'

const account = privateKeyAccount(`0x${'7'.repeat(64)}`)
const scheme = exactEvmClient({ account })
const SELLER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'

type Studio = {
  readonly url: string
  readonly stub: StubFacilitator
  readonly runs: string[]
  readonly client: Client
  readonly payer: Payer
  readonly paying: ReturnType<typeof payingAgent>
  /** What the server said of extensions, the last time. */
  readonly activated: () => string | null
}

/** A painter whose paintings cost something, behind the SDK's own server, and the SDK's own client. */
async function openStudio({
  route = '$0.001',
  executor,
  payer: payerOptions = {},
}: {
  route?: RouteInput
  executor?: (runs: string[]) => PaidExecutor
  payer?: Partial<PayerOptions>
} = {}): Promise<Studio> {
  const stub = stubFacilitator()
  const paid = paywall({
    facilitator: stub,
    payTo: { 'base-sepolia': SELLER },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const runs: string[] = []
  const { url, card } = await serveAgent(async (at) => {
    const agent = paid.agent({ url: at, route }, executor?.(runs) ?? painter(runs))
    await paid.ready()
    return agent
  })
  let activated: string | null = null
  const fetchImpl: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    activated = response.headers.get('a2a-extensions')
    return response
  }
  const factory = new ClientFactory({ transports: [new JsonRpcTransportFactory({ fetchImpl })] })
  const client = await factory.createFromAgentCard(card)
  const payer = createPayer({ schemes: [scheme], ...payerOptions })
  return {
    url,
    stub,
    runs,
    client,
    payer,
    paying: payingAgent(client, payer, { agent: url }),
    activated: () => activated,
  }
}

function painter(runs: string[]): PaidExecutor {
  return {
    async execute({ userMessage, taskId, contextId }, bus, payment) {
      const [part] = userMessage.parts
      const wanted = part?.content?.$case === 'text' ? part.content.value : ''
      runs.push(wanted)
      const task = { id: taskId, contextId, artifacts: [], history: [userMessage], metadata: undefined }
      bus.publish(
        AgentEvent.task({
          ...task,
          status: { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined },
        }),
      )
      const artifact = {
        artifactId: 'a1',
        name: 'painting',
        description: '',
        parts: [textPart(`a painting of ${wanted}`)],
        metadata: undefined,
        extensions: [],
      }
      bus.publish(
        AgentEvent.artifactUpdate({ taskId, contextId, artifact, append: false, lastChunk: true, metadata: undefined }),
      )
      const state = wanted === 'nothing' ? TaskState.TASK_STATE_FAILED : TaskState.TASK_STATE_COMPLETED
      const message = {
        ...userMessage,
        messageId: `m-${taskId}`,
        role: Role.ROLE_AGENT,
        parts: [textPart(`for ${payment.payer}`)],
        metadata: undefined,
      }
      bus.publish(
        AgentEvent.statusUpdate({
          taskId,
          contextId,
          status: { state, message, timestamp: undefined },
          metadata: undefined,
        }),
      )
    },
    async cancelTask() {},
  }
}

const textPart = (value: string) =>
  ({ content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: 'text/plain' }) as const

let messages = 0
function message(text: string, more: Partial<Message> = {}): SendMessageRequest {
  const made: Message = {
    messageId: `u-${++messages}`,
    contextId: '',
    taskId: '',
    role: Role.ROLE_USER,
    parts: [textPart(text)],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
    ...more,
  }
  return { tenant: '', message: made, configuration: undefined, metadata: undefined }
}

const ask = async (client: Client, text: string) => (await client.sendMessage(message(text))) as Task
const metadataOf = (task: Task): JsonObject => (task.status?.message?.metadata ?? {}) as JsonObject

/** The payment for a task, as an unmodified client would make it. */
async function payFor(task: Task): Promise<JsonObject> {
  const required = metadataOf(task)['x402.payment.required'] as JsonObject
  const read = decodeChallenge((name) => (name === 'PAYMENT-REQUIRED' ? encodeHeaderObject(required) : null))
  const offer = read?.ok ? read.value.accepts[0] : undefined
  if (offer === undefined) throw new Error('no offer')
  const prepared = scheme.prepare(offer, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 300 })
  if (!prepared.ok) throw new Error(prepared.code)
  const payload = await prepared.sign()
  const { value } = encodePayment({ x402Version: 2, scheme: 'exact', network: offer.network, payload, accepted: offer })
  return JSON.parse(Buffer.from(value, 'base64').toString())
}

const submit = (payload: unknown, status = 'payment-submitted') => ({
  'x402.payment.status': status,
  'x402.payment.payload': payload,
})

async function present(client: Client, { id: taskId, contextId }: Task, payload: unknown): Promise<Task> {
  return (await client.sendMessage(message('paying', { taskId, contextId, metadata: submit(payload) }))) as Task
}

test('A2A-001 A2A-002 A2A-010 a task that is not paid for waits with the offers', async () => {
  const { client, url, runs } = await openStudio()
  const task = await ask(client, 'the sea')
  expect(task.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
  expect(metadataOf(task)).toMatchObject({
    'x402.payment.status': 'payment-required',
    'x402.payment.required': {
      x402Version: 2,
      resource: { url },
      accepts: [{ scheme: 'exact', amount: '1000', payTo: SELLER }],
    },
  })
  expect(A2aRequired.safeParse(metadataOf(task)).success).toBe(true)
  expect(runs).toEqual([])
})

test('A2A-003 A2A-004 a payment in a message to the task completes it, with the receipt', async () => {
  const { client, runs } = await openStudio()
  const task = await ask(client, 'the sea')
  const done = await present(client, task, await payFor(task))
  expect(done).toMatchObject({ id: task.id, status: { state: TaskState.TASK_STATE_COMPLETED } })
  expect(done.artifacts[0]?.parts[0]?.content?.value).toBe('a painting of the sea')
  expect(metadataOf(done)).toMatchObject({
    'x402.payment.status': 'payment-completed',
    'x402.payment.receipts': [{ success: true, network: 'eip155:84532', transaction: expect.stringMatching(/^0x/) }],
  })
  expect(A2aCompleted.safeParse(metadataOf(done)).success).toBe(true)
  expect(runs).toEqual(['the sea'])
})

test('A2A-005 a payment may come with the first message', async () => {
  const { client, runs } = await openStudio()
  const payment = await payFor(await ask(client, 'the sea'))
  const done = (await client.sendMessage(message('the sea', { metadata: submit(payment) }))) as Task
  expect(metadataOf(done)['x402.payment.status']).toBe('payment-completed')
  expect(runs).toEqual(['the sea'])
})

test('A2A-006 the same payment for the same message gets the same answer in another task, and no second execution', async () => {
  const { client, runs, stub } = await openStudio()
  const first = await ask(client, 'the sea')
  const payment = await payFor(first)
  const done = await present(client, first, payment)
  const again = await present(client, await ask(client, 'the sea'), payment)
  expect(again.artifacts).toEqual(done.artifacts)
  expect(metadataOf(again)['x402.payment.receipts']).toEqual(metadataOf(done)['x402.payment.receipts'])
  expect([runs, stub.settled.length]).toEqual([['the sea'], 1])
})

test('A2A-007 a payment buys the message that it was presented for, and no other', async () => {
  const { client, runs } = await openStudio()
  const first = await ask(client, 'the sea')
  const payment = await payFor(first)
  await present(client, first, payment)
  const other = await present(client, await ask(client, 'the moon'), payment)
  expect(metadataOf(other)).toMatchObject({ 'groat.problem': { code: 'idempotency_mismatch' } })
  expect(runs).toEqual(['the sea'])
})

test('A2A-008 a task that fails is not charged in strict mode', async () => {
  const { client, stub } = await openStudio()
  const task = await ask(client, 'nothing')
  const failed = await present(client, task, await payFor(task))
  expect(failed.status?.state).toBe(TaskState.TASK_STATE_FAILED)
  expect(metadataOf(failed)).not.toHaveProperty('x402.payment.receipts')
  expect(stub.settled).toEqual([])
})

test('A2A-009 in upfront mode a task that fails comes with its receipt', async () => {
  const { client } = await openStudio({ route: { price: '$0.001', mode: 'upfront' } })
  const task = await ask(client, 'nothing')
  const failed = await present(client, task, await payFor(task))
  expect(failed.status?.state).toBe(TaskState.TASK_STATE_FAILED)
  expect(metadataOf(failed)).toMatchObject({
    'x402.payment.status': 'payment-failed',
    'x402.payment.receipts': [{ success: true }],
  })
})

test('A2A-011 A2A-012 A2A-013 a settlement that is refused withholds the work, says why in both vocabularies, and is asked for again', async () => {
  const { client, stub } = await openStudio()
  stub.next.push(async () => ({ status: 'refused', code: 'invalid_exact_evm_insufficient_balance' }))
  const task = await ask(client, 'the sea')
  const refused = await present(client, task, await payFor(task))
  expect(refused.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
  expect(refused.artifacts).toEqual([])
  expect(metadataOf(refused)).toMatchObject({
    'x402.payment.status': 'payment-failed',
    'x402.payment.error': 'INSUFFICIENT_FUNDS',
    'x402.payment.required': { accepts: [{}] },
    'x402.payment.receipts': [{ success: false, errorReason: 'invalid_exact_evm_insufficient_balance' }],
  })
  const done = await present(client, refused, await payFor(refused))
  expect(metadataOf(done)).toMatchObject({
    'x402.payment.status': 'payment-completed',
    'x402.payment.receipts': [{ success: false }, { success: true }],
  })
})

test('A2A-014 while nobody knows the outcome the task waits, and the same payment completes it', async () => {
  const { client, stub, runs } = await openStudio()
  stub.next.push(async () => ({ status: 'unknown', retryAfter: 3 }))
  const task = await ask(client, 'the sea')
  const payment = await payFor(task)
  const waiting = await present(client, task, payment)
  expect(metadataOf(waiting)).toMatchObject({
    'x402.payment.status': 'payment-submitted',
    'groat.problem': { code: 'settlement_pending', retryAfter: 3 },
    'x402.payment.receipts': [{ success: false, errorReason: 'settlement_pending' }],
  })
  const done = await present(client, waiting, payment)
  expect(metadataOf(done)['x402.payment.status']).toBe('payment-completed')
  expect(runs).toEqual(['the sea'])
})

test.each<[string, unknown]>([
  ['text', 'x402'],
  ['an empty object', {}],
  ['a list', [1]],
])('A2A-015 what is no payment is refused by name: %s', async (_, payload) => {
  const { client, stub } = await openStudio()
  const refused = await present(client, await ask(client, 'the sea'), payload)
  expect(metadataOf(refused)).toMatchObject({
    'x402.payment.status': 'payment-failed',
    'x402.payment.required': { error: expect.stringMatching(/^invalid_/) },
  })
  expect(stub.verified).toEqual([])
})

test('A2A-016 only the gate speaks under the keys of payment', async () => {
  const { client } = await openStudio({
    executor: () => ({
      async execute({ userMessage, taskId, contextId }, bus) {
        const forged = { 'x402.payment.receipts': [{ success: true, transaction: '0xforged' }], own: 'kept' }
        bus.publish(
          AgentEvent.message({
            ...userMessage,
            messageId: 'm',
            role: Role.ROLE_AGENT,
            taskId,
            contextId,
            metadata: forged,
          }),
        )
      },
      async cancelTask() {},
    }),
  })
  const task = await ask(client, 'the sea')
  const done = await present(client, task, await payFor(task))
  expect(metadataOf(done)).toMatchObject({
    own: 'kept',
    'x402.payment.receipts': [{ transaction: `0x${'1'.padStart(64, '0')}` }],
  })
})

test('A2A-017 A2A-035 a payment that the client rejects ends the task', async () => {
  const { client, paying, runs } = await openStudio()
  const task = await ask(client, 'the sea')
  const ended = (await paying.reject(task)) as Task
  expect(ended.status?.state).toBe(TaskState.TASK_STATE_FAILED)
  expect(metadataOf(ended)['x402.payment.status']).toBe('payment-rejected')
  expect(runs).toEqual([])
})

test('A2A-021 a task that is cancelled while it is worked on is not charged, whatever its executor still makes', async () => {
  let begun = () => {}
  const working = new Promise<void>((resolve) => {
    begun = resolve
  })
  let finish = () => {}
  const cancelled = new Promise<void>((resolve) => {
    finish = resolve
  })
  const { client, stub } = await openStudio({
    executor: (runs) => ({
      async execute(context, bus, payment) {
        begun()
        await cancelled
        await painter(runs).execute(context, bus, payment)
      },
      async cancelTask(taskId, bus) {
        const status = { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: undefined }
        bus.publish(AgentEvent.statusUpdate({ taskId, contextId: '', status, metadata: undefined }))
        finish()
      },
    }),
  })
  const task = await ask(client, 'the sea')
  const presented = payFor(task).then((payment) => present(client, task, payment))
  await working
  const ended = await client.cancelTask({ id: task.id, tenant: '', metadata: undefined })
  expect(ended.status?.state).toBe(TaskState.TASK_STATE_CANCELED)
  await presented
  const now = await client.getTask({ id: task.id, tenant: '', historyLength: 0 })
  expect([now.status?.state, stub.settled.length]).toEqual([TaskState.TASK_STATE_CANCELED, 0])
})

const cancelled = { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: undefined }
const cancelledBy = (taskId: string) =>
  AgentEvent.statusUpdate({ taskId, contextId: '', status: cancelled, metadata: undefined })

function signal() {
  let fire = () => {}
  const fired = new Promise<void>((resolve) => {
    fire = resolve
  })
  return { fire: () => fire(), fired }
}

test('A2A-022 a task whose settlement has begun is not cancelled, and completes with what was paid for', async () => {
  const asked: string[] = []
  const { client, stub } = await openStudio({
    executor: (runs) => ({
      execute: painter(runs).execute,
      async cancelTask(taskId, bus) {
        asked.push(taskId)
        bus.publish(cancelledBy(taskId))
      },
    }),
  })
  const [settling, go] = [signal(), signal()]
  const { settle } = stub
  stub.settle = async (request) => {
    settling.fire()
    await go.fired
    return settle(request)
  }
  const task = await ask(client, 'the sea')
  const presented = payFor(task).then((payment) => present(client, task, payment))
  await settling.fired
  await expect(client.cancelTask({ id: task.id, tenant: '', metadata: undefined })).rejects.toThrow(/not cancelable/i)
  go.fire()
  const done = await presented
  expect([done.status?.state, done.artifacts.length, stub.settled.length, asked]).toEqual([
    TaskState.TASK_STATE_COMPLETED,
    1,
    1,
    [],
  ])
  const now = await client.getTask({ id: task.id, tenant: '', historyLength: 0 })
  expect([now.status?.state, now.artifacts.length]).toEqual([TaskState.TASK_STATE_COMPLETED, 1])
})

test('A2A-022 what an executor cancels after the settlement has begun is delivered, and its canceller told so', async () => {
  const [cancelling, settling, go] = [signal(), signal(), signal()]
  const { client, stub } = await openStudio({
    executor: (runs) => ({
      async execute(context, bus, payment) {
        await cancelling.fired
        await painter(runs).execute(context, bus, payment)
      },
      async cancelTask(taskId, bus) {
        cancelling.fire()
        await settling.fired
        bus.publish(cancelledBy(taskId))
        bus.finished()
      },
    }),
  })
  const { settle } = stub
  stub.settle = async (request) => {
    settling.fire()
    await go.fired
    return settle(request)
  }
  const task = await ask(client, 'the sea')
  const payment = await payFor(task)
  const working = signal()
  const { verify } = stub
  stub.verify = async (request) => {
    working.fire()
    return verify(request)
  }
  const presented = present(client, task, payment)
  await working.fired
  await expect(client.cancelTask({ id: task.id, tenant: '', metadata: undefined })).rejects.toThrow(/not cancelable/i)
  go.fire()
  const done = await presented
  expect([done.status?.state, done.artifacts.length, stub.settled.length]).toEqual([
    TaskState.TASK_STATE_COMPLETED,
    1,
    1,
  ])
})

test('A2A-021 a task that is cancelled while its payment is checked is not charged', async () => {
  const { client, stub, runs } = await openStudio({
    executor: (ran) => {
      const over = signal()
      return {
        async execute(context, bus, payment) {
          await over.fired
          await painter(ran).execute(context, bus, payment)
        },
        async cancelTask(taskId, bus) {
          bus.publish(cancelledBy(taskId))
          over.fire()
        },
      }
    },
  })
  const [checking, go] = [signal(), signal()]
  const { verify } = stub
  stub.verify = async (request) => {
    checking.fire()
    await go.fired
    return verify(request)
  }
  const task = await ask(client, 'the sea')
  const payment = await payFor(task)
  const presented = present(client, task, payment)
  await checking.fired
  const ending = client.cancelTask({ id: task.id, tenant: '', metadata: undefined })
  go.fire()
  expect((await ending).status?.state).toBe(TaskState.TASK_STATE_CANCELED)
  await presented
  const now = await client.getTask({ id: task.id, tenant: '', historyLength: 0 })
  expect([now.status?.state, now.artifacts.length, stub.settled.length]).toEqual([TaskState.TASK_STATE_CANCELED, 0, 0])
  // The payment is as good as before.
  const again = await ask(client, 'the sea')
  expect((await present(client, again, payment)).status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
  expect([stub.settled.length, runs]).toEqual([1, ['the sea', 'the sea']])
})

test('A2A-022 what is paid for before the work is not cancelled while it is worked on', async () => {
  const [begun, go] = [signal(), signal()]
  const { client, stub } = await openStudio({
    route: { price: '$0.001', mode: 'upfront' },
    executor: (runs) => ({
      async execute(context, bus, payment) {
        begun.fire()
        await go.fired
        await painter(runs).execute(context, bus, payment)
      },
      async cancelTask(taskId, bus) {
        bus.publish(cancelledBy(taskId))
      },
    }),
  })
  const task = await ask(client, 'the sea')
  const presented = payFor(task).then((payment) => present(client, task, payment))
  await begun.fired
  await expect(client.cancelTask({ id: task.id, tenant: '', metadata: undefined })).rejects.toThrow(/not cancelable/i)
  go.fire()
  const done = await presented
  expect([done.status?.state, done.artifacts.length, stub.settled.length]).toEqual([
    TaskState.TASK_STATE_COMPLETED,
    1,
    1,
  ])
})

test('A2A-022 a task is not cancelled while a payment whose end nobody knew is settled again', async () => {
  const asked: string[] = []
  const { client, stub } = await openStudio({
    executor: (runs) => ({
      execute: painter(runs).execute,
      async cancelTask(taskId, bus) {
        asked.push(taskId)
        bus.publish(cancelledBy(taskId))
      },
    }),
  })
  const { settle } = stub
  stub.settle = async () => ({ status: 'unknown', retryAfter: 1 })
  const task = await ask(client, 'the sea')
  const payment = await payFor(task)
  await present(client, task, payment)
  const [settling, go] = [signal(), signal()]
  stub.settle = async (request) => {
    settling.fire()
    await go.fired
    return settle(request)
  }
  const presented = present(client, task, payment)
  await settling.fired
  const ending = client.cancelTask({ id: task.id, tenant: '', metadata: undefined })
  const refused = expect(ending).rejects.toThrow(/not cancelable/i)
  // Asked after it, and answered when the server has read both.
  await client.getTask({ id: task.id, tenant: '', historyLength: 0 })
  go.fire()
  expect([(await presented).status?.state, stub.settled.length]).toEqual([TaskState.TASK_STATE_COMPLETED, 1])
  await refused
  expect(asked).toEqual([])
})

test('A2A-022 a task whose settlement begins while its executor cancels is not cancelled', async () => {
  const [working, cancelling, settling, go, over] = [signal(), signal(), signal(), signal(), signal()]
  const { client, stub } = await openStudio({
    executor: (runs) => ({
      async execute(context, bus, payment) {
        working.fire()
        await over.fired
        await painter(runs).execute(context, bus, payment)
      },
      async cancelTask(taskId, bus) {
        cancelling.fire()
        await settling.fired
        bus.publish(cancelledBy(taskId))
        bus.finished()
      },
    }),
  })
  const { settle } = stub
  stub.settle = async (request) => {
    settling.fire()
    await go.fired
    return settle(request)
  }
  const task = await ask(client, 'the sea')
  const presented = payFor(task).then((payment) => present(client, task, payment))
  await working.fired
  const ending = client.cancelTask({ id: task.id, tenant: '', metadata: undefined })
  const refused = expect(ending).rejects.toThrow(/not cancelable/i)
  await cancelling.fired
  over.fire()
  await settling.fired
  go.fire()
  expect((await presented).status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
  await refused
  const now = await client.getTask({ id: task.id, tenant: '', historyLength: 0 })
  expect([now.status?.state, now.artifacts.length, stub.settled.length]).toEqual([TaskState.TASK_STATE_COMPLETED, 1, 1])
})

test.each(['strict', 'upfront'] as const)(
  'A2A-023 in %s mode two payments that are presented for one task at once are settled once, and buy it once',
  async (mode) => {
    const { client, stub, runs } = await openStudio({ route: { price: '$0.001', mode } })
    const go = signal()
    const { settle } = stub
    stub.settle = async (request) => {
      await go.fired
      return settle(request)
    }
    const task = await ask(client, 'the sea')
    const payments = [await payFor(task), await payFor(task)]
    const presented = payments.map((payment) => present(client, task, payment))
    // Both are there before anything is settled; where one comes later it finds the task bought.
    await new Promise((resolve) => setTimeout(resolve, 100))
    go.fire()
    const done = await Promise.allSettled(presented)
    expect([stub.settled.length, runs]).toEqual([1, ['the sea']])
    expect(done.map((each) => each.status === 'fulfilled' && each.value.status?.state)).toEqual([
      TaskState.TASK_STATE_COMPLETED,
      TaskState.TASK_STATE_COMPLETED,
    ])
    const now = await client.getTask({ id: task.id, tenant: '', historyLength: 0 })
    expect([now.status?.state, now.artifacts.length]).toEqual([TaskState.TASK_STATE_COMPLETED, 1])
  },
)

test('A2A-018 A2A-036 the client asks for the extension by both names, and the server says which it follows', async () => {
  const { paying, activated } = await openStudio()
  await paying.sendMessage(message('the sea'))
  expect(
    activated()
      ?.split(',')
      .map((uri) => uri.trim()),
  ).toEqual([...extensionUris])
})

test('A2A-030 A2A-031 a task is paid for within the policy, and comes back done', async () => {
  const { paying, runs } = await openStudio()
  const done = await paying.sendMessage(message('the sea'))
  expect(done).toMatchObject({ status: { state: TaskState.TASK_STATE_COMPLETED }, artifacts: [{ name: 'painting' }] })
  expect(paying.outcome(done)).toMatchObject({ status: 'settled', payment: { amount: 1000n, payTo: SELLER } })
  expect(paying.receipt(done)?.transaction).toMatch(/^0x/)
  expect(runs).toEqual(['the sea'])
})

test.each([
  ['perPayment', { perPayment: '$0.0005' }, 'amount_over_limit'],
  ['origins', { origins: ['https://agent.example'] }, 'origin_not_allowed'],
])('A2A-032 the policy of the payer holds: %s', async (rule, policy, code) => {
  const { paying, runs } = await openStudio({ payer: { policy } })
  const task = (await paying.sendMessage(message('the sea'))) as Task
  expect(task.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
  expect(paying.outcome(task)).toMatchObject({ status: 'unpaid', code, refusals: [{ rule }] })
  expect(runs).toEqual([])
})

test('A2A-033 a buyer counts what it pays to agents in its budgets', async () => {
  const { client, url } = await openStudio()
  const buyer = createBuyer({ schemes: [scheme], policy: { perDay: '$0.0015' } })
  const paying = payingAgent(client, buyer, { agent: url })
  const [first, second] = [await paying.sendMessage(message('the sea')), await paying.sendMessage(message('the moon'))]
  expect([paying.outcome(first)?.status, paying.outcome(second)]).toMatchObject([
    'settled',
    { code: 'budget_exceeded' },
  ])
})

test('A2A-034 an answer that got lost is read from the task, and not paid for again', async () => {
  const { client, payer, url, runs, stub } = await openStudio()
  let lost = 0
  const leaky: Pick<Client, 'sendMessage' | 'getTask'> = {
    getTask: (...args) => client.getTask(...args),
    sendMessage: async (params, options) => {
      const result = await client.sendMessage(params, options)
      if (isJsonObject(params.message?.metadata) && lost++ === 0) throw new Error('the line broke')
      return result
    },
  }
  const paying = payingAgent(leaky, payer, { agent: url })
  const done = await paying.sendMessage(message('the sea'))
  expect(paying.outcome(done)?.status).toBe('settled')
  expect([lost, runs, stub.settled.length]).toEqual([1, ['the sea'], 1])
})

test('A2A-034 receipts of earlier payments of a task are not taken for that of this one', async () => {
  const asking = (runs: string[]): PaidExecutor => ({
    ...painter(runs),
    async execute({ taskId, contextId }, bus) {
      runs.push('asked')
      const status = { state: TaskState.TASK_STATE_INPUT_REQUIRED, message: undefined, timestamp: undefined }
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined }))
    },
  })
  const { client, payer, url, stub, runs } = await openStudio({
    route: { price: '$0.001', mode: 'upfront' },
    executor: asking,
  })
  let lost = 0
  const leaky: Pick<Client, 'sendMessage' | 'getTask'> = {
    getTask: (...args) => client.getTask(...args),
    sendMessage: async (params, options) => {
      const isPaid = isJsonObject(params.message?.metadata) && 'x402.payment.payload' in params.message.metadata
      if (isPaid && runs.length > 0 && lost++ === 0) throw new Error('the line broke')
      return client.sendMessage(params, options)
    },
  }
  const paying = payingAgent(leaky, payer, { agent: url })
  const first = (await paying.sendMessage(message('the sea'))) as Task
  expect(paying.outcome(first)).toMatchObject({ status: 'settled' })
  stub.next.push(async () => ({ status: 'refused', code: 'invalid_exact_evm_insufficient_balance' }))
  const { id: taskId, contextId } = first
  const second = await paying.sendMessage(message('at night', { taskId, contextId }))
  expect([lost > 0, paying.outcome(second)?.status, runs]).toEqual([true, 'refused', ['asked']])
})

test('A2A-003 a payment is for the message that its payer sent, whatever others ask of the task meanwhile', async () => {
  const { client, payer, url, runs } = await openStudio()
  let meddled = 0
  const open: Pick<Client, 'sendMessage' | 'getTask'> = {
    getTask: (...args) => client.getTask(...args),
    sendMessage: async (params, options) => {
      const { taskId = '', contextId = '' } = params.message ?? {}
      if (taskId !== '' && meddled++ === 0) await client.sendMessage(message('something else', { taskId, contextId }))
      return client.sendMessage(params, options)
    },
  }
  const paying = payingAgent(open, payer, { agent: url })
  const done = await paying.sendMessage(message('the sea'))
  expect([meddled, paying.outcome(done)?.status, runs]).toEqual([1, 'settled', ['the sea']])
})

test('A2A-037 what costs nothing comes back unchanged', async () => {
  const { paying, client, url, payer } = await openStudio()
  const free = {
    ...client,
    getTask: client.getTask.bind(client),
    sendMessage: async () => message('hello').message as Message,
  }
  const open = payingAgent(free, payer, { agent: url })
  const result = await open.sendMessage(message('hi'))
  expect(open.outcome(result)).toBeUndefined()
  expect(() => payingAgent(client, payer, { agent: 'agent.example' })).toThrow('invalid_config')
  expect(paying.receipt(result)).toBeUndefined()
})

test.each([
  ['invalid_exact_evm_insufficient_balance', 'INSUFFICIENT_FUNDS'],
  ['invalid_exact_evm_signature', 'INVALID_SIGNATURE'],
  ['payment_expired', 'EXPIRED_PAYMENT'],
  ['invalid_exact_evm_nonce_already_used', 'DUPLICATE_NONCE'],
  ['invalid_network', 'NETWORK_MISMATCH'],
  ['invalid_exact_evm_payload_authorization_value_mismatch', 'INVALID_AMOUNT'],
  ['unexpected_settle_error', 'SETTLEMENT_FAILED'],
])('A2A-012 %s is %s', (code, word) => {
  expect(errorWord(code)).toBe(word)
})
