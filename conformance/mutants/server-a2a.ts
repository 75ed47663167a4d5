import { asSaid, counting, hearing, type Part, type Passing, type Said, saying, sayingOther } from './middle.js'
import { encode, type Json, type ServerMutant, secret } from './server-faults.js'

const isAgent = ({ path }: Passing) => /^\/conformance\/a2a(-upfront)?$/.test(path)
const messageOf = (passing: Passing): Json => (passing.json as Json)?.params?.message
const paymentIn = (passing: Passing): Json => messageOf(passing)?.metadata?.['x402.payment.payload']
const textIn = (passing: Passing): string => String(messageOf(passing)?.parts?.[0]?.text)
const statusIn = (said: Said): Json => said.json?.result?.task?.status

const withMessage = (passing: Passing, change: (message: Json) => Json) => {
  const json = passing.json as Json
  return { json: { ...json, params: { ...json.params, message: change(json.params.message) } } }
}

/** The task in an answer of the agent. */
function taskIn(said: Said, passing: Passing): Part | undefined {
  const value = isAgent(passing) ? said.json?.result?.task : undefined
  return value === undefined ? undefined : { value, put: (task) => saying(said, { ...said.json, result: { task } }) }
}

/** Changes tasks that it answers with. */
const tasks = (
  name: string,
  kills: readonly string[],
  change: (task: Json, passing: Passing) => Json,
): ServerMutant => ({ name, kills, fault: () => sayingOther(taskIn, change) })

/** Changes the metadata of the status of tasks. */
const metadata = (
  name: string,
  kills: readonly string[],
  change: (metadata: Json, passing: Passing) => Json,
): ServerMutant =>
  tasks(name, kills, (task, passing) => {
    const { message } = task.status
    if (message?.metadata === undefined) return task
    return { ...task, status: { ...task.status, message: { ...message, metadata: change(message.metadata, passing) } } }
  })

/** Hears other messages than were sent. */
const hears = (name: string, kills: readonly string[], change: (message: Json) => Json): ServerMutant => ({
  name,
  kills,
  fault: () =>
    hearing((passing) => (isAgent(passing) && messageOf(passing) ? withMessage(passing, change) : undefined)),
})

/** A counter of work that the honest agent does not do. */
const busy = (name: string, kills: readonly string[], when: (passing: Passing) => boolean): ServerMutant => ({
  name,
  kills,
  fault: () => counting('a2a', (passing) => isAgent(passing) && when(passing)),
})

/** Asks the facilitator to settle where the honest agent does not. */
const settles = (
  name: string,
  kills: readonly string[],
  when: (passing: Passing, said: Said) => boolean,
): ServerMutant => ({
  name,
  kills,
  fault: (env) => async (passing, forward) => {
    const said = await forward()
    if (isAgent(passing) && when(passing, said)) {
      const body = JSON.stringify({ paymentPayload: paymentIn(passing) ?? {}, paymentRequirements: {} })
      await fetch(`${env.X402_FACILITATOR_URL}/settle`, { method: 'POST', body })
    }
    return asSaid(said)
  },
})

/** What was made, as artifacts. */
const made = (text: string) => [{ artifactId: 'made', parts: [{ text }] }]

const without =
  (key: string) =>
  ({ [key]: _, ...rest }: Json) =>
    rest

