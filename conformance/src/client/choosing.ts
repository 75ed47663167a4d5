import { isObject } from '../http/exchange.js'
import { both, type Check } from '../model/check.js'
import { expectSame, expectThat } from '../model/finding.js'
import { encodeHeader } from '../wire/messages.js'
import { type ClientStage, expectGot, expectNoPayment, thePayment } from './stage.js'

type ClientCheck = Check<ClientStage>

/** A check of a client. */
export const clientCheck = (
  id: string,
  title: string,
  run: ClientCheck['run'],
  more: Partial<ClientCheck> = {},
): ClientCheck => ({ id, title, role: 'client', kind: 'scenario', families: both, run, ...more })

/** Offers that no client may pay. */
const unpaid = (id: string, because: string, offers: (stage: ClientStage) => readonly unknown[]): ClientCheck =>
  clientCheck(id, `nothing is paid when ${because}`, async (stage) => {
    const server = await stage.sell(offers(stage))
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, because)
  })

/** Offers of which the last is the one to pay. */
const paysTheLast = (id: string, title: string, offers: (stage: ClientStage) => readonly unknown[]): ClientCheck =>
  clientCheck(id, title, async (stage) => {
    const all = offers(stage)
    const server = await stage.sell(all)
    const answer = await stage.fetch(`${server.url}/paid`)
    const { accepted } = thePayment(server, answer)
    expectSame('the offer that was accepted', all.at(-1), accepted)
    expectGot(answer)
  })

/** A 402 whose header cannot be read. */
const unreadable = (id: string, what: string, make: (value: string, offers: object) => string): ClientCheck =>
  clientCheck(id, `nothing is paid when the offers are ${what}`, async (stage) => {
    const server = await stage.serve((seen, { url }) => {
      if (seen.header !== undefined) return stage.delivered(seen)
      const message = { x402Version: 2, error: 'payment_required', resource: { url }, accepts: [stage.offer()] }
      return { status: 402, headers: { 'PAYMENT-REQUIRED': make(encodeHeader(message), message) }, json: {} }
    })
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, `the offers are ${what}`)
    // It is still there.
    const good = await stage.sell()
    thePayment(good, await stage.fetch(`${good.url}/paid`))
  })

const base64 = (value: string) => Buffer.from(value).toString('base64')

const amounts = [
  ['number', 10_000, 'CORE-051'],
  ['hexadecimal', '0x2710', 'CORE-051'],
  ['exponent', '1e4', 'CORE-051'],
  ['negative', '-10000', 'CORE-051'],
  ['fraction', '10000.0', 'CORE-051'],
  ['leading-zero', '010000', 'CORE-051'],
  ['too-large', (2n ** 256n).toString(), 'CORE-052'],
] as const

