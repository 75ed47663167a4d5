import { type ErrorCode, extensionInfo, network, type PaymentPayload, type Pid } from '@groat/core'
import { formatHex, nobleEngine } from '@groat/evm/crypto'
import { privateKeyAccount } from '@groat/evm/exact/client'
import {
  type PaidPayment,
  type RefundAccount,
  type RefundMessage,
  refundBytes,
  refundDigest,
  refundTerms,
  requestRefund,
} from '@groat/extensions/refund/client'
import { type RefundDesk, type RefundOptions, refundRequests } from '@groat/extensions/refund/server'
import type { ClaimStore, PaidHandler, Price, RouteInput } from '@groat/server'
import { createLedger, type Ledger } from '@groat/server/ledger'
import { createRefunds, type Refunds } from '@groat/server/refunds'
import { sqlClaims } from '@groat/server/sql'
import { openMemoryStore } from '@groat/store'
import { secretKeyAccount } from '@groat/svm/exact/client'
import { hashTypedData } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterEach, describe, expect, test } from 'vitest'
import { payTo, testScheme } from '../../server/test/test-scheme.js'
import { codeOf, ORIGIN, openShop, type TestShop } from './shop.js'

const KEY = 'groat-refund'
const DAY = 86_400
const account = privateKeyAccount(`0x${'11'.repeat(32)}`)
const thief = privateKeyAccount(`0x${'22'.repeat(32)}`)
const open: TestShop[] = []
afterEach(() => Promise.all(open.splice(0).map((shop) => shop.close())))

type Shop = Omit<TestShop, 'ask'> & {
  readonly refunds: Refunds
  readonly ledger: Ledger
  readonly use: TestShop['ask']
  readonly claims: ClaimStore
  readonly buy: () => Promise<
    PaidPayment & { readonly paid: PaidPayment; readonly token: string; readonly payment: PaymentPayload }
  >
  readonly post: (body: string, method?: string) => Promise<{ readonly status: number; readonly body: unknown }>
  /** As a payer of ours asks. */
  readonly ask: (
    paid: PaidPayment,
    more?: Partial<Parameters<typeof requestRefund>[0]>,
  ) => ReturnType<typeof requestRefund>
}

/** A shop with books, whose refunds are ordered and not paid: nobody here has a chain. */
async function shopWith(
  more: Partial<RefundOptions> = {},
  route: Partial<Exclude<RouteInput, string>> = {},
  approveAbove: Price = '$100',
  handler?: PaidHandler,
): Promise<Shop> {
  const store = await openMemoryStore()
  const ledger = await createLedger(store)
  const refunds = await createRefunds({
    ledger,
    facilitator: { supported: async () => ({ kinds: [], extensions: [], signers: {} }) } as never,
    pays: [],
    sells: [testScheme],
    approveAbove,
  })
  let clock = Date.now
  const asked = refundRequests({ refunds, origin: ORIGIN, windowSeconds: DAY, clock: () => clock(), ...more })
  const claims = await sqlClaims(store, { ledger, refunds })
  const shop = await openShop(
    { price: '$0.01', mode: 'upfront', extensions: { [KEY]: true }, ...route } as RouteInput,
    (now) => {
      clock = now
      return { extensions: [asked.extension], store: claims }
    },
    handler,
  )
  open.push({ ...shop, close: () => shop.close().then(store.close) })
  const send = async (url: string, init?: RequestInit) =>
    (await asked.answer(new Request(url, init))) ?? new Response(null, { status: 404 })
  return {
    ...shop,
    refunds,
    use: shop.ask,
    ledger,
    claims,
    async buy() {
      const payment = await shop.sign({ payload: { from: account.address } })
      const answer = await shop.present(payment)
      const { transaction } = JSON.parse(atob(answer.headers.get('payment-response') ?? ''))
      const asset = payment.accepted?.asset ?? ''
      const [token = ''] = (answer.headers.get('payment-entitlement') ?? '').split(';')
      const paid = { network: 'eip155:84532', transaction, payer: account.address, payTo, asset, amount: 10_000n }
      return { ...paid, paid, token, payment }
    },
    async post(body, method = 'POST') {
      const answer = await send(`${ORIGIN}/.well-known/x402-refund`, { method, ...(method === 'POST' && { body }) })
      return { status: answer.status, body: answer.status === 405 ? undefined : await answer.json() }
    },
    async ask(paid, changes) {
      const { extensions } = await shop.challenge()
      const terms = refundTerms(extensions)
      if (terms === undefined) throw new Error('no terms')
      const fetch = (async (input: string, init: RequestInit) => send(input, init)) as typeof globalThis.fetch
      const wish = { terms, resource: `${ORIGIN}/a`, paid, account, reason: 'service_defective', fetch } as const
      return requestRefund({ ...wish, clock: shop.now, ...changes })
    },
  }
}

