import { type Hex, recoverTypedDataAddress } from 'viem'
import { isObject } from '../http/exchange.js'
import type { Reply } from '../http/listen.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail } from '../model/finding.js'
import { type BoundRequest, bindingOf } from '../wire/bindings.js'
import { canonical, sha256 } from '../wire/canonical.js'
import { encodeHeader } from '../wire/messages.js'
import { type RefundMessage, refundTypedData } from '../wire/refunds.js'
import { decodeTransaction, programs } from '../wire/solana.js'
import { clientCheck } from './choosing.js'
import { echoIn } from './extending.js'
import { type ClientStage, type Seen, thePayment } from './stage.js'

type Members = Readonly<Record<string, unknown>>

const binding = 'groat-request-binding'
const fields = 'groat-compliance'
const refund = 'groat-refund'

/** A check of a client that says that it knows an extension. */
const knowing = (extension: string, id: string, title: string, run: Check<ClientStage>['run'], more = {}) =>
  clientCheck(
    id,
    title,
    async (stage) => {
      stage.needExtension(extension)
      await run(stage)
    },
    more,
  )

const order = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"order":"one"}' }

/** Orders where payments have to be bound. */
async function orderBound(stage: ClientStage, info: Members = {}, query = '') {
  const extensions = { [binding]: { info: { version: 1, required: true, ...info }, schema: {} } }
  const server = await stage.sell([stage.offer()], { extensions })
  const url = `${server.url}/orders${query}`
  const payment = thePayment(server, await stage.fetch(url, order))
  const echo = echoIn(payment, binding)
  const { salt } = isObject(echo?.info) ? echo.info : {}
  const isSalt = typeof salt === 'string' && /^[0-9a-f]{32}$/.test(salt)
  if (!isSalt) fail('the payment names no salt', '`info.salt`: 16 bytes in hex', payment.extensions)
  return { url, payment, salt }
}

/** Fails unless the payment bears the binding of its request where its scheme writes a nonce. */
function expectBound({ payload }: Members, request: BoundRequest): void {
  const wanted = bindingOf(request)
  const { authorization, transaction } = isObject(payload) ? payload : {}
  if (isObject(authorization)) {
    expectSame('the nonce of the payment', `0x${wanted}`, authorization.nonce)
    return
  }
  const { instructions = [] } = decodeTransaction(String(transaction)) ?? {}
  const memos = instructions.filter(({ program }) => program === programs.memo)
  const said = memos.map(({ data }) => Buffer.from(data).toString('utf8'))
  expectSame('the memo of the payment', [wanted.slice(0, 32)], said)
}

/** Buys from a seller who asks for fields, and gives what the payment says of its payer. */
async function payAsking(stage: ClientStage, asks: readonly string[]): Promise<Members> {
  const seller = { name: 'conformance', country: 'PL' }
  const info = { version: 1, required: true, asks, seller }
  const server = await stage.sell([stage.offer()], { extensions: { [fields]: { info, schema: {} } } })
  const echo = echoIn(thePayment(server, await stage.fetch(`${server.url}/paid`)), fields)
  const { payer } = isObject(echo?.info) ? echo.info : {}
  return isObject(payer) ? payer : {}
}

/** Buys from a seller whose receipt has a record of the sale, right but for a change. */
async function buyRecorded(stage: ClientStage, change: (right: Members) => Members, digestOf = digest) {
  const seller = { name: 'conformance', country: 'PL' }
  const info = { version: 1, required: false, asks: ['country'], seller }
  const offer = stage.offer()
  const receipt = stage.receipt()
  const server = await stage.serve((seen, { url }) => {
    if (seen.header === undefined)
      return stage.challenge(url, [offer], { extensions: { [fields]: { info, schema: {} } } })
    const { network, asset, amount, payTo } = offer
    const { payer, transaction } = receipt as Members
    const right = {
      ...{ version: 1, tier: 'minimal', seller, buyer: { country: 'PL' } },
      ...{ resource: url, network, asset, amount, payer, payTo, transaction },
    }
    const record = change(right)
    const said = encodeHeader({ ...receipt, extensions: { [fields]: { info: { record, digest: digestOf(record) } } } })
    return { json: { served: true }, headers: { 'PAYMENT-RESPONSE': said, 'cache-control': 'private' } }
  })
  const answer = await stage.fetch(`${server.url}/paid`)
  thePayment(server, answer)
  expectThat('ok' in answer, 'an answer with a record of the sale is not handed over', 'ok', answer)
  return answer.ok.saleRecord
}

const digest = (record: Members) => sha256(canonical(record))

/** Something that is wrong with a record. */
const misrecorded = (
  id: string,
  what: string,
  change: (right: Members) => Members,
  digestOf?: (record: Members) => string,
): Check<ClientStage> =>
  knowing(fields, id, `a record ${what} is not relied on`, async (stage) => {
    const saleRecord = await buyRecorded(stage, change, digestOf)
    expectThat(saleRecord !== true, `a record ${what} is relied on`, 'saleRecord: false', saleRecord)
  })

const path = '/.well-known/x402-refund'

