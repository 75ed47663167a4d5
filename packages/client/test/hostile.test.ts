import { network } from '@groat/core'
import { describe, expect, test } from 'vitest'
import { createPayer, type PayerOptions } from '../src/index.js'
import {
  challenge,
  honest,
  nonceOf,
  offer,
  paid,
  type Reply,
  rawChallenge,
  type Script,
  SELLER,
  startSeller,
  USDC,
  v1Challenge,
} from './support/seller.js'
import { PAYER, spyScheme } from './support/spy-scheme.js'

async function payerFor(script: Script, options: Partial<PayerOptions> = {}) {
  const seller = await startSeller(script)
  const scheme = spyScheme()
  const payer = createPayer({ schemes: [scheme], sleep: async () => {}, ...options })
  return { seller, scheme, payer }
}

const wire = {
  scheme: 'exact',
  network: 'eip155:84532',
  amount: '1000',
  asset: USDC,
  payTo: SELLER,
  maxTimeoutSeconds: 300,
  extra: { name: 'USDC', version: '2' },
}

describe('CLI-001 CLI-003 CLI-004 CLI-024 CORE-090 INV-14 a seller that asks for what the policy does not allow gets no signature', () => {
  const asks: [string, unknown, string, PayerOptions['policy']?][] = [
    ['more than the limit', { accepts: [{ ...wire, amount: '100001' }] }, 'amount_over_limit'],
    ['2^256 - 1', { accepts: [{ ...wire, amount: (2n ** 256n - 1n).toString() }] }, 'amount_over_limit'],
    ['an unknown asset', { accepts: [{ ...wire, asset: SELLER }] }, 'asset_not_known'],
    ['the right symbol at the wrong address', { accepts: [{ ...wire, asset: PAYER }] }, 'asset_not_known'],
    ['the asset of another network', { accepts: [{ ...wire, network: 'eip155:8453' }] }, 'asset_not_known'],
    ['an unknown scheme', { accepts: [{ ...wire, scheme: 'upto' }] }, 'missing_scheme'],
    [
      'a chain family without a wallet',
      { accepts: [{ ...wire, network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp' }] },
      'missing_scheme',
    ],
    [
      'payment before service',
      { accepts: [{ ...wire, extra: { paymentFlow: 'upfront' } }] },
      'payment_flow_not_allowed',
    ],
    ['an unknown flow', { accepts: [{ ...wire, extra: { paymentFlow: { a: 1 } } }] }, 'payment_flow_not_allowed'],
    ['money for a stranger', { accepts: [wire] }, 'recipient_not_allowed', { recipients: [PAYER] }],
    ['money on another network', { accepts: [wire] }, 'network_not_allowed', { networks: ['base'] }],
    ['another scheme', { accepts: [wire] }, 'scheme_not_allowed', { schemes: ['upto'] }],
    [
      'money though it is not on the list',
      { accepts: [wire] },
      'origin_not_allowed',
      { origins: ['https://api.example'] },
    ],
    [
      'money for another origin',
      { accepts: [wire], resource: { url: 'https://bank.example/weather' } },
      'resource_mismatch',
    ],
    ['money for another path', { accepts: [wire], resource: { url: '/report' } }, 'resource_mismatch'],
    ['money for something that is no URL', { accepts: [wire], resource: { url: 'http://[' } }, 'resource_mismatch'],
    [
      'what a rule of mine forbids',
      { accepts: [wire] },
      'budget_exceeded',
      { rules: [{ name: 'mine', check: () => ({ ok: false, code: 'budget_exceeded' }) }] },
    ],
  ]
  test.each(asks)('%s', async (_, body, code, policy = {}) => {
    const { seller, scheme, payer } = await payerFor(() => rawChallenge({ x402Version: 2, ...(body as object) }), {
      policy,
    })
    const response = await payer.fetch(seller.url)
    expect([response.status, await response.text()]).toEqual([402, 'pay'])
    expect(payer.outcome(response)).toMatchObject({
      status: 'unpaid',
      code,
      refusals: [{ ok: false, code, rule: expect.any(String) }],
    })
    expect([scheme.signed, seller.seen.length]).toEqual([[], 1])
  })

  test('a flow that the scheme itself is safe in is paid', async () => {
    const seller = await startSeller(() =>
      rawChallenge({ x402Version: 2, accepts: [{ ...wire, extra: { ...wire.extra, paymentFlow: 'escrow' } }] }),
    )
    const [safe, other] = [
      { ...spyScheme(), flows: ['escrow'] },
      { ...spyScheme(), flows: ['upfront'] },
    ]
    for (const scheme of [safe, other])
      await createPayer({ schemes: [scheme], sleep: async () => {} }).fetch(seller.url)
    expect([safe.signed.length, other.signed.length]).toEqual([1, 0])
  })

  test('a rule that throws stops the payment', async () => {
    const check = () => {
      throw new Error('sanctions list is down')
    }
    const { seller, scheme, payer } = await payerFor(honest(), { policy: { rules: [{ name: 'mine', check }] } })
    await expect(payer.fetch(seller.url)).rejects.toThrow('sanctions list is down')
    expect(scheme.signed).toEqual([])
  })

  test('CLI-007 G01 ten years of validity are cut down to the limit', async () => {
    const script: Script = ({ payment }) =>
      payment ? paid(payment) : challenge({ accepts: [offer({ maxTimeoutSeconds: 315_360_000 })] })
    const { seller, scheme, payer } = await payerFor(script, { clock: () => 1_700_000_000_000 })
    await payer.fetch(seller.url)
    expect(scheme.signed[0]?.expiresAt).toBe(1_700_000_600)

    const rigid = spyScheme({ clamps: false })
    const other = createPayer({ schemes: [rigid], clock: () => 1_700_000_000_000 })
    const response = await other.fetch(seller.url)
    expect(other.outcome(response)).toMatchObject({ status: 'unpaid', code: 'lifetime_over_limit' })
    expect(rigid.signed).toEqual([])
  })

  test('CLI-005 a scheme that would sign for more than the offer asks is held to the limit too', async () => {
    const scheme = spyScheme({ amount: () => 100_001n })
    const { seller, payer } = await payerFor(honest(), { schemes: [scheme] })
    const response = await payer.fetch(seller.url)
    expect(payer.outcome(response)).toMatchObject({ code: 'amount_over_limit', refusals: [{ rule: 'perPayment' }] })
    expect(scheme.signed).toEqual([])
  })

  test('CLI-012 G07 plain http is paid on loopback only', async () => {
    const hosts = {
      'http://shop.example/a': false,
      'http://127.0.0.1.shop.example/a': false,
      'http://10.0.0.1/a': false,
      'http://169.254.169.254/a': false,
      'http://0.0.0.0/a': false,
      'http://[::ffff:127.0.0.1]/a': false,
      'http://localhost/a': true,
      'http://127.9.8.7:81/a': true,
      'http://0x7f.1/a': true,
      'http://[::1]/a': true,
      'https://shop.example/a': true,
    }
    const paidAt: Record<string, boolean> = {}
    for (const url of Object.keys(hosts)) {
      const payer = createPayer({
        schemes: [spyScheme()],
        fetch: async (_, init) => {
          const header = new Headers(init?.headers).has('payment-signature')
          if (header) return new Response('ok')
          return new Response('', { status: 402, headers: challenge({ accepts: [offer()] }).headers! })
        },
      })
      paidAt[url] = (await payer.fetch(url)).status === 200
    }
    expect(paidAt).toEqual(hosts)
  })
})

describe('a seller that changes its mind', () => {
  test('G06 G14 a price that rises between challenges is not followed: no second signature', async () => {
    let price = 1000n
    const { seller, scheme, payer } = await payerFor(() => challenge({ accepts: [offer({ amount: price++ })] }))
    for (const _ of [1, 2, 3]) expect((await payer.fetch(seller.url)).status).toBe(402)
    expect(scheme.signed.map(({ amount }) => amount)).toEqual([1000n])
    expect(new Set(seller.presented()).size).toBe(1)
  })

  test('a recipient that changes between challenges gets nothing', async () => {
    const recipients = [SELLER, PAYER, PAYER]
    const { seller, scheme, payer } = await payerFor(() =>
      challenge({ accepts: [offer({ payTo: recipients.shift()! })] }),
    )
    await payer.fetch(seller.url)
    expect(scheme.signed.map((signature) => signature.offer.payTo)).toEqual([SELLER])
  })

  test('CLI-013 one call signs once, however often it is asked', async () => {
    const { seller, scheme, payer } = await payerFor(() => challenge({ accepts: [offer()] }))
    await payer.fetch(seller.url)
    expect([scheme.signed.length, seller.seen.length]).toEqual([1, 2])
  })
})

describe('redirects', () => {
  const to = (location: string, status = 307): Reply => ({ status, headers: { location } })

  test('of the first request on one origin are followed, also with the payment', async () => {
    const { seller, scheme, payer } = await payerFor(({ path, payment }) =>
      path === '/old'
        ? to('/weather')
        : payment
          ? paid(payment)
          : challenge({ accepts: [offer()], resource: { url: '/weather' } }),
    )
    const response = await payer.fetch(`${seller.origin}/old`, { method: 'POST', body: 'x' })
    expect(response.status).toBe(200)
    expect(
      seller.seen.map(({ path, method, payment, body }) => [path, method, payment !== undefined, body.toString()]),
    ).toEqual([
      ['/old', 'POST', false, 'x'],
      ['/weather', 'POST', false, 'x'],
      ['/old', 'POST', true, 'x'],
      ['/weather', 'POST', true, 'x'],
    ])
    expect(scheme.signed.length).toBe(1)
  })

  test('303 of a paid POST becomes GET without its body', async () => {
    const { seller, payer } = await payerFor(({ path, payment }) =>
      payment === undefined
        ? challenge({ accepts: [offer()] })
        : path === '/weather'
          ? to('/done', 303)
          : paid(payment),
    )
    const response = await payer.fetch(seller.url, { method: 'POST', body: 'x', headers: { 'content-type': 'text/x' } })
    expect(response.status).toBe(200)
    const { method, path, body, headers } = seller.seen[2]!
    expect([method, path, body.length, headers['content-type']]).toEqual(['GET', '/done', 0, undefined])
  })

  test('CLI-010 G03 CL-4 a 402 behind a redirect of the first request to another origin is not paid', async () => {
    const other = await startSeller(honest())
    const { seller, scheme, payer } = await payerFor(() => to(other.url))
    const response = await payer.fetch(seller.url)
    expect(payer.outcome(response)).toMatchObject({ status: 'unpaid', code: 'cross_origin_redirect' })
    expect([scheme.signed, other.seen.length]).toEqual([[], 1])
  })

  test('CLI-010 CLI-011 G04 INV-15 a paid request that is redirected to another origin throws, and the payment does not go there', async () => {
    const other = await startSeller(honest())
    const { seller, scheme, payer } = await payerFor(({ payment }) =>
      payment === undefined ? challenge({ accepts: [offer()] }) : to(`${other.url}?token=1`),
    )
    await expect(payer.fetch(seller.url)).rejects.toMatchObject({
      code: 'cross_origin_redirect',
      context: { from: seller.url, to: other.url },
    })
    expect([scheme.signed.length, other.seen.length, seller.presented().length]).toEqual([1, 0, 1])
  })

  test.each(['https://127.0.0.1/weather', '//evil.example/weather', 'http://user@evil.example'])(
    'to %s is another origin',
    async (location) => {
      const { seller, payer } = await payerFor(({ payment }) =>
        payment === undefined ? challenge({ accepts: [offer()] }) : to(location),
      )
      await expect(payer.fetch(seller.url)).rejects.toMatchObject({ code: 'cross_origin_redirect' })
    },
  )

  test('without end stop, and the payment stays unresolved', async () => {
    const { seller, payer } = await payerFor(({ payment }, nth) =>
      payment === undefined ? challenge({ accepts: [offer()] }) : to(`/${nth}`),
    )
    await expect(payer.fetch(seller.url)).rejects.toMatchObject({ code: 'payment_unresolved' })
    expect(seller.presented().length).toBe(6)
  })

  test('a payment that a receipt has used up is not shown to the target', async () => {
    const { seller, payer } = await payerFor(({ path, payment }) => {
      if (path === '/done') return { body: 'done' }
      return payment === undefined ? challenge({ accepts: [offer()] }) : paid(payment, to('/done', 303))
    })
    const response = await payer.fetch(seller.url)
    expect([await response.text(), payer.outcome(response)?.status]).toEqual(['done', 'settled'])
    expect(seller.seen[2]?.headers['payment-signature']).toBeUndefined()
  })

  test('a caller that handles redirects itself gets the redirect', async () => {
    const { seller, payer } = await payerFor(({ payment }) =>
      payment === undefined ? challenge({ accepts: [offer()] }) : paid(payment, to('/done', 303)),
    )
    const response = await payer.fetch(seller.url, { redirect: 'manual' })
    expect([response.status, payer.outcome(response)?.status]).toEqual([303, 'settled'])
  })
})

describe('what is no challenge', () => {
  test.each<[string, Reply]>([
    ['a page', { headers: { 'content-type': 'text/html' }, body: '<h1>Pay!</h1>' }],
    ['JSON of another protocol', { body: '{"error":"card required"}' }],
    ['a v2 object in the body', { body: JSON.stringify({ x402Version: 2, accepts: [wire] }) }],
    ['an empty body', {}],
    ['an empty header', { headers: { 'payment-required': '' }, body: 'x' }],
    ['a large body', { body: `{"x402Version":1,"accepts":[],"pad":"${'x'.repeat(70_000)}"}` }],
    ['bad UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }],
  ])('%s comes back untouched', async (_, reply) => {
    const { seller, scheme, payer } = await payerFor(() => ({ ...reply, status: 402 }))
    const response = await payer.fetch(seller.url)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(reply.body ?? ''))
    expect([response.status, payer.outcome(response), scheme.signed]).toEqual([402, undefined, []])
  })

  test('SEC-004 G24 an endless body is read up to its limit and comes back as the stream it is', async () => {
    let written = 0
    const { seller, payer } = await payerFor(() => (response) => {
      response.writeHead(402)
      const timer = setInterval(() => {
        written += 16_384
        response.write('x'.repeat(16_384))
      }, 1)
      response.on('close', () => clearInterval(timer))
    })
    const response = await payer.fetch(seller.url)
    expect([response.status, payer.outcome(response), written < 5_000_000]).toEqual([402, undefined, true])
    await response.body?.cancel()
  })

  test('a body that never comes does not hold the call for longer than the limit', async () => {
    const { seller, payer } = await payerFor(() => (response) => void response.writeHead(402).write('{'), {
      limits: { answerMs: 100 },
    })
    const response = await payer.fetch(seller.url)
    expect([response.status, payer.outcome(response)]).toEqual([402, undefined])
    await response.body?.cancel()
  })

  const header = (value: string): Reply => ({ status: 402, headers: { 'payment-required': value }, body: 'pay' })
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  test.each<[string, Reply]>([
    ['no base64', header('%%%')],
    ['base64url', header('eyJ4_w')],
    ['no JSON', header(base64('{'))],
    ['null', header(base64('null'))],
    ['an array', header(base64('[]'))],
    ['no version', rawChallenge({ accepts: [wire] })],
    ['version "2"', rawChallenge({ x402Version: '2', accepts: [wire] })],
    ['version 3', rawChallenge({ x402Version: 3, accepts: [wire] })],
    ['no offers', rawChallenge({ x402Version: 2, accepts: [] })],
    ['65 offers', rawChallenge({ x402Version: 2, accepts: Array(65).fill({}) })],
    ['doubled members', header(base64(`{"x402Version":2,"accepts":[],"accepts":[${JSON.stringify(wire)}]}`))],
    ['deep nesting', header(base64(`{"x402Version":2,"accepts":${'['.repeat(500)}${']'.repeat(500)}}`))],
    ...['-1', '1e3', '0x10', '1.5', ' 1', '01', '', '١', '9'.repeat(79)].map((amount): [string, Reply] => [
      `amount ${JSON.stringify(amount).slice(0, 12)}`,
      rawChallenge({ x402Version: 2, accepts: [{ ...wire, amount }] }),
    ]),
    ['amount 5', rawChallenge({ x402Version: 2, accepts: [{ ...wire, amount: 5 }] })],
    ['no recipient', rawChallenge({ x402Version: 2, accepts: [{ ...wire, payTo: undefined }] })],
    ['a network name', rawChallenge({ x402Version: 2, accepts: [{ ...wire, network: 'base' }] })],
    ['a negative lifetime', rawChallenge({ x402Version: 2, accepts: [{ ...wire, maxTimeoutSeconds: -1 }] })],
    ['a string for extra', rawChallenge({ x402Version: 2, accepts: [{ ...wire, extra: 'x' }] })],
    ['a broken v1 body', { ...v1Challenge([offer()]), body: '{"x402Version":1,"accepts":[{}]}' }],
  ])('G10 %s is invalid_challenge, and the answer is intact', async (_, reply) => {
    const { seller, scheme, payer } = await payerFor(() => reply)
    const response = await payer.fetch(seller.url)
    expect(payer.outcome(response)).toMatchObject({ status: 'unpaid', code: 'invalid_challenge', refusals: [] })
    expect(await response.text()).toBe(reply.body)
    expect(scheme.signed).toEqual([])
  })

  test('a challenge of more than 16 KiB is refused or never arrives', async () => {
    const { seller, scheme, payer } = await payerFor(() =>
      rawChallenge({ x402Version: 2, accepts: [wire], pad: 'x'.repeat(13_000) }),
    )
    const end = await payer.fetch(seller.url).then(payer.outcome, (error: unknown) => error)
    expect(end instanceof TypeError || (end as { code: string }).code === 'invalid_challenge').toBe(true)
    expect(scheme.signed).toEqual([])
  })

  test('HTTP-028 a challenge that would make the payment too large for a header is not paid', async () => {
    const { seller, payer } = await payerFor(() =>
      rawChallenge({ x402Version: 2, accepts: [wire], extensions: { pad: 'x'.repeat(11_500) } }),
    )
    await expect(payer.fetch(seller.url)).rejects.toMatchObject({ code: 'invalid_challenge' })
    expect(seller.seen.length).toBe(1)
  })

  test('members that JavaScript treats specially change nothing', async () => {
    const hostile = JSON.stringify({ x402Version: 2, accepts: [wire] }).replace(
      '"extra":{',
      '"extra":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},',
    )
    const { seller, payer } = await payerFor(({ payment }) =>
      payment ? { body: 'ok', headers: { seen: nonceOf(payment) } } : header(base64(hostile)),
    )
    expect((await payer.fetch(seller.url)).status).toBe(200)
    expect('polluted' in {}).toBe(false)
  })
})

test('one unreadable offer does not hide a good one', async () => {
  const { seller, payer } = await payerFor(({ payment }) =>
    payment ? paid(payment) : rawChallenge({ x402Version: 2, accepts: [{ nonsense: true }, wire] }),
  )
  expect((await payer.fetch(seller.url)).status).toBe(200)
})

describe('quote', () => {
  test('CL-7 tells what would be signed, and which rule refuses the rest; signs nothing', async () => {
    const accepts = [offer({ amount: 5000n }), offer(), offer({ asset: SELLER }), offer({ amount: 1_000_000n })]
    const { seller, scheme, payer } = await payerFor(honest(accepts), { clock: () => 1_700_000_000_000 })
    expect(await payer.quote(seller.url)).toEqual({
      status: 'payable',
      offer: expect.objectContaining({ amount: 1000n }),
      asset: expect.objectContaining({ symbol: 'USDC', decimals: 6, network: network('base-sepolia') }),
      payer: PAYER,
      amount: 1000n,
      expiresAt: 1_700_000_300,
      preview: expect.objectContaining({ to: SELLER, value: '1000' }),
      refusals: [
        {
          ok: false,
          rule: 'assets',
          code: 'asset_not_known',
          detail: SELLER,
          offer: expect.objectContaining({ asset: SELLER }),
        },
        {
          ok: false,
          rule: 'perPayment',
          code: 'amount_over_limit',
          detail: '1000000 atomic units of USDC',
          offer: expect.objectContaining({ amount: 1_000_000n }),
        },
      ],
    })
    expect([scheme.signed, seller.presented()]).toEqual([[], []])
  })

  test('tells why nothing would be paid', async () => {
    const { seller, payer } = await payerFor(honest([offer({ amount: 200_000n }), offer({ asset: SELLER })]))
    expect(await payer.quote(seller.url)).toMatchObject({
      status: 'refused',
      code: 'no_acceptable_offer',
      refusals: [{ code: 'amount_over_limit' }, { code: 'asset_not_known' }],
    })
  })

  test('tells that nothing is asked for, and what cannot be read', async () => {
    const { seller, payer } = await payerFor((_, nth) =>
      nth === 1 ? {} : nth === 2 ? { status: 402 } : rawChallenge({}),
    )
    expect([await payer.quote(seller.url), await payer.quote(seller.url), await payer.quote(seller.url)]).toEqual([
      { status: 'free', httpStatus: 200 },
      { status: 'free', httpStatus: 402 },
      { status: 'refused', code: 'invalid_challenge', detail: expect.any(String), refusals: [] },
    ])
  })
})
