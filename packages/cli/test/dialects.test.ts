import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createPayer } from '@groat/client'
import { decodeChallenge, encodePayment, network, type PaymentRequirements, systemRandom } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { plainHeadersFetch } from '@groat/evm/plain-headers/client'
import { type MadeTransfer, transferProof } from '@groat/evm/transfer-proof/client'
import { transferProof as seller, withTransferProofs } from '@groat/evm/transfer-proof/server'
import { createFacilitatorClient } from '@groat/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { recordedIo } from './io.js'
import { useShop } from './shop-kit.js'

// Two older ways to pay, on a real chain: the hash of a transfer that was made, and plain headers. Each is an offer that a route opts into.

const on = useShop()
const { account, balance, rpc, send, serve } = on
let api: Server
let shop: string
let slow: string
let wordings = 0
let asked: { readonly url: string | undefined; readonly headers: IncomingHttpHeaders }[] = []
const base = network('base-sepolia')

beforeAll(async () => {
  api = createServer(({ url, headers }, response) => {
    asked.push({ url, headers })
    response.setHeader('x-payment-recipient', 'somebody else').end('sunny')
  }).listen(0, '127.0.0.1')
  await once(api, 'listening')
  const proven = 'offers: [{ network: base-sepolia }, { network: base-sepolia, scheme: transfer-proof }]'
  const file = (proofs: string) => `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${(api.address() as AddressInfo).port}/
facilitator: ${on.sandbox.ready.facilitator.url}
payTo: { base-sepolia: "${account('seller').address}" }
rpc: { base-sepolia: "${on.sandbox.ready.evm?.rpcUrl}" }
store: ${proofs.replace(/\W/g, '')}.db
transfer_proofs: ${proofs}
routes:
  GET /weather: { price: $0.004, dialects: [plain-headers], ${proven} }
  GET /news: { price: $0.004, mode: upfront, ${proven} }
  GET /modern: $0.004
`
  shop = (await serve('serve', file('{ finality: 0 }'))).url
  slow = (await serve('serve', file('{ finality: 2 }'))).url
}, 60_000)
afterAll(async () => {
  api?.close()
})

const key = (role: string) => privateKeyAccount(account(role).privateKey)

const word = (value: string | bigint) =>
  (typeof value === 'bigint' ? value.toString(16) : value.slice(2).toLowerCase()).padStart(64, '0')

async function transfer({ from = 'payer', to = 'seller', amount = 4_000n } = {}): Promise<MadeTransfer> {
  const asset = on.sandbox.ready.evm?.usdc ?? ''
  const [sender, payTo] = [account(from).address, account(to).address]
  const data = `0xa9059cbb${word(payTo)}${word(amount)}`
  const transaction = await send(sender, data)
  return { transaction, network: base, asset, payTo, amount }
}

const BEGUN = Date.now()

const proving = (transfers: readonly MadeTransfer[], role = 'payer') => transferProof({ account: key(role), transfers })

async function offersOf(path: string, of = shop) {
  const response = await fetch(of + path)
  const challenge = decodeChallenge((name) => response.headers.get(name), await response.text())
  if (!challenge?.ok) throw new Error('no challenge')
  const { accepts, resource } = challenge.value
  const offer = accepts.find(({ scheme }) => scheme === 'transfer-proof')
  if (offer === undefined || resource === undefined) throw new Error('no proof is taken')
  return { offer, resource }
}

/** A proof as its sender makes it, for whatever offer, presented for whatever path. */
async function present(
  made: MadeTransfer,
  path: string,
  { role = 'payer', of = shop, terms = {} as Partial<PaymentRequirements>, url = '', payload = {} } = {},
) {
  const { offer, resource } = await offersOf(path, of)
  // Each is signed for another second, before those of payers here, so that no two are the same payment.
  wordings += 1
  const clock = () => BEGUN - wordings * 1000
  const context = { clock, random: systemRandom, maxLifetimeSeconds: 300, resource: url || resource.url }
  const prepared = await proving([made], role).prepare(
    { ...offer, amount: made.amount, payTo: made.payTo, ...terms },
    context,
  )
  if (!prepared.ok) throw new Error(prepared.code)
  const signed = { ...(await prepared.sign()), ...payload }
  const { name, value } = encodePayment({
    ...{ x402Version: 2, scheme: offer.scheme, network: offer.network, accepted: offer, payload: signed, resource },
  })
  const answer = await fetch(of + path, { headers: { [name]: value } })
  const text = await answer.text()
  return { status: answer.status, text, code: /"code":"(\w+)"/.exec(text)?.[1], again: { name, value } }
}

