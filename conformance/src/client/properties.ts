import fc from 'fast-check'
import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat } from '../model/finding.js'
import { property, type Trials } from '../model/property.js'
import { clientCheck } from './choosing.js'
import { type ClientStage, thePayment } from './stage.js'

type ClientCheck = Check<ClientStage>

/** Laws that hold for generated offers. */
export const clientProperties: readonly ClientCheck[] = [
  clientCheck(
    'CLI-005/any-offers',
    'whatever is offered, a payment is for one of the offers, as it stood, and within the limit',
    async (stage) => {
      const amount = fc.oneof(
        fc.constantFrom('0', '1', '99999', '100000', '100001', '1e3', '-1', '0x10', ''),
        fc.bigInt({ min: 0n, max: 2n ** 256n }).map(String),
        fc.jsonValue({ maxDepth: 1 }),
      )
      const change = fc.record(
        {
          amount,
          scheme: fc.constantFrom('exact', 'upto', 'EXACT', ''),
          network: fc.constantFrom(stage.rail.network, 'eip155:1', 'nosuch', ''),
          maxTimeoutSeconds: fc.constantFrom<unknown>(60, 0, -1, 1e12, '60', null),
          extra: fc.oneof(fc.constant(stage.offer().extra), fc.jsonValue({ maxDepth: 1 })),
          payTo: fc.constantFrom<unknown>(stage.offer().payTo, '', 7, stage.rail.asset),
        },
        { requiredKeys: [] },
      )
      await property(fewer(stage), fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const offers = changes.map((each) => stage.offer(each))
        const server = await stage.sell(offers)
        await stage.fetch(`${server.url}/paid`)
        for (const { payment } of server.payments()) {
          const accepted = isObject(payment?.accepted) ? payment.accepted : {}
          expectThat(
            offers.some((offer) => canonical(offer) === canonical(accepted)),
            'the accepted offer was not made',
            undefined,
            accepted,
          )
          const right =
            /^(0|[1-9][0-9]{0,77})$/.test(String(accepted.amount)) && BigInt(String(accepted.amount)) <= stage.limit
          expectThat(right, 'the amount that is paid', `decimal text, at most ${stage.limit}`, accepted.amount)
          expectSame('scheme and network', ['exact', stage.rail.network], [accepted.scheme, accepted.network])
        }
      })
    },
    { kind: 'property' },
  ),
  clientCheck(
    'SEC-003/any-challenge',
    'whatever a 402 says, the client answers and goes on',
    async (stage) => {
      const header = fc.oneof(
        fc.string({ unit: 'binary-ascii', maxLength: 60 }).map((text) => text.replaceAll(/[^\x20-\x7e]/g, '.')),
        fc.jsonValue({ maxDepth: 4 }).map((value) => Buffer.from(JSON.stringify(value)).toString('base64')),
        fc
          .jsonValue({ maxDepth: 3 })
          .map((accepts) => Buffer.from(JSON.stringify({ x402Version: 2, accepts })).toString('base64')),
      )
      await property(fewer(stage), fc.tuple(header, fc.jsonValue({ maxDepth: 3 })), async ([value, body]) => {
        const server = await stage.serve(() => ({ status: 402, headers: { 'PAYMENT-REQUIRED': value }, json: body }))
        await stage.fetch(`${server.url}/paid`)
      })
      const good = await stage.sell()
      thePayment(good, await stage.fetch(`${good.url}/paid`))
    },
    { kind: 'property' },
  ),
]

/** Every try is a server and a request. */
const fewer = ({ runs, seed, path, regressions = [] }: Trials): Trials => ({
  runs: Math.max(1, Math.ceil(runs / 4)),
  seed,
  regressions,
  ...(path === undefined ? {} : { path }),
})

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => a.localeCompare(b))) : each,
  )
}
