import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat } from '../model/finding.js'
import { expectMessage } from '../spec/messages.js'
import { decodeHeader, encodeHeader } from '../wire/messages.js'
import { serverCheck } from './offers.js'
import { expectDelivered, expectUnpaid, expectWithheld, type Paid, receiptIn, type ServerStage } from './stage.js'

type ServerCheck = Check<ServerStage>

/** A payment header that has to be refused without the facilitator being asked and without work. */
const undecodable = (id: string, what: string, make: (paid: Paid) => string): ServerCheck =>
  serverCheck(id, `a payment that is ${what} is refused`, async (stage) => {
    const paid = await stage.pay()
    const before = await stage.hits()
    const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': make(paid) })
    expectWithheld(answer, `the payment is ${what}`)
    expectThat(answer.status < 500, `${what} is a fault of the server`, 402, answer.status)
    expectSame('how often the work was done', before, await stage.hits())
    expectSame('how often the facilitator was asked to settle', 0, stage.facilitator.asked('/settle').length)
  })

/** An echoed offer that the server did not make. */
const unmatched = (
  id: string,
  what: string,
  change: (accepted: Readonly<Record<string, unknown>>) => object,
): ServerCheck =>
  serverCheck(id, `a payment that is ${what} is refused`, async (stage) => {
    const { payment, offer } = await stage.pay()
    const before = await stage.hits()
    const answer = await stage.ask('paid', {
      'PAYMENT-SIGNATURE': encodeHeader({ ...payment, accepted: change(offer) }),
    })
    expectUnpaid(answer, what)
    expectSame('how often the work was done', before, await stage.hits())
  })

