import { network } from '@groat/core'
import { expect, test } from 'vitest'
import { paywallPage } from './paywall-page.js'

test.each([
  [{ uses: 1 }, '1 use'],
  [{ uses: 10, seconds: 1 }, '10 uses, 1 second'],
  [{ seconds: 3600 }, '3600 seconds'],
])('what a payment of %j is good for is said in words', (entitlement, words) => {
  const terms = { scheme: 'exact', network: network('base'), amount: 1000n, asset: '0x01', payTo: '0x02' }
  const offers = [{ ...terms, maxTimeoutSeconds: 60, extra: { entitlement } }]
  const { body } = paywallPage().render({ resource: { url: 'https://shop.example/search' }, offers })
  expect(/<dt>Good for<\/dt><dd>([^<]*)</.exec(body)?.[1]).toBe(words)
})
