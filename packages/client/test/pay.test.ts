import { X402Error } from '@groat/core'
import { describe, expect, test } from 'vitest'
import { createPayer, type PayerOptions, payingFetch } from '../src/index.js'
import {
  challenge,
  honest,
  nonceOf,
  offer,
  paid,
  pending,
  type Script,
  SELLER,
  startSeller,
  USDC,
  v1Challenge,
  withReceipt,
} from './support/seller.js'
import { PAYER, spyScheme } from './support/spy-scheme.js'
import { stores } from './support/stores.js'

const quick = { limits: { answerMs: 2_000, deadlineMs: 10_000 } }

describe.each(stores)('payer.fetch over %s intents', (_, openIntents) => {
  async function payerFor(script: Script, options: Partial<PayerOptions> = {}) {
    const seller = await startSeller(script)
    const scheme = spyScheme()
    const payer = createPayer({ schemes: [scheme], store: await openIntents(), ...quick, ...options })
    return { seller, scheme, payer }
  }

  test('pays once and hands out the answer, its receipt and its outcome', async () => {
    const { seller, scheme, payer } = await payerFor(honest())

    const response = await payer.fetch(seller.url)

    expect({ status: response.status, body: await response.text() }).toEqual({ status: 200, body: 'sunny' })
    const nonce = scheme.signed[0]!.nonce
    const receipt = {
      state: 'unverified',
      payer: PAYER,
      network: 'eip155:84532',
      transaction: nonce,
      amount: 1000n,
    }
    expect(payer.receipt(response)).toEqual(receipt)
    expect(payer.outcome(response)).toEqual({
      status: 'settled',
      receipt,
      payment: {
        intent: expect.stringMatching(/^[0-9a-f]{32}$/),
        pid: expect.stringMatching(/^[0-9a-f]{64}$/),
        x402Version: 2,
        scheme: 'exact',
        network: 'eip155:84532',
        asset: USDC,
        amount: 1000n,
        payTo: SELLER,
        payer: PAYER,
        expiresAt: scheme.signed[0]!.expiresAt,
      },
    })
    expect(seller.seen.map(({ payment }) => payment && nonceOf(payment))).toEqual([undefined, nonce])
  })

  test('CORE-032 CORE-081 CORE-082 echoes the offer, the resource and the extensions as they came', async () => {
    const { seller, payer } = await payerFor(({ payment }, nth) =>
      payment
        ? paid(payment)
        : challenge({
            accepts: [offer({ extra: { name: 'USDC', version: '2', custom: [1] } })],
            resource: { url: '/weather', description: 'Weather' },
            extensions: { bazaar: { info: nth } },
          }),
    )
    await payer.fetch(seller.url)
    expect(seller.seen[1]?.payment).toMatchObject({
      accepted: offer({ extra: { name: 'USDC', version: '2', custom: [1] } }),
      resource: { url: '/weather', description: 'Weather' },
      extensions: { bazaar: { info: 1 } },
    })
  })

  test('CLI-026 HTTP-065 no URL of an offer is asked for, and no header of answers is sent', async () => {
    const stranger = await startSeller(() => ({ body: 'seen' }))
    const { seller, payer } = await payerFor(({ payment }) =>
      payment
        ? paid(payment)
        : challenge({
            accepts: [offer({ extra: { name: 'USDC', version: '2', info: stranger.url, payTo: stranger.url } })],
            resource: { url: '/weather', iconUrl: stranger.url, description: stranger.url },
            extensions: { bazaar: { info: { url: stranger.url }, schema: { $ref: stranger.url } } },
          }),
    )
    await payer.fetch(seller.url)
    expect(stranger.seen).toEqual([])
    expect(seller.seen.map(({ headers }) => headers['access-control-expose-headers'])).toEqual([undefined, undefined])
  })

  test('a free answer comes back untouched, with no outcome', async () => {
    const { seller, scheme, payer } = await payerFor(() => ({ body: 'free' }))
    const response = await payer.fetch(seller.url)
    expect([await response.text(), payer.outcome(response), scheme.signed.length]).toEqual(['free', undefined, 0])
  })

  test.each([400, 412])('CLI-022 %i is never paid, whatever it carries', async (status) => {
    const { seller, scheme, payer } = await payerFor(() => ({ ...challenge({ accepts: [offer()] }), status }))
    const response = await payer.fetch(seller.url)
    expect([response.status, scheme.signed.length, seller.seen.length]).toEqual([status, 0, 1])
  })

  test('CLI-009 every kind of body is sent again byte for byte', async () => {
    const { seller, payer } = await payerFor(honest())
    const form = new FormData()
    form.set('city', 'Bern')
    const bytes = new Uint8Array([1, 2, 3])
    const bodies: BodyInit[] = [
      'text',
      bytes,
      bytes.buffer,
      new URLSearchParams({ a: 'ä' }),
      new Blob(['blob'], { type: 'x/y' }),
    ]
    for (const body of [...bodies, form]) {
      const sent = await payer.fetch(seller.url, { method: 'POST', body })
      expect(sent.status).toBe(200)
    }
    await payer.fetch(new Request(seller.url, { method: 'PUT', body: 'request', headers: { 'x-trace': '7' } }))

    const pairs = Array.from({ length: 7 }, (_, i) => [seller.seen[2 * i]!, seller.seen[2 * i + 1]!] as const)
    expect(
      pairs.map(([first, second]) => [first.payment !== undefined, second.payment !== undefined, second.method]),
    ).toEqual([...Array(6).fill([false, true, 'POST']), [false, true, 'PUT']])
    for (const [first, second] of pairs) {
      if (!first.headers['content-type']?.startsWith('multipart/')) expect(second.body).toEqual(first.body)
      expect(second.headers['content-type']?.split(';')[0]).toBe(first.headers['content-type']?.split(';')[0])
    }
    expect(pairs[5]![1].body.toString()).toContain('Bern')
    expect(pairs[6]![1].headers['x-trace']).toBe('7')
  })

  test('a body that changes after the call is sent as it was', async () => {
    const { seller, payer } = await payerFor(honest())
    const bytes = new Uint8Array([1, 2, 3])
    const call = payer.fetch(seller.url, { method: 'POST', body: bytes })
    bytes.fill(9)
    await call
    expect(seller.seen.map(({ body }) => [...body])).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
  })

  test('G25 a stream is sent once, and a 402 for it is body_not_replayable', async () => {
    const { seller, scheme, payer } = await payerFor(honest())
    const body = new Blob(['once']).stream()
    const call = payer.fetch(seller.url, { method: 'POST', body, ...{ duplex: 'half' } })
    await expect(call).rejects.toMatchObject({ name: 'X402Error', code: 'body_not_replayable' })
    expect([seller.seen.length, scheme.signed.length]).toEqual([1, 0])
  })

  test.each(['PAYMENT-SIGNATURE', 'x-payment'])(
    'CLI-008 a request with %s is refused before anything is sent',
    async (name) => {
      const { seller, scheme, payer } = await payerFor(honest())
      const call = payer.fetch(seller.url, { headers: { [name]: 'abc' } })
      await expect(call).rejects.toMatchObject({ code: 'payment_already_attempted' })
      expect([seller.seen.length, scheme.signed.length]).toEqual([0, 0])
    },
  )

  describe('one live signature per logical request', () => {
    test('CLI-014 CL-3 G15 a lost answer leads to the same payment again, within the call', async () => {
      const { seller, scheme, payer } = await payerFor(({ payment }, nth) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : nth === 2 ? 'destroy' : paid(payment),
      )
      const response = await payer.fetch(seller.url)
      expect([response.status, scheme.signed.length]).toEqual([200, 1])
      expect(seller.presented()).toEqual([scheme.signed[0]!.nonce, scheme.signed[0]!.nonce])
    })

    test('CLI-014 INV-8 not known yet leads to the same payment again, after Retry-After', async () => {
      const waits: number[] = []
      const { seller, scheme, payer } = await payerFor(
        ({ payment }, nth) =>
          payment === undefined ? challenge({ accepts: [offer()] }) : nth < 4 ? pending('3') : paid(payment),
        { sleep: async (ms) => void waits.push(ms) },
      )
      const response = await payer.fetch(seller.url)
      expect([response.status, scheme.signed.length, waits]).toEqual([200, 1, [3000, 3000]])
      expect(new Set(seller.presented()).size).toBe(1)
    })

    test('a seller that stays undecided gives its answer and outcome unknown; the next call presents the same payment', async () => {
      let decided = false
      const { seller, scheme, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : decided ? paid(payment) : pending('0', 202),
      )
      const first = await payer.fetch(seller.url)
      expect([first.status, payer.outcome(first)?.status]).toEqual([202, 'unknown'])
      decided = true
      const second = await payer.fetch(seller.url)
      expect([second.status, payer.outcome(second)?.status, scheme.signed.length]).toEqual([200, 'settled', 1])
      const third = await payer.fetch(seller.url)
      expect([third.status, scheme.signed.length]).toEqual([200, 2])
    })

    test('a Retry-After beyond the deadline is not waited for', async () => {
      const { seller, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : pending('3600'),
      )
      const response = await payer.fetch(seller.url)
      expect(payer.outcome(response)).toMatchObject({ status: 'unknown', retryAfter: 3600 })
      expect(seller.presented().length).toBe(1)
    })

    test('a fault that remains is payment_unresolved, and the next call presents the same payment', async () => {
      let up = false
      const { seller, scheme, payer } = await payerFor(
        ({ payment }) => (payment === undefined ? challenge({ accepts: [offer()] }) : up ? paid(payment) : 'destroy'),
        { sleep: async () => {} },
      )
      await expect(payer.fetch(seller.url)).rejects.toMatchObject({
        code: 'payment_unresolved',
        context: { pid: expect.stringMatching(/^[0-9a-f]{64}$/) },
        cause: expect.any(TypeError),
      })
      up = true
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect([scheme.signed.length, seller.presented().length]).toEqual([1, 5])
    })

    test('a seller that is silent is asked again with the same payment', async () => {
      const { seller, scheme, payer } = await payerFor(
        ({ payment }, nth) =>
          payment === undefined ? challenge({ accepts: [offer()] }) : nth === 2 ? () => {} : paid(payment),
        { limits: { answerMs: 200 } },
      )
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect([scheme.signed.length, seller.presented().length]).toEqual([1, 2])
    })

    test('G14 a refusal is handed out, and the next call presents the same payment', async () => {
      const { seller, scheme, payer } = await payerFor(({ payment }) =>
        payment === undefined
          ? challenge({ accepts: [offer()] })
          : challenge({ accepts: [offer()], error: 'invalid_exact_evm_insufficient_balance' }),
      )
      for (const _ of [1, 2, 3]) {
        const response = await payer.fetch(seller.url)
        expect(response.status).toBe(402)
        expect(await response.text()).toBe('{}')
        expect(payer.outcome(response)).toMatchObject({
          status: 'refused',
          code: 'invalid_exact_evm_insufficient_balance',
          payment: { amount: 1000n },
        })
      }
      expect([scheme.signed.length, new Set(seller.presented()).size, seller.presented().length]).toEqual([1, 1, 3])
    })

    test('ERR-024 a refusal in the receipt and a refusal in words keep their reasons', async () => {
      const problemOfTomorrow = JSON.stringify({
        type: 'about:blank',
        status: 402,
        code: 'x',
        mood: { colour: 'blue' },
      })
      const refusals = [
        withReceipt(2, { status: 'refused', code: 'payment_expired', detail: 'late' }, { status: 402 }),
        challenge({ accepts: [offer()], error: 'No refunds' }),
        { status: 402, body: 'no' },
        { ...withReceipt(2, { status: 'refused', code: 'payment_expired' }, { status: 402 }), body: problemOfTomorrow },
      ]
      const { seller, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : refusals.shift()!,
      )
      const outcomes = []
      for (const path of ['/a', '/b', '/c', '/d']) outcomes.push(payer.outcome(await payer.fetch(seller.origin + path)))
      const payment = expect.anything()
      expect(outcomes).toEqual([
        { status: 'refused', payment, code: 'payment_expired', detail: 'late' },
        { status: 'refused', payment, code: 'payment_refused', detail: 'No refunds' },
        { status: 'refused', payment, code: 'payment_refused' },
        { status: 'refused', payment, code: 'payment_expired' },
      ])
    })

    test('ERR-024 412 with offers is a refusal too, such as of a payer who has not approved Permit2; without offers it says nothing of the payment', async () => {
      const code = 'permit2_allowance_required'
      const refusals = [{ ...challenge({ accepts: [offer()], error: code }), status: 412 }, { status: 412 }]
      const { seller, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : refusals.shift()!,
      )
      const outcomes = []
      for (const path of ['/a', '/b']) outcomes.push(payer.outcome(await payer.fetch(seller.origin + path)))
      expect(outcomes).toMatchObject([{ status: 'refused', code }, { status: 'unknown' }])
    })

    test('an error without a receipt leaves the payment unresolved', async () => {
      let broken = true
      const { seller, scheme, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : broken ? { status: 500 } : paid(payment),
      )
      const first = await payer.fetch(seller.url)
      expect([first.status, payer.outcome(first)?.status]).toEqual([500, 'unknown'])
      broken = false
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect(scheme.signed.length).toBe(1)
    })

    test('LIV-6 a payment that was taken and brought only an error is presented again', async () => {
      let broken = true
      const { seller, scheme, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : paid(payment, { status: broken ? 500 : 200 }),
      )
      const first = await payer.fetch(seller.url)
      expect([first.status, payer.outcome(first)?.status]).toEqual([500, 'settled'])
      broken = false
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect(scheme.signed.length).toBe(1)
      await payer.fetch(seller.url)
      expect(scheme.signed.length).toBe(2)
    })

    test('CLI-015 after its expiry and grace a payment is presented once more, and only then another is signed', async () => {
      let now = 1_700_000_000_000
      const { seller, scheme, payer } = await payerFor(
        ({ payment }) =>
          payment === undefined || nonceOf(payment) === seller.presented()[0]
            ? challenge({ accepts: [offer()] })
            : paid(payment),
        { clock: () => now },
      )
      await payer.fetch(seller.url)
      now += (300 + 119) * 1000
      await payer.fetch(seller.url)
      expect(scheme.signed.length).toBe(1)

      now += 2_000
      const response = await payer.fetch(seller.url)
      expect([response.status, payer.outcome(response)?.status]).toEqual([200, 'settled'])
      const [first, second] = scheme.signed
      expect(seller.presented()).toEqual([first!.nonce, first!.nonce, first!.nonce, second!.nonce])
    })

    test('CLI-027 no other is signed while the seller shows a receipt for the first and withholds the answer', async () => {
      let now = 1_700_000_000_000
      let sold = true
      const { seller, scheme, payer } = await payerFor(
        ({ payment }) =>
          payment === undefined || !sold ? challenge({ accepts: [offer()] }) : paid(payment, { status: 500 }),
        { clock: () => now },
      )
      for (let call = 0; call < 4; call++) {
        const response = await payer.fetch(seller.url)
        expect([response.status, payer.outcome(response)?.status]).toEqual([500, 'settled'])
        now += 3_600_000
      }
      expect(scheme.signed.length).toBe(1)

      // Nobody shows it any more: the caller is told, and pays anew by asking anew.
      sold = false
      expect((await payer.fetch(seller.url)).status).toBe(402)
      expect(scheme.signed.length).toBe(1)
      await payer.fetch(seller.url)
      expect(scheme.signed.length).toBe(2)
    })

    test('an expired payment whose content can still be had is not paid again', async () => {
      let now = 1_700_000_000_000
      let up = false
      const { seller, scheme, payer } = await payerFor(
        ({ payment }) => (payment === undefined ? challenge({ accepts: [offer()] }) : up ? paid(payment) : 'destroy'),
        { clock: () => now, sleep: async () => {} },
      )
      await expect(payer.fetch(seller.url)).rejects.toMatchObject({ code: 'payment_unresolved' })
      up = true
      now += 3_600_000
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect(scheme.signed.length).toBe(1)
    })

    test('the same request at the same time is two requests; with one idempotency key it is one', async () => {
      const { seller, scheme, payer } = await payerFor(honest())
      await Promise.all([payer.fetch(seller.url), payer.fetch(seller.url)])
      expect([scheme.signed.length, new Set(seller.presented()).size]).toEqual([2, 2])

      const named = { idempotencyKey: 'order-17' }
      const responses = await Promise.all([1, 2, 3].map(() => payer.fetch(seller.url, named)))
      expect(responses.map((response) => payer.outcome(response)?.status)).toEqual(['settled', 'settled', 'settled'])
      await payer.fetch(seller.url, named)
      expect([scheme.signed.length, new Set(seller.presented()).size, seller.presented().length]).toEqual([3, 3, 6])
    })

    test('another method, URL or body is another request', async () => {
      const { seller, scheme, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : { status: 500 },
      )
      await payer.fetch(seller.url)
      await payer.fetch(`${seller.url}?day=2`)
      await payer.fetch(seller.url, { method: 'POST', body: 'a' })
      await payer.fetch(seller.url, { method: 'POST', body: 'b' })
      expect(scheme.signed.length).toBe(4)
      await payer.fetch(`${seller.url}#fragment`)
      await payer.fetch(seller.url, { method: 'post', body: new Blob(['b']) })
      expect(scheme.signed.length).toBe(4)
    })

    test('the same form is the same request, though its boundary is random', async () => {
      const { seller, scheme, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : { status: 500 },
      )
      for (const city of ['Bern', 'Bern', 'Thun']) {
        const body = new FormData()
        body.set('city', city)
        await payer.fetch(seller.url, { method: 'POST', body })
      }
      expect(scheme.signed.length).toBe(2)
    })

    test('an idempotency key under which another request was made is refused', async () => {
      const { seller, scheme, payer } = await payerFor(honest())
      await payer.fetch(seller.url, { idempotencyKey: 'k' })
      const other = payer.fetch(`${seller.origin}/other`, { idempotencyKey: 'k' })
      await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' })
      expect([scheme.signed.length, seller.presented().length]).toEqual([1, 1])
      expect((await payer.fetch(seller.url, { idempotencyKey: 'k' })).status).toBe(200)
    })
  })

  describe('the wallet', () => {
    test('G28 that hangs is signer_failed, and the next call starts anew', async () => {
      let hangs = true
      const scheme = spyScheme({ sign: (payload) => (hangs ? new Promise(() => {}) : Promise.resolve(payload)) })
      const { seller, payer } = await payerFor(honest(), { schemes: [scheme], limits: { signMs: 50 } })
      await expect(payer.fetch(seller.url)).rejects.toMatchObject({ code: 'signer_failed' })
      expect(seller.presented()).toEqual([])
      hangs = false
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect(seller.presented()).toEqual([scheme.signed[1]!.nonce])
    })

    test('that refuses is signer_failed with its reason as the cause', async () => {
      const cause = new Error('user said no')
      const scheme = spyScheme({ sign: () => Promise.reject(cause) })
      const { seller, payer } = await payerFor(honest(), { schemes: [scheme] })
      await expect(payer.fetch(seller.url)).rejects.toMatchObject({ code: 'signer_failed', cause })
      expect(seller.presented()).toEqual([])
    })
  })

  describe('an abort', () => {
    test('before the signature is an ordinary abort, and nothing is signed', async () => {
      const controller = new AbortController()
      const { seller, scheme, payer } = await payerFor(() => {
        controller.abort()
        return challenge({ accepts: [offer()] })
      })
      const call = payer.fetch(seller.url, { signal: controller.signal })
      await expect(call).rejects.toMatchObject({ name: 'AbortError' })
      expect(scheme.signed.length).toBe(0)
    })

    test('while the wallet signs forgets the payment: it never left', async () => {
      const controller = new AbortController()
      let aborts = true
      const scheme = spyScheme({
        sign: async (payload) => {
          if (aborts) controller.abort()
          return payload
        },
      })
      const { seller, payer } = await payerFor(honest(), { schemes: [scheme] })
      const call = payer.fetch(seller.url, { signal: controller.signal })
      await expect(call).rejects.toMatchObject({ name: 'AbortError' })
      aborts = false
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect(seller.presented()).toEqual([scheme.signed[1]!.nonce])
    })

    test('after the signature was kept and before it was sent forgets the payment too', async () => {
      const controller = new AbortController()
      const intents = await openIntents()
      let aborts = true
      const store: typeof intents = {
        ...intents,
        async sign(...args) {
          const kept = await intents.sign(...args)
          if (aborts) controller.abort()
          return kept
        },
      }
      const { seller, scheme, payer } = await payerFor(honest(), { store })
      const call = payer.fetch(seller.url, { signal: controller.signal })
      await expect(call).rejects.toMatchObject({ name: 'AbortError' })
      aborts = false
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect(seller.presented()).toEqual([scheme.signed[1]!.nonce])
    })

    test('after the payment was sent is payment_unresolved, and the next call presents the same payment', async () => {
      const controller = new AbortController()
      const { seller, scheme, payer } = await payerFor(({ payment }, nth) => {
        if (payment === undefined) return challenge({ accepts: [offer()] })
        if (nth > 2) return paid(payment)
        controller.abort()
        return () => {}
      })
      const call = payer.fetch(seller.url, { signal: controller.signal })
      await expect(call).rejects.toMatchObject({ code: 'payment_unresolved', cause: { name: 'AbortError' } })
      expect((await payer.fetch(seller.url)).status).toBe(200)
      expect([scheme.signed.length, new Set(seller.presented()).size]).toEqual([1, 1])
    })

    test('while waiting for the seller to decide is payment_unresolved', async () => {
      const controller = new AbortController()
      const { seller, payer } = await payerFor(({ payment }) => {
        if (payment === undefined) return challenge({ accepts: [offer()] })
        setTimeout(() => controller.abort(), 50)
        return pending('5')
      })
      const call = payer.fetch(seller.url, { signal: controller.signal })
      await expect(call).rejects.toMatchObject({ code: 'payment_unresolved' })
      expect(seller.presented().length).toBe(1)
    })
  })

  describe('receipts', () => {
    test.each([
      ['network', { network: 'eip155:8453' }],
      ['amount', { amount: 1001n }],
      ['payer', { payer: SELLER }],
    ] as const)('G13 one that contradicts the signed %s is disputed', async (dispute, changes) => {
      const { seller, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : paid(payment, {}, changes as object),
      )
      const response = await payer.fetch(seller.url)
      expect(payer.receipt(response)).toMatchObject({ state: 'disputed', dispute })
      expect(payer.outcome(response)?.status).toBe('disputed')
    })

    test('one that cannot be read is none: the answer is handed out', async () => {
      const { seller, payer } = await payerFor(({ payment }) =>
        payment === undefined
          ? challenge({ accepts: [offer()] })
          : { body: 'sunny', headers: { 'payment-response': '%%%' } },
      )
      const response = await payer.fetch(seller.url)
      expect([await response.text(), payer.outcome(response)?.status]).toEqual(['sunny', 'answered'])
      expect(payer.receipt(response)).toBeUndefined()
    })

    test('content that comes while settlement is still open is an answer', async () => {
      const { seller, scheme, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : { ...pending(), status: 200 },
      )
      const response = await payer.fetch(seller.url)
      expect([payer.outcome(response)?.status, seller.presented().length]).toEqual(['answered', 1])
      await payer.fetch(seller.url)
      expect(scheme.signed.length).toBe(2)
    })
  })

  describe('version 1', () => {
    const script: Script = ({ payment }) => (payment ? paid(payment) : v1Challenge([offer()]))

    test('G16 is not paid unless it is allowed; the body stays intact', async () => {
      const { seller, scheme, payer } = await payerFor(script)
      const response = await payer.fetch(seller.url)
      expect(await response.json()).toMatchObject({ x402Version: 1 })
      expect(payer.outcome(response)).toMatchObject({ status: 'unpaid', code: 'version_not_allowed' })
      expect(scheme.signed.length).toBe(0)
    })

    test('is paid with its own header where it is allowed', async () => {
      const { seller, payer } = await payerFor(script, { policy: { versions: [2, 1] } })
      const response = await payer.fetch(seller.url)
      expect([response.status, payer.outcome(response)?.status]).toEqual([200, 'settled'])
      expect(seller.seen[1]?.headers['x-payment']).toBeDefined()
      expect(seller.seen[1]?.headers['payment-signature']).toBeUndefined()
    })
  })
})

