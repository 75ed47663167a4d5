import type { ExtensionClient } from '@groat/core'
import { AnyObject } from '@groat/core/schema'
import { describe, expect, test } from 'vitest'
import {
  type Buyer,
  type BuyerOptions,
  cachedBalances,
  createBuyer,
  explainedLines,
  type Purse,
  type SpendingPolicy,
} from '../src/buyer/index.js'
import { challenge, honest, nonceOf, offer, paid, type Script, SELLER, startSeller, USDC } from './support/seller.js'
import { PAYER, spyScheme } from './support/spy-scheme.js'
import { purses } from './support/stores.js'

const NOW = 1_700_000_000_000

describe.each(purses)('%s purse', (_, open) => {
  async function buyerFor(script: Script, options: Partial<BuyerOptions> & { readonly now?: () => number } = {}) {
    const { now, ...rest } = options
    const seller = await startSeller(script)
    const scheme = spyScheme()
    const purse: Purse = options.purse ?? (await open())
    const buyer = createBuyer({
      schemes: [scheme],
      sleep: async () => {},
      purse,
      ...(now && { clock: now }),
      ...rest,
    })
    let nth = 0
    const another = (init?: Parameters<typeof buyer.fetch>[1]) => buyer.fetch(`${seller.url}?n=${nth++}`, init)
    const refusalOf = (response: Response) => {
      const outcome = buyer.outcome(response)
      return outcome?.status === 'unpaid' ? outcome.refusals.map(({ rule, code }) => [rule, code]) : outcome?.status
    }
    return { seller, scheme, buyer, purse, another, refusalOf }
  }
  const dime = honest([offer({ amount: 100_000n })])

  test('CLI-017 SEC-011 INV-13 CL-2 G02 64 parallel callers on one $10 budget at $0.10 make exactly 100 payments', async () => {
    const { seller, scheme, another, refusalOf } = await buyerFor(dime, { policy: { perDay: '$10' } })
    const caller = async () => {
      for (;;) {
        const response = await another()
        if (response.status === 402) return refusalOf(response)
      }
    }
    const refusals = await Promise.all(Array.from({ length: 64 }, caller))
    expect(scheme.signed.length).toBe(100)
    expect(new Set(seller.presented()).size).toBe(100)
    expect(new Set(refusals.map((refusal) => JSON.stringify(refusal)))).toEqual(
      new Set(['[["perDay","budget_exceeded"]]']),
    )
  })

  test.each([
    ['perHour', { perHour: '$0.25' }, 60 * 60_000, 65 * 60_000],
    ['perDay', { perDay: '$0.25' }, 24 * 3_600_000, 25 * 3_600_000],
    ['payments.perHour', { payments: { perHour: 2 } }, 60 * 60_000, 65 * 60_000],
    ['payments.perDay', { payments: { perDay: 2 } }, 24 * 3_600_000, 25 * 3_600_000],
  ] as const)('%s is free again when its time is over, and not before', async (rule, policy, within, after) => {
    let now = NOW
    const { another, refusalOf } = await buyerFor(dime, { policy, now: () => now })
    const code = rule.startsWith('payments') ? 'too_many_payments' : 'budget_exceeded'
    expect([(await another()).status, (await another()).status]).toEqual([200, 200])
    expect(refusalOf(await another())).toEqual([[rule, code]])
    now = NOW + within - 1
    expect(refusalOf(await another())).toEqual([[rule, code]])
    now = NOW + after
    expect([(await another()).status, (await another()).status]).toEqual([200, 200])
    expect(refusalOf(await another())).toEqual([[rule, code]])
  })

  test.each([
    ['perHour', 3 * 3_600_000],
    ['perDay', 49 * 3_600_000],
  ] as const)('CLI-017 a clock that was ahead, and is put right, leaves %s as spent as it was', async (rule, ahead) => {
    let now = NOW
    const { another, scheme, refusalOf } = await buyerFor(dime, { policy: { [rule]: '$0.25' }, now: () => now })
    for (const _ of [1, 2]) expect((await another()).status).toBe(200)
    now += ahead
    expect((await another()).status).toBe(200)
    now = NOW + 60_000
    expect(refusalOf(await another())).toEqual([[rule, 'budget_exceeded']])
    expect(scheme.signed.length).toBe(3)
  })

  test('a task, and everything without one, has a budget of its own', async () => {
    const { another, refusalOf } = await buyerFor(dime, { policy: { perTask: '$0.10' } })
    const task = (name: string) => another({ metadata: { task: name } })
    expect([(await task('a')).status, (await task('b')).status, (await another()).status]).toEqual([200, 200, 200])
    for (const again of [await task('a'), await task('b'), await another()]) {
      expect(refusalOf(again)).toEqual([['perTask', 'budget_exceeded']])
    }
  })

  test('each origin has its own budget, and a category one for all its origins', async () => {
    const [a, b, c] = await Promise.all([startSeller(dime), startSeller(dime), startSeller(dime)])
    const { buyer, refusalOf } = await buyerFor(dime, {
      policy: {
        eachOrigin: { perDay: '$0.20' },
        categories: { research: { origins: [a.origin, b.origin], perDay: '$0.30', perPayment: '$0.10' } },
      },
    })
    const get = async (url: string, n: number) => refusalOf(await buyer.fetch(`${url}?n=${n}`))
    expect([await get(a.url, 1), await get(a.url, 2)]).toEqual(['settled', 'settled'])
    expect(await get(a.url, 3)).toEqual([['eachOrigin.perDay', 'budget_exceeded']])
    expect(await get(b.url, 1)).toBe('settled')
    expect(await get(b.url, 2)).toEqual([['categories.research.perDay', 'budget_exceeded']])
    expect([await get(c.url, 1), await get(c.url, 2)]).toEqual(['settled', 'settled'])
  })

  test('G14 what a seller only collects counts as spent; what never left does not', async () => {
    const { scheme, another, refusalOf } = await buyerFor(() => challenge({ accepts: [offer({ amount: 100_000n })] }), {
      policy: { perDay: '$0.20' },
    })
    for (const _ of [1, 2, 3]) await another()
    expect(scheme.signed.length).toBe(2)

    let fails = true
    const moody = spyScheme({
      sign: async (payload) => {
        if (fails) throw new Error('no')
        return payload
      },
    })
    const second = await buyerFor(dime, { policy: { perDay: '$0.10' }, schemes: [moody] })
    for (const _ of [1, 2, 3]) await expect(second.another()).rejects.toMatchObject({ code: 'signer_failed' })
    fails = false
    expect((await second.another()).status).toBe(200)
    expect(refusalOf(await another())).toEqual([['perDay', 'budget_exceeded']])
  })

  test('a payment that is proven void is given back, one that has only expired is not', async () => {
    let now = NOW
    const fates: ('void' | undefined)[] = [undefined, 'void']
    const { scheme, buyer, seller, refusalOf } = await buyerFor(
      ({ payment }, nth) =>
        payment && nth > 7 ? paid(payment) : challenge({ accepts: [offer({ amount: 100_000n })] }),
      { policy: { perDay: '$0.10' }, now: () => now, witness: async () => fates.shift() },
    )
    await buyer.fetch(seller.url)
    now += 1_000_000
    await buyer.fetch(seller.url)
    expect(scheme.signed.length).toBe(1)
    expect(refusalOf(await buyer.fetch(`${seller.url}?other`))).toEqual([['perDay', 'budget_exceeded']])
    expect((await buyer.fetch(seller.url)).status).toBe(200)
    expect([scheme.signed.length, fates]).toEqual([2, []])
  })

  test('the kill switch stops every signature of everybody who shares the purse', async () => {
    const { buyer, purse, another, refusalOf, scheme } = await buyerFor(dime)
    const other = createBuyer({ schemes: [scheme], purse })
    await other.stop('somebody is spending my money')
    expect(refusalOf(await another())).toEqual([['stopped', 'payments_stopped']])
    await buyer.resume()
    expect((await another()).status).toBe(200)
    const stopped = await buyerFor(dime, { policy: { stopped: true } })
    expect(stopped.refusalOf(await stopped.another())).toEqual([['stopped', 'payments_stopped']])
    expect(stopped.scheme.signed).toEqual([])
  })

  test('CLI-002 for a seller that may not be paid nothing else is signed either, whatever it offers', async () => {
    let asked = 0
    const half: ExtensionClient = {
      extension: { key: 'who', info: AnyObject },
      present: async () => {
        asked += 1
        return { 'x-who': 'me' }
      },
    }
    const dear = offer({ amount: 10n ** 12n })
    const asks: Script = () => challenge({ accepts: [dear], extensions: { who: { info: {} } } })
    const askedBy = async (options: Partial<BuyerOptions>, change?: (buyer: Buyer) => Promise<void>) => {
      asked = 0
      const { buyer, another } = await buyerFor(asks, { extensions: [half], ...options })
      await change?.(buyer)
      expect((await another()).status).toBe(402)
      return asked
    }
    // A price that is too high says nothing about the seller.
    expect(await askedBy({})).toBe(1)
    expect(await askedBy({ policy: { origins: ['https://api.example'] } })).toBe(0)
    expect(await askedBy({ policy: { stopped: true } })).toBe(0)
    expect(await askedBy({}, (buyer) => buyer.stop('enough'))).toBe(0)
  })

  test('G06 the account that was paid first at a URL is the only one, until it is forgotten', async () => {
    let payTo = SELLER
    const { buyer, seller, another, refusalOf } = await buyerFor((seen, nth) =>
      honest([offer({ payTo, extra: { name: 'USDC', version: '2' } })])(seen, nth),
    )
    expect((await another()).status).toBe(200)
    payTo = PAYER
    expect(refusalOf(await another())).toEqual([['trustFirst', 'recipient_changed']])
    expect((await buyer.fetch(`${seller.origin}/elsewhere`)).status).toBe(200)
    payTo = SELLER.toUpperCase().replace('0X', '0x')
    expect((await another()).status).toBe(200)
  })

  test('G06 the price of the same request may rise by as much as is allowed, and no more', async () => {
    let amount = 1_000n
    const { buyer, seller, another, refusalOf } = await buyerFor((seen, nth) => honest([offer({ amount })])(seen, nth))
    const same = async () => refusalOf(await buyer.fetch(seller.url))
    expect(await same()).toBe('settled')
    amount = 1_200n
    expect(await same()).toBe('settled')
    amount = 1_441n
    expect(await same()).toEqual([['priceRise', 'price_rise_over_limit']])
    expect(refusalOf(await another())).toBe('settled')
    amount = 1_440n
    expect(await same()).toBe('settled')
  })

  test('G06 a deposit for many payments is no rise of the price, and a small price after it may not rise to the deposit', async () => {
    let [price, signedFor] = [1_000n, 5_000n]
    const scheme = spyScheme({ amount: () => signedFor })
    const { buyer, seller, refusalOf } = await buyerFor((seen, nth) => honest([offer({ amount: price })])(seen, nth), {
      schemes: [scheme],
    })
    const same = async () => refusalOf(await buyer.fetch(seller.url))
    expect(await same()).toBe('settled')
    signedFor = 1_000n
    expect(await same()).toBe('settled')
    signedFor = 5_000n
    expect(await same()).toBe('settled')
    price = 1_300n
    expect(await same()).toEqual([['priceRise', 'price_rise_over_limit']])
  })

  test('pins and assets are the policy’s own', async () => {
    const { another, refusalOf, seller } = await buyerFor(dime, { policy: { assets: ['EURC'] } })
    expect(refusalOf(await another())).toEqual([['assets', 'asset_not_in_policy']])
    const byAddress = await buyerFor(dime, { policy: { assets: [USDC.toLowerCase()] } })
    expect((await byAddress.another()).status).toBe(200)
    const pinned = await buyerFor(dime, { policy: { pins: { [seller.origin]: [PAYER] } } })
    expect(pinned.refusalOf(await pinned.buyer.fetch(seller.url))).toEqual([['pins', 'recipient_not_allowed']])
  })

  test('above a limit a person is asked, and only a yes is one', async () => {
    const asked: unknown[] = []
    const answers: unknown[] = [true, false, 'yes', undefined]
    const { another, refusalOf, scheme, seller } = await buyerFor(dime, {
      policy: { askAbove: '$0.05' },
      approve: async ({ amount, url, metadata }) => {
        asked.push([amount, url.replace(/\?.*/, ''), metadata])
        return answers.shift() as boolean
      },
      metadata: { principal: 'alice' },
    })
    expect(refusalOf(await another({ metadata: { task: 'x' } }))).toBe('settled')
    for (const _ of [1, 2, 3]) expect(refusalOf(await another())).toEqual([['askAbove', 'approval_denied']])
    expect(scheme.signed.length).toBe(1)
    expect(asked[0]).toEqual([100_000n, seller.url, { principal: 'alice', task: 'x' }])

    const alone = await buyerFor(dime, { policy: { askAbove: '$0.05' } })
    expect(alone.refusalOf(await alone.another())).toEqual([['askAbove', 'approval_required']])
    const below = await buyerFor(dime, { policy: { askAbove: '$0.10' } })
    expect((await below.another()).status).toBe(200)
  })

  test('G28 a person who does not answer holds nobody who gives up, and nothing is reserved', async () => {
    const { another, scheme, purse } = await buyerFor(dime, {
      policy: { askAbove: '$0.05', perDay: '$0.10' },
      approve: () => new Promise(() => {}),
    })
    await expect(another({ signal: AbortSignal.timeout(50) })).rejects.toThrow()
    expect([scheme.signed, await purse.records()]).toEqual([[], []])
  })

  test('G17 what an asset counts for is the payer’s own word', async () => {
    const { another, refusalOf } = await buyerFor(dime, { policy: { worth: { USDC: '$1.01' } } })
    expect(refusalOf(await another())).toEqual([['perPayment', 'amount_over_limit']])
  })

  test('G12 an offer that the account cannot pay gives way to one that it can', async () => {
    const accepts = [
      offer({ amount: 1_000n }),
      offer({ network: 'eip155:8453' as never, asset: BASE_USDC, amount: 2_000n }),
    ]
    const { another, buyer, refusalOf } = await buyerFor(honest(accepts), {
      balances: async ({ network }) => (network === 'eip155:8453' ? 5_000n : 999n),
    })
    const response = await another()
    expect(buyer.outcome(response)).toMatchObject({ status: 'settled', payment: { network: 'eip155:8453' } })
    const poor = await buyerFor(honest(accepts), { balances: async () => 1n })
    expect(poor.refusalOf(await poor.another())).toEqual([
      ['balance', 'insufficient_balance'],
      ['balance', 'insufficient_balance'],
    ])
    const blind = await buyerFor(honest(accepts), {
      balances: async () => {
        throw new Error('no node')
      },
    })
    expect((await blind.another()).status).toBe(200)
    expect(refusalOf(response)).toBe('settled')
  })

  test('CL-5 a balance that was seen counts for its time, less what was signed since, and refuses nothing by an old word', async () => {
    let now = NOW
    let looked = 0
    let there = 2_500n
    const { another, refusalOf } = await buyerFor(honest([offer({ amount: 1_000n })]), {
      now: () => now,
      balances: cachedBalances(
        async () => {
          looked++
          return there
        },
        60,
        () => now,
      ),
    })
    expect([(await another()).status, (await another()).status, looked]).toEqual([200, 200, 1])
    // 500 are left of what was seen: that is looked at again before it refuses.
    there = 1_000n
    expect([(await another()).status, looked]).toEqual([200, 2])
    there = 0n
    expect([refusalOf(await another()), looked]).toEqual([[['balance', 'insufficient_balance']], 3])
    there = 10_000n
    expect([(await another()).status, looked]).toEqual([200, 4])
    now += 60_000
    expect([(await another()).status, looked]).toEqual([200, 5])
  })

  test('CL-5 where nothing is kept, every payment looks; where it is, a node that failed is asked again', async () => {
    let looked = 0
    const balances = async () => {
      if (++looked === 1) throw new Error('no node')
      return 5_000n
    }
    const { another } = await buyerFor(honest(), { balances })
    for (let call = 1; call <= 3; call++) expect([(await another()).status, looked]).toEqual([200, call])
    looked = 0
    const kept = await buyerFor(honest(), { balances: cachedBalances(balances, 30, () => NOW) })
    for (let call = 1; call <= 3; call++) expect((await kept.another()).status).toBe(200)
    expect(looked).toBe(2)
  })

  test('a scheme that pays out of what was put aside is not held to what the account has', async () => {
    const seller = await startSeller(honest())
    const scheme = { ...spyScheme(), prefunded: true }
    const buyer = createBuyer({ schemes: [scheme], purse: await open(), balances: async () => 0n })
    expect((await buyer.fetch(seller.url)).status).toBe(200)
  })

  test('what would fail on chain is not signed', async () => {
    const { another, refusalOf, scheme } = await buyerFor(dime, {
      simulate: async () => ({ ok: false, code: 'simulation_failed', detail: 'blacklisted' }),
    })
    expect(refusalOf(await another())).toEqual([['simulation', 'simulation_failed']])
    expect(scheme.signed).toEqual([])
  })

  test('CL-7 an explanation asks every rule, says who decided, and leaves nothing behind', async () => {
    const accepts = [offer({ amount: 60_000n }), offer({ amount: 50_000n }), offer({ amount: 200_000n })]
    const { buyer, seller, purse, scheme } = await buyerFor(honest(accepts), {
      policy: { perDay: '$0.10', payments: { perHour: 5 }, eachOrigin: { perDay: '$0.08' } },
    })
    await buyer.fetch(`${seller.url}?first`)
    const explanation = await buyer.explain(seller.url)
    expect(explanation).toMatchObject({
      status: 'refused',
      offers: [
        { status: 'refused', decidedBy: 'perDay' },
        { status: 'refused', decidedBy: 'eachOrigin.perDay' },
        { status: 'refused', decidedBy: 'perPayment' },
      ],
    })
    const [, second] = explanation.status === 'refused' ? explanation.offers : []
    expect(second?.verdicts.filter(({ ok }) => !ok)).toEqual([
      {
        rule: 'eachOrigin.perDay',
        ok: false,
        code: 'budget_exceeded',
        says: '$0.05 of $0.08 are taken',
      },
    ])
    expect([scheme.signed.length, (await purse.records()).length]).toEqual([1, 1])
    expect(await buyer.budgets()).toEqual([
      { rule: 'payments.perHour', spent: '1', limit: '5' },
      { rule: 'perDay', spent: '$0.05', limit: '$0.10' },
    ])
  })

  test('CL-7 an extension that never refuses is no rule, and no explanation names it', async () => {
    const half = (key: string) => ({ extension: { key, info: {} } })
    const extensions = [half('never'), { ...half('asks'), lacks: () => undefined }]
    const { buyer, seller } = await buyerFor(dime, { extensions })
    const explanation = await buyer.explain(seller.url)
    const offers = 'offers' in explanation ? explanation.offers : []
    const named = offers.flatMap(({ verdicts }) => verdicts.map(({ rule }) => rule))
    expect(named).toContain('asks')
    expect(named).not.toContain('never')
  })

  test('CL-7 an explanation says of every rule once, and of one that is judged in two places what refuses', async () => {
    const assetsIn = async (policy: SpendingPolicy, challenge: Parameters<typeof buyerFor>[0] = dime) => {
      const { buyer, seller } = await buyerFor(challenge, { policy })
      const explanation = await buyer.explain(seller.url)
      const [first] = 'offers' in explanation ? explanation.offers : []
      const named = first?.verdicts.map(({ rule }) => rule) ?? []
      expect(named).toEqual([...new Set(named)])
      return first?.verdicts.filter(({ rule }) => rule === 'assets')
    }
    expect(await assetsIn({})).toEqual([{ rule: 'assets', ok: true, says: 'any known' }])
    expect(await assetsIn({ assets: ['EURC'] })).toMatchObject([{ ok: false, code: 'asset_not_in_policy' }])
  })

  test('CL-7 G08 an explanation says what was held against what would be signed', async () => {
    const explained = async (spy: Parameters<typeof spyScheme>[0], policy: SpendingPolicy = {}) => {
      const { buyer, seller, scheme } = await buyerFor(honest(), { policy, schemes: [spyScheme(spy)] })
      const explanation = await buyer.explain(seller.url)
      if (!('offers' in explanation)) throw new Error(explanation.status)
      const [first] = explanation.offers
      expect(scheme.signed).toEqual([])
      return [first?.decidedBy, ...explainedLines(explanation.offers).filter((line) => /allowance|Lifetime/.test(line))]
    }
    expect(await explained({})).toEqual([
      'cheapest',
      '  ok  maxLifetimeSeconds           at most 600 seconds',
      '  ok  allowance                    exact',
    ])
    expect(await explained({ allowance: () => 2n ** 256n - 1n }, { allowance: '$5' })).toEqual([
      'allowance',
      `  no  allowance                    ${2n ** 256n - 1n} atomic units; $5 (allowance_over_limit)`,
      '  -> not paid, decided by allowance',
    ])
    expect((await explained({}, { allowance: 'unlimited' }))[2]).toContain('unlimited')
    expect(await explained({ clamps: false }, { maxLifetimeSeconds: 10 })).toMatchObject(['maxLifetimeSeconds', {}, {}])
  })

  test('CL-7 an explanation has a payment run where a buyer would, and says that this decides', async () => {
    const simulate = async () => ({ ok: false, code: 'simulation_failed', detail: 'blacklisted' }) as const
    const { buyer, seller } = await buyerFor(honest(), { simulate })
    const explanation = await buyer.explain(seller.url)
    expect(explanation).toMatchObject({ status: 'refused', offers: [{ status: 'refused', decidedBy: 'simulation' }] })
    const [first] = explanation.status === 'refused' ? explanation.offers : []
    expect(first?.verdicts.at(-1)).toEqual({
      ...{ rule: 'simulation', ok: false, code: 'simulation_failed', says: 'blacklisted' },
    })
  })

  test('a record keeps what was agreed, for whom and for what', async () => {
    const { another, purse, seller } = await buyerFor(dime, { metadata: { principal: 'alice' } })
    await another({ metadata: { task: 'forecast', mandate: 'm-1' } })
    const [record] = await purse.records()
    expect(record).toMatchObject({
      intent: { state: 'settled', origin: seller.origin, amount: 100_000n, payTo: SELLER },
      metadata: { principal: 'alice', task: 'forecast', mandate: 'm-1' },
    })
    expect(JSON.parse(Buffer.from(record?.terms ?? '', 'base64').toString())).toMatchObject({ x402Version: 2 })
    expect(nonceOf(seller.seen[1]!.payment!)).toMatch(/^0x/)
  })
})

