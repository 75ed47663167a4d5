import { generateKeyPairSync, sign } from 'node:crypto'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { isObject } from '../http/exchange.js'
import { watch } from '../http/watch.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail } from '../model/finding.js'
import { formatBase58 } from '../wire/base58.js'
import { encodeHeader } from '../wire/messages.js'
import { artifactFrom, type Signable } from '../wire/offers.js'
import { clientCheck } from './choosing.js'
import { sorted } from './paying.js'
import { type ClientStage, expectGot, type ScriptedServer, thePayment } from './stage.js'

type Members = Readonly<Record<string, unknown>>

const identifier = 'payment-identifier'
const receipts = 'offer-receipt'
const codes = 'builder-code'

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

/** What a payment says of an extension. */
export function echoIn(payment: Members, key: string): Members | undefined {
  const echo = isObject(payment.extensions) ? payment.extensions[key] : undefined
  return isObject(echo) ? echo : undefined
}

/** Buys where extensions are announced, and gives the payment. */
async function payWhere(stage: ClientStage, extensions: Members): Promise<Members> {
  const server = await stage.sell([stage.offer()], { extensions })
  return thePayment(server, await stage.fetch(`${server.url}/paid`))
}

/** The name of a payment. */
async function nameOf(payment: Members): Promise<string> {
  const { info } = echoIn(payment, identifier) ?? {}
  const id = isObject(info) ? info.id : undefined
  const isName = typeof id === 'string' && /^[A-Za-z0-9_-]{16,128}$/.test(id)
  if (!isName) fail('the payment has no name', 'info.id of 16 to 128 letters, digits, - and _', payment.extensions)
  return id
}

const asksForNames = { [identifier]: { info: { required: true }, schema: {} } }

/** Something that is wrong with a signed receipt. */
const flawed = (
  id: string,
  what: string,
  change: (right: Signable, stage: ClientStage) => Partial<Signable>,
): Check<ClientStage> =>
  knowing(
    receipts,
    id,
    `a signed receipt ${what} is not relied on`,
    async (stage) => {
      const { answer } = await buySigned(stage, (right) => change(right, stage))
      expectThat('ok' in answer, `an answer with a signed receipt ${what} is not handed over`, 'ok', answer)
      const { signedReceipt } = answer.ok
      expectThat(signedReceipt !== true, `a signed receipt ${what} is relied on`, 'signedReceipt: false', signedReceipt)
    },
    { families: ['evm'] },
  )

/** Buys from a seller who signs a receipt with the key that is paid, right but for a change. */
async function buySigned(
  stage: ClientStage,
  change: (right: Signable) => Partial<Signable> = () => ({}),
  make: (signable: Signable) => Promise<object> | object = (signable) => artifactFrom('receipt', signable),
) {
  const key = generatePrivateKey()
  const { address: payTo } = privateKeyToAccount(key)
  const server: ScriptedServer = await stage.serve((seen, { url }) => {
    if (seen.header === undefined)
      return stage.challenge(url, [stage.offer({ payTo })], { extensions: { [receipts]: { info: {}, schema: {} } } })
    return { json: { served: true }, headers: { 'PAYMENT-RESPONSE': signed, 'cache-control': 'private' } }
  })
  const url = `${server.url}/paid`
  const { address: payer } = stage.wallet
  const issuedAt = Math.floor(Date.now() / 1000)
  const payload = { version: 1, network: stage.rail.network, resourceUrl: url, payer, issuedAt, transaction: '' }
  const right: Signable = { key, payload }
  const receipt = await make({ ...right, ...change(right) })
  const signed = encodeHeader({ ...stage.receipt(), extensions: { [receipts]: { info: { receipt } } } })
  const answer = await stage.fetch(url)
  thePayment(server, answer)
  return { answer, server }
}