test('payingFetch is the fetch of a payer', async () => {
  const seller = await startSeller(honest())
  const fetchThatPays = payingFetch({ schemes: [spyScheme()] })
  expect(await (await fetchThatPays(seller.url)).text()).toBe('sunny')
})

test('what fetch throws before payment is thrown unchanged', async () => {
  const payer = createPayer({ schemes: [spyScheme()] })
  await expect(payer.fetch('http://127.0.0.1:1/')).rejects.toThrow(TypeError)
})

test('a store that fails stops the payment before it is sent, with a registered code', async () => {
  const seller = await startSeller(honest())
  const scheme = spyScheme()
  const { memoryIntents } = await import('../src/index.js')
  for (const broken of ['take', 'create', 'sign'] as const) {
    const store = { ...memoryIntents(), [broken]: () => Promise.reject(new Error('disk full')) }
    const call = createPayer({ schemes: [scheme], store }).fetch(seller.url)
    await expect(call).rejects.toMatchObject({ code: 'store_unavailable', cause: { message: 'disk full' } })
  }
  expect(seller.presented()).toEqual([])
})

test('an answer is handed out even when its end cannot be written', async () => {
  const seller = await startSeller(honest())
  const { memoryIntents } = await import('../src/index.js')
  const store = { ...memoryIntents(), release: () => Promise.reject(new Error('disk full')) }
  const faults: string[] = []
  const payer = createPayer({
    schemes: [spyScheme()],
    store,
    onEvent: ({ type, code }) => type === 'fault' && faults.push(String(code)),
  })
  expect((await payer.fetch(seller.url)).status).toBe(200)
  expect(faults).toEqual(['store_unavailable'])
})