/** Which offers a client reads, and which it pays. */
export const choosingChecks: readonly ClientCheck[] = [
  clientCheck('CLI-001/pays', 'an offer that it implements is paid', async (stage) => {
    const server = await stage.sell()
    const answer = await stage.fetch(`${server.url}/paid`)
    thePayment(server, answer)
    expectGot(answer)
  }),
  unpaid('CLI-001/scheme', 'the scheme is unknown', ({ offer }) => [offer({ scheme: 'nosuch' })]),
  unpaid('CLI-001/network', 'the network is unknown', ({ offer }) => [offer({ network: 'eip155:4294967291' })]),
  paysTheLast('CLI-001/among', 'among offers the one that it implements is paid', ({ offer }) => [
    offer({ scheme: 'nosuch' }),
    offer({ network: 'nosuch:net' }),
    offer(),
  ]),
  paysTheLast('CORE-029/unreadable', 'offers that cannot be read are skipped', ({ offer }) => [
    { scheme: 'exact' },
    offer({ amount: 10 }),
    offer({ payTo: null }),
    offer({ maxTimeoutSeconds: 'soon' }),
    offer(),
  ]),
  unpaid('CLI-003/limit', 'the amount is above the limit', ({ offer, limit }) => [
    offer({ amount: String(limit + 1n) }),
  ]),
  unpaid('CLI-003/huge', 'the amount is 2^256 - 1', ({ offer }) => [offer({ amount: String(2n ** 256n - 1n) })]),
  unpaid('CLI-004/asset', 'the asset is unknown', ({ offer, rail, wallet }) => [
    offer({ asset: rail.family === 'evm' ? '0x000000000000000000000000000000000000dEaD' : wallet.address }),
  ]),
  clientCheck('CLI-025/cheapest', 'the cheapest offer is paid', async (stage) => {
    const prices = ['30000', '9000', '20000']
    const server = await stage.sell(prices.map((amount) => stage.offer({ amount })))
    const { accepted } = thePayment(server, await stage.fetch(`${server.url}/paid`))
    expectSame('the amount that was accepted', '9000', isObject(accepted) ? accepted.amount : accepted)
  }),
  unpaid('CORE-090/flow', 'the payment flow is unknown', ({ offer }) => {
    const { extra, ...rest } = offer()
    return [{ ...rest, extra: { ...(extra as object), paymentFlow: 'nosuch' } }]
  }),
  ...amounts.map(([name, amount, requirement]) =>
    unpaid(`${requirement}/offer-${name}`, `the amount is ${JSON.stringify(amount)}`, ({ offer }) => [
      offer({ amount }),
    ]),
  ),
  unpaid('CORE-063/offer-spelling', 'the network is in another spelling', ({ offer, rail }) => [
    offer({ network: rail.network.toUpperCase() }),
  ]),
  clientCheck('CORE-013/offer-members', 'members that nobody knows are accepted', async (stage) => {
    const server = await stage.sell([stage.offer({ 'x-unknown': { deep: [1, null] } })], { 'x-unknown': true })
    thePayment(server, await stage.fetch(`${server.url}/paid`))
  }),
  clientCheck('CORE-038/no-resource', 'offers without resource are accepted', async (stage) => {
    const server = await stage.sell([stage.offer()], { resource: undefined })
    thePayment(server, await stage.fetch(`${server.url}/paid`))
  }),
  unreadable('HTTP-022/offers-url-alphabet', 'in the alphabet of URLs', (_, offers) =>
    Buffer.from(JSON.stringify({ ...offers, note: '???>>>~~~' })).toString('base64url'),
  ),
  unreadable(
    'HTTP-022/offers-white-space',
    'broken by white space',
    (value) => `${value.slice(0, 40)} ${value.slice(40)}`,
  ),
  unreadable('HTTP-023/offers-length', 'of a length that base64 cannot have', (value) => {
    const bare = value.replace(/=+$/, '')
    return bare + 'A'.repeat((5 - (bare.length % 4)) % 4 || 4)
  }),
  unreadable('HTTP-024/offers-mark', 'begun by a byte order mark', (_, offers) =>
    base64(`\ufeff${JSON.stringify(offers)}`),
  ),
  unreadable('HTTP-026/offers-deep', 'nested deeper than 16 levels', (_, offers) =>
    base64(JSON.stringify({ ...offers, note: 0 }).replace('"note":0', `"note":${'['.repeat(20)}${']'.repeat(20)}`)),
  ),
  unreadable('CORE-011/offers-list', 'a list', (_, offers) => base64(JSON.stringify([offers]))),
  unreadable('CORE-012/offers-same-key', 'an object with the same key twice', (_, offers) =>
    base64(JSON.stringify(offers).replace('{', '{"accepts":[],')),
  ),
  unreadable('CORE-002/offers-version-3', 'of version 3', (_, offers) =>
    base64(JSON.stringify({ ...offers, x402Version: 3 })),
  ),
  clientCheck('HTTP-021/offers-padding', 'offers without padding are read', async (stage) => {
    const server = await stage.serve((seen, { url }) => {
      if (seen.header !== undefined) return stage.delivered(seen)
      const message = { x402Version: 2, error: 'payment_required', resource: { url }, accepts: [stage.offer()] }
      const text = JSON.stringify(message)
      const odd = text + ' '.repeat((4 - (Buffer.byteLength(text) % 3)) % 3)
      return { status: 402, headers: { 'PAYMENT-REQUIRED': base64(odd).replace(/=+$/, '') }, json: {} }
    })
    thePayment(server, await stage.fetch(`${server.url}/paid`))
  }),
  clientCheck('HTTP-010/offers-case', 'names of headers are compared without case', async (stage) => {
    const server = await stage.serve((seen, { url }) => {
      if (seen.header !== undefined) return stage.delivered(seen)
      const { headers = {}, ...said } = stage.challenge(url, [stage.offer()])
      return { ...said, headers: { 'pAyMeNt-ReQuIrEd': headers['PAYMENT-REQUIRED'] ?? '' } }
    })
    thePayment(server, await stage.fetch(`${server.url}/paid`))
  }),
  clientCheck('CLI-018/header-first', 'offers in the header come before those in the body', async (stage) => {
    const old = { maxAmountRequired: '1', network: stage.rail.v1Network, resource: 'x', description: '', mimeType: '' }
    const server = await stage.serve((seen, { url }) => {
      if (seen.header !== undefined) return stage.delivered(seen)
      const json = { x402Version: 1, error: '', accepts: [{ ...stage.offer(), ...old }] }
      return { ...stage.challenge(url, [stage.offer()]), json }
    })
    const { x402Version } = thePayment(server, await stage.fetch(`${server.url}/paid`))
    expectSame('the version of the payment', 2, x402Version)
  }),
  clientCheck('CLI-019/body', 'offers of version 2 in a body are not paid', async (stage) => {
    const server = await stage.serve((seen, { url }) =>
      seen.header === undefined
        ? { status: 402, json: { x402Version: 2, resource: { url }, accepts: [stage.offer()] } }
        : stage.delivered(seen),
    )
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, 'the offers of version 2 stand in the body')
  }),
  clientCheck('CLI-021/no-offers', 'a 402 without offers is handed to the caller', async (stage) => {
    const server = await stage.serve(() => ({ status: 402, json: { message: 'pay by card' } }))
    expectGot(await stage.fetch(`${server.url}/paid`), 402)
  }),
  clientCheck('CLI-022/other-status', 'nothing is paid because of another status than 402', async (stage) => {
    for (const status of [200, 401, 403, 429, 500, 503]) {
      const server = await stage.serve((_, { url }) => ({ ...stage.challenge(url, [stage.offer()]), status }))
      await stage.fetch(`${server.url}/paid`)
      expectNoPayment(server, `the status is ${status}`)
    }
  }),
  clientCheck('CLI-024/other-host', 'offers whose resource is on another host are refused', async (stage) => {
    const server = await stage.sell([stage.offer()], { resource: { url: 'https://elsewhere.example/paid' } })
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, 'the resource is on another host')
  }),
  clientCheck('CLI-026/canary', 'no URL is requested because it stands in an offer', async (stage) => {
    const canary = await stage.serve(() => ({ json: {} }))
    const url = `${canary.url}/canary`
    const { extra, ...rest } = stage.offer()
    const offer = { ...rest, extra: { ...(extra as object), url, callback: url }, outputSchema: { $ref: url } }
    const extensions = { demo: { info: { url }, schema: { $ref: url } } }
    const server = await stage.sell([offer], { extensions })
    await stage.fetch(`${server.url}/paid`)
    expectSame('requests of the canary', 0, canary.seen().length)
  }),
  clientCheck('CLI-022/free', 'what costs nothing is fetched and not paid', async (stage) => {
    const server = await stage.serve(() => ({ json: { free: true } }))
    expectGot(await stage.fetch(`${server.url}/free`))
    expectThat(server.payments().length === 0, 'the client pays for what is free')
  }),
]
