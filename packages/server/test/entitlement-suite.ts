import { afterEach, describe, expect, test } from 'vitest'
import { settled } from './facilitator-stub.js'
import type { Framework, TestHandler } from './frameworks.js'
import { expectRefused, type Market, openMarket, problemOf, receiptOf } from './shop.js'
import { headersOf } from './test-scheme.js'

/** What every adapter does for a payment that buys more than one answer. */
export function describeEntitlements(framework: Framework): void {
  describe(`bundles and passes behind ${framework.name}`, () => {
    let market: Market
    let runs = 0
    const search: TestHandler = ({ payment }) => {
      runs += 1
      return { body: `found for ${payment?.payer}` }
    }
    const open = async (more: Readonly<Record<string, object>> = {}, handler = search): Promise<Market> => {
      runs = 0
      market = await openMarket(framework, {
        '/search': { input: { price: '$0.01', bundle: 4, ...more['/search'] }, handler },
        '/feed': { input: { price: '$0.50', pass: '1h' }, handler },
        '/other': { input: { price: '$0.02', bundle: 4 }, handler },
      })
      return market
    }
    const use = (path: string, entitlement: string, init: RequestInit = {}) =>
      market.ask(path, { ...init, headers: { 'PAYMENT-ENTITLEMENT': entitlement } })
    const tokenOf = (headers: Headers): string => headers.get('PAYMENT-ENTITLEMENT') ?? ''

    afterEach(() => market.close())

    test('SRV-029 one payment, as many answers as were paid for', async () => {
      const { pay, stub } = await open()
      const first = await pay('/search')
      expect(first).toMatchObject({ status: 200 })
      expect(receiptOf(first)).toMatchObject({ status: 'settled' })
      expect(tokenOf(first.headers)).toMatch(/^[0-9a-f]{64}\.[0-9a-f]{64}; left=3$/)
      const left: string[] = []
      for (let i = 0; i < 3; i++) {
        const answer = await use('/search', tokenOf(first.headers))
        expect(answer).toMatchObject({ status: 200, text: first.text })
        expect(answer.headers.get('cache-control')).toBe('private')
        left.push(tokenOf(answer.headers).split('; ')[1] ?? '')
      }
      expect(left).toEqual(['left=2', 'left=1', 'left=0'])
      expectRefused(await use('/search', tokenOf(first.headers)), 'entitlement_used_up')
      expect([runs, stub.calls.settle.length]).toEqual([4, 1])
    })

    test('SRV-029 of 20 uses at once as many are served as are left', async () => {
      const { pay } = await open()
      const token = tokenOf((await pay('/search')).headers)
      const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await use('/search', token)).status))
      expect(statuses.filter((status) => status === 200)).toHaveLength(3)
      expect(statuses.filter((status) => status === 402)).toHaveLength(17)
      expect(runs).toBe(4)
    })

    test('a use for which nothing was delivered is given back', async () => {
      let broken = false
      const { pay } = await open({}, (request) => (broken ? { status: 503, body: 'sorry' } : search(request)))
      const token = tokenOf((await pay('/search')).headers)
      broken = true
      for (let i = 0; i < 5; i++) expect(await use('/search', token)).toMatchObject({ status: 503, text: 'sorry' })
      broken = false
      for (let i = 0; i < 3; i++) expect(await use('/search', token)).toMatchObject({ status: 200 })
      expect(await use('/search', token)).toMatchObject({ status: 402 })
    })

    test('a pass is good for its time', async () => {
      const { pay, later } = await open()
      const first = await pay('/feed')
      expect(tokenOf(first.headers)).toMatch(/; expires=\d{4}-\d\d-\d\dT/)
      for (let i = 0; i < 5; i++) expect(await use('/feed', tokenOf(first.headers))).toMatchObject({ status: 200 })
      later(3_601_000)
      expectRefused(await use('/feed', tokenOf(first.headers)), 'entitlement_used_up')
    })

    test('it is good for what was sold on its terms, and for nothing else', async () => {
      const { pay } = await open()
      const token = tokenOf((await pay('/search')).headers)
      for (const path of ['/other', '/feed']) expectRefused(await use(path, token), 'entitlement_used_up')
      expect(await use('/search', token)).toMatchObject({ status: 200 })
    })

    test('SRV-029 what offers ask for by themselves, and whom it goes to, is among the terms', async () => {
      const network = 'base-sepolia'
      const sold = (offer: object): object => ({ price: '$0.01', bundle: 4, offers: [{ network, ...offer }] })
      const handler = search
      market = await openMarket(framework, {
        '/search': { input: { bundle: 4, offers: [{ network, price: '$0.01' }] }, handler },
        '/same': { input: { bundle: 4, offers: [{ network, price: '$0.01' }] }, handler },
        '/dear': { input: { bundle: 4, offers: [{ network, price: '$10' }] }, handler },
        '/hers': { input: sold({ payTo: `0x${'44'.repeat(20)}` }), handler },
        '/his': { input: sold({ payTo: `0x${'55'.repeat(20)}` }), handler },
      })
      const token = tokenOf((await market.pay('/search')).headers)
      expect((await use('/same', token)).status).toBe(200)
      expectRefused(await use('/dear', token), 'entitlement_used_up')
      const hers = tokenOf((await market.pay('/hers')).headers)
      expectRefused(await use('/his', hers), 'entitlement_used_up')
      expect((await use('/hers', hers)).status).toBe(200)
    })

    test('a token that is not ours opens nothing', async () => {
      const { pay } = await open()
      const token = tokenOf((await pay('/search')).headers).split(';')[0] ?? ''
      const forged = token.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
      for (const text of [forged, token.replace('.', ''), 'x', '.', 'a.b', `${'0'.repeat(64)}.${'0'.repeat(64)}`]) {
        expectRefused(await use('/search', text), 'entitlement_invalid')
      }
      expect(runs).toBe(1)
    })

    test('the payment that is presented again grants nothing more, and says what is left', async () => {
      const { sign, present } = await open()
      const payment = await sign('/search')
      const token = tokenOf((await present('/search', payment)).headers)
      await use('/search', token)
      expect(tokenOf((await present('/search', payment)).headers)).toBe(token.replace('left=3', 'left=2'))
    })

    test('work that fails with the payment itself grants nothing', async () => {
      const { pay, stub } = await open({}, () => ({ status: 500 }))
      stub.does.settle = [settled]
      const answer = await pay('/search')
      expect([answer.status, tokenOf(answer.headers), stub.calls.settle.length]).toEqual([500, '', 0])
    })

    test('upfront: what is owed is granted as well', async () => {
      let broken = true
      const { sign, present } = await open({ '/search': { mode: 'upfront' } }, (request) =>
        broken ? { status: 503 } : search(request),
      )
      const payment = await sign('/search')
      expect(tokenOf((await present('/search', payment)).headers)).toMatch(/left=3$/)
      broken = false
      expect(tokenOf((await present('/search', payment)).headers)).toMatch(/left=3$/)
    })

    test('SRV-044 a payment that comes with what was bought before tops it up: one bearer, and as many uses as both paid for', async () => {
      const { pay, sign, ask, stub } = await open()
      const token = tokenOf((await pay('/search')).headers).split(';')[0] ?? ''
      for (let i = 0; i < 2; i++) expect((await use('/search', token)).status).toBe(200)
      const payment = await sign('/search')
      const headers = { ...headersOf(payment), 'PAYMENT-ENTITLEMENT': token }
      const topped = await ask('/search', { headers })
      expect([topped.status, tokenOf(topped.headers)]).toEqual([200, `${token}; left=4`])
      // Presented again it adds nothing, with or without that header.
      expect(tokenOf((await ask('/search', { headers })).headers)).toBe(`${token}; left=4`)
      expect(tokenOf((await market.present('/search', payment)).headers)).toBe(`${token}; left=4`)
      const left: string[] = []
      for (let i = 0; i < 4; i++) left.push(tokenOf((await use('/search', token)).headers).split('; ')[1] ?? '')
      expect(left).toEqual(['left=3', 'left=2', 'left=1', 'left=0'])
      expectRefused(await use('/search', token), 'entitlement_used_up')
      expect([runs, stub.calls.settle.length]).toEqual([8, 2])
    })

    test('SRV-044 what is bought on other terms, or with a bearer that is none, tops nothing up', async () => {
      const { pay, sign, ask } = await open()
      const token = tokenOf((await pay('/search')).headers).split(';')[0] ?? ''
      for (const [path, before] of [
        ['/other', token],
        ['/search', `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`],
      ] as const) {
        const headers = { ...headersOf(await sign(path)), 'PAYMENT-ENTITLEMENT': before }
        const own = tokenOf((await ask(path, { headers })).headers)
        expect([own.startsWith(token), own.endsWith('; left=3')]).toEqual([false, true])
      }
      expect(tokenOf((await use('/search', token)).headers)).toBe(`${token}; left=2`)
    })

    test('SRV-044 a pass that is topped up runs to the end of the later one', async () => {
      const { pay, sign, ask, later } = await open()
      const token = tokenOf((await pay('/feed')).headers).split(';')[0] ?? ''
      later(3_000_000)
      const topped = await ask('/feed', {
        headers: { ...headersOf(await sign('/feed')), 'PAYMENT-ENTITLEMENT': token },
      })
      expect(tokenOf(topped.headers).startsWith(`${token}; expires=`)).toBe(true)
      later(3_000_000)
      expect((await use('/feed', token)).status).toBe(200)
      later(1_000_000)
      expectRefused(await use('/feed', token), 'entitlement_used_up')
    })

    test('what is sold stands in the offer', async () => {
      const { offer } = await open()
      expect((await offer('/search')).extra).toMatchObject({ entitlement: { uses: 4 } })
      expect((await offer('/feed')).extra).toMatchObject({ entitlement: { seconds: 3600 } })
      expect(problemOf(await market.ask('/search')).code).toBe('payment_required')
    })
  })
}
