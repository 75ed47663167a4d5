import { randomUUID } from 'node:crypto'
import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail, warn } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import { a2aExtensions, a2aKey } from '../server/a2a-calls.js'
import { expectMessage } from '../spec/messages.js'
import type { MessageAnswer } from '../target/manifest.js'
import { clientCheck } from './choosing.js'
import type { ClientStage, Seen } from './stage.js'

type Members = Readonly<Record<string, unknown>>

/** A message that reached the agent of the kit. */
type Heard = { readonly message: Members; readonly metadata: Members; readonly payment?: unknown; readonly seen: Seen }

/** What the agent answers: a task in this state, or nothing. */
type Said = { readonly state: string; readonly metadata?: Members; readonly text?: string } | 'close'

/** An agent that does what a check says. */
type ScriptedAgent = {
  readonly url: string
  readonly task: string
  readonly heard: () => readonly Heard[]
  readonly paid: () => readonly Heard[]
}

async function serveAgent(
  stage: ClientStage,
  act: (heard: Heard, nth: { readonly url: string; readonly paid: number }) => Said,
): Promise<ScriptedAgent> {
  const heard: Heard[] = []
  const paid = () => heard.filter(({ payment }) => payment !== undefined)
  const [task, contextId] = [randomUUID(), randomUUID()]
  let last: Members | undefined
  const server = await stage.serve((seen, { url }) => {
    const origin = new URL(url).origin
    if (seen.path.endsWith('/agent-card.json')) return { json: cardOf(`${origin}/a2a`) }
    const asked = parseJson(seen.body)
    const { id, method, params } = isObject(asked) ? asked : {}
    const reply = (said: object) => ({ json: { jsonrpc: '2.0', id, ...said } })
    if (method === 'GetTask')
      return reply(last === undefined ? { error: { code: -32001, message: 'Task not found' } } : { result: last })
    const { message } = isObject(params) ? params : {}
    if (method !== 'SendMessage' || !isObject(message))
      return reply({ error: { code: -32601, message: 'Method not found' } })
    const metadata = isObject(message.metadata) ? message.metadata : {}
    const one = { message, metadata, payment: metadata[a2aKey.payload], seen }
    heard.push(one)
    const said = act(one, { url: `${origin}/a2a`, paid: paid().length })
    if (said === 'close') return said
    const { state, text = state, metadata: told } = said
    const parts = [{ text, mediaType: 'text/plain' }]
    const status = {
      state: `TASK_STATE_${state.toUpperCase().replaceAll('-', '_')}`,
      message: { messageId: randomUUID(), taskId: task, contextId, role: 'ROLE_AGENT', parts, metadata: told ?? {} },
    }
    const artifacts = state === 'completed' ? [{ artifactId: 'made', parts }] : []
    last = { id: task, contextId, status, artifacts, history: [] }
    return reply({ result: { task: last } })
  })
  return { url: `${server.url}/a2a`, task, heard: () => heard, paid }
}

function cardOf(url: string): Members {
  return {
    name: 'groat conform',
    description: 'Sells one answer',
    version: '1',
    supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' }],
    capabilities: { extensions: a2aExtensions.map((uri) => ({ uri, description: 'x402', required: false })) },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
  }
}

const requiredBy = (stage: ClientStage, url: string, offers = [stage.offer()]): Said => ({
  state: 'input-required',
  text: 'This has to be paid for.',
  metadata: {
    [a2aKey.status]: 'payment-required',
    [a2aKey.required]: { x402Version: 2, error: 'payment_required', resource: { url }, accepts: offers },
  },
})

const completed = (stage: ClientStage): Said => ({
  state: 'completed',
  text: 'painted',
  metadata: { [a2aKey.status]: 'payment-completed', [a2aKey.receipts]: [stage.receipt()] },
})

const sell = (stage: ClientStage, offers = [stage.offer()]): Promise<ScriptedAgent> =>
  serveAgent(stage, ({ payment, metadata }, { url }) => {
    if (metadata[a2aKey.status] === 'payment-rejected') return { state: 'failed' }
    return payment === undefined ? requiredBy(stage, url, offers) : completed(stage)
  })

