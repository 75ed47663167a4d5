import { assetByTicker, network } from '@groat/core'
import { copyingFetch } from '@groat/core/testing'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { describe, expect, test } from 'vitest'
import { type BuyerOptions, createBuyer } from '../src/buyer/index.js'
import {
  challenge,
  honest,
  offer,
  paid,
  rawChallenge,
  type Script,
  SELLER,
  startSeller,
  v1Challenge,
} from './support/seller.js'
import { PAYER, spyScheme } from './support/spy-scheme.js'

// One test for each thing that a hostile seller may try, by its name: nothing is signed outside the policy, and the refusal names its rule.

async function victim(script: Script, options: Partial<BuyerOptions> = {}) {
  const seller = await startSeller(script)
  const scheme = spyScheme()
  const buyer = createBuyer({ schemes: [scheme], sleep: async () => {}, ...options })
  const ask = async (url = seller.url, init?: Parameters<typeof buyer.fetch>[1]) => {
    const response = await buyer.fetch(url, init)
    const outcome = buyer.outcome(response)
    const refusals = outcome?.status === 'unpaid' ? outcome.refusals.map(({ rule, code }) => [rule, code]) : []
    return { response, outcome, refusals }
  }
  return { seller, scheme, buyer, ask }
}

/** A buyer whose every answer is made here: for addresses that no test can listen at. */
function victimOf(answer: Script, options: Partial<BuyerOptions> = {}) {
  const scheme = spyScheme()
  const fetch: typeof globalThis.fetch = async (_, init) => {
    if (new Headers(init?.headers).has('payment-signature')) return new Response('paid')
    const { status = 200, headers } = (await answer({} as never, 1)) as { status?: number; headers?: HeadersInit }
    return new Response('', { status, ...(headers && { headers }) })
  }
  const buyer = createBuyer({ schemes: [scheme], fetch, ...options })
  return {
    scheme,
    async refusalsAt(url: string) {
      const outcome = buyer.outcome(await buyer.fetch(url))
      return outcome?.status === 'unpaid' ? outcome.refusals.map(({ rule, code }) => [rule, code]) : outcome?.status
    },
  }
}