test('EVM-PROOF-001 EVM-PROOF-006 EVM-PROOF-010 a transfer that was made pays once, for one thing; presented again it is answered again', async () => {
  const made = await transfer()
  const payer = createPayer({ schemes: [proving([made])] })
  const response = await payer.fetch(`${shop}/weather`)
  expect([response.status, await response.text()]).toEqual([200, 'sunny'])
  expect(payer.receipt(response)).toMatchObject({ transaction: made.transaction, amount: 4_000n })

  // Its sender may sign as often as it likes: the transfer is sold.
  expect(await present(made, '/weather')).toMatchObject({ status: 409 })
  expect(await present(made, '/news')).toMatchObject({ status: 409 })
  const other = await transfer()
  const first = await present(other, '/news')
  expect(first).toMatchObject({ status: 200, text: 'sunny' })
  // The very same payment is answered by what it bought, and nothing is made anew.
  asked = []
  const again = await fetch(`${shop}/news`, { headers: { [first.again.name]: first.again.value } })
  expect([await again.text(), asked.length]).toEqual(['sunny', 0])
})

test('EVM-PROOF-010 of copies that come at once, in any number of wordings, one is sold', async () => {
  const made = await transfer()
  asked = []
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, i) => present(made, i % 2 === 0 ? '/weather' : '/news')),
  )
  expect(answers.filter(({ status }) => status === 200).length).toBe(1)
  expect(asked.length).toBe(1)
})

test('EVM-PROOF-003 EVM-PROOF-004 who only saw a transfer on chain, or somebody’s proof for elsewhere, gets nothing', async () => {
  const made = await transfer()
  expect(await present(made, '/weather', { role: 'payer2' })).toMatchObject({
    status: 402,
    code: 'transfer_proof_mismatch',
  })
  const stolen = { from: account('payer').address }
  expect(await present(made, '/weather', { role: 'payer2', payload: stolen })).toMatchObject({
    status: 402,
    code: 'invalid_transfer_proof_signature',
  })
  expect(await present(made, '/weather', { url: `${shop}/news` })).toMatchObject({
    status: 402,
    code: 'resource_mismatch',
  })
  expect(await present(made, '/weather', { payload: { resource: `${shop}/news` } })).toMatchObject({ status: 402 })
  // Good for the claims of another store: a shop of the same account sells nothing for it.
  expect(await present(made, '/weather', { terms: { extra: { audience: 'elsewhere' } } })).toMatchObject({
    status: 402,
    code: 'invalid_transfer_proof_signature',
  })
  // None of that has used it up.
  expect(await present(made, '/weather')).toMatchObject({ status: 200 })
})

test('EVM-PROOF-007 another amount, another recipient, an approval, and what settled another scheme are no proof', async () => {
  const { offer } = await offersOf('/weather')
  const terms = { amount: offer.amount, payTo: offer.payTo }
  const told = (made: MadeTransfer): MadeTransfer => ({ ...made, ...terms })
  expect(await present(told(await transfer({ amount: 3_999n })), '/weather')).toMatchObject({
    status: 402,
    code: 'transfer_proof_mismatch',
  })
  expect(await present(told(await transfer({ to: 'payer2' })), '/weather')).toMatchObject({
    status: 402,
    code: 'transfer_proof_mismatch',
  })
  const approved = await send(account('payer').address, `0x095ea7b3${word(offer.payTo)}${word(4_000n)}`)
  const approval = { transaction: approved, network: base, asset: offer.asset, ...terms }
  expect(await present(approval, '/weather')).toMatchObject({ status: 402, code: 'transfer_proof_mismatch' })

  // The same money, to the same account, by the same payer: it has bought something already.
  const payer = createPayer({ schemes: [exactEvm({ account: key('payer') })] })
  const bought = payer.receipt(await payer.fetch(`${shop}/modern`))?.transaction ?? ''
  const settled = { transaction: bought, network: base, asset: offer.asset, ...terms }
  expect(await present(settled, '/weather')).toMatchObject({ status: 402, code: 'transfer_proof_mismatch' })
})

test('EVM-PROOF-008 a transfer that is not there, or not deep enough, is 503 and never a 402; it is good when its block is', async () => {
  const nowhere = { ...(await transfer()), transaction: `0x${'ab'.repeat(32)}` }
  expect(await present(nowhere, '/weather')).toMatchObject({ status: 503, code: 'transfer_proof_not_final' })
  const made = await transfer()
  expect(await present(made, '/weather', { of: slow })).toMatchObject({ status: 503, code: 'transfer_proof_not_final' })
  await rpc('anvil_mine', '0x2')
  expect(await present(made, '/weather', { of: slow })).toMatchObject({ status: 200 })
})