const message = (paid: PaidPayment, changes: Partial<RefundMessage> = {}): RefundMessage => ({
  version: 1,
  ...pick(paid),
  amount: paid.amount.toString(),
  reason: 'other',
  refundTo: paid.payer,
  idempotencyKey: 'refund_0123456789abcdef',
  audience: ORIGIN,
  issuedAt: Math.floor(Date.now() / 1000),
  ...changes,
})
const pick = ({ network, transaction, payer, payTo, asset }: PaidPayment) => ({
  network,
  transaction,
  payer,
  payTo,
  asset,
})
const signed = async (said: RefundMessage, by = account) =>
  JSON.stringify({ ...said, signature: formatHex(await by.signDigest(refundDigest(nobleEngine, said))) })

describe('a seller that can be asked for money back', () => {
  test('EXT-REFUND-001 says where and until when, before and after the payment', async () => {
    const shop = await shopWith({ policyUrl: 'https://shop.example/refunds' })
    const terms = {
      ...{ version: 1, endpoint: `${ORIGIN}/.well-known/x402-refund`, windowSeconds: DAY, partial: true },
      policyUrl: 'https://shop.example/refunds',
    }
    expect((await shop.challenge()).extensions?.[KEY]).toMatchObject({ info: terms })
    const answer = await shop.present(await shop.sign())
    const receipt = JSON.parse(atob(answer.headers.get('payment-response') ?? ''))
    expect(extensionInfo(receipt.extensions, KEY)).toEqual(terms)
    expect(refundTerms(receipt.extensions)).toEqual(terms)
    for (const wrong of [{ windowSeconds: 0 }, { windowSeconds: 1.5 }, { policyUrl: 'javascript:alert(1)' }])
      await expect(shopWith(wrong)).rejects.toMatchObject({ code: 'invalid_config' })
  })

  test('EXT-REFUND-003 EXT-REFUND-010 gives a payer what it asks for, and says the same when it is asked again', async () => {
    const shop = await shopWith()
    const paid = await shop.buy()
    const wish = { idempotencyKey: 'refund_one_wish_only' }
    for (let i = 0; i < 2; i++) expect(await shop.ask(paid, wish)).toEqual({ status: 'pending', amount: 10_000n })
    expect(await shop.refunds.list()).toMatchObject([
      { state: 'approved', amount: 10_000n, payer: account.address, reason: 'service_defective' },
    ])
  })

  test('EXT-REFUND-003 takes the signature of a wallet for typed data, and of a contract that says so', async () => {
    const shop = await shopWith()
    const viem = privateKeyToAccount(`0x${'11'.repeat(32)}`)
    expect(await shop.ask(await shop.buy(), { account: viem as RefundAccount })).toMatchObject({ status: 'pending' })
    const asked: unknown[] = []
    const accepts = async ({ address }: { address: string }) => asked.push(address) > 0
    const withWallets = await shopWith({ wallets: { accepts } })
    const paid = await withWallets.buy()
    const body = JSON.stringify({ ...message(paid), signature: `0x${'12'.repeat(200)}` })
    expect(await withWallets.post(body)).toMatchObject({ status: 202 })
    expect(asked).toEqual([account.address.toLowerCase()])
    expect(await shop.post(body)).toMatchObject({ status: 400, body: { code: 'refund_request_invalid' } })
  })

  test('EXT-REFUND-015 a chain is asked about payments of the books only, and so many times for nothing', async () => {
    const asked: string[] = []
    const accepts = async ({ address }: { address: string }) => asked.push(address) < 0
    const shop = await shopWith({ wallets: { accepts }, walletQuestions: { perAccount: 2 } })
    const paid = await shop.buy()
    const invented = (changes: Partial<RefundMessage>) =>
      shop.post(JSON.stringify({ ...message(paid, changes), signature: `0x${'12'.repeat(200)}` }))
    expect(await invented({ transaction: `0x${'99'.repeat(32)}` })).toMatchObject({ status: 404 })
    const stranger = await invented({ payer: thief.address, refundTo: thief.address })
    expect([stranger.status, asked]).toEqual([404, []])
    for (let n = 0; n < 2; n++) expect(await invented({})).toMatchObject({ status: 400 })
    expect(await invented({})).toMatchObject({ status: 429, body: { status: 'denied', code: 'quota_exceeded' } })
    expect(asked).toHaveLength(2)
    const asking = refundRequests({
      ...{ refunds: shop.refunds, origin: ORIGIN, windowSeconds: DAY, wallets: { accepts } },
      walletQuestions: { total: 0 },
    })
    const body = JSON.stringify({ ...message(paid), signature: `0x${'12'.repeat(200)}` })
    const answer = await asking.answer(new Request(`${ORIGIN}/.well-known/x402-refund`, { method: 'POST', body }))
    expect([answer?.status, Number(answer?.headers.get('retry-after'))]).toEqual([429, expect.any(Number)])
    // A key needs no chain.
    expect(await shop.ask(paid)).toMatchObject({ status: 'pending' })
  })

  test('EXT-REFUND-003 a digest is that of other people’s EIP-712', async () => {
    const said = message(await (await shopWith()).buy())
    const texts = 'network transaction payer payTo asset amount reason refundTo idempotencyKey audience'.split(' ')
    const types: Record<string, { name: string; type: string }[]> = {
      RefundRequest: [
        { name: 'version', type: 'uint256' },
        ...texts.map((name) => ({ name, type: 'string' })),
        { name: 'issuedAt', type: 'uint256' },
      ],
    }
    const digest = hashTypedData({
      domain: { name: 'x402 refund request', version: '1', chainId: 1 },
      types,
      primaryType: 'RefundRequest',
      message: { ...said, version: 1n, issuedAt: BigInt(said.issuedAt) },
    })
    expect(formatHex(refundDigest(nobleEngine, said))).toBe(digest)
  })

  test.each<readonly [string, Partial<RefundMessage>, ErrorCode, number]>([
    ['another audience', { audience: 'https://other.example' }, 'refund_request_foreign', 403],
    ['an old time', { issuedAt: Math.floor(Date.now() / 1000) - 400 }, 'refund_request_foreign', 403],
    ['a time to come', { issuedAt: Math.floor(Date.now() / 1000) + 400 }, 'refund_request_foreign', 403],
    ['another recipient', { refundTo: thief.address }, 'refund_request_invalid', 400],
    ['a reason of its own', { reason: 'give it to me now' }, 'refund_request_invalid', 400],
    ['a time that is none', { issuedAt: 1.5 }, 'refund_request_invalid', 400],
    ['an amount of nothing', { amount: '0' }, 'refund_request_invalid', 400],
    ['more than was paid', { amount: '10001' }, 'refund_above_paid', 422],
    ['another asset', { asset: `0x${'99'.repeat(20)}` }, 'refund_not_found', 404],
    ['another payee', { payTo: `0x${'99'.repeat(20)}` }, 'refund_not_found', 404],
    ['another transaction', { transaction: `0x${'99'.repeat(32)}` }, 'refund_not_found', 404],
    ['another network', { network: 'eip155:1' }, 'refund_not_found', 404],
  ])(
    'EXT-REFUND-004 EXT-REFUND-005 EXT-REFUND-006 EXT-REFUND-007 a request with %s is denied',
    async (_, changes, code, status) => {
      const shop = await shopWith()
      const said = message(await shop.buy(), changes)
      const body = Number.isInteger(said.issuedAt) ? await signed(said) : JSON.stringify({ ...said, signature: '0x12' })
      expect(await shop.post(body)).toMatchObject({ status, body: { status: 'denied', code } })
      expect(await shop.refunds.list()).toEqual([])
    },
  )

  test('EXT-REFUND-003 what somebody else signed, or what was changed afterwards, is denied', async () => {
    const shop = await shopWith()
    const said = message(await shop.buy())
    const good = JSON.parse(await signed(said))
    const bodies = [
      await signed(said, thief),
      // Whoever signs well asks for somebody else's payment.
      await signed({ ...said, payer: thief.address, refundTo: thief.address }, thief),
      JSON.stringify({ ...good, amount: '1' }),
      JSON.stringify({ ...good, idempotencyKey: 'refund_another_key_0' }),
      JSON.stringify({ ...good, signature: '0x' }),
      'nonsense',
      '[]',
      `{"a":${'['.repeat(200)}${']'.repeat(200)}}`,
    ]
    for (const body of bodies) expect((await shop.post(body)).status).toBeGreaterThanOrEqual(400)
    expect((await shop.post(' '.repeat(20_000))).body).toMatchObject({ code: 'request_too_large' })
    expect((await shop.post('', 'GET')).status).toBe(405)
    expect(await shop.refunds.list()).toEqual([])
  })

  test('EXT-REFUND-007 gives parts back only where it said so', async () => {
    const whole = await shopWith({ partial: false })
    const paid = await whole.buy()
    expect(await whole.ask(paid, { amount: 5_000n })).toEqual({ status: 'denied', code: 'refund_above_paid' })
    expect(await whole.ask(paid)).toMatchObject({ status: 'pending' })
    const parts = await shopWith()
    expect(await parts.ask(await parts.buy(), { amount: 5_000n })).toEqual({ status: 'pending', amount: 5_000n })
  })

  test('EXT-REFUND-008 gives nothing back after the window', async () => {
    const shop = await shopWith()
    const [first, second] = [await shop.buy(), await shop.buy()]
    shop.later(DAY * 1000 - 60_000)
    expect(await shop.ask(first)).toMatchObject({ status: 'pending' })
    shop.later(120_000)
    expect(await shop.ask(second)).toEqual({ status: 'denied', code: 'refund_too_late' })
  })

  test('EXT-REFUND-009 of ten different requests at once one is heard, and of ten equal ones each is answered by it', async () => {
    const shop = await shopWith()
    const [first, second] = [await shop.buy(), await shop.buy()]
    const different = await Promise.all(Array.from({ length: 10 }, () => shop.ask(first)))
    expect(different.filter(({ status }) => status === 'pending')).toHaveLength(1)
    expect(new Set(different.flatMap((each) => (each.status === 'denied' ? [each.code] : [])))).toEqual(
      new Set(['refund_exists']),
    )
    const key = { idempotencyKey: 'refund_the_same_key_' }
    const equal = await Promise.all(Array.from({ length: 10 }, () => shop.ask(second, key)))
    expect(equal.every(({ status }) => status === 'pending')).toBe(true)
    expect(await shop.refunds.list()).toHaveLength(2)
  })

  test('EXT-REFUND-011 refuses while it cannot decide, and by the seller’s own word', async () => {
    const broken = await shopWith({ allow: () => Promise.reject(new Error('no such table')) })
    const paid = await broken.buy()
    const no = await shopWith({ allow: ({ reason }) => reason !== 'customer_request' })
    expect(await broken.ask(paid)).toEqual({ status: 'denied', code: 'extension_unavailable' })
    expect(await broken.refunds.list()).toEqual([])
    const other = await no.buy()
    expect(await no.ask(other, { reason: 'customer_request' })).toEqual({ status: 'denied', code: 'refund_denied' })
    expect(await no.ask(other, { reason: 'overcharge' })).toMatchObject({ status: 'pending' })
  })

  test('EXT-REFUND-012 says executed when the money has moved, and denied when a person said no', async () => {
    const paid: PaidPayment = {
      ...{ network: 'eip155:84532', transaction: `0x${'01'.repeat(32)}`, payer: account.address },
      ...{ payTo, asset: `0x${'03'.repeat(20)}`, amount: 10n },
    }
    const states = ['asked', 'approved', 'signed', 'settled', 'rejected'] as const
    const answers: unknown[] = []
    for (const state of states) {
      const refund = { state, amount: 10n, askedBy: `payer ${account.address.toLowerCase()} refund_0123456789abcdef` }
      const sent = state === 'settled' ? { transaction: '0xdone' } : {}
      const refunds: RefundDesk = {
        payments: async () => [
          { ...paid, pid: 'p' as Pid, at: Date.now(), from: paid.payer, to: payTo, resource: ORIGIN },
        ],
        ask: async () => ({ ok: false, code: 'refund_exists' }),
        get: async () => ({ ...refund, ...sent }),
      }
      const { decide } = refundRequests({ refunds, origin: ORIGIN, windowSeconds: DAY })
      const { status, body } = await decide(await signed(message(paid)))
      answers.push([status, body.status, body.transaction])
    }
    expect(answers).toEqual([
      [202, 'pending', undefined],
      [202, 'pending', undefined],
      [202, 'pending', undefined],
      [200, 'executed', '0xdone'],
      [403, 'denied', undefined],
    ])
  })

  test('EXT-REFUND-003 on Solana the account signs text that no transaction can be', async () => {
    const seed = Uint8Array.from({ length: 32 }, (_, i) => i)
    const key = Buffer.from('03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8', 'hex')
    const svm = secretKeyAccount(Uint8Array.from([...seed, ...key]))
    const paid: PaidPayment = {
      ...{ network: network('solana-devnet'), transaction: '5'.repeat(88), payer: svm.address, amount: 10n },
      ...{ payTo: svm.address, asset: '4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU' },
    }
    const wishes: unknown[] = []
    const refunds: RefundDesk = {
      payments: async () => [
        { ...paid, pid: 'p' as Pid, at: Date.now(), from: paid.payer, to: paid.payTo, resource: ORIGIN },
      ],
      get: async () => undefined,
      ask: async ({ amount, by: askedBy }) => {
        wishes.push(askedBy)
        return { ok: true, refund: { state: 'approved', amount, askedBy } }
      },
    }
    const asked = refundRequests({ refunds, origin: ORIGIN, windowSeconds: DAY })
    const terms = {
      version: 1,
      endpoint: `${ORIGIN}/.well-known/x402-refund`,
      windowSeconds: DAY,
      partial: true,
    } as const
    const fetch = (async (input: string, init: RequestInit) => asked.answer(new Request(input, init))) as never
    const wish = {
      terms,
      resource: ORIGIN,
      paid,
      reason: 'other',
      fetch,
      idempotencyKey: 'refund_on_solana_1',
    } as const
    expect(await requestRefund({ ...wish, account: svm })).toEqual({ status: 'pending', amount: 10n })
    expect(wishes).toEqual([`payer ${svm.address} refund_on_solana_1`])
    expect(new TextDecoder().decode(refundBytes(message(paid)))).toMatch(
      /^x402 refund request\n\{"amount":"10","asset"/,
    )
    const other = { ...svm, sign: async () => new Uint8Array(64) }
    expect(await requestRefund({ ...wish, account: other })).toEqual({
      status: 'denied',
      code: 'refund_request_invalid',
    })
  })
})

test('EXT-REFUND-002 a payer asks nobody but the origin that it has paid', async () => {
  const shop = await shopWith()
  const paid = await shop.buy()
  const terms = { version: 1, endpoint: 'https://other.example/refund', windowSeconds: DAY, partial: true } as const
  let signatures = 0
  const watched = { ...account, signDigest: async () => new Uint8Array(65).fill(++signatures) }
  await expect(shop.ask(paid, { terms, account: watched })).rejects.toMatchObject({ code: 'invalid_config' })
  expect(signatures).toBe(0)
})

test.each([
  [{ pass: '1h' }, 10_000n, 0n],
  [{ bundle: 3 }, 6_667n, 3_334n],
] as const)(
  'EXT-SIGN-016 EXT-REFUND-013 EXT-REFUND-014 a refund takes %j with it: a payer gets what it has not used, and keeps nothing',
  async (sold, unused, left) => {
    const shop = await shopWith({}, sold as never)
    const { paid, token } = await shop.buy()
    const fresh = await shop.buy()
    const use = async (of = token) => (await shop.use({ headers: { 'payment-entitlement': of } })).status
    const denied = (code: ErrorCode, amount: bigint) => ({ status: 'denied', code, ...(amount > 0n && { amount }) })
    expect(await shop.ask(paid, { amount: unused - 1n })).toEqual(denied('refund_denied', unused))
    if (unused < 10_000n) expect(await shop.ask(paid)).toEqual(denied('refund_of_used', unused))
    expect(await use()).toBe(200)
    expect(await shop.ask(paid)).toEqual(denied('refund_of_used', left))
    if (left > 0n) {
      expect(await shop.ask(paid, { amount: left })).toMatchObject({ status: 'pending', amount: left })
      expect(await use()).toBe(402)
    }
    expect(await shop.ask(fresh.paid, { amount: unused })).toMatchObject({ status: 'pending', amount: unused })
    expect(await use(fresh.token)).toBe(402)
  },
)

test('EXT-SIGN-016 what a person gives back in part leaves the pass', async () => {
  const shop = await shopWith({}, { pass: '1h' } as never)
  const { token } = await shop.buy()
  const [entry] = await shop.ledger.list({ kinds: ['payment'] })
  await shop.refunds.ask({ pid: entry?.pid ?? ('' as Pid), amount: 4_000n, reason: 'x', by: 'ann' })
  expect((await shop.use({ headers: { 'payment-entitlement': token } })).status).toBe(200)
})

test.each([
  ['strict', 200],
  ['upfront', 200],
  ['upfront', 500],
] as const)(
  'SRV-069 in mode %s a payment that was given back after the answer %s brings nothing when it comes again',
  async (mode, status) => {
    let works = 0
    const shop = await shopWith(
      {},
      { mode },
      '$100',
      () => new Response('goods', { status: works++ === 0 ? status : 200 }),
    )
    const { paid, payment } = await shop.buy()
    expect(await shop.ask(paid)).toMatchObject({ status: 'pending' })
    const again = await shop.present(payment)
    expect([again.status, await codeOf(again), works]).toEqual([402, 'payment_refunded', 1])
  },
)

test('SRV-069 what a use gives back after the refund cannot be used', async () => {
  for (const amount of [10_000n, 9_000n]) {
    const shop = await shopWith()
    const { paid } = await shop.buy()
    const [entry] = await shop.ledger.list({ kinds: ['payment'] })
    const pid = entry?.pid ?? ('' as Pid)
    const { entitlements } = shop.claims
    await entitlements.grant({ pid, scope: 'x', credit: 10_000n, proof: '{}' })
    expect(await entitlements.redeem(pid, 'x', { most: 10_000n })).toMatchObject({ taken: 10_000n })
    expect(await shop.ask(paid, { amount })).toMatchObject({ status: 'denied', code: 'refund_of_used' })
    expect(await shop.refunds.ask({ pid, amount, reason: 'x', by: 'ann' })).toMatchObject({ ok: true })
    await entitlements.giveBack(pid, { credit: 10_000n })
    const left = await entitlements.redeem(pid, 'x', { most: 10_000n })
    expect(left?.taken).toBe(amount === 10_000n ? undefined : 1_000n)
  }
})

test('SRV-069 what is refunded before it was opened is never opened', async () => {
  const shop = await shopWith()
  const { paid } = await shop.buy()
  const [entry] = await shop.ledger.list({ kinds: ['payment'] })
  const pid = entry?.pid ?? ('' as Pid)
  expect(await shop.ask(paid)).toMatchObject({ status: 'pending' })
  await shop.claims.entitlements.grant({ pid, scope: 'x', seconds: 3_600, proof: '{}' })
  expect(await shop.claims.entitlements.redeem(pid, 'x')).toBeUndefined()
})

test('EXT-SIGN-016 a person’s refund takes back what was bought only once another person agrees', async () => {
  const shop = await shopWith({}, { bundle: 3 } as never, '$0.001')
  const { token } = await shop.buy()
  const use = async () => (await shop.use({ headers: { 'payment-entitlement': token } })).status
  const [entry] = await shop.ledger.list({ kinds: ['payment'] })
  const pid = entry?.pid ?? ('' as Pid)
  expect(await shop.refunds.ask({ pid, reason: 'x', by: 'ann' })).toMatchObject({ refund: { state: 'asked' } })
  expect(await use()).toBe(200)
  expect(await shop.refunds.approve(pid, 'bob')).toMatchObject({ ok: true })
  expect(await use()).toBe(402)
})
