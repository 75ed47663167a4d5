// A resource server in plain Node, without any package: what a target in another language has to do. One offer, strict
// order: match, verify, work, settle, answer.
import { createServer } from 'node:http'

const { PORT = '0', X402_FACILITATOR_URL, X402_NETWORK, X402_PAY_TO, X402_ASSET, X402_AMOUNT } = process.env
const secret = JSON.stringify({ resource: 'groat-conformance-secret' })
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64')
const hits = {}

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

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost')
  if (pathname === '/conformance/hits') return end(response, 200, {}, JSON.stringify({ hits }))
  if (pathname !== '/conformance/paid') return end(response, 404, {}, '')
  const refuse = (error, headers = {}) => {
    const resource = { url: `http://${request.headers.host}${request.url}` }
    const offers = base64({ x402Version: 2, error, resource, accepts: [offer] })
    end(response, 402, { 'payment-required': offers, 'cache-control': 'no-store', ...headers }, '{}')
  }
  const header = request.headers['payment-signature']
  if (!header) return refuse('payment_required')
  const payment = decode(header)
  if (payment === undefined) return refuse('invalid_payload')
  if (!matches(payment.accepted)) return refuse('no_matching_requirements')
  try {
    const verdict = await ask('/verify', payment)
    if (verdict.isValid !== true) return refuse(verdict.invalidReason ?? 'invalid_payload')
    hits.paid = (hits.paid ?? 0) + 1
    const receipt = await ask('/settle', payment)
    const shown = { 'payment-response': base64(receipt), 'cache-control': 'private' }
    if (receipt.errorReason === 'settlement_pending') return end(response, 503, { ...shown, 'retry-after': '1' }, '{}')
    if (receipt.success === false) return refuse(receipt.errorReason ?? 'invalid_payload', shown)
    if (receipt.success !== true) return end(response, 502, {}, '{}')
    end(response, 200, { ...shown, 'content-type': 'application/json' }, secret)
  } catch {
    end(response, 503, { 'retry-after': '1' }, '{}')
  }
})

const end = (response, status, headers, body) => void response.writeHead(status, headers).end(body)

function decode(header) {
  if (header.length % 4 === 1 || !/^[A-Za-z0-9+/]+={0,2}$/.test(header)) return undefined
  try {
    const payment = JSON.parse(Buffer.from(header, 'base64').toString())
    const isPayment = payment?.x402Version === 2 && typeof payment.payload === 'object' && payment.payload !== null
    return isPayment ? payment : undefined
  } catch {
    return undefined
  }
}

function matches(accepted) {
  const same = ['scheme', 'network', 'amount', 'asset', 'payTo'].every((name) => accepted?.[name] === offer[name])
  return same && Object.entries(offer.extra).every(([name, value]) => accepted.extra?.[name] === value)
}

async function ask(path, paymentPayload) {
  const body = JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: offer })
  const headers = { 'content-type': 'application/json' }
  const signal = AbortSignal.timeout(10_000)
  return (await fetch(X402_FACILITATOR_URL + path, { method: 'POST', headers, body, signal, redirect: 'error' })).json()
}

server.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ ready: { url: `http://127.0.0.1:${server.address().port}` } })}\n`)
})