test('SEC-007 an observer is told what happens and cannot change it', async () => {
  const seller = await startSeller(honest())
  const events: unknown[] = []
  const payer = createPayer({
    schemes: [spyScheme()],
    clock: () => 1_700_000_000_000,
    onEvent: ({ type, at, amount, resource }) => {
      events.push([type, at, amount, resource])
      throw new Error('observer')
    },
  })
  const own: string[] = []
  await payer.fetch(`${seller.url}?secret=1`, { onEvent: ({ type }) => own.push(type) })
  const rest = [1_700_000_000_000, 1000n, seller.origin]
  const types = ['challenge_received', 'payment_signed', 'payment_presented', 'payment_settled']
  expect(own).toEqual(types)
  expect(events).toEqual([
    [types[0], 1_700_000_000_000, undefined, seller.url],
    ['payment_signed', ...rest],
    ['payment_presented', ...rest],
    ['payment_settled', ...rest],
  ])
})

test('X402Error is what a caller branches on', async () => {
  const call = createPayer({ schemes: [spyScheme()] }).fetch('https://api.example', { headers: { 'X-PAYMENT': 'a' } })
  const error = await call.catch((caught: unknown) => caught)
  expect(X402Error.is(error) && error.code).toBe('payment_already_attempted')
})

describe.each(stores)('a refusal that corrects the scheme, over %s intents', (_, openIntents) => {
  const refusing = (times: number): Script => {
    let left = times
    return ({ payment }) =>
      payment === undefined || left-- > 0 ? challenge({ accepts: [offer()], error: 'payment_refused' }) : paid(payment)
  }
  async function buy(script: Script, answers: 'void' | 'dead' | undefined) {
    const seller = await startSeller(script)
    const scheme = spyScheme()
    const heard: unknown[] = []
    const correctable = {
      ...scheme,
      corrected: async ({ pid, payTo }: { pid: string; payTo: string }, header: (name: string) => string | null) => {
        heard.push([pid.length, payTo, header('PAYMENT-REQUIRED') !== null])
        return answers
      },
    }
    const payer = createPayer({ schemes: [correctable], store: await openIntents(), ...quick })
    const outcome = payer.outcome(await payer.fetch(seller.url))?.status
    return { outcome, signed: scheme.signed.length, presented: seller.presented().length, heard }
  }

  test('EVM-BATCH-018 is followed by one more payment, and a seller that goes on correcting by none', async () => {
    const told = [64, offer().payTo, true]
    for (const end of ['void', 'dead'] as const) {
      expect(await buy(refusing(1), end)).toEqual({ outcome: 'settled', signed: 2, presented: 2, heard: [told] })
      expect(await buy(refusing(9), end)).toEqual({ outcome: 'refused', signed: 2, presented: 2, heard: [told, told] })
    }
    expect(await buy(refusing(1), undefined)).toEqual({ outcome: 'refused', signed: 1, presented: 1, heard: [told] })
  })
})
