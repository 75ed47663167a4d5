import type { Opened } from '../src/index.js'
import { openServer } from '../targets/ours/server.js'
import { asSaid, spoil } from './middle.js'
import { a2aMutants } from './server-a2a.js'
import { descriptionMutants } from './server-descriptions.js'
import { experimentMutants } from './server-experiments.js'
import { extensionMutants } from './server-extensions.js'
import {
  answers,
  behind,
  decode,
  deliver,
  eachOffer,
  encode,
  good,
  headerOf,
  hears,
  isPaidRoute,
  type Json,
  offers,
  receipt,
  type ServerMutant,
  says,
  secret,
  withHeader,
  works,
} from './server-faults.js'
import { mcpMutants } from './server-mcp.js'

export type { ServerMutant } from './server-faults.js'

/** Broken in one way each. */
export const serverMutants: readonly ServerMutant[] = [
  answers('401 for unpaid', ['HTTP-001/unpaid/evm'], (said) => (said.status === 402 ? { ...said, status: 401 } : said)),
  answers('no offers in the header', ['HTTP-002/header/evm', 'HTTP-040/invalid/evm'], (said) =>
    withHeader(said, 'payment-required', undefined),
  ),
  answers('the alphabet of URLs', ['HTTP-020/base64/evm'], (said) =>
    withHeader(said, 'payment-required', said.headers['payment-required']?.replaceAll('=', '').replaceAll('+', '-')),
  ),
  answers('a 402 that may be stored', ['HTTP-060/no-store/evm'], (said) =>
    withHeader(said, 'cache-control', 'max-age=60'),
  ),
  answers('a receipt that may be stored', ['HTTP-061/private/evm', 'HTTP-062/not-public/evm'], (said) =>
    withHeader(said, 'cache-control', 'public, s-maxage=60'),
  ),
  answers(
    'no receipt',
    ['HTTP-047/delivers/evm', 'HTTP-008/receipt/evm', 'HTTP-042/refused/evm', 'HTTP-044/receipt/evm'],
    (said) => withHeader(said, 'payment-response', undefined),
  ),
  answers('no problem details', ['HTTP-050/problem/evm'], (said) =>
    said.status === 402 ? { ...said, text: 'pay' } : said,
  ),
  answers('no Retry-After', ['HTTP-043/unknown/evm'], (said) => withHeader(said, 'retry-after', undefined)),
  answers(
    'unknown is refused',
    ['SRV-010/broken-off/evm', 'SRV-010/unreadable/evm', 'HTTP-043/unknown/evm', 'HTTP-046/no-facilitator/evm'],
    (said) => (said.status >= 500 ? { ...said, status: 402 } : said),
  ),
  answers(
    'refused is a fault',
    [
      'HTTP-040/invalid/evm',
      'HTTP-042/refused/evm',
      'SRV-009/verdict-400/evm',
      'SRV-009/receipt-402/evm',
      'ERR-002/unknown-code/evm',
    ],
    (said, passing) => (said.status === 402 && headerOf(passing) ? { ...said, status: 500 } : said),
  ),
  answers(
    'delivers when it does not know',
    [
      'HTTP-046/no-facilitator/evm',
      'SRV-010/broken-off/evm',
      'SRV-011/success-text/evm',
      'SRV-013/gigabyte/evm',
      'SRV-006/failing/evm',
      'SRV-006/throwing/evm',
      'SRV-011/no-transaction/evm',
    ],
    (said) => (said.status >= 500 ? { ...said, status: 200, text: JSON.stringify(secret) } : said),
  ),
  answers(
    'delivers what was refused',
    [
      'HTTP-040/invalid/evm',
      'HTTP-042/refused/evm',
      'SRV-008/discards/evm',
      'CORE-033/amount/evm',
      'HTTP-022/white-space/evm',
      'SRV-020/other-resource/evm',
      'HTTP-011/version/evm',
    ],
    (said, passing) =>
      said.status === 402 && headerOf(passing) ? { ...said, status: 200, text: JSON.stringify(secret) } : said,
  ),
  answers('leaves headers of the work', ['SRV-008/discards/evm'], (said) => withHeader(said, 'x-work', 'done')),
  answers('a HEAD for nothing', ['HTTP-048/head/evm'], (said, { method }) =>
    method === 'HEAD' ? { ...said, status: 200 } : said,
  ),
  answers('asks OPTIONS for money', ['HTTP-049/options/evm'], (said, { method }) =>
    method === 'OPTIONS' ? { ...said, status: 402 } : said,
  ),
  answers('forgets one spelling', ['SEC-020/spellings/evm'], (said, { path }) =>
    path === '/conformance//paid' ? { ...said, status: 200, text: JSON.stringify(secret) } : said,
  ),
  answers('lets the work write receipts', ['SRV-017/forged-receipt/evm'], (said, { path }) =>
    path.includes('forged') && said.status === 200
      ? withHeader(said, 'payment-response', encode({ success: true, transaction: 'forged', network: 'eip155:84532' }))
      : said,
  ),
  offers('the version as text', ['CORE-001/version/evm'], (message) => ({ ...message, x402Version: '2' })),
  offers('no offers', ['CORE-020/accepts/evm', 'HTTP-029/undecodable/evm'], (message) => ({ ...message, accepts: [] })),
  offers('no resource', ['CORE-021/resource/evm'], ({ resource: _, ...message }) => message),
  offers(
    'another price',
    ['CORE-025/as-configured/evm'],
    eachOffer((offer) => ({ ...offer, amount: '9999' })),
  ),
  offers(
    'no extra',
    ['CORE-026/extra/evm', 'EVM-EXACT-003/domain/evm'],
    eachOffer(({ extra: _, ...offer }) => offer),
  ),
  offers(
    'no fee payer',
    ['SVM-EXACT-003/fee-payer/svm'],
    eachOffer((offer) => ({ ...offer, extra: {} })),
  ),
  offers(
    'a timeout as text',
    ['CORE-028/timeout/evm'],
    eachOffer((offer) => ({ ...offer, maxTimeoutSeconds: '300' })),
  ),
  offers(
    'a price as a number',
    ['CORE-050/amount/evm', 'HTTP-002/header/evm'],
    eachOffer((offer) => ({ ...offer, amount: Number(offer.amount) })),
  ),
  offers(
    'a network of version 1',
    ['CORE-060/network/evm'],
    eachOffer((offer) => ({ ...offer, network: 'base-sepolia' })),
  ),
  offers('a sentence for a code', ['HTTP-041/code/evm'], (message) => ({
    ...message,
    error: `${message.error}: says the node rpc-7`,
  })),
  offers('another code', ['HTTP-029/undecodable/evm'], (message) => ({ ...message, error: 'payment_required' })),
  {
    name: 'another offer each time',
    kills: ['SRV-015/same-offer/evm'],
    fault: () => {
      let times = 0
      return async (_, forward) => {
        const said = await forward()
        const found = decode(said.headers['payment-required'])
        times += 1
        if (found === undefined) return asSaid(said)
        const changed = eachOffer((offer) => ({ ...offer, maxTimeoutSeconds: offer.maxTimeoutSeconds + times }))(found)
        return asSaid(withHeader(said, 'payment-required', encode(changed)))
      }
    },
  },
  {
    name: 'compares names of headers with their case',
    kills: ['HTTP-010/case/evm'],
    fault: () => async (passing, forward) => {
      const { 'payment-signature': _, ...headers } = passing.headers
      return asSaid(await forward(passing.rawNames.includes('PAYMENT-SIGNATURE') ? {} : { headers }))
    },
  },
  hears('wants padding', ['HTTP-021/padding/evm'], (header) => (header.length % 4 === 0 ? undefined : '!')),
  {
    name: 'an empty header is a fault',
    kills: ['HTTP-014/empty/evm'],
    fault: () => async (passing, forward) =>
      passing.headers['payment-signature'] === '' ? { status: 400, text: 'empty' } : asSaid(await forward()),
  },
  {
    name: 'the first of two headers',
    kills: ['HTTP-012/twice/evm', 'HTTP-015/both-headers/evm'],
    fault: () => async (passing, forward) => {
      const { 'x-payment': _, ...headers } = passing.headers
      return asSaid(
        await forward({
          headers: {
            ...headers,
            ...(headerOf(passing) === undefined ? {} : { 'payment-signature': headerOf(passing) ?? '' }),
          },
        }),
      )
    },
  },
  hears(
    'decodes whatever can be decoded',
    [
      'HTTP-022/url-alphabet/evm',
      'HTTP-022/white-space/evm',
      'HTTP-024/mark/evm',
      'HTTP-024/latin-1/evm',
      'HTTP-025/long/evm',
      'HTTP-026/deep/evm',
      'CORE-012/same-key-twice/evm',
      'HTTP-023/length/evm',
      'CORE-011/list/evm',
      'CORE-002/version-3/evm',
    ],
    (header) => {
      const found = decode(header)
      const { resource, accepted, payload } = (Array.isArray(found) ? found[0] : found) ?? {}
      return payload === undefined ? undefined : encode({ x402Version: 2, resource, accepted, payload })
    },
  ),
  {
    name: 'any version in any header',
    kills: ['HTTP-011/version/evm'],
    fault: () => async (passing, forward) => {
      const header = headerOf(passing)
      const payment = header === undefined ? undefined : decode(header)
      if (payment?.x402Version !== 1) return asSaid(await forward())
      const { 'payment-signature': _, ...unpaid } = passing.headers
      const own = decode((await forward({ headers: unpaid })).headers['payment-required'])?.accepts?.[0]
      const two = encode({ x402Version: 2, accepted: own, payload: payment.payload })
      return asSaid(await forward({ headers: { ...unpaid, 'payment-signature': two } }))
    },
  },
  hears('knows no other members', ['CORE-013/unknown-members/evm', 'CORE-035/more-extra/evm'], (header) =>
    JSON.stringify(decode(header) ?? 0).includes('x-unknown') ? '!' : undefined,
  ),
  hears('compares addresses letter by letter', ['CORE-036/case/evm'], (header) => {
    const { payTo } = decode(header)?.accepted ?? {}
    return typeof payTo === 'string' && payTo === payTo.toLowerCase() ? '!' : undefined
  }),
  hears('does not look at the resource', ['SRV-020/other-resource/evm'], (header) => {
    const { resource: _, ...rest } = decode(header) ?? {}
    return rest.payload === undefined ? undefined : encode(rest)
  }),
  {
    name: "takes the client's word for the offer",
    kills: [
      'CORE-033/amount/evm',
      'CORE-033/pay-to/evm',
      'CORE-033/asset/evm',
      'CORE-033/network/evm',
      'CORE-033/scheme/evm',
      'CORE-034/extra/evm',
    ],
    fault: () => async (passing, forward) => {
      const header = headerOf(passing)
      const payment = header === undefined ? undefined : decode(header)
      if (payment?.accepted === undefined) return asSaid(await forward())
      const { 'payment-signature': _, ...unpaid } = passing.headers
      const own = decode((await forward({ headers: unpaid })).headers['payment-required'])?.accepts?.[0]
      return asSaid(
        await forward({ headers: { ...unpaid, 'payment-signature': encode({ ...payment, accepted: own }) } }),
      )
    },
  },
  works(
    'works before it verifies',
    ['SRV-001/verify-first/evm', 'SRV-001/refused/evm', 'HTTP-022/white-space/evm'],
    async (passing, count) => {
      if (headerOf(passing)) count()
    },
  ),
  works('works for nothing', ['HTTP-001/unpaid/evm', 'SEC-020/spellings/evm'], async (passing, count) => {
    if (isPaidRoute(passing)) count()
  }),
  works(
    'works for every copy',
    ['SRV-004/at-once/evm', 'SRV-004/races/evm', 'SRV-005/again/evm', 'SRV-021/keeps-claim/evm'],
    async (passing, count) => {
      if (headerOf(passing)) count()
    },
  ),
  {
    name: 'begins to answer before it settles',
    kills: ['SRV-007/holds-back/evm', 'SRV-007/streams/evm', 'HTTP-042/refused/evm'],
    fault: () => async (passing, forward) => {
      if (headerOf(passing) === undefined) return asSaid(await forward())
      forward().catch(() => {})
      return deliver
    },
  },
  {
    name: 'asks about what is malformed',
    kills: ['SRV-002/not-asked/evm'],
    fault: (env) => async (passing, forward) => {
      if (headerOf(passing)) await fetch(`${env.X402_FACILITATOR_URL}/verify`, { method: 'POST', body: '{}' })
      return asSaid(await forward())
    },
  },
  behind(
    'sends the offer of the client',
    ['CORE-037/own-offer/evm', 'CORE-035/more-extra/evm'],
    () => async (passing, forward) => {
      const json = passing.json as Json
      if (json?.paymentRequirements === undefined) return asSaid(await forward())
      return asSaid(
        await forward({
          json: { ...json, paymentRequirements: { ...json.paymentPayload.accepted, amount: '1', 'x-unknown': 1 } },
        }),
      )
    },
  ),
  behind('no version at the top', ['FAC-003/version/evm', 'CORE-010/request/evm'], () => async (passing, forward) => {
    const { x402Version: _, ...json } = (passing.json ?? {}) as Json
    return asSaid(await forward(passing.json === undefined ? {} : { json }))
  }),
  behind(
    'text/plain to the facilitator',
    ['CORE-010/request/evm'],
    () => async (passing, forward) =>
      asSaid(await forward({ headers: { ...passing.headers, 'content-type': 'text/plain' } })),
  ),
  says('takes "true" for true', ['SRV-011/success-text/evm'], (json) =>
    json?.success === 'true' ? good(json) : undefined,
  ),
  says('any transaction', ['SRV-011/transaction-number/evm', 'SRV-011/no-transaction/evm'], (json) =>
    json?.success === true ? good(json) : undefined,
  ),
  says('any network', ['SRV-011/other-network/evm'], (json) =>
    json?.success === true ? { ...json, network: 'eip155:84532' } : undefined,
  ),
  says('unreadable is settled', ['SRV-010/unreadable/evm', 'SRV-010/broken-off/evm'], (json) =>
    json === undefined ? { ...good(undefined), isValid: true } : undefined,
  ),
  says('refused is settled', ['HTTP-042/refused/evm', 'SRV-009/receipt-402/evm'], (json) =>
    json?.success === false ? good(json) : undefined,
  ),
  says(
    'bad is good',
    [
      'HTTP-040/invalid/evm',
      'SRV-001/refused/evm',
      'SRV-009/verdict-400/evm',
      'ERR-002/unknown-code/evm',
      'HTTP-041/code/evm',
    ],
    (json) => (json?.isValid === false ? { isValid: true } : undefined),
  ),
  behind('follows its facilitator anywhere', ['SRV-012/redirect/evm'], () => async (passing, forward) => {
    const said = await forward()
    if (said.status !== 307) return asSaid(said)
    const { location = '' } = said.headers
    const found = await fetch(location, { method: 'POST', body: passing.text })
    return { status: found.status, json: await found.json() }
  }),
  behind('does not wait for its facilitator', ['SRV-013/gigabyte/evm'], () => async ({ path }, forward) => {
    if (path !== '/settle') return asSaid(await forward())
    // It says that all is well, and asks afterwards.
    return { json: good(undefined) }
  }),
  {
    name: 'settles work that fails',
    kills: ['SRV-006/failing/evm', 'SRV-006/throwing/evm'],
    fault: () => async (passing, forward) => {
      const said = await forward()
      const isFailing = /failing|throwing/.test(passing.path) && headerOf(passing) !== undefined
      return isFailing
        ? { status: 200, headers: { 'payment-response': receipt }, json: { error: 'broken' } }
        : asSaid(said)
    },
  },
  answers('gives up at the first question', ['SRV-014/asks-again/evm', 'SRV-021/keeps-claim/evm'], (said, passing) =>
    headerOf(passing) ? { ...said, status: 503 } : said,
  ),
  answers('no body of version 1', ['HTTP-003/body-v1/evm'], (said) => {
    const body = decode(encode(said.json))
    return body?.x402Version === 1 ? { ...said, text: JSON.stringify({ ...body, accepts: [{}] }) } : said
  }),
  answers('another price in version 1', ['CORE-006/both-versions/evm'], (said) =>
    said.json?.x402Version === 1
      ? {
          ...said,
          text: JSON.stringify({
            ...said.json,
            accepts: said.json.accepts.map((offer: Json) => ({ ...offer, maxAmountRequired: '1' })),
          }),
        }
      : said,
  ),
  ...extensionMutants,
  ...experimentMutants,
  ...descriptionMutants,
  ...mcpMutants,
  ...a2aMutants,
]

/** Delivers to everybody. */
export const serverAlwaysYes: ServerMutant = {
  name: 'always yes',
  kills: [],
  fault: () => async (passing, forward) => {
    if (
      !isPaidRoute(passing) ||
      (headerOf(passing) === undefined && passing.method === 'GET' && passing.path === '/conformance/paid')
    )
      return asSaid(await forward())
    return deliver
  },
}

/** Delivers to nobody. */
export const serverAlwaysNo: ServerMutant = {
  name: 'always no',
  kills: [],
  fault: () => async () => ({ status: 500, text: 'no' }),
}

/** Opens a server of ours, broken like this. */
export const openBroken =
  ({ fault, behind: at }: ServerMutant) =>
  async (env: Readonly<Record<string, string>>): Promise<Opened> => {
    const between = at === undefined ? undefined : await spoil(env.X402_FACILITATOR_URL ?? '', at())
    const honest = await openServer(between === undefined ? env : { ...env, X402_FACILITATOR_URL: between.url })
    const broken = await spoil(honest.url, fault(env))
    return {
      url: broken.url,
      async close() {
        await broken.close()
        await honest.close()
        await between?.close()
      },
    }
  }
