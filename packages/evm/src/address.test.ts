import * as fc from 'fast-check'
import { getAddress } from 'viem'
import { publicKeyToAddress } from 'viem/accounts'
import { expect, test } from 'vitest'
import { addressOfKey, formatAddress, parseAddress } from './address.js'
import { nobleEngine } from './crypto/noble.js'
import { formatHex } from './hex.js'

test('every spelling of an address is one value', () => {
  const lower = '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266'
  expect(parseAddress('0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266')).toBe(lower)
  expect(parseAddress('0xF39FD6E51AAD88F6F4CE6AB8827279CFFFB92266')).toBe(lower)
  expect(parseAddress('0xf39fD6e51aad88F6F4ce6aB8827279cffFb92266')).toBe(lower)
})

test('text that is no address is refused', () => {
  for (const text of [
    '',
    '0x',
    '0xf39fd6',
    `0X${'0'.repeat(40)}`,
    `0x${'0'.repeat(41)}`,
    `0x${'g'.repeat(40)}`,
    ` 0x${'0'.repeat(39)}`,
  ]) {
    expect(parseAddress(text)).toBeUndefined()
  }
})

test('checksums are those of viem', async () => {
  await fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (bytes) => {
      const address = parseAddress(formatHex(bytes))!
      expect(formatAddress(address)).toBe(getAddress(address))
    }),
  )
})

test('the address of a key is that of viem', async () => {
  await fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (key) => {
      expect(addressOfKey(nobleEngine, key)).toBe(publicKeyToAddress(`0x04${formatHex(key).slice(2)}`).toLowerCase())
    }),
  )
})
