import { type GateRequest, PaymentRequiredError } from '@groat/server'
import { afterEach, describe, expect, test } from 'vitest'
import type { Framework, TestHandler } from './frameworks.js'
import { expectRefused, type Market, offersOf, openMarket, receiptOf } from './shop.js'

/** What every adapter does where a handler asks for its price, and where a price is quoted. */
export function describeAsking(framework: Framework): void {
  describe(`asking behind ${framework.name}`, () => {
    let market: Market
    afterEach(() => market.close())

    const video: TestHandler = ({ payment }) => {
      if ((payment?.amount ?? 0n) < 250_000n) {
        throw new PaymentRequiredError({ price: '$0.25', description: 'A video', holdsSeconds: 60 })
      }
      return { body: `paid ${payment?.amount}` }
    }

    test('SRV-039 a handler that throws PaymentRequiredError is paid what it asks for, and nothing before', async () => {
      market = await openMarket(framework, { '/video': { input: { asks: true }, handler: video } })
      const asked = await market.ask('/video')
      expectRefused(asked, 'payment_required')
      expect(offersOf(asked)[0]).toMatchObject({ amount: 250_000n, extra: { quote: expect.stringMatching(/^q_/) } })
      const payment = await market.sign('/video')
      const answer = await market.present('/video', payment)
      expect(answer).toMatchObject({ status: 200, text: 'paid 250000' })
      expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
      expect(await market.present('/video', payment)).toMatchObject({ status: 200, text: 'paid 250000' })
      expect(market.stub.calls.settle).toHaveLength(1)
    })

    test('SRV-039 one that asks for more than was paid charges nothing of it', async () => {
      market = await openMarket(framework, { '/video': { input: '$0.001', handler: video } })
      const answer = await market.present('/video', await market.sign('/video'))
      expectRefused(answer, 'payment_required')
      expect(offersOf(answer)[0].amount).toBe(250_000n)
      expect(market.stub.calls.settle).toHaveLength(0)
    })

    test('SRV-039 one that asks for nothing is free', async () => {
      market = await openMarket(framework, { '/video': { input: { asks: true }, handler: () => ({ body: 'free' }) } })
      expect(await market.ask('/video')).toMatchObject({ status: 200, text: 'free' })
    })

    test('SRV-039 a quote holds for its request and its time, and for no other price', async () => {
      let price = '$0.002'
      const input = { price: () => price, quote: '1m' }
      const handler: TestHandler = ({ payment }) => ({ body: `paid ${payment?.amount}` })
      market = await openMarket(framework, { '/a': { input, handler }, '/b': { input, handler } })
      const [early, late, elsewhere, otherwise] = [
        await market.sign('/a'),
        await market.sign('/a'),
        await market.sign('/a'),
        await market.sign('/a'),
      ]
      price = '$0.005'
      expect(await market.present('/a', early)).toMatchObject({ status: 200, text: 'paid 2000' })
      expectRefused(await market.present('/b', elsewhere), 'no_matching_requirements')
      expectRefused(await market.present('/a?x=1', otherwise), 'no_matching_requirements')
      market.later(61_000)
      const over = await market.present('/a', late)
      expectRefused(over, 'no_matching_requirements')
      expect(offersOf(over)[0].amount).toBe(5_000n)
      expect(market.stub.calls.settle).toHaveLength(1)
    })

    test('SRV-039 a quote for a cheap request buys no dear one, whatever header makes it dear', async () => {
      const price = ({ header }: GateRequest) => (header('X-Size') === 'big' ? '$0.25' : '$0.002')
      const handler: TestHandler = ({ payment }) => ({ body: `paid ${payment?.amount}` })
      market = await openMarket(framework, { '/a': { input: { price, quote: '1m' }, handler } })
      const payment = await market.sign('/a')
      const dear = await market.present('/a', payment, { headers: { 'x-size': 'big' } })
      expectRefused(dear, 'no_matching_requirements')
      expect(offersOf(dear)[0].amount).toBe(250_000n)
      expect(await market.present('/a', payment)).toMatchObject({ status: 200, text: 'paid 2000' })
    })

    test('SRV-039 a quote that somebody changed is none', async () => {
      market = await openMarket(framework, { '/video': { input: { asks: true }, handler: video } })
      // What was received is what is echoed, unless it is forgotten.
      const { received: _, ...offer } = await market.offer('/video')
      const quote = `${offer.extra.quote}`.replace('0,25', '0,01')
      const cheap = { ...offer, amount: 10_000n, extra: { ...offer.extra, quote } }
      const payment = await market.sign('/video')
      const answer = await market.present('/video', { ...payment, accepted: cheap })
      expect(answer.status).toBe(402)
      expect(market.stub.calls.settle).toHaveLength(0)
    })
  })
}