test('EVM-PROOF-005 EVM-PROOF-009 EVM-PROOF-011 a proof has an end, and a transfer of yesterday is none', async () => {
  const made = await transfer()
  const { offer, resource } = await offersOf('/weather')
  const facilitator = (now: number) =>
    withTransferProofs(createFacilitatorClient(on.sandbox.ready.facilitator.url), {
      chains: { 'base-sepolia': on.sandbox.ready.evm?.rpcUrl ?? '' },
      finality: 0,
      clock: () => now,
    })
  const paymentAt = async (now: number) => {
    const context = { clock: () => now, random: systemRandom, maxLifetimeSeconds: 300, resource: resource.url }
    const prepared = await proving([made]).prepare(offer, context)
    if (!prepared.ok) throw new Error(prepared.code)
    return { x402Version: 2, scheme: offer.scheme, network: base, payload: await prepared.sign() } as const
  }
  const verdictAt = async (now: number, presented = now) =>
    facilitator(presented).verify({ payment: await paymentAt(now), requirements: offer, resource })
  const claimedUntil = async (now: number) => {
    const inspected = seller.inspect(await paymentAt(now), offer, { now })
    return inspected.ok ? inspected.expiresAt : 0
  }
  const now = Date.now()
  expect(await verdictAt(now)).toMatchObject({ ok: true })
  expect(await claimedUntil(now)).toBeGreaterThanOrEqual(now / 1000 + 86_400)
  expect(await verdictAt(now, now + 301_000)).toMatchObject({ ok: false, code: 'payment_expired' })
  expect(await verdictAt(now + 86_400_000 + 600_000)).toMatchObject({ ok: false, code: 'transfer_proof_too_old' })
  expect(await verdictAt(now + 3_600_000, now)).toMatchObject({ ok: false, code: 'invalid_payload' })
})

test('EVM-PROOF-002 a buyer that was not given transfers to present is not offered one; the ordinary offer stands first', async () => {
  const payer = createPayer({ schemes: [exactEvm({ account: key('payer') }), proving([])] })
  const response = await payer.fetch(`${shop}/weather`)
  expect(payer.outcome(response)).toMatchObject({ status: 'settled', payment: { scheme: 'exact' } })
  const none = createPayer({ schemes: [proving([])] })
  expect(none.outcome(await none.fetch(`${shop}/weather`))).toMatchObject({
    status: 'unpaid',
    code: 'no_acceptable_offer',
    refusals: [{ code: 'missing_scheme' }, { code: 'no_transfer_made' }],
  })
})

/** A network on which the protocol's own challenge gets lost, as with sellers that have none. */
const plainOnly: typeof fetch = async (input, init) => {
  const response = await fetch(input, init)
  const headers = new Headers(response.headers)
  headers.delete('payment-required')
  const same = new Response(response.status === 402 ? null : response.body, { status: response.status, headers })
  return Object.defineProperty(same, 'url', { value: response.url })
}

test('PLAIN-001 PLAIN-003 PLAIN-005 PLAIN-008 a buyer that knows plain headers only pays by an authorization', async () => {
  const challenge = await fetch(`${shop}/weather`)
  await challenge.body?.cancel()
  const said = Object.fromEntries([...challenge.headers].filter(([name]) => name.startsWith('x-payment-')))
  const { offer } = await offersOf('/weather')
  expect(said).toMatchObject({
    'x-payment-required': 'true',
    'x-payment-amount': '4000',
    'x-payment-asset': offer.asset,
    'x-payment-network': base,
    'x-payment-recipient': offer.payTo,
    'x-payment-accepts': 'signature, hash',
  })
  asked = []
  const sent: string[][] = []
  const seen: typeof fetch = async (input, init) => {
    sent.push([...new Headers(init?.headers).keys()])
    return plainOnly(input, init)
  }
  const payer = createPayer({ schemes: [exactEvm({ account: key('payer') })], fetch: plainHeadersFetch(seen) })
  const response = await payer.fetch(`${shop}/weather`)
  expect([response.status, await response.text()]).toEqual([200, 'sunny'])
  expect(payer.receipt(response)).toMatchObject({ amount: 4_000n })
  // PLAIN-008: the receipt for who cannot read the protocol's own.
  expect(response.headers.get('x-payment-transaction')).toBe(payer.receipt(response)?.transaction)
  expect(sent[1]).toContain('x-payment-nonce')
  expect(sent[1]).not.toContain('payment-signature')
  // What the buyer signed stays between buyer and shop, and the API says no prices.
  const forwarded = Object.keys(asked[0]?.headers ?? {}).filter((name) => name.startsWith('x-payment'))
  expect([forwarded, response.headers.get('x-payment-recipient')]).toEqual([[], null])
})

