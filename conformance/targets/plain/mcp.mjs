// An MCP server over stdio in plain Node, without any package: tools that are sold, in the order match, verify, work, settle, answer.
import { createInterface } from 'node:readline'

const { X402_FACILITATOR_URL, X402_NETWORK, X402_PAY_TO, X402_ASSET, X402_AMOUNT } = process.env
const secret = { resource: 'groat-conformance-secret' }
const supported = await (await fetch(`${X402_FACILITATOR_URL}/supported`)).json()
const kind = supported.kinds.find(({ x402Version, network }) => x402Version === 2 && network === X402_NETWORK)
const offer = {
  scheme: 'exact',
  network: X402_NETWORK,
  amount: X402_AMOUNT,
  asset: X402_ASSET,
  payTo: X402_PAY_TO,
  maxTimeoutSeconds: 60,
  extra: X402_NETWORK.startsWith('solana:') ? kind.extra : { name: 'USDC', version: '2' },
}

const hits = { mcp: 0 }
const claims = new Map()
const cancelled = new Set()
const text = (value, more = {}) => ({ content: [{ type: 'text', text: JSON.stringify(value) }], ...more })

const tools = {
  paid: ({ order }) => text({ ...secret, order, work: ++hits.mcp }),
  failing: () => text({ error: 'broken' }, { isError: true }),
  reporting: (_, { progressToken }) => {
    for (const progress of [1, 2])
      say({ method: 'notifications/progress', params: { progressToken, progress, total: 2 } })
    return text(secret)
  },
}

function refuse(name, error, receipt) {
  const required = { x402Version: 2, error, resource: { url: `mcp://tool/${name}` }, accepts: [offer] }
  const meta = receipt === undefined ? {} : { _meta: { 'x402/payment-response': receipt } }
  return text(required, { isError: true, structuredContent: required, ...meta })
}

/** Sells a tool: a payment buys one call, and a copy of it gets what the first one got. */
async function sell(name, given, meta, id) {
  const payment = meta['x402/payment']
  if (payment === undefined) return refuse(name, 'payment_required')
  if (payment?.x402Version !== 2 || typeof payment.payload !== 'object') return refuse(name, 'invalid_payload')
  if (!matches(payment.accepted)) return refuse(name, 'no_matching_requirements')
  const call = JSON.stringify([name, given])
  const key = JSON.stringify(payment.payload)
  const known = claims.get(key)
  if (known !== undefined) return known.call === call ? known.result : refuse(name, 'idempotency_mismatch')
  const result = serve(name, given, meta, id, payment)
  claims.set(key, { call, result })
  const { isError } = await result
  if (isError) claims.delete(key)
  return result
}

async function serve(name, given, meta, id, payment) {
  const verdict = await ask('/verify', payment)
  if (verdict.isValid !== true) return refuse(name, verdict.invalidReason ?? 'invalid_payload')
  const result = tools[name](given, meta)
  if (result.isError || cancelled.has(id)) return { ...result, isError: true }
  const receipt = await ask('/settle', payment)
  if (receipt.success !== true) return refuse(name, receipt.errorReason ?? 'invalid_payload', receipt)
  return { ...result, _meta: { 'x402/payment-response': receipt } }
}

function matches(accepted) {
  const same = ['scheme', 'network', 'amount', 'asset', 'payTo'].every((name) => accepted?.[name] === offer[name])
  return same && Object.entries(offer.extra).every(([name, value]) => accepted.extra?.[name] === value)
}

async function ask(path, paymentPayload) {
  const body = JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: offer })
  const headers = { 'content-type': 'application/json' }
  return (await fetch(X402_FACILITATOR_URL + path, { method: 'POST', headers, body, redirect: 'error' })).json()
}

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'plain', version: '1' },
  }),
  'tools/list': () => ({
    tools: ['hits', ...Object.keys(tools)].map((name) => ({ name, inputSchema: { type: 'object' } })),
  }),
  'tools/call': ({ name, arguments: given = {}, _meta = {} }, id) => {
    if (name === 'hits') return text({ hits })
    if (!(name in tools)) throw new Error('there is no such tool')
    if (typeof given.order !== 'string') throw new Error('the order is no text')
    return sell(name, given, _meta, id)
  },
}

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, method, params = {} } = JSON.parse(line)
  if (method === 'notifications/cancelled') cancelled.add(params.requestId)
  if (id === undefined) return
  try {
    const result = await (answers[method] ?? (() => ({})))(params, id)
    if (!cancelled.has(id)) say({ id, result })
  } catch ({ message }) {
    say({ id, error: { code: -32602, message } })
  }
})
