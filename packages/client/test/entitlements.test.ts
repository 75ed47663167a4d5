import { describe, expect, test } from 'vitest'
import { createBuyer } from '../src/buyer/index.js'
import { challenge, offer, paid, type Script, startSeller } from './support/seller.js'
import { spyScheme } from './support/spy-scheme.js'
import { purses } from './support/stores.js'

/** Sells bundles: a payment is good for so many calls, the paid one among them. */
function bundles(uses: number): Script {
  let left = 0
  return ({ payment, headers }) => {
    if (payment !== undefined) {
      left = uses - 1
      return paid(payment, { headers: { 'payment-entitlement': `token.1; left=${left}` } })
    }
    if (headers['payment-entitlement'] !== 'token.1' || left === 0) return challenge({ accepts: [offer()] })
    left--
    return { headers: { 'payment-entitlement': `token.1; left=${left}` }, body: 'from the bundle' }
  }
}

describe.each(purses)('a buyer whose purse is %s', (_, openPurse) => {
  test('prefers the bundle that it owns to another payment, also for another query, and buys the next when it is used up', async () => {
    const { url, seen, presented } = await startSeller(bundles(3))
    const scheme = spyScheme()
    const purse = await openPurse()
    for (let call = 0; call < 7; call++) {
      // Each time another program with the same purse.
      const buyer = createBuyer({ schemes: [scheme], purse })
      const response = await buyer.fetch(`${url}?page=${call}`)
      expect(response.status).toBe(200)
      await response.text()
      await buyer.idle()
    }
    expect([presented().length, scheme.signed.length]).toEqual([3, 3])
    // Seven answers, and a challenge for each of the three payments: what is used up is known, and not shown in vain.
    expect(seen.length).toBe(10)
  })

  test('a bundle that the seller no longer knows is paid anew, and a pass is over when it says so', async () => {
    let answer = 'token.1'
    const script: Script = ({ payment, headers }) => {
      const shown = headers['payment-entitlement']
      if (payment !== undefined) return paid(payment, { headers: { 'payment-entitlement': answer } })
      return shown === 'token.3' ? { body: 'by pass' } : challenge({ accepts: [offer()] })
    }
    const { url, presented, seen } = await startSeller(script)
    let now = Date.now()
    const buyer = createBuyer({ schemes: [spyScheme()], purse: await openPurse(), clock: () => now })
    const call = async () => (await (await buyer.fetch(url, { method: 'POST', body: 'q' })).text()) as string
    await call()
    answer = `token.3; expires=${new Date(now + 60_000).toISOString()}`
    await call()
    expect([presented().length, seen.length]).toEqual([2, 5])
    expect(await call()).toBe('by pass')
    now += 60_001
    await call()
    expect(presented().length).toBe(3)
    expect(seen.every(({ body }) => body.toString() === 'q')).toBe(true)
  })

  test('G03 what is owned is not shown to another origin', async () => {
    const thief = await startSeller(() => ({ body: 'mine' }))
    let moved = false
    const script: Script = ({ payment, headers }) => {
      if (payment !== undefined) return paid(payment, { headers: { 'payment-entitlement': 'token.1; left=5' } })
      if (moved && headers['payment-entitlement']) return { status: 302, headers: { location: thief.url } }
      return challenge({ accepts: [offer()] })
    }
    const { url } = await startSeller(script)
    const buyer = createBuyer({ schemes: [spyScheme()], purse: await openPurse() })
    await (await buyer.fetch(url)).text()
    moved = true
    await (await buyer.fetch(url)).text()
    expect(thief.seen).toEqual([])
  })
})
