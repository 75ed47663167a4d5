import { bindingOf } from '../src/wire/bindings.js'
import { canonical, sha256 } from '../src/wire/canonical.js'
import { asSaid, type Passing, type Said, saying } from './middle.js'
import {
  announces,
  answers,
  decode,
  deliver,
  delivers,
  encode,
  headerOf,
  hears,
  type Json,
  type ServerMutant,
  withHeader,
  withInfo,
} from './server-faults.js'

const binding = 'groat-request-binding'
const fields = 'groat-compliance'
const refund = 'groat-refund'

const infoIn = (payment: Json, key: string): Json => payment?.extensions?.[key]?.info

/** Delivers for bound payments like these. */
const unbound = (
  name: string,
  kills: readonly string[],
  when: (info: Json, passing: Passing, payment: Json) => boolean,
) =>
  delivers(name, kills, (payment, passing) => {
    const info = infoIn(payment, binding)
    return info?.salt !== undefined && when(info, passing, payment)
  })

/** Whether a payment is bound to the request but for this about it. */
const isBoundTo = (change: object, { salt }: Json, { text }: Passing, payment: Json): boolean => {
  const url = 'https://conformance.example/conformance/bound'
  const nonce = bindingOf({ method: 'POST', url, body: text, salt, ...change })
  return payment.payload.authorization?.nonce === `0x${nonce}`
}

/** Changes what payments say of their payer before it is looked at. */
const payers = (name: string, kills: readonly string[], when: (payer: Json, payment: Json) => boolean) =>
  delivers(name, kills, (payment, { path }) => /\/fields/.test(path) && when(infoIn(payment, fields)?.payer, payment))

/** Changes what a receipt says under a key; undefined takes it away. */
const receipts = (name: string, kills: readonly string[], key: string, change: (info: Json) => Json): ServerMutant =>
  answers(name, kills, (said) => {
    const found = decode(said.headers['payment-response'])
    const info = infoIn(found, key)
    if (info === undefined) return said
    const { [key]: _, ...rest } = found.extensions
    const changed = change(info)
    const extensions = changed === undefined ? rest : { ...rest, [key]: { info: changed } }
    return withHeader(said, 'payment-response', encode({ ...found, extensions }))
  })

const isAsked = ({ path }: Passing) => path.startsWith('/.well-known/x402-refund')

/** Changes what it answers to who asks for money back. */
const replies = (
  name: string,
  kills: readonly string[],
  change: (said: Said, wish: Json) => readonly [status: number, body: Json] | undefined,
): ServerMutant => ({
  name,
  kills,
  fault: () => async (passing, forward) => {
    const said = await forward()
    const [status, body] = (isAsked(passing) ? change(said, passing.json) : undefined) ?? []
    return body === undefined ? asSaid(said) : saying(said, body, status)
  },
})

/** Gives where the honest server denies. */
const gives = (name: string, kills: readonly string[], when: (code: string, wish: Json) => boolean): ServerMutant =>
  replies(name, kills, ({ json }, wish) =>
    json?.status === 'denied' && when(json.code, wish)
      ? [202, { status: 'pending', refundOf: wish.transaction, amount: wish.amount }]
      : undefined,
  )

const { origin } = new URL('https://conformance.example')

