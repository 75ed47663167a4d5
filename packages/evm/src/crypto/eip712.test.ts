import * as fc from 'fast-check'
import { hashDomain, hashTypedData } from 'viem'
import { expect, test } from 'vitest'
import { type Address, parseAddress } from '../address.js'
import { formatHex, type Hex } from '../hex.js'
import { defineStruct, domainSeparator, typedDataDigest } from './eip712.js'
import { nobleEngine as engine } from './noble.js'

const address = (text: string) => parseAddress(text)!
const payer = address('0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266')
const payTo = address('0x70997970C51812dc3A010C7d01b50e0d17dc79C8')
const usdc = address('0x036CbD53842c5426634e7929541eC2318f3dCF7e')
const permit2 = address('0x000000000022D473030F116dDEE9F6B43aC78BA3')

const TRANSFER =
  'TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)'
type Transfer = [
  from: Address,
  to: Address,
  value: bigint,
  validAfter: bigint,
  validBefore: bigint,
  nonce: Hex | Uint8Array,
]
const hashTransfer = defineStruct<Transfer>(TRANSFER)

test('the published vector of an EIP-3009 transfer', () => {
  const separator = domainSeparator(engine, { name: 'USDC', version: '2', chainId: 84532n, verifyingContract: usdc })
  const struct = hashTransfer(engine, payer, payTo, 10_000n, 0n, 2_000_000_000n, `0x${'11'.repeat(32)}`)
  expect(formatHex(separator)).toBe('0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818')
  expect(formatHex(struct)).toBe('0xf79ce85b64251490740a3b3e8dfe7b504aaea13f645f9e65b744f026784105e1')
  expect(formatHex(typedDataDigest(engine, separator, struct))).toBe(
    '0x508c5b65aa60d76ff72b7902910712a269c3d3cd08eb40b286244edae4d70df4',
  )
})

test('nested structs and a domain without a version: the published vector of a Permit2 transfer', () => {
  const hashPermitted = defineStruct<[token: Address, amount: bigint]>('TokenPermissions(address token,uint256 amount)')
  const hashWitness = defineStruct<[to: Address, validAfter: bigint]>('Witness(address to,uint256 validAfter)')
  const hashPermit = defineStruct<
    [permitted: Uint8Array, spender: Address, nonce: bigint, deadline: bigint, witness: Uint8Array]
  >(
    'PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,uint256 validAfter)',
  )
  const separator = domainSeparator(engine, { name: 'Permit2', chainId: 84532n, verifyingContract: permit2 })
  const struct = hashPermit(
    engine,
    hashPermitted(engine, usdc, 10_000n),
    address('0x402085c248EeA27D92E8b30b2C58ed07f9E20001'),
    BigInt(`0x${'22'.repeat(32)}`),
    2_000_000_000n,
    hashWitness(engine, payTo, 0n),
  )
  expect(formatHex(separator)).toBe('0x010f27a92fb9a32622f44f001dc4d15706a85b33499cfc2ce9033113ab26592c')
  expect(formatHex(struct)).toBe('0xb1f57938d6aabc6d6d70c5a6e2751a057c5def0fb1f4d3af3ab7af59deaaa957')
  expect(formatHex(typedDataDigest(engine, separator, struct))).toBe(
    '0xbe0ee9b2108932273066e7d15ff92efa4f108b1d22f12c61c7154e019edf297b',
  )
})

// viem leaves members out of a domain whose type it has to guess.
const EIP712Domain = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
] as const

const arbitrary = {
  address: fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => address(formatHex(bytes))),
  uint: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 70n })),
  bytes32: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  text: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('USDC', 'USD Coin', 'USD₮0', '1', '2')),
}

test('any transfer has the digest that viem gives it', async () => {
  const { address, uint, bytes32, text } = arbitrary
  const message = fc.record({
    from: address,
    to: address,
    value: uint,
    validAfter: uint,
    validBefore: uint,
    nonce: bytes32,
  })
  const domain = fc.record({
    name: text,
    version: text,
    chainId: fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }),
    verifyingContract: address,
  })
  await fc.assert(
    fc.property(message, domain, (m, domain) => {
      const nonce = formatHex(m.nonce)
      const oracle = hashTypedData({
        domain,
        types: {
          EIP712Domain,
          TransferWithAuthorization: [
            { name: 'from', type: 'address' },
            { name: 'to', type: 'address' },
            { name: 'value', type: 'uint256' },
            { name: 'validAfter', type: 'uint256' },
            { name: 'validBefore', type: 'uint256' },
            { name: 'nonce', type: 'bytes32' },
          ],
        },
        primaryType: 'TransferWithAuthorization',
        message: { ...m, nonce },
      })
      const separator = domainSeparator(engine, domain)
      for (const spelling of [nonce, m.nonce]) {
        const struct = hashTransfer(engine, m.from, m.to, m.value, m.validAfter, m.validBefore, spelling)
        expect(formatHex(typedDataDigest(engine, separator, struct))).toBe(oracle)
      }
    }),
  )
})

test('domains that differ never share a separator, however many there are', async () => {
  const domains = fc.array(fc.record({ name: arbitrary.text, version: arbitrary.text }), {
    minLength: 2,
    maxLength: 12,
  })
  await fc.assert(
    fc.property(domains, (all) => {
      for (const { name, version } of [...all, ...all]) {
        const domain = { name, version, chainId: 1n, verifyingContract: usdc }
        expect(formatHex(domainSeparator(engine, domain))).toBe(hashDomain({ domain, types: { EIP712Domain } }))
      }
    }),
  )
  for (let i = 0; i < 600; i++)
    domainSeparator(engine, { name: `${i}`, version: '1', chainId: 1n, verifyingContract: usdc })
  expect(
    formatHex(domainSeparator(engine, { name: 'USDC', version: '2', chainId: 84532n, verifyingContract: usdc })),
  ).toBe('0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818')
})

test('a field that does not fit its type is a programmer’s error', () => {
  const nonce: Hex = `0x${'11'.repeat(32)}`
  // Values that the types forbid.
  const short = payTo.slice(0, 20) as Address
  expect(() => hashTransfer(engine, short, payTo, 1n, 0n, 1n, nonce)).toThrow(TypeError)
  expect(() => hashTransfer(engine, payer, payTo, -1n, 0n, 1n, nonce)).toThrow(TypeError)
  expect(() => hashTransfer(engine, payer, payTo, 2n ** 256n, 0n, 1n, nonce)).toThrow(TypeError)
  expect(() => hashTransfer(engine, payer, payTo, 1n, 0n, 1n, '0x11')).toThrow(TypeError)
  expect(() => hashTransfer(engine, payer, payTo, 1n, 0n, 1n, new Uint8Array(31))).toThrow(TypeError)
})