/** Has the client buy where money can be asked back, and ask for it. `at`: where the seller says that it is asked. */
async function buyAndAsk(stage: ClientStage, at: (own: string) => string) {
  const answered = ({ body }: Seen): Reply => {
    const wish: unknown = JSON.parse(body)
    const { transaction, amount } = isObject(wish) ? wish : {}
    return { status: 202, json: { status: 'pending', refundOf: transaction, amount } }
  }
  const offer = stage.offer()
  const receipt = stage.receipt()
  const server = await stage.serve((seen, { url }) => {
    if (seen.path === path) return answered(seen)
    const { origin } = new URL(url)
    const info = { version: 1, endpoint: at(origin), windowSeconds: 86_400, partial: true }
    if (seen.header === undefined)
      return stage.challenge(url, [offer], { extensions: { [refund]: { info, schema: {} } } })
    const said = encodeHeader({ ...receipt, extensions: { [refund]: { info } } })
    return { json: { served: true }, headers: { 'PAYMENT-RESPONSE': said, 'cache-control': 'private' } }
  })
  const answer = await stage.refund(`${server.url}/paid`)
  thePayment(server, { ok: { status: 200 } })
  const asked = server.seen().filter((each) => each.path === path)
  return { server, asked, answer, offer, receipt: receipt as Members }
}

/** What a client makes of the experimental extensions. */
export const experimentingChecks: readonly Check<ClientStage>[] = [
  knowing(
    binding,
    'EXT-BIND-002/request',
    'the payment is bound to its method, its URL and its body',
    async (stage) => {
      const { url, payment, salt } = await orderBound(stage, {}, '?day=2&b=%20')
      expectBound(payment, { method: 'POST', url, body: order.body, salt })
    },
  ),
  knowing(binding, 'EXT-BIND-002/headers', 'the headers that the seller names are bound too', async (stage) => {
    const { url, payment, salt } = await orderBound(stage, { headers: ['content-type', 'x-kit'] })
    const headers = { ...order.headers, 'x-kit': '' }
    expectBound(payment, { method: 'POST', url, body: order.body, headers, salt })
  }),
  knowing(binding, 'EXT-BIND-003/salt', 'every payment has a salt of its own', async (stage) => {
    const salts = [(await orderBound(stage)).salt, (await orderBound(stage)).salt]
    expectThat(salts[0] !== salts[1], 'two payments have one salt', 'two', salts)
  }),

  knowing(fields, 'EXT-COMPLY-002/asked', 'a seller is told what it asks for, and no more', async (stage) => {
    const payer = await payAsking(stage, ['country'])
    expectSame('fields that the seller is told', ['country'], Object.keys(payer))
    expectThat(/^[A-Z]{2}$/.test(String(payer.country)), 'country', 'two letters of ISO 3166', payer.country)
  }),
  knowing(fields, 'EXT-COMPLY-002/others', 'whoever asks for something else is told that', async (stage) => {
    expectSame('fields that the seller is told', ['kind'], Object.keys(await payAsking(stage, ['kind'])))
  }),
  knowing(fields, 'EXT-COMPLY-008/right', 'a record that is that of the sale is relied on', async (stage) => {
    expectSame('saleRecord', true, await buyRecorded(stage, (right) => right))
  }),
  misrecorded(
    'EXT-COMPLY-008/digest',
    'that has another digest',
    (right) => right,
    (record) => digest({ ...record, tier: 'other' }),
  ),
  misrecorded('EXT-COMPLY-008/amount', 'of another amount', (right) => ({ ...right, amount: '1' })),
  misrecorded('EXT-COMPLY-008/payee', 'of another seller', (right) => ({ ...right, payTo: right.payer })),
  misrecorded('EXT-COMPLY-008/transaction', 'of another transaction', (right) => ({
    ...right,
    transaction: `${String(right.transaction).slice(0, -4)}1111`,
  })),

  knowing(
    refund,
    'EXT-REFUND-002/own',
    'the origin that was paid is asked for the money, by a request that its payer has signed',
    async (stage) => {
      const { server, asked, answer, offer, receipt } = await buyAndAsk(stage, (origin) => `${origin}${path}`)
      expectThat(asked.length > 0, 'the seller is not asked for the money', `POST ${path}`, answer)
      const request: unknown = JSON.parse(asked[0]?.body ?? 'null')
      expectThat(isObject(request), 'the request', 'an object', request)
      const { signature, ...message } = request
      const { network, asset, payTo, amount } = offer
      const { address: payer } = stage.wallet
      const wanted: Members = {
        ...{ version: 1, network, asset, payTo, amount, payer, refundTo: payer },
        ...{ transaction: receipt.transaction, audience: new URL(server.url).origin },
      }
      for (const [name, value] of Object.entries(wanted))
        expectSame(`${name} of the request`, String(value).toLowerCase(), String(message[name]).toLowerCase())
      // Its members were looked at; whatever else is wrong with them the signature shows.
      const data = refundTypedData({ ...message, issuedAt: Number(message.issuedAt) || 0 } as RefundMessage)
      const signer = await recoverTypedDataAddress({ ...data, signature: String(signature) as Hex }).catch(() => '')
      expectSame('who has signed the request', payer.toLowerCase(), signer.toLowerCase())
    },
    { families: ['evm'] },
  ),
  knowing(refund, 'EXT-REFUND-002/elsewhere', 'nobody but the origin that was paid is asked', async (stage) => {
    const other = await stage.serve(() => ({ status: 202, json: { status: 'pending' } }))
    const { asked } = await buyAndAsk(stage, () => `${other.url}${path}`)
    expectSame('requests to another origin', 0, other.seen().length)
    expectSame('requests to an endpoint that the seller has not named', 0, asked.length)
  }),
]
