import { asSaid, counting, hearing, type Part, type Passing, type Said, saying, sayingOther } from './middle.js'
import { type Json, type ServerMutant, secret } from './server-faults.js'

const isCall = (passing: Passing) => (passing.json as Json)?.method === 'tools/call'
const paramsOf = (passing: Passing): Json => (passing.json as Json)?.params
const paymentIn = (passing: Passing): Json => paramsOf(passing)?._meta?.['x402/payment']

/** What was said, as JSON: our server streams it. */
const messageIn = (said: Said): Json => said.json ?? JSON.parse(/^data: ?(.*)$/m.exec(said.text)?.[1] ?? 'null')

const asJson = (said: Said, message: Json) =>
  saying({ ...said, headers: { ...said.headers, 'content-type': 'application/json' } }, message)

const withParams = (passing: Passing, params: object) => ({
  json: { ...(passing.json as object), params: { ...paramsOf(passing), ...params } },
})

/** The result in an answer to a call. */
function resultIn(said: Said, passing: Passing): Part | undefined {
  const message = isCall(passing) ? messageIn(said) : undefined
  const value = message?.result
  return value === undefined ? undefined : { value, put: (result) => asJson(said, { ...message, result }) }
}

/** Changes the results of calls. */
export const results = (
  name: string,
  kills: readonly string[],
  change: (result: Json, passing: Passing) => Json,
): ServerMutant => ({ name, kills, fault: () => sayingOther(resultIn, change) })

/** Hears other calls than were made. */
const hears = (name: string, kills: readonly string[], change: (params: Json) => object): ServerMutant => ({
  name,
  kills,
  fault: () => hearing((passing) => (isCall(passing) ? withParams(passing, change(paramsOf(passing))) : undefined)),
})

const served = { content: [{ type: 'text', text: JSON.stringify(secret) }] }

const withMeta = (result: Json, key: string, value: unknown) => {
  const { [key]: _, ...rest } = result._meta ?? {}
  return { ...result, _meta: value === undefined ? rest : { ...rest, [key]: value } }
}

const withoutPayment = ({ _meta: { 'x402/payment': _, ...rest } = {} as Json }: Json) => ({ _meta: rest })

/** A counter of work that the honest server does not do. */
const busy = (name: string, kills: readonly string[], when: (passing: Passing) => boolean): ServerMutant => ({
  name,
  kills,
  fault: () => counting('mcp', (passing) => isCall(passing) && when(passing)),
})