const BASE_USDC = '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913'

test('an allowance that lets a contract take more than the payment is never signed', async () => {
  const seller = await startSeller(honest())
  for (const [allowance, status] of [
    [2n ** 256n - 1n, 402],
    [1_001n, 402],
    [1_000n, 200],
  ] as const) {
    const inner = spyScheme()
    const scheme = {
      ...inner,
      prepare: (...args: Parameters<typeof inner.prepare>) => ({ ...inner.prepare(...args), allowance }),
    }
    const buyer = createBuyer({ schemes: [scheme as never] })
    const response = await buyer.fetch(seller.url)
    expect([response.status, inner.signed.length]).toEqual([status, status === 200 ? 1 : 0])
    if (status === 402) expect(buyer.outcome(response)).toMatchObject({ code: 'allowance_over_limit' })
  }
})

test('a payment that belongs to no request is made where names are looked at, too', async () => {
  const kinds = [{ x402Version: 2, scheme: 'exact', network: offer().network, extra: {} }] as const
  const receipt = { transaction: '0x01', network: offer().network, payer: '' }
  const facilitator = {
    supported: async () => ({ kinds, extensions: [], signers: {} }),
    settle: async () => ({ status: 'settled', receipt }),
  } as never
  const resolve = async (): Promise<string[]> => {
    throw new Error('no such name')
  }
  const buyer = createBuyer({ schemes: [spyScheme()], facilitator, resolve })
  expect(await buyer.pay({ amount: '$0.01', recipient: SELLER })).toMatchObject({ status: 'settled' })
})

