import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail, notApplicable } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import { expectMessage } from '../spec/messages.js'
import { errorCodes } from '../spec/requirements.js'
import { decodeHeader, encodeHeader, encodePayment, type Payment } from '../wire/messages.js'
import { expectSales } from './extended.js'
import {
  challengeIn,
  connectMcp,
  expectNotServed,
  expectServed,
  type Mcp,
  metaKey,
  metaOf,
  offersOf,
  textOf,
} from './mcp-calls.js'
import { serverCheck } from './offers.js'
import { invalid, pending, refused } from './scripted-facilitator.js'
import type { ServerStage } from './stage.js'

const sold = 'paid'

const with_ = (payment: unknown) => ({ [metaKey.payment]: payment })

/** The same money, as version 1 says it. */
const inVersion1 = ({ rail }: ServerStage, { payload }: Payment): Payment =>
  encodePayment({ network: rail.v1Network }, payload, 1)

/** A check of one tool: its connection, and how often its work was done before. */
const toolCheck = (
  id: string,
  title: string,
  tool: string,
  run: (stage: ServerStage, mcp: Mcp, before: number) => Promise<void>,
  more: Partial<Check<ServerStage>> = {},
): Check<ServerStage> => {
  const play = async (stage: ServerStage) => {
    const mcp = await connectMcp(stage, tool)
    await run(stage, mcp, await stage.hits('mcp'))
  }
  return serverCheck(id, title, play, more)
}