describe('bad input: a hostile seller gets no signature outside the policy', () => {
  test('price bump between challenges', async () => {
    let price = 1_000n
    const { scheme, ask } = await victim((seen, nth) => honest([offer({ amount: price })])(seen, nth))
    expect((await ask()).outcome?.status).toBe('settled')
    price = 1_201n
    const { refusals } = await ask()
    expect([refusals, scheme.signed.length]).toEqual([[['priceRise', 'price_rise_over_limit']], 1])
  })

  test('changed recipient', async () => {
    let payTo = SELLER
    const { scheme, ask } = await victim((seen, nth) => honest([offer({ payTo })])(seen, nth))
    expect((await ask()).outcome?.status).toBe('settled')
    payTo = PAYER
    const { refusals } = await ask()
    expect([refusals, scheme.signed.length]).toEqual([[['trustFirst', 'recipient_changed']], 1])
  })

  test('wrong decimals', async () => {
    // "$0.10" in 18 decimals, of a token that has 6; and "$0.10" in 6, of one that has 18, which is next to nothing.
    const mega = assetByTicker(network('megaeth'), 'MegaUSD')!
    const lies = { name: 'USDC', version: '2', decimals: 18 }
    const { scheme, ask } = await victim(() => challenge({ accepts: [offer({ amount: 10n ** 17n, extra: lies })] }))
    const { refusals } = await ask()
    expect([refusals, scheme.signed.length]).toEqual([[['perPayment', 'amount_over_limit']], 0])
    const over = offer({ network: mega.network, asset: mega.address, amount: 10n ** 17n + 1n, extra: { decimals: 6 } })
    const dear = await victim(() => challenge({ accepts: [over] }))
    expect([(await dear.ask()).refusals, dear.scheme.signed.length]).toEqual([[['perPayment', 'amount_over_limit']], 0])
  })

  test('fake domain', async () => {
    let signatures = 0
    const key = privateKeyAccount(`0x${'48'.repeat(32)}`)
    const account = {
      ...key,
      signDigest: (digest: Uint8Array) => {
        signatures++
        return key.signDigest(digest)
      },
    }
    for (const extra of [
      { name: 'USD Coin', version: '2' },
      { name: 'USDC', version: '1' },
    ]) {
      const { ask } = await victim(() => challenge({ accepts: [offer({ extra })] }), {
        schemes: [exactEvm({ account })],
      })
      expect((await ask()).refusals).toEqual([['scheme', 'domain_mismatch']])
    }
    const wrongToken = await victim(() => challenge({ accepts: [offer({ asset: SELLER })] }), {
      schemes: [exactEvm({ account })],
    })
    expect([(await wrongToken.ask()).refusals, signatures]).toEqual([[['assets', 'asset_not_known']], 0])
  })

  test('redirects', async () => {
    const thief = await startSeller(honest())
    const asked = await victim(() => ({ status: 302, headers: { location: thief.url } }))
    const { refusals } = await asked.ask()
    expect([refusals, asked.scheme.signed.length]).toEqual([[['redirect', 'cross_origin_redirect']], 0])
    // And what was signed for one origin does not go to another.
    const sent = await victim(({ payment }) =>
      payment ? { status: 307, headers: { location: thief.url } } : challenge({ accepts: [offer()] }),
    )
    await expect(sent.ask()).rejects.toMatchObject({ code: 'cross_origin_redirect' })
    expect([sent.scheme.signed.length, thief.presented()]).toEqual([1, []])
  })

  test('private addresses', async () => {
    const { scheme, refusalsAt } = victimOf(() => challenge({ accepts: [offer()] }))
    const hosts = ['https://10.0.0.1/', 'https://169.254.169.254/latest', 'https://[fd00::1]/', 'https://0xa9.254.1/']
    for (const url of hosts) expect(await refusalsAt(url)).toEqual([['privateAddresses', 'private_address']])
    expect(await refusalsAt('http://10.0.0.1/')).toEqual([['https', 'insecure_origin']])
    expect(scheme.signed.length).toBe(0)
  })

  test('rebinding names', async () => {
    const accepts = [offer()]
    const names: Record<string, readonly string[]> = {
      'public.example': ['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
      'inside.example': ['10.1.2.3'],
      'half.example': ['93.184.215.14', '192.168.0.1'],
      'metadata.example': ['169.254.169.254'],
      'home.example': ['127.0.0.1'],
      'six.example': ['::1'],
      'mapped.example': ['::ffff:10.0.0.1'],
      'local.example': ['fd12::1'],
    }
    const resolve = async (name: string) => {
      const found = names[name]
      if (found === undefined) throw new Error('no such name')
      return found
    }
    const { scheme, refusalsAt } = victimOf(() => challenge({ accepts }), { resolve })
    for (const name of Object.keys(names).slice(1))
      expect([name, await refusalsAt(`https://${name}/`)]).toEqual([name, [['privateAddresses', 'private_address']]])
    // A name of which nothing is known is not paid.
    expect(await refusalsAt('https://nowhere.example/')).toEqual([['privateAddresses', 'private_address']])
    expect(scheme.signed.length).toBe(0)
    expect(await refusalsAt('https://public.example/')).toBe('answered')
    // The name that was public when it was asked, and is not any more when it is to be paid.
    names['public.example'] = ['10.0.0.1']
    expect(await refusalsAt('https://public.example/2')).toEqual([['privateAddresses', 'private_address']])
    const allowed = victimOf(() => challenge({ accepts }), { resolve, policy: { privateAddresses: true } })
    expect(await allowed.refusalsAt('https://inside.example/')).toBe('answered')
  })

  test.each([
    ['nobody else', fetch],
    ['somebody who holds a copy', copyingFetch()],
  ])('endless challenges, before %s', async (_, fetch) => {
    const endless: Script = () => (response) => {
      response.writeHead(402, { 'content-type': 'application/json' })
      response.write('{"x402Version":1,"accepts":[')
      const timer = setInterval(() => response.write(`${' '.repeat(16_384)}`), 1)
      response.on('close', () => clearInterval(timer))
    }
    const { scheme, ask } = await victim(endless, { fetch })
    const { response, outcome } = await ask()
    expect([response.status, outcome, scheme.signed.length]).toEqual([402, undefined, 0])
    response.body?.cancel().catch(() => undefined)
  })

  test('names with a dot at their end', async () => {
    // The same host by another name: no pin, category or budget of an origin would know it.
    const origin = 'https://public.example'
    const policy = {
      pins: { [`${origin}.`]: [PAYER] },
      categories: { research: { origins: ['https://*.example'], perDay: '$0.0001' } },
      eachOrigin: { perDay: '$1' },
    }
    const dotted = victimOf(() => challenge({ accepts: [offer()] }), { policy })
    expect(await dotted.refusalsAt(`${origin}./`)).toEqual([['origins', 'origin_not_allowed']])
    expect(await dotted.refusalsAt('https://public.example.:443/')).toEqual([['origins', 'origin_not_allowed']])
    expect(await dotted.refusalsAt(`${origin}/`)).toEqual([['pins', 'recipient_not_allowed']])
    expect(dotted.scheme.signed.length).toBe(0)
  })

  test('huge challenges', async () => {
    const wire = { ...offer(), amount: '1000' }
    const many = await victim(() => rawChallenge({ x402Version: 2, accepts: Array(65).fill({ scheme: 'exact' }) }))
    expect((await many.ask()).outcome).toMatchObject({ status: 'unpaid', code: 'invalid_challenge' })
    const deep = await victim(() => rawChallenge({ x402Version: 2, accepts: [wire], extensions: nested(400) }))
    expect((await deep.ask()).outcome).toMatchObject({ status: 'unpaid', code: 'invalid_challenge' })
    // One that would make the payment too large for a header.
    const wide = await victim(() =>
      rawChallenge({ x402Version: 2, accepts: [wire], extensions: { pad: 'x'.repeat(11_500) } }),
    )
    await expect(wide.ask()).rejects.toMatchObject({ code: 'invalid_challenge' })
    expect(wide.seller.presented()).toEqual([])
    expect([many.scheme.signed.length, deep.scheme.signed.length]).toEqual([0, 0])
  })

  test('ten-year lifetime', async () => {
    const long = offer({ maxTimeoutSeconds: 315_360_000 })
    const now = 1_700_000_000_000
    const { scheme, ask } = await victim(honest([long]), { clock: () => now })
    await ask()
    // What the scheme can cut down to the policy is cut down; what it cannot is not signed.
    expect(scheme.signed.map(({ expiresAt }) => expiresAt - now / 1000)).toEqual([600])
    const rigid = spyScheme({ clamps: false })
    const stubborn = await victim(honest([long]), { schemes: [rigid], clock: () => now })
    expect([(await stubborn.ask()).refusals, rigid.signed.length]).toEqual([
      [['maxLifetimeSeconds', 'lifetime_over_limit']],
      0,
    ])
  })

  test('unlimited approvals', async () => {
    const everything = 2n ** 256n - 1n
    // A scheme that takes the seller's word for it, and one that would stay within a limit that is not there.
    const cases = [
      [{ allowance: () => everything }, {}, 'refused'],
      [{ allowance: (amount: bigint) => amount + 1n }, {}, 'refused'],
      [{ allowance: () => everything }, { allowance: '$1000' }, 'refused'],
      [{ allowance: (_: bigint, most = 0n) => most + 1n }, { allowance: '$1' }, 'refused'],
      // What does not say what it grants.
      [{ allowance: () => undefined as never }, {}, 'refused'],
      [{ allowance: (amount: bigint) => amount }, {}, 'paid'],
      [{ allowance: (_: bigint, most = 0n) => most }, { allowance: '$1' }, 'paid'],
      [{ allowance: () => everything }, { allowance: 'unlimited' }, 'paid'],
    ] as const
    for (const [spy, policy, end] of cases) {
      const approving = spyScheme(spy)
      const { ask } = await victim(honest(), { schemes: [approving], policy })
      const { refusals } = await ask()
      const refused = [['allowance', 'allowance_over_limit']]
      expect([refusals, approving.signed.length]).toEqual(end === 'paid' ? [[], 1] : [refused, 0])
    }
  })

  test('v1 downgrade', async () => {
    let old = false
    const { scheme, ask } = await victim((seen, nth) => (old ? v1Challenge([offer()]) : honest()(seen, nth)))
    expect((await ask()).outcome?.status).toBe('settled')
    old = true
    expect([(await ask()).refusals, scheme.signed.length]).toEqual([[['versions', 'version_not_allowed']], 1])
  })

  test('402 after payment', async () => {
    const { seller, scheme, ask } = await victim(() => challenge({ accepts: [offer()], error: 'payment_required' }))
    for (let call = 0; call < 3; call++) {
      const { outcome } = await ask()
      expect(outcome).toMatchObject({ status: 'refused' })
    }
    // The one signature is presented again and stays spent; there is never a second one.
    expect([scheme.signed.length, new Set(seller.presented()).size, seller.presented().length]).toEqual([1, 1, 3])
    // What is collected without an answer counts: at $0.001 each, three of them are all that the budget has.
    const limited = await victim(() => challenge({ accepts: [offer()] }), { policy: { total: '$0.003' } })
    const rules: unknown[] = []
    for (let call = 0; call < 5; call++) rules.push((await limited.ask(`${limited.seller.url}?${call}`)).refusals)
    expect(rules.slice(3)).toEqual(Array(2).fill([['total', 'budget_exceeded']]))
    expect(limited.scheme.signed.length).toBe(3)
  })

  test('two receipts', async () => {
    // Twice the header: none of them can be read, and none is believed.
    const doubled = await victim(({ payment }) => {
      if (payment === undefined) return challenge({ accepts: [offer()] })
      const receipt = paid(payment).headers?.['PAYMENT-RESPONSE'] ?? ''
      const other = paid(payment, {}, { transaction: `0x${'99'.repeat(32)}` }).headers?.['PAYMENT-RESPONSE'] ?? ''
      return (response) => {
        response.setHeader('PAYMENT-RESPONSE', [receipt, other])
        response.end('sunny')
      }
    })
    const { outcome } = await doubled.ask()
    expect([outcome?.status, doubled.scheme.signed.length]).toEqual(['answered', 1])
    expect((await doubled.buyer.purse.records()).map(({ intent }) => [intent.state, intent.transaction])).toEqual([
      ['answered', undefined],
    ])
    // One of each version: that of the version that was paid in counts.
    const both = await victim(({ payment }) => {
      if (payment === undefined) return challenge({ accepts: [offer()] })
      const lie = Buffer.from(JSON.stringify({ success: true, transaction: `0x${'99'.repeat(32)}`, network: 'base' }))
      return paid(payment, { headers: { 'X-PAYMENT-RESPONSE': lie.toString('base64') } })
    })
    const answered = await both.ask()
    expect(answered.outcome).toMatchObject({ status: 'settled' })
    const [record] = await both.buyer.purse.records()
    expect(record?.intent.transaction).not.toBe(`0x${'99'.repeat(32)}`)
  })
})

function nested(depth: number): object {
  let value = {}
  for (let level = 0; level < depth; level++) value = { a: value }
  return value
}