/** A JWS whose header brings the key that has signed, and names another one. */
function foreignJws({ payload }: Signable): object {
  const [named, own] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
  const { x = '' } = named.publicKey.export({ format: 'jwk' })
  const name = `z${formatBase58(Buffer.concat([Buffer.from([0xed, 0x01]), Buffer.from(x, 'base64url')]))}`
  const header = { alg: 'EdDSA', kid: `did:key:${name}#${name}`, jwk: own.publicKey.export({ format: 'jwk' }) }
  const canonical = Object.fromEntries(Object.entries(payload).sort(([a], [b]) => (a < b ? -1 : 1)))
  const text = [header, canonical].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return { format: 'jws', signature: `${text}.${sign(null, Buffer.from(text), own.privateKey).toString('base64url')}` }
}

const with_ =
  (change: Members) =>
  ({ payload }: Signable) => ({ payload: { ...payload, ...change } })

/** What a client makes of extensions that a seller announces. */
export const extendingChecks: readonly Check<ClientStage>[] = [
  clientCheck(
    'CORE-082/unknown',
    'the echo of an extension that it does not know is what came, or is left out',
    async (stage) => {
      const info = { id: 'ü\u2028', list: [1, { deep: null }], empty: {}, zero: 0, no: false }
      const strange = { info, schema: { type: 'object' } }
      const payment = await payWhere(stage, { 'x-strange': strange })
      const echo = isObject(payment.extensions) ? payment.extensions['x-strange'] : undefined
      if (echo === undefined) return
      expectSame('info of the echo', sorted(info), sorted(isObject(echo) ? echo.info : echo))
    },
  ),
  clientCheck('EXT-010/schema', 'schemas that a seller sends are not run', async (stage) => {
    const pattern = { type: 'string', pattern: '^(a+)+$' }
    const schema = { not: {}, properties: { id: pattern }, required: ['never'] }
    const extension = { info: { id: `${'a'.repeat(40)}!`, required: false }, schema }
    await payWhere(stage, { [identifier]: extension, 'x-strange': extension })
  }),
  clientCheck('EXT-020/garbage', 'extensions that cannot be read do not keep a payment back', async (stage) => {
    await payWhere(stage, {
      [identifier]: { info: 'none' },
      'sign-in-with-x': { info: { domain: 7 }, supportedChains: {} },
      [receipts]: { info: { offers: [7, {}] } },
      [codes]: { info: { a: 7, s: 'none' } },
      'x-strange': null,
    })
  }),

  knowing(identifier, 'EXT-ID-020/names', 'where names are required, the payment has one', async (stage) => {
    const payment = await payWhere(stage, asksForNames)
    await nameOf(payment)
    const { info } = echoIn(payment, identifier) ?? {}
    expectSame('info.required of the echo', true, isObject(info) ? info.required : info)
  }),
  knowing(identifier, 'EXT-ID-020/different', 'payments of different requests have different names', async (stage) => {
    const names = [await nameOf(await payWhere(stage, asksForNames)), await nameOf(await payWhere(stage, asksForNames))]
    expectThat(names[0] !== names[1], 'two requests have one name', 'two', names)
  }),
  knowing(identifier, 'EXT-ID-020/same', 'a payment that is presented again has the name of before', async (stage) => {
    const server = await stage.serve((seen, { url, paid }) => {
      if (seen.header === undefined) return stage.challenge(url, [stage.offer()], { extensions: asksForNames })
      return paid > 1 ? stage.delivered(seen) : 'close'
    })
    const answer = await stage.fetch(`${server.url}/paid`)
    const names = await Promise.all(server.payments().map(({ payment = {} }) => nameOf(payment)))
    expectThat(names.length > 0, 'the client did not pay', 'a payment', answer)
    expectSame('the names', 1, new Set(names).size)
  }),

  knowing(
    codes,
    'EXT-CODE-004/services',
    'its services stand before those of the seller, who keeps its app',
    async (stage) => {
      const theirs = ['kit_one', 'kit_two']
      const payment = await payWhere(stage, { [codes]: { info: { a: 'kit_shop', s: theirs }, schema: {} } })
      const echo = echoIn(payment, codes)
      const { a, s } = isObject(echo?.info) ? echo.info : {}
      expectSame('the app', 'kit_shop', a)
      const services: readonly unknown[] = Array.isArray(s) ? s : []
      expectSame('the services of the seller', theirs, services.slice(-2))
      expectThat(services.length <= 7, 'the services of the client', 'at most five', services.length - 2)
      expectSame('services that are named twice', services.length, new Set(services).size)
    },
  ),

  knowing(
    receipts,
    'EXT-OFFER-012/payee',
    'a receipt that the account which is paid has signed is relied on',
    async (stage) => {
      const { answer } = await buySigned(stage)
      expectGot(answer)
      expectSame('signedReceipt', true, 'ok' in answer ? answer.ok.signedReceipt : undefined)
    },
    { families: ['evm'] },
  ),
  flawed('EXT-OFFER-012/stranger', 'by a stranger', () => ({ key: generatePrivateKey() })),
  flawed('EXT-OFFER-011/more', 'that says more than receipts do', with_({ amount: '1' })),
  flawed('EXT-OFFER-013/future', 'of the future', ({ payload }) => ({
    payload: { ...payload, issuedAt: Number(payload.issuedAt) + 7 * 86_400 },
  })),
  flawed('EXT-OFFER-020/url', 'of another URL', with_({ resourceUrl: 'https://elsewhere.example/paid' })),
  flawed('EXT-OFFER-020/network', 'of another network', with_({ network: 'eip155:1' })),
  flawed('EXT-OFFER-020/payer', 'of another payer', with_({ payer: `0x${'1'.repeat(40)}` })),
  flawed('EXT-OFFER-020/transaction', 'of another transaction', with_({ transaction: `0x${'2'.repeat(64)}` })),
  flawed('EXT-OFFER-010/signature', 'whose text was changed after it was signed', ({ payload }) => ({
    said: { ...payload, issuedAt: Number(payload.issuedAt) - 1 },
  })),
  knowing(
    receipts,
    'EXT-OFFER-023/other-jwk',
    'a signed receipt by another key than its `kid` names is not relied on',
    async (stage) => {
      const { answer } = await buySigned(stage, () => ({}), foreignJws)
      expectThat('ok' in answer, 'an answer with such a receipt is not handed over', 'ok', answer)
      expectThat(answer.ok.signedReceipt !== true, 'it is relied on', 'signedReceipt: false', answer.ok.signedReceipt)
    },
  ),
  knowing(receipts, 'EXT-OFFER-015/kid', 'nothing is fetched that a signature names', async (stage) => {
    const canary = await watch()
    try {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const kid = `did:web:127.0.0.1%3A${canary.port}#key-1`
      const resourceUrl = `https://127.0.0.1:${canary.port}/paid`
      const jws = (payload: object) => ({
        format: 'jws',
        signature: `${part({ alg: 'ES256', kid })}.${part({ ...payload, resourceUrl })}.${'A'.repeat(86)}`,
      })
      const { scheme, network, asset, payTo, amount } = stage.offer()
      const offer = jws({ version: 1, scheme, network, asset, payTo, amount })
      const receipt = jws({ version: 1, network, payer: stage.wallet.address, issuedAt: Math.floor(Date.now() / 1000) })
      const extensions = { [receipts]: { info: { offers: [offer] }, schema: {} } }
      const said = encodeHeader({ ...stage.receipt(), extensions: { [receipts]: { info: { receipt } } } })
      const server = await stage.serve((seen, { url }) =>
        seen.header === undefined
          ? stage.challenge(url, [stage.offer()], { extensions })
          : { json: { served: true }, headers: { 'PAYMENT-RESPONSE': said } },
      )
      await stage.fetch(`${server.url}/paid`)
      expectSame('connections to what the signature names', 0, canary.seen())
    } finally {
      await canary.close()
    }
  }),
  knowing(receipts, 'EXT-OFFER-021/echo', 'signed offers are not echoed', async (stage) => {
    const { scheme, network, asset, payTo, amount } = stage.offer()
    const payload = { version: 1, resourceUrl: 'http://127.0.0.1/', scheme, network, asset, payTo, amount }
    const offers = [{ format: 'eip712', payload: { ...payload, validUntil: 0 }, signature: `0x${'1'.repeat(130)}` }]
    const payment = await payWhere(stage, { [receipts]: { info: { offers }, schema: {} } })
    expectSame('the echo', undefined, echoIn(payment, receipts))
  }),
]