/** What an MCP server makes of payments. */
export const mcpChecks: readonly Check<ServerStage>[] = [
  toolCheck(
    'MCP-001/unpaid',
    'a call without a payment gets an error result with the offers',
    sold,
    async (stage, mcp, before) => {
      const result = await mcp.call(sold)
      expectMessage('mcp/McpPaymentRequired', result)
      expectMessage('v2/PaymentRequired', result.structuredContent)
      expectSame('how often the work was done', before, await stage.hits('mcp'))
    },
  ),
  toolCheck('MCP-002/text', 'the first text is the challenge as JSON', sold, async (_, mcp) => {
    const result = await mcp.call(sold)
    expectSame('the first text', result.structuredContent, parseJson(textOf(result)))
  }),
  toolCheck('MCP-003/paid', 'a payment in _meta gets the result', sold, async (stage, mcp, before) => {
    expectServed(await mcp.call(sold, with_(await mcp.pay(sold))))
    await expectSales(stage, 'mcp', { before, work: 1, payments: 1 })
  }),
  toolCheck('MCP-004/receipt', 'the receipt stands in _meta of the result', sold, async (stage, mcp) => {
    const payer = await stage.rail.payer(1_000_000n)
    const receipt = metaOf(await mcp.call(sold, with_(await mcp.pay(sold, payer))), metaKey.receipt)
    if (!isObject(receipt)) fail('the result has no receipt', metaKey.receipt, receipt)
    expectMessage('v2/SettleResponse', receipt)
    const { success, payer: named } = receipt
    expectSame('success and payer', [true, payer.address.toLowerCase()], [success, String(named).toLowerCase()])
  }),
  toolCheck('MCP-005/receipt', 'a payment of version 1 gets a receipt of version 1', sold, async (stage, mcp) => {
    const result = await mcp.call(sold, with_(inVersion1(stage, await mcp.pay(sold))))
    if (challengeIn(result)?.x402Version === 2) notApplicable('the server does not speak version 1')
    expectServed(result, 'a payment of version 1')
    const receipt = metaOf(result, metaKey.receipt)
    expectSame('network of the receipt', stage.rail.v1Network, isObject(receipt) ? receipt.network : receipt)
  }),
  toolCheck(
    'MCP-005/refused',
    'a payment of version 1 that is refused gets offers of version 1',
    sold,
    async (stage, mcp) => {
      const payment = inVersion1(stage, await mcp.pay(sold))
      stage.facilitator.play({ verify: invalid })
      const result = await mcp.call(sold, with_(payment))
      expectNotServed(result, 'the payment is no good')
      if (stage.facilitator.asked('/verify').length === 0) notApplicable('the server does not speak version 1')
      expectMessage('v1/PaymentRequired', challengeIn(result))
    },
  ),
  toolCheck(
    'MCP-006/old-keys',
    'who reads x402.payment answers under x402.payment-response',
    sold,
    async (stage, mcp) => {
      const payment = encodeHeader(inVersion1(stage, await mcp.pay(sold)))
      const result = await mcp.call(sold, { [metaKey.oldPayment]: payment })
      if (challengeIn(result) !== undefined) notApplicable('the server does not read x402.payment')
      expectServed(result, 'a payment under the key of before')
      const receipt = metaOf(result, metaKey.oldReceipt)
      const read = typeof receipt === 'string' ? decodeHeader(receipt) : receipt
      expectSame('success of the receipt', true, isObject(read) ? read.success : read)
    },
  ),
  toolCheck(
    'MCP-007/again',
    'a payment that comes again, by another connection, gets the same result',
    sold,
    async (stage, mcp, before) => {
      const payment = await mcp.pay(sold)
      const first = await mcp.call(sold, with_(payment))
      expectServed(first)
      const second = await (await connectMcp(stage)).call(sold, with_(payment))
      expectServed(second, 'a payment that is presented again')
      expectSame('the second result', first.content, second.content)
      await expectSales(stage, 'mcp', { before, work: 1, payments: 1 })
    },
  ),
  toolCheck(
    'MCP-007/at-once',
    'of copies of a payment at once, one runs the tool',
    sold,
    async (stage, mcp, before) => {
      const payment = await mcp.pay(sold)
      const connections = await Promise.all([1, 2, 3].map(() => connectMcp(stage)))
      const results = await Promise.all(connections.map((each) => each.call(sold, with_(payment))))
      expectThat(
        results.some(({ isError }) => isError !== true),
        'none of them is served',
        'one at least',
        results.map(textOf),
      )
      await expectSales(stage, 'mcp', { before, work: 1, payments: 1 })
    },
  ),
  toolCheck(
    'MCP-008/other-arguments',
    'a payment that was presented for other arguments is refused',
    sold,
    async (stage, mcp, before) => {
      const payment = await mcp.pay(sold)
      expectServed(await mcp.call(sold, with_(payment)))
      expectNotServed(await mcp.call(sold, with_(payment), 'another'), 'the payment was presented for other arguments')
      await expectSales(stage, 'mcp', { before, work: 1, payments: 1 })
    },
  ),
  toolCheck('MCP-009/failing', 'nothing is settled for a tool that fails', 'failing', async (stage, mcp) => {
    expectNotServed(await mcp.call('failing', with_(await mcp.pay('failing'))), 'the tool fails')
    expectSame('how often the facilitator was asked to settle', 0, stage.facilitator.asked('/settle').length)
  }),
  toolCheck(
    'MCP-010/upfront',
    'a tool that fails after its payment was settled gives the receipt',
    'upfront',
    async (stage, mcp) => {
      const result = await mcp.call('upfront', with_(await mcp.pay('upfront')))
      if (stage.facilitator.asked('/settle').length === 0) notApplicable('the tool is settled for after its work')
      expectThat(result.isError === true, 'isError of a tool that failed', true, result)
      const receipt = metaOf(result, metaKey.receipt)
      expectSame('success of the receipt', true, isObject(receipt) ? receipt.success : receipt)
    },
  ),
  toolCheck('MCP-011/refused', 'what was not settled is not given', sold, async (stage, mcp) => {
    const payment = await mcp.pay(sold)
    stage.facilitator.play({ settle: refused })
    expectNotServed(await mcp.call(sold, with_(payment)), 'settlement is refused')
  }),
  toolCheck(
    'MCP-012/unknown',
    'an unknown outcome is an error result with a receipt that says so',
    sold,
    async (stage, mcp) => {
      const payment = await mcp.pay(sold)
      stage.facilitator.play({ settle: pending })
      const result = await mcp.call(sold, with_(payment))
      expectNotServed(result, 'the outcome is unknown')
      const receipt = metaOf(result, metaKey.receipt)
      const { success, errorReason } = isObject(receipt) ? receipt : {}
      expectSame('success and errorReason', [false, 'settlement_pending'], [success, errorReason])
    },
  ),
  toolCheck(
    'MCP-013/no-payment',
    'what is no payment is refused with offers and the code',
    sold,
    async (stage, mcp, before) => {
      for (const value of ['text', 7, [], {}, { x402Version: 2 }]) {
        const result = await mcp.call(sold, with_(value))
        expectNotServed(result, `the payment is ${JSON.stringify(value)}`)
        const code = String(challengeIn(result)?.error)
        const isReason = errorCodes.has(code) && code !== 'payment_required'
        expectThat(isReason, 'error of the challenge', 'the code of the reason, such as invalid_payload', code)
      }
      await expectSales(stage, 'mcp', { before, work: 0, payments: 0 })
    },
  ),
  toolCheck('MCP-014/forged', 'receipts that a tool writes are removed', 'forging', async (_, mcp) => {
    const result = await mcp.call('forging', with_(await mcp.pay('forging')))
    expectServed(result, 'a payment for a tool that writes receipts')
    const said = [metaKey.receipt, metaKey.oldReceipt].map((key) => JSON.stringify(metaOf(result, key) ?? null))
    expectThat(
      !said.some((each) => each.includes('forged')),
      'the receipt is the one that the tool wrote',
      'none',
      said,
    )
  }),
  toolCheck(
    'MCP-015/arguments',
    'wrong arguments are found before the payment is verified',
    sold,
    async (stage, mcp) => {
      const payment = await mcp.pay(sold)
      const params = { name: sold, arguments: { order: 7 }, _meta: with_(payment) }
      const { result, error } = await mcp.request('tools/call', params)
      expectThat(error !== undefined || result?.isError === true, 'wrong arguments are taken', 'an error', result)
      expectSame('how often the facilitator was asked', 0, stage.facilitator.asked('/verify').length)
    },
  ),
  serverCheck(
    'MCP-018/resource',
    'a resource asks for its price by an error with the offers as its data',
    async (stage) => {
      const mcp = await connectMcp(stage)
      const uri = 'conformance://paid'
      const { result } = await mcp.request('resources/list')
      const listed = Array.isArray(result?.resources) ? result.resources.filter(isObject) : []
      if (!listed.some((each) => each.uri === uri)) notApplicable(`the MCP server of the target has no resource ${uri}`)
      const { error, result: read } = await mcp.request('resources/read', { uri })
      if (error === undefined) fail('the resource is not asked to be paid for', 'an error', read)
      expectMessage('v2/PaymentRequired', error.data)
    },
  ),
  toolCheck('MCP-019/name', 'the offers name the tool', sold, async (_, mcp) => {
    const challenge = challengeIn(await mcp.call(sold))
    const { url } = isObject(challenge?.resource) ? challenge.resource : {}
    expectThat(
      url === `mcp://tool/${sold}` || String(url).startsWith('https://'),
      'resource.url',
      `mcp://tool/${sold}`,
      url,
    )
    expectThat(offersOf(challenge).length > 0, 'there are no offers')
  }),
  toolCheck(
    'MCP-016/cancelled',
    'nothing is settled for a call that was cancelled before its settlement began',
    sold,
    async (stage, mcp) => {
      if (!mcp.lasts) notApplicable('the MCP server has no sessions by which a call could be cancelled')
      const payment = await mcp.pay(sold)
      let [reached, release] = [() => {}, () => {}]
      const isVerified = new Promise<void>((resolve) => {
        reached = resolve
      })
      const isCancelled = new Promise<void>((resolve) => {
        release = resolve
      })
      stage.facilitator.play({
        async verify(usual) {
          reached()
          await isCancelled
          return { json: usual }
        },
      })
      const params = { name: sold, arguments: { order: 'one' }, _meta: with_(payment) }
      const { id, heard } = mcp.begin('tools/call', params, 700)
      await Promise.race([isVerified, heard])
      await mcp.tell('notifications/cancelled', { requestId: id, reason: 'nobody wants it' })
      release()
      // It may answer or not.
      await heard
      expectSame('how often the facilitator was asked to settle', 0, stage.facilitator.asked('/settle').length)
    },
    { once: true },
  ),
  toolCheck('MCP-017/progress', 'a paid tool may tell of its progress', 'reporting', async (_, mcp) => {
    const progressToken = 'groat-conform'
    const _meta = { ...with_(await mcp.pay('reporting')), progressToken }
    const { id, heard } = mcp.begin('tools/call', { name: 'reporting', arguments: { order: 'one' }, _meta })
    const messages = await heard
    const { result } = messages.find((message) => message.id === id) ?? {}
    expectServed(isObject(result) ? result : {}, 'a payment for a tool that reports')
    const told = messages.filter(({ method, params }) => {
      const token = isObject(params) ? params.progressToken : undefined
      return method === 'notifications/progress' && token === progressToken
    })
    expectThat(told.length > 0, 'notifications of progress before the result', 'one at least', messages.length - 1)
  }),
  toolCheck(
    'MCP-020/free',
    'a tool that is not sold answers as ever, with a payment and without',
    'free',
    async (stage, mcp) => {
      const payment = await mcp.pay(sold)
      for (const meta of [undefined, with_(payment)]) {
        const result = await mcp.call('free', meta)
        expectServed(result, 'a call of a tool that is not sold')
        expectSame('the receipt', undefined, metaOf(result, metaKey.receipt))
      }
      expectSame('how often the facilitator was asked', 0, stage.facilitator.asked().length)
    },
  ),
]
