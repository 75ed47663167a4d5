import { randomUUID } from 'node:crypto'
import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail, notApplicable } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import { expectMessage } from '../spec/messages.js'
import type { CallAnswer } from '../target/manifest.js'
import { decodeHeader } from '../wire/messages.js'
import { clientCheck } from './choosing.js'
import { sorted } from './paying.js'
import type { ClientStage } from './stage.js'

type Members = Readonly<Record<string, unknown>>

/** A call of a tool that reached the server of the kit. */
type Call = { readonly params: Members; readonly payment?: unknown; readonly oldPayment?: unknown }

/** What a tool answers: a result, an error of JSON-RPC, or nothing. */
type Said = { readonly result: Members } | { readonly error: Members } | 'close'

/** An MCP server that does what a check says. */
type ToolServer = { readonly url: string; readonly calls: () => readonly Call[]; readonly paid: () => readonly Call[] }

const tool = 'paid'

async function serveTool(
  stage: ClientStage,
  act: (call: Call, nth: { readonly paid: number }) => Said,
): Promise<ToolServer> {
  const calls: Call[] = []
  const paid = () => calls.filter(({ payment, oldPayment }) => (payment ?? oldPayment) !== undefined)
  const listed = { name: tool, description: 'is sold', inputSchema: { type: 'object' } }
  const server = await stage.serve(({ method, body }) => {
    if (method !== 'POST') return { status: 405 }
    const message = parseJson(body)
    const { id, method: asked, params } = isObject(message) ? message : {}
    if (id === undefined) return { status: 202 }
    const reply = (said: object) => ({ json: { jsonrpc: '2.0', id, ...said } })
    if (asked === 'initialize') {
      const { protocolVersion } = isObject(params) ? params : {}
      const serverInfo = { name: 'groat conform', version: '1' }
      return reply({ result: { protocolVersion, capabilities: { tools: {} }, serverInfo } })
    }
    if (asked === 'tools/list') return reply({ result: { tools: [listed] } })
    if (asked !== 'tools/call') return reply({ result: {} })
    const members = isObject(params) ? params : {}
    const meta = isObject(members._meta) ? members._meta : {}
    calls.push({ params: members, payment: meta['x402/payment'], oldPayment: meta['x402.payment'] })
    const said = act(calls.at(-1) ?? { params: members }, { paid: paid().length })
    return said === 'close' ? said : reply(said)
  })
  return { url: `${server.url}/mcp`, calls: () => calls, paid }
}

const text = (value: unknown) => [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }]

/** A challenge as a result has it. */
const asking = (required: Members): Said => ({
  result: { isError: true, structuredContent: required, content: text(required) },
})

const requiredBy = (stage: ClientStage, more: Members = {}, offers = [stage.offer()]): Members => ({
  x402Version: 2,
  error: 'payment_required',
  resource: { url: `mcp://tool/${tool}` },
  accepts: offers,
  ...more,
})

const delivered = (stage: ClientStage, more: Members = {}): Said => ({
  result: {
    content: text('served'),
    structuredContent: { served: true, list: [1, null] },
    ...more,
    _meta: { 'x402/payment-response': stage.receipt() },
  },
})

/** Sells one tool by a challenge, and delivers to whoever pays. */
const sell = (stage: ClientStage, challenge: Said): Promise<ToolServer> =>
  serveTool(stage, ({ payment, oldPayment }) =>
    payment === undefined && oldPayment === undefined ? challenge : delivered(stage),
  )

/** The one payment for a tool. None, or payments that differ, fail the check. */
function paymentOf(server: ToolServer, answer: CallAnswer): Members {
  const [first] = server.paid()
  if (first === undefined) fail('the client did not pay', 'a payment in _meta', answer)
  expectOnce(server)
  if (!isObject(first.payment)) fail('the payment', 'an object under x402/payment', first.params._meta)
  return first.payment
}

function expectOnce(server: ToolServer): void {
  const payloads = server.paid().map(({ payment }) => JSON.stringify(isObject(payment) ? payment.payload : payment))
  expectThat(
    new Set(payloads).size <= 1,
    'the client signed more than one payment for one call',
    'one',
    payloads.length,
  )
}

const expectUnpaid = (server: ToolServer, because: string): void =>
  expectThat(server.paid().length === 0, `the client pays although ${because}`, 'no payment', server.paid()[0]?.params)

function expectResult(answer: CallAnswer, wanted: Said): void {
  if (!('ok' in answer)) fail('the client did not hand over the result', 'ok', answer)
  const { content, structuredContent, isError } = answer.ok.result
  const { result } = typeof wanted === 'object' && 'result' in wanted ? wanted : { result: {} }
  const right = {
    content: result.content,
    structuredContent: result.structuredContent,
    isError: result.isError === true,
  }
  expectSame('the result', sorted(right), sorted({ content, structuredContent, isError: isError === true }))
}

/** Offers of a tool that no client may pay. */
const unpaid = (id: string, because: string, challenge: (stage: ClientStage) => Said): Check<ClientStage> =>
  clientCheck(id, `nothing is paid for a tool when ${because}`, async (stage) => {
    const server = await sell(stage, challenge(stage))
    await stage.call(server.url, tool, { order: 'one' })
    expectUnpaid(server, because)
  })

