import { isObject, jsonIn } from '../http/exchange.js'
import { both, type Check } from '../model/check.js'
import { expectSame, expectThat, notApplicable } from '../model/finding.js'
import { expectMessage } from '../spec/messages.js'
import { decodeHeader } from '../wire/messages.js'
import { offersIn, type ServerStage } from './stage.js'

type ServerCheck = Check<ServerStage>

/** A check of a server. They share its facilitator, so they are played one after the other. */
export const serverCheck = (
  id: string,
  title: string,
  run: ServerCheck['run'],
  more: Partial<ServerCheck> = {},
): ServerCheck => ({
  id,
  title,
  role: 'server',
  kind: 'scenario',
  families: both,
  alone: true,
  run,
  ...more,
})

/** What a server says to a request without a payment. */
export const offerChecks: readonly ServerCheck[] = [
  serverCheck(
    'HTTP-001/unpaid',
    'a request without a payment is answered with 402, and the work is not done',
    async (stage) => {
      const before = await stage.hits()
      const { status } = await stage.ask('paid')
      expectSame('the status', 402, status)
      expectSame('how often the work was done', before, await stage.hits())
    },
  ),
  serverCheck('HTTP-002/header', 'the offers stand in PAYMENT-REQUIRED, in the form of their schema', async (stage) => {
    const { headers } = await stage.ask('paid')
    const value = headers['payment-required']
    expectThat(value !== undefined, 'the 402 has no header PAYMENT-REQUIRED', 'one', Object.keys(headers))
    expectMessage('v2/PaymentRequired', decodeHeader(value))
  }),
  serverCheck('HTTP-020/base64', 'header values are standard base64 with padding', async (stage) => {
    const value = (await stage.ask('paid')).headers['payment-required'] ?? ''
    const right = value.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(value)
    expectThat(right, 'PAYMENT-REQUIRED is no padded standard base64', undefined, value)
  }),
  serverCheck('HTTP-060/no-store', 'a 402 is not to be stored', async (stage) => {
    const control = (await stage.ask('paid')).headers['cache-control'] ?? ''
    expectThat(/\bno-store\b/.test(control), 'Cache-Control of the 402', 'no-store', control || 'none')
  }),
  serverCheck('CORE-001/version', 'x402Version is the number 2', async (stage) => {
    const { x402Version } = decodeHeader((await stage.ask('paid')).headers['payment-required']) ?? {}
    expectSame('x402Version', 2, x402Version)
  }),
  serverCheck('CORE-020/accepts', 'there is at least one offer, and at most 64', async (stage) => {
    const { length } = offersIn(await stage.ask('paid'))
    expectThat(length >= 1 && length <= 64, 'the number of offers', '1 to 64', length)
  }),
  serverCheck('CORE-021/resource', 'the resource is named', async (stage) => {
    const { resource } = decodeHeader((await stage.ask('paid')).headers['payment-required']) ?? {}
    const url = isObject(resource) ? resource.url : undefined
    expectThat(typeof url === 'string' && url.includes('/conformance/paid'), 'resource.url', 'the URL', url)
  }),
  serverCheck('CORE-025/as-configured', 'the offer asks what the server was told to ask', async (stage) => {
    const { amount, payTo, asset, network } = await stage.offer()
    const told = stage.sale
    expectSame('amount', told.amount, amount)
    expectSame('payTo', told.payTo.toLowerCase(), String(payTo).toLowerCase())
    expectSame('asset', told.asset.toLowerCase(), String(asset).toLowerCase())
    expectSame('network', told.network, network)
  }),
  serverCheck('CORE-026/extra', '`extra` is an object in every offer', async (stage) => {
    for (const { extra } of offersIn(await stage.ask('paid')))
      expectThat(isObject(extra), '`extra`', 'an object', extra)
  }),
  serverCheck('CORE-028/timeout', '`maxTimeoutSeconds` is a positive integer', async (stage) => {
    for (const { maxTimeoutSeconds } of offersIn(await stage.ask('paid'))) {
      expectThat(
        Number.isInteger(maxTimeoutSeconds) && Number(maxTimeoutSeconds) > 0,
        'maxTimeoutSeconds',
        'a positive integer',
        maxTimeoutSeconds,
      )
    }
  }),
  serverCheck('CORE-050/amount', 'amounts are decimal text', async (stage) => {
    for (const { amount } of offersIn(await stage.ask('paid'))) {
      expectThat(typeof amount === 'string' && /^(0|[1-9][0-9]{0,77})$/.test(amount), 'amount', 'decimal text', amount)
    }
  }),
  serverCheck('CORE-060/network', 'networks are CAIP-2 names', async (stage) => {
    for (const { network } of offersIn(await stage.ask('paid'))) {
      expectThat(/^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/.test(String(network)), 'network', 'a CAIP-2 name', network)
    }
  }),
  serverCheck(
    'EVM-EXACT-003/domain',
    'an offer of USDC has the name and version of its domain',
    async (stage) => {
      const { extra } = await stage.offer()
      expectSame('extra.name and extra.version', ['USDC', '2'], isObject(extra) ? [extra.name, extra.version] : extra)
    },
    { families: ['evm'] },
  ),
  serverCheck(
    'SVM-EXACT-003/fee-payer',
    "an offer names the facilitator's fee payer",
    async (stage) => {
      const { extra } = await stage.offer()
      expectSame(
        'extra.feePayer',
        'AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9',
        isObject(extra) ? extra.feePayer : extra,
      )
    },
    { families: ['svm'] },
  ),
  serverCheck('SRV-015/same-offer', 'the same offer is made again', async (stage) => {
    const stable = ({ extra, ...offer }: Readonly<Record<string, unknown>>) => {
      // Blockhashes in offers are hints, and change.
      const { recentBlockhash: _, lastValidBlockHeight: __, ...rest } = isObject(extra) ? extra : {}
      return { ...offer, extra: rest }
    }
    expectSame('the second offer', stable(await stage.offer()), stable(await stage.offer()))
  }),
  serverCheck('HTTP-048/head', 'HEAD is treated like GET', async (stage) => {
    expectSame('the status of HEAD', 402, (await stage.ask('paid', {}, 'HEAD')).status)
  }),
  serverCheck('HTTP-049/options', 'OPTIONS passes without payment', async (stage) => {
    const { status } = await stage.ask('paid', {}, 'OPTIONS')
    expectThat(status !== 402, 'OPTIONS is answered with 402', 'any other status', status)
  }),
  serverCheck('SEC-020/spellings', 'no spelling of the URL reaches the work without a payment', async (stage) => {
    const before = await stage.hits()
    const paths = [
      '/conformance//paid',
      '/conformance/./paid',
      '/conformance/x/../paid',
      '/conformance/%70aid',
      '/conformance/paid/',
      '/conformance/paid?a=b',
      '/CONFORMANCE/PAID',
      '//conformance/paid',
      '/conformance/paid%20',
      '/conformance/paid%00',
      '/conformance/paid;a=b',
      '/conformance/%2e/paid',
    ]
    for (const path of paths) {
      const answer = await stage.http.attempt({ url: stage.url('paid'), path })
      if (!('silent' in answer))
        expectThat(
          !answer.text.includes('secret'),
          `${path} is delivered without payment`,
          402,
          `${answer.status} ${answer.text}`,
        )
    }
    for (const method of ['HEAD', 'POST', 'get', 'PROPFIND'])
      await stage.http.attempt({ url: stage.url('paid'), method })
    expectSame('how often the work was done', before, await stage.hits())
  }),
  serverCheck('HTTP-050/problem', 'the body of a refusal is problem details', async (stage) => {
    const { status, code, type } = (jsonIn(await stage.ask('paid')) ?? {}) as Record<string, unknown>
    expectSame(
      'status, code and type',
      [402, 'payment_required', 'urn:x402:error:payment_required'],
      [status, code, type],
    )
  }),
  serverCheck('HTTP-003/body-v1', 'a server that speaks version 1 makes its offers in the body', async (stage) => {
    const body = jsonIn(await stage.ask('paid'))
    if (!isObject(body) || body.x402Version !== 1) notApplicable('the server does not speak version 1')
    expectMessage('v1/PaymentRequired', body)
  }),
  serverCheck('CORE-006/both-versions', 'both versions ask the same', async (stage) => {
    const answer = await stage.ask('paid')
    const body = jsonIn(answer)
    if (!isObject(body) || body.x402Version !== 1 || !Array.isArray(body.accepts))
      notApplicable('the server does not speak version 1')
    const one = (body.accepts as unknown[]).filter(isObject).find(({ network }) => network === stage.rail.v1Network)
    const two = await stage.offer()
    expectSame(
      'amount, asset and payTo of version 1',
      [two.amount, two.asset, two.payTo],
      [one?.maxAmountRequired, one?.asset, one?.payTo],
    )
  }),
]