/** Broken in how they sell the work of agents (A2A). */
export const a2aMutants: readonly ServerMutant[] = [
  tasks('completes tasks that ask for a payment', ['A2A-001/waits/evm', 'A2A-010/words/evm'], (task) =>
    task.status.state === 'TASK_STATE_INPUT_REQUIRED'
      ? { ...task, status: { ...task.status, state: 'TASK_STATE_COMPLETED' } }
      : task,
  ),
  busy('an agent works for nothing', ['A2A-001/waits/evm', 'A2A-017/rejected/evm'], () => true),
  metadata(
    'makes offers under a key of its own',
    ['A2A-002/offers/evm', 'A2A-003/paid/evm', 'A2A-015/no-payment/evm'],
    ({ 'x402.payment.required': required, ...rest }) => ({ ...rest, 'my.offers': required }),
  ),
  metadata('makes offers in base64', ['A2A-002/offers/evm'], (found) =>
    found['x402.payment.required'] === undefined
      ? found
      : { ...found, 'x402.payment.required': encode(found['x402.payment.required']) },
  ),
  hears(
    'an agent does not read payments',
    ['A2A-003/paid/evm', 'A2A-004/receipt/evm'],
    ({ metadata: _, ...rest }) => rest,
  ),
  tasks('an agent answers the message that pays', ['A2A-003/paid/evm'], (task, passing) =>
    paymentIn(passing) === undefined || task.artifacts === undefined
      ? task
      : { ...task, artifacts: made(JSON.stringify({ ...secret, order: textIn(passing) })) },
  ),
  metadata(
    'an agent gives no receipts',
    ['A2A-004/receipt/evm', 'A2A-009/upfront/evm', 'A2A-014/pending/evm'],
    (found) => without('x402.payment.receipts')(found),
  ),
  metadata('names another payer in the receipts of a task', ['A2A-004/receipt/evm'], (found) => ({
    ...found,
    'x402.payment.receipts': (found['x402.payment.receipts'] ?? []).map((receipt: Json) => ({
      ...receipt,
      payer: `0x${'1'.repeat(40)}`,
    })),
  })),
  hears('takes payments in a second message only', ['A2A-005/first-message/evm'], (message) => {
    if (message.taskId !== undefined) return message
    const { metadata: _, ...rest } = message
    return rest
  }),
  busy(
    'an agent works for every copy of a payment',
    ['A2A-006/again/evm', 'A2A-006/at-once/evm'],
    (passing) => paymentIn(passing) !== undefined,
  ),
  tasks('an agent gives every copy of a payment another answer', ['A2A-006/again/evm'], (task) =>
    task.artifacts?.length > 0 ? { ...task, artifacts: made(`${secret.resource} ${Math.random()}`) } : task,
  ),
  tasks('takes a payment for any message', ['A2A-007/other-message/evm'], (task, passing) =>
    paymentIn(passing) === undefined
      ? task
      : { ...task, status: { ...task.status, state: 'TASK_STATE_COMPLETED' }, artifacts: made(secret.resource) },
  ),
  settles(
    'settles for tasks whose work fails',
    ['A2A-008/failing/evm'],
    (passing, said) => paymentIn(passing) !== undefined && statusIn(said)?.state === 'TASK_STATE_FAILED',
  ),
  metadata('says how a payment stands in words of its own', ['A2A-010/words/evm', 'A2A-002/offers/evm'], (found) => ({
    ...found,
    'x402.payment.status': 'please-pay',
  })),
  metadata('says that a payment that failed is completed', ['A2A-010/words/evm'], (found) =>
    found['x402.payment.status'] === 'payment-failed'
      ? { ...found, 'x402.payment.status': 'payment-completed' }
      : found,
  ),
  tasks(
    'gives the work of an agent whatever became of the payment',
    [
      'A2A-011/refused/evm',
      'A2A-011/invalid/evm',
      'A2A-014/pending/evm',
      'A2A-015/no-payment/evm',
      'A2A-008/failing/evm',
    ],
    (task, passing) => (paymentIn(passing) === undefined ? task : { ...task, artifacts: made(secret.resource) }),
  ),
  metadata('says why a payment failed in codes alone', ['A2A-012/word/evm'], (found) =>
    found['x402.payment.error'] === undefined ? found : { ...found, 'x402.payment.error': 'payment_expired' },
  ),
  metadata('says why a payment failed in seven words alone', ['A2A-012/word/evm', 'A2A-015/no-payment/evm'], (found) =>
    found['x402.payment.error'] === undefined
      ? found
      : {
          ...found,
          'x402.payment.required': { ...found['x402.payment.required'], error: 'Something is wrong' },
          'x402.payment.receipts': [],
        },
  ),
  metadata('keeps the last receipt of a task alone', ['A2A-013/history/evm'], (found) => ({
    ...found,
    'x402.payment.receipts': (found['x402.payment.receipts'] ?? []).slice(-1),
  })),
  tasks('ends a task whose payment may have been settled', ['A2A-014/pending/evm'], (task) =>
    task.status.message?.metadata?.['x402.payment.status'] === 'payment-submitted'
      ? { ...task, status: { ...task.status, state: 'TASK_STATE_FAILED' } }
      : task,
  ),
  metadata('lets the work of an agent write receipts', ['A2A-016/forged/evm'], (found) =>
    found['x402.payment.status'] === 'payment-completed'
      ? {
          ...found,
          'x402.payment.receipts': [...found['x402.payment.receipts'], { success: true, transaction: 'forged' }],
        }
      : found,
  ),
  tasks('keeps tasks waiting whose payment was rejected', ['A2A-017/rejected/evm'], (task) =>
    task.status.state === 'TASK_STATE_FAILED'
      ? { ...task, status: { ...task.status, state: 'TASK_STATE_INPUT_REQUIRED' } }
      : task,
  ),
  {
    name: 'does not say which extension it follows',
    kills: ['A2A-018/activated/evm'],
    fault: () => async (_, forward) => {
      const { headers, ...said } = await forward()
      return asSaid({ ...said, headers: without('a2a-extensions')(headers) })
    },
  },
  {
    name: 'follows every extension',
    kills: ['A2A-018/activated/evm'],
    fault: () => async (passing, forward) => {
      const said = await forward()
      const asked = passing.headers['a2a-extensions']
      return asSaid({ ...said, headers: { ...said.headers, ...(asked ? { 'a2a-extensions': String(asked) } : {}) } })
    },
  },
  settles(
    'settles for tasks that nobody knows',
    ['A2A-019/unknown-task/evm'],
    (passing, said) => paymentIn(passing) !== undefined && said.json?.error?.code === -32001,
  ),
  settles(
    'settles for tasks that have ended',
    ['A2A-019/ended-task/evm'],
    (passing, said) =>
      paymentIn(passing) !== undefined && said.json?.error !== undefined && said.json.error.code !== -32001,
  ),
  settles(
    'settles for tasks that were cancelled',
    ['A2A-021/cancelled/evm'],
    (passing, said) =>
      paymentIn(passing) !== undefined && said.json?.result?.task?.status?.state !== 'TASK_STATE_COMPLETED',
  ),
  {
    name: 'does not read payments of version 0.3',
    kills: ['A2A-003/version-0.3/evm'],
    fault: () =>
      hearing((passing) =>
        (passing.json as Json)?.method === 'message/send'
          ? withMessage(passing, ({ metadata: _, ...rest }) => rest)
          : undefined,
      ),
  },
  {
    name: 'cancels tasks that it is paid for',
    kills: ['A2A-022/settling/evm'],
    fault: () => async (passing, forward) => {
      const said = await forward()
      if ((passing.json as Json)?.method !== 'CancelTask') return asSaid(said)
      const status = { state: 'TASK_STATE_CANCELED' }
      return saying(said, { jsonrpc: '2.0', id: said.json?.id, result: { id: 'cancelled', contextId: 'none', status } })
    },
  },
  {
    name: 'has no card that declares the extension',
    kills: ['A2A-020/card/evm'],
    fault: () => async (passing, forward) => {
      const said = await forward()
      return passing.path.endsWith('agent-card.json') ? saying(said, { ...said.json, capabilities: {} }) : asSaid(said)
    },
  },
]