/** A form of a challenge that is to be paid. */
const read = (id: string, what: string, challenge: (stage: ClientStage) => Said): Check<ClientStage> =>
  clientCheck(id, `${what} is paid`, async (stage) => {
    const server = await sell(stage, challenge(stage))
    paymentOf(server, await stage.call(server.url, tool, { order: 'one' }))
  })

/** How a client pays for tools (MCP). */
export const clientMcpChecks: readonly Check<ClientStage>[] = [
  clientCheck('MCP-030/meta', 'a payment stands in _meta of the same call, as an object', async (stage) => {
    const server = await sell(stage, asking(requiredBy(stage)))
    const order = randomUUID()
    const payment = paymentOf(server, await stage.call(server.url, tool, { order }))
    expectMessage('v2/PaymentPayload', payment)
    const { name, arguments: given } = server.paid()[0]?.params ?? {}
    expectSame('the call that is paid for', [tool, { order }], [name, given])
  }),
  clientCheck('MCP-031/whole', 'the caller gets the whole result that was paid for', async (stage) => {
    const server = await sell(stage, asking(requiredBy(stage)))
    const answer = await stage.call(server.url, tool, { order: 'one' })
    paymentOf(server, answer)
    expectResult(answer, delivered(stage))
  }),
  clientCheck('MCP-032/unchanged', 'results that ask for no payment come back unchanged', async (stage) => {
    for (const said of [
      { result: { content: text('free'), structuredContent: { accepts: 'cash' } } },
      { result: { isError: true, content: text('Payment required: see the desk') } },
      { result: { isError: true, content: text({ x402Version: 2, note: 'no offers' }) } },
    ]) {
      const server = await serveTool(stage, () => said)
      const answer = await stage.call(server.url, tool, { order: 'one' })
      expectUnpaid(server, 'the result asks for no payment')
      expectSame('how often the tool was called', 1, server.calls().length)
      expectResult(answer, said)
    }
  }),
  unpaid('MCP-033/limit', 'the amount is above the limit', (stage) =>
    asking(requiredBy(stage, {}, [stage.offer({ amount: String(stage.limit + 1n) })])),
  ),
  unpaid('MCP-033/other-tool', 'the offers name another tool', (stage) =>
    asking(requiredBy(stage, { resource: { url: 'mcp://tool/another' } })),
  ),
  unpaid('MCP-033/not-an-error', 'offers stand in a result that is none', (stage) => ({
    result: { content: text('served'), structuredContent: requiredBy(stage) },
  })),
  clientCheck('MCP-035/lost', 'no second payment is signed when the answer to a paid call is lost', async (stage) => {
    const server = await serveTool(stage, ({ payment }, { paid }) => {
      if (payment === undefined) return asking(requiredBy(stage))
      return paid > 1 ? delivered(stage) : 'close'
    })
    const answer = await stage.call(server.url, tool, { order: 'one' })
    paymentOf(server, answer)
  }),
  clientCheck('MCP-035/again', 'a second challenge is not paid with a second signature', async (stage) => {
    const server = await serveTool(stage, () => asking(requiredBy(stage)))
    paymentOf(server, await stage.call(server.url, tool, { order: 'one' }))
  }),
  ...([-32042, 402] as const).map((code) =>
    read(
      `MCP-038/code${code === 402 ? '-402' : '-32042'}`,
      `a challenge in an error with the code ${code}`,
      (stage) => ({
        error: { code, message: 'Payment required', data: requiredBy(stage) },
      }),
    ),
  ),
  read('MCP-038/in-x402', 'a challenge in `x402` of the data of an error', (stage) => ({
    error: { code: -32042, message: 'Payment required', data: { x402: requiredBy(stage) } },
  })),
  read('MCP-039/words', 'a challenge with an error in other words', (stage) =>
    asking(requiredBy(stage, { error: 'Das kostet etwas.' })),
  ),
  read('MCP-039/text', 'a challenge that is text alone', (stage) => ({
    result: { isError: true, content: text(requiredBy(stage)) },
  })),
  clientCheck('MCP-040/version-1', 'a challenge of version 1 is paid under both keys', async (stage) => {
    const { amount, ...rest } = stage.offer()
    const described = { resource: `mcp://tool/${tool}`, description: 'is sold', mimeType: 'application/json' }
    const offer = { ...rest, ...described, network: stage.rail.v1Network, maxAmountRequired: amount }
    const server = await sell(stage, asking({ x402Version: 1, error: 'payment_required', accepts: [offer] }))
    await stage.call(server.url, tool, { order: 'one' })
    const [first] = server.paid()
    if (first === undefined) notApplicable('the client does not pay in version 1')
    const { payment, oldPayment } = first
    expectThat(isObject(payment) && payment.x402Version === 1, 'x402/payment', 'an object of version 1', payment)
    const old = typeof oldPayment === 'string' ? decodeHeader(oldPayment) : oldPayment
    expectSame('what stands under x402.payment', sorted(payment), sorted(old))
  }),
]