/** Broken in how they sell tools over MCP. */
export const mcpMutants: readonly ServerMutant[] = [
  results('gives offers of tools without isError', ['MCP-001/unpaid/evm'], ({ isError: _, ...result }) => result),
  results(
    'gives offers of tools as text alone',
    ['MCP-001/unpaid/evm', 'MCP-002/text/evm'],
    ({ structuredContent: _, ...result }) => result,
  ),
  results('gives offers of tools as a sentence', ['MCP-002/text/evm'], (result) =>
    result.isError ? { ...result, content: [{ type: 'text', text: 'Payment required' }] } : result,
  ),
  busy('runs tools for nothing', ['MCP-001/unpaid/evm'], () => true),
  hears('looks for payments of tools elsewhere', ['MCP-003/paid/evm', 'MCP-004/receipt/evm'], withoutPayment),
  results('gives no receipt for a tool', ['MCP-004/receipt/evm', 'MCP-012/unknown/evm'], (result) =>
    withMeta(result, 'x402/payment-response', undefined),
  ),
  results('gives receipts for tools of version 2 only', ['MCP-005/receipt/evm'], (result) => {
    const receipt = result._meta?.['x402/payment-response']
    return receipt === undefined
      ? result
      : withMeta(result, 'x402/payment-response', { ...receipt, network: 'eip155:84532' })
  }),
  results('gives offers of tools of version 2 only', ['MCP-005/refused/evm'], (result) =>
    result.structuredContent?.x402Version === 1
      ? { ...result, structuredContent: { ...result.structuredContent, x402Version: 2 } }
      : result,
  ),
  results('answers old clients under new keys', ['MCP-006/old-keys/evm'], (result) =>
    withMeta(result, 'x402.payment-response', undefined),
  ),
  busy(
    'runs a tool for every copy of a payment',
    ['MCP-007/again/evm', 'MCP-007/at-once/evm'],
    (passing) => paymentIn(passing) !== undefined,
  ),
  results('gives every copy of a payment a new result', ['MCP-007/again/evm'], (result) =>
    result.isError
      ? result
      : { ...result, content: [{ type: 'text', text: `${result.content[0].text} ${Math.random()}` }] },
  ),
  results('takes a payment for a tool for any arguments', ['MCP-008/other-arguments/evm'], (result, passing) =>
    paramsOf(passing).arguments.order === 'another' ? served : result,
  ),
  {
    name: 'settles for tools that fail',
    kills: ['MCP-009/failing/evm'],
    fault: (env) => async (passing, forward) => {
      if (paramsOf(passing)?.name === 'failing' && paymentIn(passing) !== undefined)
        await fetch(`${env.X402_FACILITATOR_URL}/settle`, { method: 'POST', body: '{}' })
      return asSaid(await forward())
    },
  },
  results(
    'gives the result of a tool whatever became of the payment',
    [
      'MCP-011/refused/evm',
      'MCP-012/unknown/evm',
      'MCP-009/failing/evm',
      'MCP-013/no-payment/evm',
      'MCP-008/other-arguments/evm',
    ],
    (result, passing) => (paymentIn(passing) === undefined ? result : { ...served, _meta: result._meta }),
  ),
  results('gives no receipt for a tool that fails', ['MCP-010/upfront/evm'], (result, passing) =>
    paramsOf(passing).name === 'upfront' ? withMeta(result, 'x402/payment-response', undefined) : result,
  ),
  {
    name: 'does not hear that a call is cancelled',
    kills: ['MCP-016/cancelled/evm'],
    fault: () => async (passing, forward) =>
      (passing.json as Json)?.method === 'notifications/cancelled' ? { status: 202 } : asSaid(await forward()),
  },
  {
    name: 'keeps the progress of tools to itself',
    kills: ['MCP-017/progress/evm'],
    fault: () => async (_, forward) => {
      const said = await forward()
      const events = said.text.split('\n\n').filter((event) => !event.includes('notifications/progress'))
      return asSaid({ ...said, text: events.join('\n\n') })
    },
  },
  hears('takes what is no payment for no payment', ['MCP-013/no-payment/evm'], (params) =>
    params._meta?.['x402/payment']?.payload === undefined ? withoutPayment(params) : params,
  ),
  results('lets tools write receipts', ['MCP-014/forged/evm'], (result, passing) =>
    paramsOf(passing).name === 'forging' && !result.isError
      ? withMeta(result, 'x402/payment-response', { success: true, transaction: 'forged' })
      : result,
  ),
  {
    name: 'verifies before it looks at arguments',
    kills: ['MCP-015/arguments/evm', 'MCP-020/free/evm'],
    fault: (env) => async (passing, forward) => {
      if (paymentIn(passing) !== undefined)
        await fetch(`${env.X402_FACILITATOR_URL}/verify`, { method: 'POST', body: '{}' })
      return asSaid(await forward())
    },
  },
  {
    name: 'gives resources away',
    kills: ['MCP-018/resource/evm'],
    fault: () => async (passing, forward) => {
      const said = await forward()
      if ((passing.json as Json)?.method !== 'resources/read') return asSaid(said)
      const { error: _, ...message } = messageIn(said)
      return asJson(said, { ...message, result: { contents: [] } })
    },
  },
  results('does not name the tool in its offers', ['MCP-019/name/evm'], (result) =>
    result.structuredContent?.resource === undefined
      ? result
      : { ...result, structuredContent: { ...result.structuredContent, resource: { url: 'http://127.0.0.1/mcp' } } },
  ),
  results('gives receipts for tools that cost nothing', ['MCP-020/free/evm'], (result, passing) =>
    paramsOf(passing).name === 'free' ? withMeta(result, 'x402/payment-response', { success: true }) : result,
  ),
]
