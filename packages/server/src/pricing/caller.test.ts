import { expect, test } from 'vitest'
import { callerOfAddress } from './caller.js'

test.each([
  [['203.0.113.7', '::ffff:203.0.113.7', '0:0:0:0:0:ffff:203.0.113.7', '::FFFF:203.0.113.7'], '203.0.113.7'],
  [['2001:db8::1', '2001:0DB8:0:0:1:2:3:4', '2001:db8:0:0:ffff::', '2001:db8::203.0.113.7'], '2001:db8:0:0::/64'],
  [['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'], '2001:db8:1:2::/64'],
  [['fe80::1%eth0', 'fe80::2%eth1'], 'fe80:0:0:0::/64'],
  [['::1'], '0:0:0:0::/64'],
])('SRV-037 who has many addresses of one network is one caller: %j', (addresses, caller) => {
  expect(addresses.map(callerOfAddress)).toEqual(addresses.map(() => caller))
})

test('SRV-037 other networks are other callers', () => {
  const addresses = ['203.0.113.7', '203.0.113.8', '2001:db8::1', '2001:db8:0:1::1', '2001:db9::1']
  expect(new Set(addresses.map(callerOfAddress)).size).toBe(addresses.length)
})
