import fc from 'fast-check'
import { listen, reply } from '../http/listen.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat } from '../model/finding.js'
import { property } from '../model/property.js'
import { decodeHeader } from '../wire/messages.js'
import { serverCheck } from './offers.js'
import { type Act, invalid, pending, refused } from './scripted-facilitator.js'
import { expectDelivered, expectUnpaid, expectWithheld, receiptIn, type ServerStage } from './stage.js'

type ServerCheck = Check<ServerStage>

/** Something that a facilitator answers to `/settle`, of which no server may make a success. */
const unsettled = (id: string, what: string, settle: Act, more: Partial<ServerCheck> = {}): ServerCheck =>
  serverCheck(
    id,
    `nothing is delivered when ${what}`,
    async (stage) => {
      const { header } = await stage.pay()
      stage.facilitator.play({ settle })
      const answer = await stage.http.attempt({
        url: stage.url('paid'),
        headers: { 'PAYMENT-SIGNATURE': header },
        timeoutMs: 100_000,
      })
      expectWithheld(answer, what)
      if ('silent' in answer)
        return expectThat(false, `the request has no answer when ${what}`, 'an answer within 100 s', answer.silent)
    },
    more,
  )

/** What a server makes of what its facilitator says. */
export const settlementChecks: readonly ServerCheck[] = [
  serverCheck(
    'HTTP-040/invalid',
    'a payment that is verified as bad is answered with 402 and offers',
    async (stage) => {
      const { header } = await stage.pay()
      stage.facilitator.play({ verify: invalid })
      expectUnpaid(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }), 'a payment that is verified as bad')
    },
  ),
  serverCheck('HTTP-041/code', 'the 402 names the code of the refusal, and nothing else', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({
      verify: () => ({
        json: { isValid: false, invalidReason: 'payment_expired', invalidMessage: 'node rpc-7 said no' },
      }),
    })
    const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectSame('error', 'payment_expired', decodeHeader(answer.headers['payment-required'])?.error)
  }),
  serverCheck('SRV-001/verify-first', 'the work does not begin before the payment is verified', async (stage) => {
    const { header } = await stage.pay()
    const before = await stage.hits()
    stage.facilitator.play({ verify: (usual) => ({ json: usual, afterMs: 600 }) })
    const answer = stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const during = await stage.hits()
    expectDelivered(await answer)
    expectSame('how often the work was done while the payment was verified', before, during)
  }),
  serverCheck('SRV-001/refused', 'the work is not done for a payment that is verified as bad', async (stage) => {
    const { header } = await stage.pay()
    const before = await stage.hits()
    stage.facilitator.play({ verify: invalid })
    await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectSame('how often the work was done', before, await stage.hits())
  }),
  serverCheck('ERR-002/unknown-code', 'a refusal with a code that nobody knows is a refusal', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({ verify: () => ({ json: { isValid: false, invalidReason: 'of_another_planet' } }) })
    expectUnpaid(
      await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }),
      'a payment that is refused with an unknown code',
    )
  }),
  serverCheck(
    'HTTP-042/refused',
    'a settlement that is refused is answered with 402 and a receipt that says so',
    async (stage) => {
      const { header } = await stage.pay()
      stage.facilitator.play({ settle: refused })
      const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
      expectUnpaid(answer, 'a settlement that is refused')
      expectSame('success of the receipt', false, receiptIn(answer)?.success)
    },
  ),
  serverCheck(
    'SRV-008/discards',
    'nothing of the work is left in the answer when settlement is refused',
    async (stage) => {
      const { header } = await stage.pay()
      stage.facilitator.play({ settle: refused })
      const { headers, text } = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
      expectThat(
        !`${JSON.stringify(headers)} ${text}`.includes('groat-conformance-secret'),
        'something of the work is in the answer',
        undefined,
        { headers, text },
      )
      expectSame('the header x-work of the work', undefined, headers['x-work'])
    },
  ),
  serverCheck('SRV-007/holds-back', 'nothing of the answer leaves before the payment is settled', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({ settle: (usual) => ({ json: usual, afterMs: 500 }) })
    const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectDelivered(answer)
    const settled = stage.facilitator.asked('/settle')[0]?.answeredAt ?? Number.POSITIVE_INFINITY
    // Both clocks are of this process; the facilitator notes its own a moment after it wrote.
    expectThat(
      answer.begunAt > settled - 100,
      'the answer began before settlement was answered',
      undefined,
      `${Math.round(settled - answer.begunAt)} ms before`,
    )
  }),
  serverCheck('SRV-007/streams', 'a streamed answer is held back too', async (stage) => {
    stage.needRoute('stream')
    const { header } = await stage.pay('stream')
    stage.facilitator.play({ settle: (usual) => ({ json: usual, afterMs: 500 }) })
    const answer = await stage.ask('stream', { 'PAYMENT-SIGNATURE': header })
    expectDelivered(answer, 'a payment for a stream')
    const settled = stage.facilitator.asked('/settle')[0]?.answeredAt ?? Number.POSITIVE_INFINITY
    expectThat(
      answer.begunAt > settled - 100,
      'the stream began before settlement was answered',
      undefined,
      `${Math.round(settled - answer.begunAt)} ms before`,
    )
  }),
  serverCheck('SRV-006/failing', 'work that fails is not settled', async (stage) => {
    stage.needRoute('failing')
    const { header } = await stage.pay('failing')
    const answer = await stage.ask('failing', { 'PAYMENT-SIGNATURE': header })
    expectThat(answer.status >= 400, 'the status of work that fails', '400 or above', answer.status)
    expectSame('how often the facilitator was asked to settle', 0, stage.facilitator.asked('/settle').length)
    expectThat(receiptIn(answer)?.success !== true, 'a receipt says success', 'none', receiptIn(answer))
  }),
  serverCheck('SRV-006/throwing', 'work that throws is not settled', async (stage) => {
    stage.needRoute('throwing')
    const { header } = await stage.pay('throwing')
    const answer = await stage.http.attempt({ url: stage.url('throwing'), headers: { 'PAYMENT-SIGNATURE': header } })
    if (!('silent' in answer))
      expectThat(answer.status >= 400, 'the status of work that throws', '400 or above', answer.status)
    expectSame('how often the facilitator was asked to settle', 0, stage.facilitator.asked('/settle').length)
  }),
  serverCheck('SRV-004/at-once', 'four copies of a payment at once do the work once', async (stage) => {
    const { header } = await stage.pay()
    const before = await stage.hits()
    await Promise.all(
      Array.from({ length: 4 }, () =>
        stage.http.attempt({ url: stage.url('paid'), headers: { 'PAYMENT-SIGNATURE': header } }),
      ),
    )
    expectSame('how often the work was done', before + 1, await stage.hits())
  }),
  serverCheck(
    'SRV-004/races',
    'in whatever order the facilitator answers copies of a payment, the work is done once',
    async (stage) => {
      await property({ ...stage, runs: Math.max(2, Math.ceil(stage.runs / 25)) }, fc.scheduler(), async (scheduler) => {
        const { header } = await stage.pay()
        const before = await stage.hits()
        const held: Act = (usual) => scheduler.schedule(Promise.resolve({ json: usual }))
        stage.facilitator.play({ verify: held, settle: held })
        const copies = Array.from({ length: 3 }, () =>
          stage.http.attempt({ url: stage.url('paid'), headers: { 'PAYMENT-SIGNATURE': header } }),
        )
        await scheduler.waitFor(Promise.all(copies))
        expectSame('how often the work was done', before + 1, await stage.hits())
      })
    },
    { kind: 'model' },
  ),
  serverCheck('SRV-005/again', 'a payment that was delivered for buys nothing more', async (stage) => {
    const { header } = await stage.pay()
    const before = await stage.hits()
    expectDelivered(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }))
    await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectSame('how often the work was done', before + 1, await stage.hits())
  }),
  serverCheck('SRV-009/verdict-400', 'a verdict with another status than 200 is a verdict', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({
      verify: () => ({ status: 400, json: { isValid: false, invalidReason: 'payment_expired' } }),
    })
    expectUnpaid(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }), 'a verdict with the status 400')
  }),
  serverCheck('SRV-009/receipt-402', 'a receipt with another status than 200 is a receipt', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({ settle: (usual, nth) => ({ ...(refused(usual, nth) as object), status: 402 }) })
    expectUnpaid(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }), 'a receipt with the status 402')
  }),
  serverCheck(
    'SRV-010/broken-off',
    'a settlement that breaks off is unknown: neither delivered nor refused',
    async (stage) => {
      const { header } = await stage.pay()
      stage.facilitator.play({ settle: () => 'close' })
      const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
      expectWithheld(answer, 'settlement broke off')
      expectThat(answer.status >= 500, 'a settlement that broke off is said to be refused', '503', answer.status)
    },
  ),
  serverCheck('SRV-010/unreadable', 'a settlement that is answered unreadably is unknown', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({ settle: () => ({ text: '<html>502</html>', headers: { 'content-type': 'text/html' } }) })
    const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectWithheld(answer, 'settlement was answered with HTML')
    expectThat(
      answer.status >= 500,
      'a settlement with an unreadable answer is said to be refused',
      '503',
      answer.status,
    )
  }),
  serverCheck('HTTP-043/unknown', 'an unknown outcome is answered with 503 and Retry-After', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({ settle: pending })
    const { status, headers } = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
    expectSame('the status', 503, status)
    expectThat(headers['retry-after'] !== undefined, 'there is no Retry-After', 'one', 'none')
  }),
  serverCheck('HTTP-044/receipt', 'an unknown outcome has a receipt that says settlement_pending', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({ settle: pending })
    const receipt = receiptIn(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }))
    expectSame('success and errorReason', [false, 'settlement_pending'], [receipt?.success, receipt?.errorReason])
  }),
  serverCheck('SRV-014/asks-again', 'a settlement that is pending is asked for once more', async (stage) => {
    const { header } = await stage.pay()
    stage.facilitator.play({ settle: (usual, nth) => (nth === 1 ? pending(usual, nth) : { json: usual }) })
    expectDelivered(
      await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }),
      'a payment that settles at the second question',
    )
  }),
  serverCheck(
    'SRV-021/keeps-claim',
    'a payment of unknown outcome buys no second work, and is delivered once it is settled',
    async (stage) => {
      const { header } = await stage.pay()
      const before = await stage.hits()
      stage.facilitator.play({ settle: pending })
      await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
      stage.facilitator.play()
      expectDelivered(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }), 'a payment that settled later')
      expectSame('how often the work was done', before + 1, await stage.hits())
    },
  ),
  serverCheck(
    'HTTP-046/no-facilitator',
    'a payment that cannot be judged is answered with 500 or above',
    async (stage) => {
      const { header } = await stage.pay()
      stage.facilitator.play({ verify: () => 'close' })
      const answer = await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
      expectWithheld(answer, 'the facilitator cannot be reached')
      expectThat(
        answer.status >= 500,
        'the payment is blamed for a facilitator that cannot be reached',
        '500 or above',
        answer.status,
      )
    },
  ),
  unsettled('SRV-011/success-text', 'success is the text "true"', (usual) => ({ json: { ...usual, success: 'true' } })),
  unsettled('SRV-011/transaction-number', 'the transaction is a number', (usual) => ({
    json: { ...usual, transaction: 7 },
  })),
  unsettled('SRV-011/no-transaction', 'there is no transaction', ({ transaction: _, ...usual }) => ({ json: usual })),
  unsettled('SRV-011/other-network', 'the receipt is of another network', (usual) => ({
    json: { ...usual, network: 'eip155:1' },
  })),
  unsettled('SRV-013/gigabyte', 'the facilitator answers with a gigabyte', () => 'gigabyte'),
  unsettled('SRV-013/hang', 'the facilitator does not answer', () => 'hang'),
  serverCheck('SRV-012/redirect', 'redirects of a facilitator are not followed', async (stage) => {
    let reached = 0
    const elsewhere = await listen(async (_, response) => {
      reached += 1
      await reply(response, { json: { success: true, transaction: '0x1', network: stage.rail.network, payer: '' } })
    })
    try {
      const { header } = await stage.pay()
      stage.facilitator.play({ settle: () => ({ status: 307, headers: { location: `${elsewhere.url}/settle` } }) })
      expectWithheld(await stage.ask('paid', { 'PAYMENT-SIGNATURE': header }), 'the facilitator redirects')
      expectSame('how often the other place was asked', 0, reached)
    } finally {
      await elsewhere.close()
    }
  }),
  serverCheck('SRV-017/forged-receipt', 'receipts that the work writes are removed', async (stage) => {
    stage.needRoute('forged')
    const { header } = await stage.pay('forged')
    const answer = await stage.ask('forged', { 'PAYMENT-SIGNATURE': header })
    expectDelivered(answer, 'a payment for work that writes a receipt')
    expectThat(
      receiptIn(answer)?.transaction !== 'forged',
      'the receipt is the one that the work wrote',
      undefined,
      receiptIn(answer),
    )
  }),
]