/** Broken in what they make of the experimental extensions. */
export const experimentMutants: readonly ServerMutant[] = [
  announces(
    'does not say whether payments have to be bound',
    ['EXT-BIND-001/announced/evm'],
    binding,
    withInfo(({ required: _, ...info }) => info),
  ),
  hears('does not understand bound payments', ['EXT-BIND-004/bound/evm', 'EXT-BIND-006/host/evm'], (header) => {
    const payment = decode(header)
    if (infoIn(payment, binding) === undefined) return undefined
    return encode({ ...payment, extensions: {} })
  }),
  unbound('binds payments to no body', ['EXT-BIND-004/body/evm'], (_, { text }) => text.includes('"two"')),
  unbound('binds payments to no query', ['EXT-BIND-004/query/evm'], (_, { path }) => path.includes('?')),
  unbound('binds payments to no method', ['EXT-BIND-004/method/evm'], (info, passing, payment) =>
    isBoundTo({ method: 'PUT' }, info, passing, payment),
  ),
  unbound('takes any salt for that of a payment', ['EXT-BIND-004/salt/evm'], ({ salt }) => /^0+$/.test(salt)),
  delivers('takes payments that are not bound', ['EXT-BIND-005/unbound/evm'], (payment, { path }) => {
    return path.endsWith('/bound') && infoIn(payment, binding)?.salt === undefined
  }),
  unbound('binds payments to the host that a request names', ['EXT-BIND-006/host/evm'], (info, passing, payment) => {
    const { host } = passing.headers
    return isBoundTo({ url: `https://${String(host)}${passing.path}` }, info, passing, payment)
  }),
  unbound('reads the beginning of long bodies', ['EXT-BIND-007/long/evm'], (_, { text }) => text.length > 900_000),
  announces(
    'binds payments to no headers',
    ['EXT-BIND-008/headers/evm'],
    binding,
    withInfo(({ headers: _, ...info }) => info),
  ),
  unbound(
    'does not look at the headers that it names',
    ['EXT-BIND-008/headers/evm', 'EXT-BIND-008/echo/evm'],
    (_, { headers }) => headers['content-type'] === 'text/plain',
  ),
  unbound('lets payments say which headers count', ['EXT-BIND-008/echo/evm'], ({ headers }) => headers?.length === 0),
  announces(
    'binds payments to what proxies write',
    ['EXT-BIND-009/named/evm'],
    binding,
    withInfo((info) => (info.headers === undefined ? info : { ...info, headers: [...info.headers, 'user-agent'] })),
  ),

  announces(
    'does not say which fields it asks for',
    ['EXT-COMPLY-001/announced/evm'],
    fields,
    withInfo((info) => ({ ...info, asks: [] })),
  ),
  announces(
    'does not say whether fields are required',
    ['EXT-COMPLY-001/announced/evm'],
    fields,
    withInfo(({ required: _, ...info }) => info),
  ),
  hears('does not read who pays', ['EXT-COMPLY-003/said/evm', 'EXT-COMPLY-007/record/evm'], (header) => {
    const payment = decode(header)
    const info = infoIn(payment, fields)
    if (info === undefined) return undefined
    const { payer: _, ...rest } = info
    return encode({ ...payment, extensions: { [fields]: { ...payment.extensions[fields], info: rest } } })
  }),
  payers(
    'takes payments that say nothing of their payer',
    ['EXT-COMPLY-003/silent/evm'],
    (_, payment) => infoIn(payment, fields) === undefined,
  ),
  payers(
    'takes payments that say a part of what it asks for',
    ['EXT-COMPLY-003/some/evm'],
    (payer) => payer !== undefined && payer.country === undefined,
  ),
  payers(
    'takes payers that it cannot read',
    ['EXT-COMPLY-004/unreadable/evm', 'EXT-COMPLY-004/optional/evm'],
    (payer) => payer?.country === 'Poland',
  ),
  {
    name: 'asks its facilitator before it looks who pays',
    kills: [
      'EXT-COMPLY-003/silent/evm',
      'EXT-COMPLY-003/some/evm',
      'EXT-COMPLY-004/unreadable/evm',
      'EXT-COMPLY-004/optional/evm',
    ],
    fault: (env) => async (passing, forward) => {
      if (headerOf(passing) !== undefined)
        await fetch(`${env.X402_FACILITATOR_URL}/verify`, { method: 'POST', body: '{}' })
      return asSaid(await forward())
    },
  },
  receipts('gives no record of a sale', ['EXT-COMPLY-007/record/evm'], fields, () => undefined),
  receipts('names records by another digest', ['EXT-COMPLY-007/record/evm'], fields, (info) => ({
    ...info,
    digest: sha256(JSON.stringify(info.record)),
  })),
  receipts('writes another buyer into records', ['EXT-COMPLY-007/record/evm'], fields, ({ record }) => {
    const other = { ...record, buyer: { country: 'DE' } }
    return { record: other, digest: sha256(canonical(other)) }
  }),

  announces(
    'wants to be asked for money at another origin',
    ['EXT-REFUND-001/announced/evm'],
    refund,
    withInfo((info) => ({ ...info, endpoint: 'https://elsewhere.example/refund' })),
  ),
  announces(
    'does not say for how long money can be asked back',
    ['EXT-REFUND-001/announced/evm'],
    refund,
    withInfo(({ windowSeconds: _, ...info }) => info),
  ),
  receipts('says nothing of refunds in receipts', ['EXT-REFUND-001/receipt/evm'], refund, () => undefined),
  replies(
    'gives nothing back',
    [
      'EXT-REFUND-003/payer/evm',
      'EXT-REFUND-009/other-wish/evm',
      'EXT-REFUND-009/at-once/evm',
      'EXT-REFUND-010/again/evm',
      'EXT-SIGN-016/given-back/evm',
    ],
    () => [403, { status: 'denied', code: 'refund_denied' }],
  ),
  gives(
    'does not look who asks for money',
    ['EXT-REFUND-003/stranger/evm', 'EXT-REFUND-003/changed/evm'],
    (code, { payer, refundTo }) => code === 'refund_request_invalid' && payer === refundTo,
  ),
  gives('takes requests for other sellers', ['EXT-REFUND-004/audience/evm'], (_, { audience }) => audience !== origin),
  gives(
    'takes requests of any time',
    ['EXT-REFUND-004/old/evm', 'EXT-REFUND-004/future/evm'],
    (_, { issuedAt }) => Math.abs(issuedAt - Date.now() / 1000) > 3_600,
  ),
  gives(
    'sends money wherever it is to go',
    ['EXT-REFUND-005/elsewhere/evm'],
    (_, { payer, refundTo }) => payer !== refundTo,
  ),
  gives(
    'believes requests what was paid',
    ['EXT-REFUND-006/unpaid/evm', 'EXT-REFUND-006/other-payer/evm'],
    (code) => code === 'refund_not_found',
  ),
  gives('gives back more than was paid', ['EXT-REFUND-007/above/evm'], (_, { amount }) => amount === '10001'),
  gives('gives back parts where there are none', ['EXT-REFUND-007/part/evm'], (_, { amount }) => amount === '5000'),
  gives('gives money back for ever', ['EXT-REFUND-008/late/evm'], (code) => code === 'refund_too_late'),
  gives(
    'gives money back to every request',
    ['EXT-REFUND-009/other-wish/evm', 'EXT-REFUND-009/at-once/evm'],
    (code) => code === 'refund_exists',
  ),
  {
    name: 'has every refund paid twice',
    kills: ['EXT-REFUND-009/other-wish/evm', 'EXT-REFUND-009/at-once/evm', 'EXT-REFUND-010/again/evm'],
    fault: (env) => async (passing, forward) => {
      const said = await forward()
      if (isAsked(passing) && said.json?.status === 'pending') {
        const { payer: payTo } = passing.json as Json
        const body = JSON.stringify({ paymentPayload: {}, paymentRequirements: { payTo } })
        await fetch(`${env.X402_FACILITATOR_URL}/settle`, { method: 'POST', body })
      }
      return asSaid(said)
    },
  },
  {
    name: 'forgets what it was asked',
    kills: ['EXT-REFUND-010/again/evm'],
    fault: () => {
      const heard = new Set<unknown>()
      return async (passing, forward) => {
        const said = await forward()
        if (!isAsked(passing)) return asSaid(said)
        const { idempotencyKey } = passing.json as Json
        if (heard.has(idempotencyKey)) return saying(said, { status: 'denied', code: 'refund_exists' }, 409)
        heard.add(idempotencyKey)
        return asSaid(said)
      }
    },
  },
  gives(
    'gives money back when it cannot decide',
    ['EXT-REFUND-011/undecided/evm'],
    (code) => code === 'extension_unavailable',
  ),
  replies('says that money has come before it has', ['EXT-REFUND-012/pending/evm'], ({ json }, wish) =>
    json?.status === 'pending'
      ? [200, { status: 'executed', refundOf: wish.transaction, amount: wish.amount, transaction: '0x1' }]
      : undefined,
  ),
  gives(
    'gives a part of a pass and leaves it open',
    ['EXT-REFUND-013/part/evm'],
    (code, { amount }) => code === 'refund_denied' && amount === '9999',
  ),
  gives('gives back passes that were used', ['EXT-REFUND-014/used/evm'], (code) => code === 'refund_of_used'),
  {
    name: 'leaves passes open whose money it has given back',
    kills: ['EXT-SIGN-016/given-back/evm'],
    fault: () => async (passing, forward) =>
      passing.path.endsWith('/refunded-pass') && passing.headers['sign-in-with-x'] !== undefined
        ? deliver
        : asSaid(await forward()),
  },
]