test('G23 an address inside a private network is not paid, however it is written', async () => {
  const hosts = {
    'https://10.1.2.3/': false,
    'https://0xa.1/': false,
    'https://172.31.0.1/': false,
    'https://172.32.0.1/': true,
    'https://192.168.1.1/': false,
    'https://169.254.169.254/': false,
    'https://100.64.0.1/': false,
    'https://[fd00::1]/': false,
    'https://[fe80::1]/': false,
    'https://[::ffff:10.0.0.1]/': false,
    'https://192.0.78.9/': true,
    'https://192.0.0.192/': false,
    'https://[::ffff:192.0.0.192]/': false,
    'https://[::ffff:192.0.78.9]/': true,
    'https://[64:ff9b::a9fe:a9fe]/': false,
    'https://[64:ff9b::808:808]/': true,
    'https://[2002:a00:1::]/': false,
    'https://[2002:808:808::]/': true,
    'https://[2001::1]/': false,
    'https://[2001:0:a00:1::1]/': false,
    'https://[2001:4860::8888]/': true,
    'https://[fec0::1]/': false,
    'https://[ff02::1]/': false,
    'https://[::10.0.0.1]/': false,
    'https://[::ffff:0:10.0.0.1]/': false,
    'https://[::ffff:8.8.8.8]/': true,
    'https://8.8.8.8/': true,
    'https://[2606:4700::1]/': true,
  }
  const paidAt: Record<string, boolean> = {}
  for (const url of Object.keys(hosts)) {
    const fetch = async (_: unknown, init?: RequestInit) =>
      new Headers(init?.headers).has('payment-signature')
        ? new Response('ok')
        : new Response('', { status: 402, headers: challenge({ accepts: [offer()] }).headers! })
    const response = await createBuyer({ schemes: [spyScheme()], fetch }).fetch(url)
    paidAt[url] = response.status === 200
  }
  expect(paidAt).toEqual(hosts)
})
