import * as fc from 'fast-check'
import { keccak256, parseTransaction, recoverTransactionAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { privateKeyAccount } from './account.js'
import { parseAddress } from './address.js'
import { nobleEngine } from './crypto/noble.js'
import { formatHex } from './hex.js'
import { signAuthorization, signTransaction } from './transaction.js'

const key = `0x${'ac'.repeat(32)}` as const
const account = privateKeyAccount(key)

test('any transaction is the bytes that viem signs', async () => {
  const wei = fc.oneof(fc.constantFrom(0n, 1n, 127n, 128n, 255n, 256n), fc.bigInt({ min: 0n, max: 2n ** 90n }))
  const transaction = fc.record({
    chainId: fc.bigInt({ min: 1n, max: 2n ** 40n }),
    nonce: fc.oneof(fc.constantFrom(0n, 127n, 128n), fc.bigInt({ min: 0n, max: 2n ** 40n })),
    maxFeePerGas: wei,
    gas: fc.bigInt({ min: 0n, max: 2n ** 30n }),
    to: fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => parseAddress(formatHex(bytes))!),
    data: fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ minLength: 200, maxLength: 700 })).map(formatHex),
  })
  await fc.assert(
    fc.asyncProperty(transaction, async (fields) => {
      const all = { ...fields, maxPriorityFeePerGas: fields.maxFeePerGas }
      const { raw, hash } = await signTransaction(nobleEngine, all, account)
      const { chainId, nonce, ...rest } = all
      const theirs = { ...rest, chainId: Number(chainId), nonce: Number(nonce), type: 'eip1559' } as const
      expect(raw).toBe(await privateKeyToAccount(key).signTransaction(theirs))
      expect(hash).toBe(keccak256(raw))
    }),
    { numRuns: 40 },
  )
})

test('any authorization, and any transaction with some, is the bytes that viem signs', async () => {
  const small = fc.oneof(fc.constantFrom(0n, 1n, 127n, 128n), fc.bigInt({ min: 0n, max: 2n ** 40n }))
  const address = fc
    .oneof(fc.constant(new Uint8Array(20)), fc.uint8Array({ minLength: 20, maxLength: 20 }))
    .map((bytes) => parseAddress(formatHex(bytes))!)
  const authorization = fc.record({ chainId: small, address, nonce: small })
  const transaction = fc.record({
    ...{ chainId: fc.bigInt({ min: 1n, max: 2n ** 40n }), nonce: small, fee: small, gas: small, to: address },
    data: fc.uint8Array({ maxLength: 200 }).map(formatHex),
    authorizations: fc.array(authorization, { minLength: 1, maxLength: 3 }),
  })
  const wallet = privateKeyToAccount(key)
  await fc.assert(
    fc.asyncProperty(transaction, async ({ authorizations, fee, ...rest }) => {
      const fees = { maxFeePerGas: fee, maxPriorityFeePerGas: fee }
      const [first, ...others] = await Promise.all(
        authorizations.map((each) => signAuthorization(nobleEngine, each, account)),
      )
      const mine = { ...rest, ...fees, authorizations: [first!, ...others] } as const
      const { raw, hash } = await signTransaction(nobleEngine, mine, account)
      const authorizationList = await Promise.all(
        authorizations.map(({ chainId, nonce, address }) =>
          wallet.signAuthorization({ address, chainId: Number(chainId), nonce: Number(nonce) }),
        ),
      )
      const numbers = { chainId: Number(rest.chainId), nonce: Number(rest.nonce) }
      const theirs = { ...rest, ...fees, ...numbers, type: 'eip7702', authorizationList } as const
      expect(raw).toBe(await wallet.signTransaction(theirs))
      expect(hash).toBe(keccak256(raw))
    }),
    { numRuns: 40 },
  )
})

test('a payment’s transaction reads back as it was meant', async () => {
  const to = parseAddress('0x036CbD53842c5426634e7929541eC2318f3dCF7e')!
  const { raw } = await signTransaction(
    nobleEngine,
    { chainId: 84_532n, nonce: 7n, maxPriorityFeePerGas: 1n, maxFeePerGas: 2n, gas: 300_000n, to, data: '0xe3ee160e' },
    account,
  )
  expect(parseTransaction(raw)).toMatchObject({ chainId: 84_532, nonce: 7, gas: 300_000n, to, data: '0xe3ee160e' })
  expect((await recoverTransactionAddress({ serializedTransaction: raw as `0x02${string}` })).toLowerCase()).toBe(
    account.address,
  )
})

test('an account that signs with another key is found out before anything is sent', async () => {
  const { address } = privateKeyAccount(`0x${'01'.repeat(32)}`)
  const fields = {
    chainId: 1n,
    nonce: 0n,
    maxPriorityFeePerGas: 1n,
    maxFeePerGas: 2n,
    gas: 21_000n,
    to: address,
    data: '0x',
  } as const
  await expect(signTransaction(nobleEngine, fields, { ...account, address })).rejects.toThrow(TypeError)
})