test('PLAIN-004 PLAIN-007 a hash in a plain header pays with the sender’s signature, and with nobody else’s', async () => {
  const made = await transfer()
  const payer = createPayer({ schemes: [proving([made])], fetch: plainHeadersFetch(plainOnly) })
  expect((await payer.fetch(`${shop}/weather`)).status).toBe(200)

  const other = await transfer()
  const bare = await fetch(`${shop}/weather`, { headers: { 'x-payment-hash': other.transaction } })
  expect([bare.status, (await bare.text()).includes('invalid_payload')]).toEqual([402, true])
  expect([bare.headers.get('x-payment-error'), bare.headers.get('x-payment-amount')]).toEqual([
    'invalid_payload',
    '4000',
  ])
  const thief = createPayer({ schemes: [proving([other], 'payer2')], fetch: plainHeadersFetch(plainOnly) })
  const refused = await thief.fetch(`${shop}/weather`)
  expect(thief.outcome(refused)).toMatchObject({ status: 'refused' })
})

test('PLAIN-002 PLAIN-006 a route that did not opt in neither says nor reads them', async () => {
  const challenge = await fetch(`${shop}/modern`)
  await challenge.body?.cancel()
  expect(challenge.headers.get('x-payment-required')).toBeNull()
  const payer = createPayer({
    schemes: [exactEvm({ account: key('payer') })],
    fetch: plainHeadersFetch(plainOnly),
  })
  expect((await payer.fetch(`${shop}/modern`)).status).toBe(402)
  const headers = { 'x-payment-signature': '0x00', 'x-payment-hash': `0x${'ab'.repeat(32)}` }
  const answer = await fetch(`${shop}/modern`, { headers })
  expect([answer.status, (await answer.text()).includes('payment_required')]).toEqual([402, true])
})

test.each([
  ['x-payment-nonce', '0x12'],
  ['x-payment-amount', '4000.0'],
  ['x-payment-amount', '1'],
  ['x-payment-asset', 'USDC'],
  ['x-payment-payer', 'me'],
  ['x-payment-valid-before', 'tomorrow'],
  ['x-payment-valid-before', '99999999999999'],
  ['x-payment-network', 'eip155:1'],
  ['x-payment-signature', '0xzz'],
])('PLAIN-005 %s: %s is a 402 and takes nothing', async (name, value) => {
  const before = await balance('payer')
  asked = []
  const spoiled: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers)
    if (headers.has('x-payment-nonce')) headers.set(name, value)
    return plainOnly(input, { ...init, headers })
  }
  const payer = createPayer({
    schemes: [exactEvm({ account: key('payer') })],
    fetch: plainHeadersFetch(spoiled),
  })
  const response = await payer.fetch(`${shop}/weather`)
  expect([response.status, asked.length, await balance('payer')]).toEqual([402, 0, before])
})

test('a shop that takes transfers has to have a node to look at', async () => {
  const file = join(on.folder, 'bad.yaml')
  const text = `upstream: http://127.0.0.1:1/
facilitator: http://127.0.0.1:1/
payTo: { base-sepolia: "${account('seller').address}" }
transfer_proofs: true
routes:
  GET /weather: $0.01
`
  await writeFile(file, text)
  const io = recordedIo()
  expect([await runCli(['serve', file, '--check'], io), io.said()]).toEqual([
    2,
    expect.stringMatching(/bad\.yaml:4.*rpc/),
  ])
  const without = text.replace('transfer_proofs: true\n', '')
  for (const [route, line] of [
    ['{ price: $0.01, dialects: [morse] }', /bad\.yaml:5/],
    ['{ price: $0.01, offers: [{ network: base-sepolia, scheme: transfer-proof }] }', /bad\.yaml:5.*transfer_proofs/],
  ] as const) {
    await writeFile(file, without.replace('$0.01', route))
    const second = recordedIo()
    expect([await runCli(['serve', file, '--check'], second), second.said()]).toEqual([2, expect.stringMatching(line)])
  }
})
