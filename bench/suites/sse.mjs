import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { listen } from '../lib/http.mjs'
import { paymentsFor } from '../lib/payments.mjs'
import { startStubFacilitator } from '../lib/stub-facilitator.mjs'

const network = 'eip155:84532'
const ROUNDS = 60

/** How long after the bare handler's the first byte of an event stream leaves, in accepted mode and in optimistic. */
export async function run() {
  const facilitator = await startStubFacilitator()
  const paid = paywall({
    facilitator: facilitator.url,
    payTo: { [network]: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const app = new Hono()
    .get('/bare', () => events())
    .get('/accepted', paid({ price: '$0.01', mode: 'accepted', streams: true }), () => events())
    .get('/optimistic', paid({ price: '$0.01', mode: 'optimistic', lossBudget: '$1000', streams: true }), () =>
      events(),
    )
  await paid.ready()
  const server = await listen(getRequestListener(app.fetch))
  try {
    const cases = { bare: [], accepted: [], optimistic: [] }
    const headers = {
      bare: Array.from({ length: ROUNDS + 5 }, () => ({})),
      accepted: await paymentsFor(`${server.url}/accepted`, ROUNDS + 5),
      optimistic: await paymentsFor(`${server.url}/optimistic`, ROUNDS + 5),
    }
    for (let round = 0; round < ROUNDS + 5; round++) {
      for (const name of Object.keys(cases)) {
        const ms = await firstByte(`${server.url}/${name}`, headers[name][round])
        if (round >= 5) cases[name].push(ms)
      }
    }
    console.log('\nfirst byte of an event stream, one request at a time')
    const bare = median(cases.bare)
    for (const [name, each] of Object.entries(cases)) {
      console.log(
        `  ${name.padEnd(12)} ${median(each).toFixed(2)} ms   +${(median(each) - bare).toFixed(2)} ms over the handler's`,
      )
    }
  } finally {
    await server.close()
    await facilitator.close()
  }
}

function events() {
  const body = new TextEncoder().encode('data: 1\n\n')
  const stream = new ReadableStream({
    start: (controller) => {
      controller.enqueue(body)
      controller.close()
    },
  })
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
}

async function firstByte(url, headers) {
  const start = performance.now()
  const response = await fetch(url, { headers })
  const reader = response.body.getReader()
  await reader.read()
  const ms = performance.now() - start
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
  for (;;) if ((await reader.read()).done) break
  return ms
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
