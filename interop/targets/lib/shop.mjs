// The shop of a target: what the kit asks a resource server to sell.

const { X402_FACILITATOR_URL, X402_NETWORK, X402_PAY_TO, X402_ASSET, X402_AMOUNT } = process.env

/** What the kit told the server. */
export const sale = {
  facilitator: X402_FACILITATOR_URL,
  network: X402_NETWORK,
  payTo: X402_PAY_TO,
  asset: X402_ASSET,
  amount: X402_AMOUNT,
  isSolana: X402_NETWORK?.startsWith('solana:'),
}

/** The paid routes of `/conformance/`. */
export const paths = ['paid', 'failing', 'throwing', 'cached', 'forged', 'stream'].map((name) => `/conformance/${name}`)

const secret = JSON.stringify({ resource: 'groat-conformance-secret' })
const json = { 'content-type': 'application/json' }
const forged = Buffer.from('{"success":true,"transaction":"forged"}').toString('base64')
const hits = {}

/** What a route answers, as `[status, headers, parts of the body]`. A route that fails throws. */
export function answerOf(path) {
  const name = path.replace('/conformance/', '')
  if (name === 'hits') return [200, json, [JSON.stringify({ hits })]]
  hits[name] = (hits[name] ?? 0) + 1
  if (name === 'failing') return [500, json, ['{"error":"broken"}']]
  if (name === 'throwing') throw new Error('broken')
  if (name === 'cached') return [200, { ...json, 'cache-control': 'public, s-maxage=60, max-age=60' }, [secret]]
  if (name === 'forged') return [200, { ...json, 'payment-response': forged }, [secret]]
  if (name === 'stream') return [200, {}, [secret, '\n', 'end']]
  return [200, { ...json, 'x-work': 'done', 'set-cookie': 'work=groat-conformance-secret' }, [secret]]
}

/** The shop on Express, behind its paywall. */
export function onExpress(app) {
  app.get(/^\/conformance\//, (request, response) => {
    const [status, headers, parts] = answerOf(request.path)
    response.status(status).set(headers)
    for (const part of parts) response.write(part)
    response.end()
  })
  return app
}

/** The shop on Hono, behind its paywall. */
export function onHono(app) {
  app.get('/conformance/:name', (c) => {
    const [status, headers, parts] = answerOf(c.req.path)
    const rest = parts.map((part) => new TextEncoder().encode(part))
    const body = new ReadableStream({
      pull: (controller) => (rest.length > 0 ? controller.enqueue(rest.shift()) : controller.close()),
    })
    return new Response(body, { status, headers })
  })
  return app
}
