import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat } from '../model/finding.js'
import { expectMessage } from '../spec/messages.js'
import { encodeHeader } from '../wire/messages.js'
import { clientCheck } from './choosing.js'
import { type ClientStage, expectGot, expectNoPayment, expectSamePayment, thePayment } from './stage.js'

type ClientCheck = Check<ClientStage>

/** How a client pays, and what it does with the answers. */
export const payingChecks: readonly ClientCheck[] = [
  clientCheck('HTTP-006/header', 'a payment of version 2 stands in PAYMENT-SIGNATURE', async (stage) => {
    const server = await stage.sell()
    const answer = await stage.fetch(`${server.url}/paid`)
    thePayment(server, answer)
    const names = server
      .payments()
      .map(({ headers }) => ['payment-signature', 'x-payment'].filter((name) => name in headers))
    expectSame('the headers', [['payment-signature']], names.slice(0, 1))
  }),
  clientCheck(
    'HTTP-020/payment',
    'the payment is padded standard base64 of JSON in the form of its schema',
    async (stage) => {
      const server = await stage.sell()
      const { header, ...payment } = thePayment(server, await stage.fetch(`${server.url}/paid`))
      const right = header.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(header)
      expectThat(right, 'PAYMENT-SIGNATURE is no padded standard base64', undefined, header)
      expectMessage('v2/PaymentPayload', payment)
    },
  ),
  clientCheck('CORE-001/payment', 'x402Version is the number 2', async (stage) => {
    const server = await stage.sell()
    expectSame('x402Version', 2, thePayment(server, await stage.fetch(`${server.url}/paid`)).x402Version)
  }),
  clientCheck('HTTP-028/small', 'the payment header has less than 8192 characters', async (stage) => {
    const server = await stage.sell()
    const { header } = thePayment(server, await stage.fetch(`${server.url}/paid`))
    expectThat(header.length < 8_192, 'the length of PAYMENT-SIGNATURE', 'less than 8192', header.length)
  }),
  clientCheck(
    'CORE-030/copy',
    'the accepted offer is copied whole, members that it does not know included',
    async (stage) => {
      const offer = stage.offer({ 'x-unknown': { list: [1, 'ü', null] } })
      const server = await stage.sell([offer])
      const { accepted } = thePayment(server, await stage.fetch(`${server.url}/paid`))
      expectSame('accepted', sorted(offer), sorted(accepted))
    },
  ),
  clientCheck('CORE-031/payload', 'the payload is an object', async (stage) => {
    const server = await stage.sell()
    const { payload } = thePayment(server, await stage.fetch(`${server.url}/paid`))
    expectThat(isObject(payload) && Object.keys(payload).length > 0, 'payload', 'an object', payload)
  }),
  clientCheck('CORE-032/resource', 'the resource is copied into the payment', async (stage) => {
    const server = await stage.sell()
    const { resource } = thePayment(server, await stage.fetch(`${server.url}/paid`))
    expectSame('resource.url', `${server.url}/paid`, isObject(resource) ? resource.url : resource)
  }),
  clientCheck('CORE-081/extensions', 'what is echoed of extensions has at least the info that came', async (stage) => {
    const demo = { info: { id: 'a1', list: [1, 2] }, schema: { type: 'object' } }
    const server = await stage.sell([stage.offer()], { extensions: { demo } })
    const { extensions } = thePayment(server, await stage.fetch(`${server.url}/paid`))
    if (!isObject(extensions) || extensions.demo === undefined) return
    const { info } = isObject(extensions.demo) ? extensions.demo : {}
    const kept =
      isObject(info) && Object.entries(demo.info).every(([name, value]) => sorted(info[name]) === sorted(value))
    expectThat(kept, 'the echo of an extension changes its info', demo.info, info)
  }),
  clientCheck('CLI-009/repeats', 'the paid request has the method, headers and body of the first', async (stage) => {
    const server = await stage.sell()
    const headers = { 'content-type': 'text/plain', 'x-test': 'kept' }
    const answer = await stage.fetch(`${server.url}/paid?a=1&b=%20`, { method: 'POST', headers, body: 'what is asked' })
    thePayment(server, answer)
    const [first, paid] = [server.seen()[0], server.payments()[0]]
    const shape = (seen: typeof first) => [
      seen?.method,
      seen?.path,
      seen?.headers['x-test'],
      seen?.headers['content-type'],
      seen?.body,
    ]
    expectSame('the paid request', shape(first), shape(paid))
    expectSame('the body', 'what is asked', paid?.body)
  }),
  clientCheck('CLI-008/carries-one', 'a request that carries a payment is given no second one', async (stage) => {
    const server = await stage.serve((_, { url }) => stage.challenge(url, [stage.offer()]))
    await stage.fetch(`${server.url}/paid`, { headers: { 'PAYMENT-SIGNATURE': 'bWluZQ==' } })
    expectNoPayment(server, 'the request carries a payment already')
  }),
  clientCheck('CLI-010/other-origin', 'a payment does not follow a redirect to another origin', async (stage) => {
    const other = await stage.serve(() => ({ json: { elsewhere: true } }))
    const server = await stage.serve((seen, { url }) =>
      seen.header === undefined
        ? stage.challenge(url, [stage.offer()])
        : { status: 307, headers: { location: `${other.url}/paid` } },
    )
    await stage.fetch(`${server.url}/paid`)
    expectSame('payments that reached the other origin', 0, other.payments().length)
  }),
  clientCheck(
    'CLI-011/redirected-offer',
    'offers behind a redirect to another origin are not paid there by accident',
    async (stage) => {
      const other = await stage.sell()
      const server = await stage.serve((seen, { url }) =>
        seen.header === undefined
          ? stage.challenge(url, [stage.offer()])
          : { status: 302, headers: { location: `${other.url}/paid` } },
      )
      await stage.fetch(`${server.url}/paid`)
      expectSame('payments that reached the other origin', 0, other.payments().length)
    },
  ),
  clientCheck('CLI-013/second-402', 'a second 402 is not paid with a second signature', async (stage) => {
    const server = await stage.serve((_, { url }) => stage.challenge(url, [stage.offer()]))
    await stage.fetch(`${server.url}/paid`)
    expectSamePayment(server.payments())
  }),
  clientCheck('CLI-013/price-bump', 'a second 402 with a higher price is not paid', async (stage) => {
    const server = await stage.serve((_, { url, paid }) =>
      stage.challenge(url, [stage.offer(paid > 0 ? { amount: '50000' } : {})]),
    )
    await stage.fetch(`${server.url}/paid`)
    expectSamePayment(server.payments())
  }),
  clientCheck('CLI-013/other-recipient', 'a second 402 that names another recipient is not paid', async (stage) => {
    const payTo = await stage.rail.recipient()
    const server = await stage.serve((_, { url, paid }) =>
      stage.challenge(url, [stage.offer(paid > 0 ? { payTo } : {})]),
    )
    await stage.fetch(`${server.url}/paid`)
    expectSamePayment(server.payments())
  }),
  clientCheck('CLI-014/pending', 'the same payment is presented again when its outcome is unknown', async (stage) => {
    const pending = { success: false, errorReason: 'settlement_pending', transaction: '', network: stage.rail.network }
    const server = await stage.serve((seen, { url, paid }) => {
      if (seen.header === undefined) return stage.challenge(url, [stage.offer()])
      if (paid > 1) return stage.delivered(seen)
      return { status: 503, headers: { 'retry-after': '1', 'PAYMENT-RESPONSE': encodeHeader(pending) }, json: {} }
    })
    const answer = await stage.fetch(`${server.url}/paid`)
    thePayment(server, answer)
    expectThat(
      server.payments().length > 1,
      'the payment is not presented again after settlement_pending',
      'twice',
      answer,
    )
    expectGot(answer)
  }),
  clientCheck('CLI-015/broken-off', 'no second payment is signed when the connection breaks off', async (stage) => {
    const server = await stage.serve((seen, { url, paid }) => {
      if (seen.header === undefined) return stage.challenge(url, [stage.offer()])
      return paid > 1 ? stage.delivered(seen) : 'close'
    })
    await stage.fetch(`${server.url}/paid`)
    expectSamePayment(server.payments())
  }),
  clientCheck('CLI-015/fault', 'no second payment is signed when the server fails', async (stage) => {
    const server = await stage.serve((seen, { url }) =>
      seen.header === undefined ? stage.challenge(url, [stage.offer()]) : { status: 500, text: 'broken' },
    )
    await stage.fetch(`${server.url}/paid`)
    expectSamePayment(server.payments())
  }),
  ...(['garbage', 'absent'] as const).map((receipt) =>
    clientCheck(`CLI-023/${receipt}`, `an answer whose receipt is ${receipt} is handed over`, async (stage) => {
      const server = await stage.serve((seen, { url }) => {
        if (seen.header === undefined) return stage.challenge(url, [stage.offer()])
        const headers = receipt === 'garbage' ? { 'PAYMENT-RESPONSE': '%%%' } : {}
        return { headers, json: { served: true } }
      })
      const answer = await stage.fetch(`${server.url}/paid`)
      thePayment(server, answer)
      expectGot(answer)
    }),
  ),
  clientCheck(
    'ERR-002/refused',
    'a refusal with a code that nobody knows is a refusal, and not paid again',
    async (stage) => {
      const server = await stage.serve((_, { url, paid }) =>
        stage.challenge(url, [stage.offer()], paid > 0 ? { error: 'of_another_planet' } : {}),
      )
      const answer = await stage.fetch(`${server.url}/paid`)
      expectThat(!('ok' in answer && answer.ok.status === 200), 'a refusal is taken for an answer', 402, answer)
      expectSamePayment(server.payments())
    },
  ),
  clientCheck('HTTP-065/headers', 'no request has the response header Access-Control-Expose-Headers', async (stage) => {
    const server = await stage.sell()
    await stage.fetch(`${server.url}/paid`)
    const wrong = server.seen().filter(({ headers }) => 'access-control-expose-headers' in headers)
    expectSame('requests with it', 0, wrong.length)
  }),
  clientCheck('SEC-004/huge-offers', 'offers of 200 kB neither stop the client nor are paid', async (stage) => {
    const server = await stage.serve((seen, { url }) => {
      if (seen.header !== undefined) return stage.delivered(seen)
      const accepts = Array.from({ length: 500 }, () => stage.offer())
      return {
        status: 402,
        json: { x402Version: 1, error: '', accepts, resource: { url }, padding: 'x'.repeat(100_000) },
      }
    })
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, 'the offers are 200 kB')
    const good = await stage.sell()
    thePayment(good, await stage.fetch(`${good.url}/paid`))
  }),
  clientCheck('SEC-005/prototype', 'names such as __proto__ in offers change nothing', async (stage) => {
    const server = await stage.serve((seen, { url }) => {
      if (seen.header !== undefined) return stage.delivered(seen)
      const message = JSON.stringify({
        x402Version: 2,
        resource: { url },
        accepts: [stage.offer({ amount: String(stage.limit + 1n) })],
      })
      const hostile = message.replace(
        '{',
        '{"__proto__":{"amount":"1","maxAtomic":"999999999"},"constructor":{"prototype":{"amount":"1"}},',
      )
      return { status: 402, headers: { 'PAYMENT-REQUIRED': Buffer.from(hostile).toString('base64') }, json: {} }
    })
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, 'the amount is above the limit, whatever __proto__ says')
  }),
]

/** JSON with members in one order. */
export function sorted(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => a.localeCompare(b))) : each,
  )
}