/** The one payment for a task. */
function paymentOf(agent: ScriptedAgent, answer: MessageAnswer): Heard {
  const [first] = agent.paid()
  if (first === undefined) fail('the client did not pay', `a payment under ${a2aKey.payload}`, answer)
  const payloads = agent.paid().map(({ payment }) => JSON.stringify(isObject(payment) ? payment.payload : payment))
  expectThat(
    new Set(payloads).size === 1,
    'the client signed more than one payment for one task',
    'one',
    payloads.length,
  )
  return first
}

function expectTask(answer: MessageAnswer, state: string, text: string): void {
  const told = 'ok' in answer ? answer.ok : undefined
  expectSame('the state of the task that is handed over', state, told?.state ?? answer)
  expectThat(told?.texts.includes(text) === true, 'the texts of the task', text, told?.texts)
}

/** How a client pays for tasks of agents (A2A). */
export const clientA2aChecks: readonly Check<ClientStage>[] = [
  clientCheck('A2A-030/submitted', 'a payment is sent in a message to the task that asked for it', async (stage) => {
    const agent = await sell(stage)
    const { message, metadata, payment } = paymentOf(agent, await stage.message(agent.url, 'the sea'))
    expectMessage('a2a/A2aSubmitted', metadata)
    expectMessage('v2/PaymentPayload', payment)
    expectSame('the task of the message', agent.task, message.taskId)
  }),
  clientCheck('A2A-031/task', 'the caller gets the task that was paid for', async (stage) => {
    const agent = await sell(stage)
    const answer = await stage.message(agent.url, 'the sea')
    paymentOf(agent, answer)
    expectTask(answer, 'completed', 'painted')
  }),
  clientCheck('A2A-032/limit', 'nothing is paid for a task when the amount is above the limit', async (stage) => {
    const agent = await sell(stage, [stage.offer({ amount: String(stage.limit + 1n) })])
    await stage.message(agent.url, 'the sea')
    expectSame('payments', 0, agent.paid().length)
  }),
  clientCheck(
    'A2A-034/lost',
    'no second payment is signed when the answer to a paid message is lost',
    async (stage) => {
      const agent = await serveAgent(stage, ({ payment }, { url, paid }) => {
        if (payment === undefined) return requiredBy(stage, url)
        return paid > 1 ? completed(stage) : 'close'
      })
      paymentOf(agent, await stage.message(agent.url, 'the sea'))
    },
  ),
  clientCheck('A2A-035/rejected', 'what will not be paid for is rejected', async (stage) => {
    const agent = await sell(stage, [stage.offer({ amount: String(stage.limit + 1n) })])
    await stage.message(agent.url, 'the sea')
    const said = agent.heard().map(({ metadata }) => metadata[a2aKey.status])
    if (!said.includes('payment-rejected')) warn('the agent is not told', 'payment-rejected', said)
  }),
  clientCheck('A2A-036/asked', 'the extension is asked for in the header', async (stage) => {
    const agent = await sell(stage)
    await stage.message(agent.url, 'the sea')
    const [first] = agent.heard()
    const header = first?.seen.headers['a2a-extensions'] ?? first?.seen.headers['x-a2a-extensions'] ?? ''
    const asked = header.split(',').map((name) => name.trim())
    expectThat(
      asked.some((name) => a2aExtensions.includes(name)),
      'A2A-Extensions of the first message',
      a2aExtensions.join(' or '),
      header,
    )
  }),
  clientCheck('A2A-037/free', 'a task that asks for no payment comes back as it is', async (stage) => {
    const agent = await serveAgent(stage, () => ({ state: 'completed', text: 'for nothing' }))
    expectTask(await stage.message(agent.url, 'the sea'), 'completed', 'for nothing')
    expectSame('messages', 1, agent.heard().length)
  }),
]