/** What a server makes of a payment, good or malformed. */
export const paymentChecks: readonly ServerCheck[] = [
  serverCheck('HTTP-047/delivers', 'a payment gets the resource, with its status and a receipt', async (stage) => {
    const { header, payer } = await stage.pay()
    const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectDelivered(answer)
    const receipt = receiptIn(answer)
    expectThat(receipt !== undefined, 'the answer has no PAYMENT-RESPONSE', 'a receipt', Object.keys(answer.headers))
    expectMessage('v2/SettleResponse', receipt)
    expectSame(
      'success and payer',
      [true, payer.address.toLowerCase()],
      [receipt.success, String(receipt.payer).toLowerCase()],
    )
  }),
  serverCheck('HTTP-008/receipt', 'the receipt stands in PAYMENT-RESPONSE', async (stage) => {
    const { header } = await stage.pay()
    expectThat(
      receiptIn(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })) !== undefined,
      'there is no readable PAYMENT-RESPONSE',
    )
  }),
  serverCheck('HTTP-061/private', 'an answer with a receipt is private', async (stage) => {
    const { header } = await stage.pay()
    const { headers } = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    const control = headers['cache-control'] ?? ''
    expectThat(
      /\b(private|no-store)\b/.test(control),
      'Cache-Control of a paid answer',
      'private or no-store',
      control || 'none',
    )
  }),
  serverCheck(
    'HTTP-062/not-public',
    'an answer with a receipt is not public, whatever the work says',
    async (stage) => {
      stage.needRoute('cached')
      const { header } = await stage.pay('cached')
      const { headers } = await stage.ask('cached', { 'PAYMENT-SIGNATURE': header })
      const control = headers['cache-control'] ?? ''
      expectThat(
        !/\bpublic\b|s-maxage/.test(control),
        'Cache-Control of a paid answer',
        'neither public nor s-maxage',
        control,
      )
    },
  ),
  serverCheck('HTTP-010/case', 'names of headers are compared without case', async (stage) => {
    const { header } = await stage.pay()
    expectDelivered(await stage.ask('paid', { 'pAyMeNt-SiGnAtUrE': header }), 'a payment in a header of mixed case')
  }),
  serverCheck('HTTP-021/padding', 'a header without padding is accepted', async (stage) => {
    const { payment } = await stage.pay()
    // Spaces at the end of JSON mean nothing, and make the length one that needs padding.
    const text = JSON.stringify(payment)
    const padded = text + ' '.repeat((4 - (Buffer.byteLength(text) % 3)) % 3)
    const header = Buffer.from(padded).toString('base64').replace(/=+$/, '')
    expectDelivered(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }), 'a payment without padding')
  }),
  serverCheck('HTTP-014/empty', 'an empty header is no payment', async (stage) => {
    expectUnpaid(await stage.ask('paid', { 'PAYMENT-SIGNATURE': '' }), 'an empty payment header')
  }),
  serverCheck('HTTP-012/twice', 'the same header twice is refused', async (stage) => {
    const { header } = await stage.pay()
    const before = await stage.hits()
    expectWithheld(await stage.ask('paid', { 'PAYMENT-SIGNATURE': [header, header] }), 'the payment header comes twice')
    expectSame('how often the work was done', before, await stage.hits())
  }),
  serverCheck('HTTP-015/both-headers', 'headers of both versions at once are refused', async (stage) => {
    const { header } = await stage.pay()
    const before = await stage.hits()
    expectWithheld(
      await stage.ask('paid', { 'PAYMENT-SIGNATURE': header, 'X-PAYMENT': header }),
      'headers of both versions come',
    )
    expectSame('how often the work was done', before, await stage.hits())
  }),
  undecodable('HTTP-022/url-alphabet', 'in the alphabet of URLs', ({ payment }) =>
    Buffer.from(JSON.stringify({ ...payment, note: '???>>>~~~' })).toString('base64url'),
  ),
  undecodable(
    'HTTP-022/white-space',
    'broken by white space',
    ({ header }) => `${header.slice(0, 40)} ${header.slice(40)}`,
  ),
  undecodable('HTTP-023/length', 'of a length that base64 cannot have', ({ header }) =>
    `${header.replace(/=+$/, '')}`.replace(/(.*)/, (all) =>
      all.length % 4 === 1 ? all : `${all}${'A'.repeat((5 - (all.length % 4)) % 4)}`,
    ),
  ),
  undecodable('HTTP-024/mark', 'begun by a byte order mark', ({ payment }) =>
    Buffer.from(`\ufeff${JSON.stringify(payment)}`).toString('base64'),
  ),
  undecodable('HTTP-024/latin-1', 'not UTF-8', ({ payment }) =>
    Buffer.from(JSON.stringify({ ...payment, note: 'é' }), 'latin1').toString('base64'),
  ),
  undecodable('HTTP-025/long', 'longer than 16384 characters', ({ payment }) =>
    encodeHeader({ ...payment, note: 'x'.repeat(15_000) }),
  ),
  undecodable('HTTP-026/deep', 'nested deeper than 16 levels', ({ payment }) => {
    const deep = `${'['.repeat(20)}1${']'.repeat(20)}`
    return Buffer.from(JSON.stringify({ ...payment, note: 0 }).replace('"note":0', `"note":${deep}`)).toString('base64')
  }),
  undecodable('CORE-011/list', 'a list', ({ payment }) => encodeHeader([payment])),
  undecodable('CORE-012/same-key-twice', 'an object with the same key twice', ({ payment }) =>
    Buffer.from(JSON.stringify(payment).replace('{', '{"x402Version":2,')).toString('base64'),
  ),
  undecodable('CORE-002/version-3', 'of version 3', ({ payment }) => encodeHeader({ ...payment, x402Version: 3 })),
  serverCheck('HTTP-011/version', 'a payment of version 1 in the header of version 2 is refused', async (stage) => {
    const { payment } = await stage.pay()
    const one = encodeHeader({
      x402Version: 1,
      scheme: 'exact',
      network: stage.rail.v1Network,
      payload: payment.payload,
    })
    expectWithheld(await stage.ask('paid', { 'PAYMENT-SIGNATURE': one }), 'version 1 stands in the header of version 2')
  }),
  serverCheck(
    'HTTP-029/undecodable',
    'what cannot be decoded is answered with 402, offers, and invalid_payload',
    async (stage) => {
      const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': 'not base64!' })
      expectUnpaid(answer, 'a header that cannot be decoded')
      expectSame('error', 'invalid_payload', decodeHeader(answer.headers['payment-required'])?.error)
    },
  ),
  serverCheck(
    'SRV-002/not-asked',
    'the facilitator is not asked about what is malformed or matches no offer',
    async (stage) => {
      const { payment, offer } = await stage.pay()
      await stage.ask('paid', { 'PAYMENT-SIGNATURE': 'not base64!' })
      await stage.ask('paid', {
        'PAYMENT-SIGNATURE': encodeHeader({ ...payment, accepted: { ...offer, amount: '1' } }),
      })
      expectSame(
        'what the facilitator was asked',
        [],
        stage.facilitator.asked().map(({ path }) => path),
      )
    },
  ),
  serverCheck('CORE-013/unknown-members', 'members that nobody knows are accepted', async (stage) => {
    const { payment } = await stage.pay()
    const header = encodeHeader({ ...payment, 'x-unknown': { deep: [null] } })
    expectDelivered(
      await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }),
      'a payment with a member that nobody knows',
    )
  }),
  unmatched('CORE-033/amount', 'an echoed offer of a lower amount', (offer) => ({ ...offer, amount: '1' })),
  unmatched('CORE-033/pay-to', 'an echoed offer that pays somebody else', (offer) => ({
    ...offer,
    payTo: offer.asset,
  })),
  unmatched('CORE-033/asset', 'an echoed offer of another asset', (offer) => ({ ...offer, asset: offer.payTo })),
  unmatched('CORE-033/network', 'an echoed offer of another network', (offer) => ({ ...offer, network: 'eip155:1' })),
  unmatched('CORE-033/scheme', 'an echoed offer of another scheme', (offer) => ({ ...offer, scheme: 'upto' })),
  unmatched('CORE-034/extra', 'an echoed offer without its extra', (offer) => ({ ...offer, extra: {} })),
  serverCheck('CORE-035/more-extra', 'members that the offer does not have are ignored', async (stage) => {
    const { payment, offer } = await stage.pay()
    const extra = { ...(isObject(offer.extra) ? offer.extra : {}), 'x-unknown': 1 }
    const header = encodeHeader({ ...payment, accepted: { ...offer, extra, 'x-unknown': 1 } })
    expectDelivered(
      await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }),
      'a payment that echoes more than was offered',
    )
    const sent = stage.facilitator.asked('/verify')[0]?.body.paymentRequirements
    expectThat(
      !JSON.stringify(sent ?? {}).includes('x-unknown'),
      'members of the client reach the facilitator as requirements',
      'none',
      sent,
    )
  }),
  serverCheck(
    'CORE-036/case',
    'addresses are compared by value',
    async (stage) => {
      const { payment, offer } = await stage.pay()
      const accepted = { ...offer, payTo: String(offer.payTo).toLowerCase(), asset: String(offer.asset).toLowerCase() }
      expectDelivered(
        await stage.ask('paid', { 'PAYMENT-SIGNATURE': encodeHeader({ ...payment, accepted }) }),
        'a payment that echoes addresses in lower case',
      )
    },
    { families: ['evm'] },
  ),
  serverCheck('CORE-037/own-offer', "the facilitator is given the server's own offer", async (stage) => {
    const { header } = await stage.pay()
    await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    const asked = [...stage.facilitator.asked('/verify'), ...stage.facilitator.asked('/settle')]
    expectThat(asked.length > 0, 'the facilitator was not asked')
    for (const { body } of asked) {
      const sent = isObject(body.paymentRequirements) ? body.paymentRequirements : {}
      const { amount, payTo } = stage.sale
      expectSame('amount and payTo', [amount, payTo.toLowerCase()], [sent.amount, String(sent.payTo).toLowerCase()])
    }
  }),
  serverCheck('CORE-010/request', 'the facilitator is asked with JSON in the form of its schema', async (stage) => {
    const { header } = await stage.pay()
    await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectThat(stage.facilitator.asked().length > 0, 'the facilitator was not asked')
    for (const { path, body, contentType } of stage.facilitator.asked()) {
      expectThat(contentType.startsWith('application/json'), `Content-Type of ${path}`, 'application/json', contentType)
      expectMessage(path === '/verify' ? 'v2/VerifyRequest' : 'v2/SettleRequest', body)
    }
  }),
  serverCheck('FAC-003/version', 'x402Version stands at the top of what the facilitator is asked', async (stage) => {
    const { header } = await stage.pay()
    await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectThat(stage.facilitator.asked().length > 0, 'the facilitator was not asked')
    for (const { path, body } of stage.facilitator.asked()) expectSame(`x402Version of ${path}`, 2, body.x402Version)
  }),
  serverCheck('SRV-020/other-resource', 'a payment that names another resource is refused', async (stage) => {
    const { payment } = await stage.pay()
    const header = encodeHeader({ ...payment, resource: { url: 'http://elsewhere.example/other' } })
    expectWithheld(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }), 'the payment names another resource')
  }),
]
