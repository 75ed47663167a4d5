import { type Address, parseSignature, zeroAddress } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { usdc, useChain } from '../../test/kit.js'
import { delegate7702, deployErc1271Delegate, deployErc1271Wallet, deployPlainDelegate, usdcAddress } from '../index.js'

const on = useChain()

test('a signed authorization moves the money, once', async () => {
  const [payer, seller] = [on.chain.account('payer').address, on.chain.account('seller').address]
  const { args } = await authorize(payer, seller, 50_000n)
  expect(await settle(args)).toMatchObject({ status: 'success' })
  expect([await on.chain.balance(payer), await on.chain.balance(seller)]).toEqual([999_950_000n, 50_000n])
  await expect(settle(args)).rejects.toThrow('authorization is used or canceled')
})

test('the overload with v, r, s works as well', async () => {
  const seller = on.chain.account('seller').address
  const { args, signature } = await authorize(on.chain.account('payer').address, seller, 1n)
  const { r, s, yParity } = parseSignature(signature)
  const [from, to, value, after, before, nonce] = args
  await on.mined(
    on.wallet('facilitator').writeContract({
      ...usdc,
      functionName: 'transferWithAuthorization',
      args: [from, to, value, after, before, nonce, 27 + yParity, r, s],
    }),
  )
  expect(await on.chain.balance(seller)).toBe(1n)
})

test('the issuer can pause the token and blacklist a payer', async () => {
  const issuer = on.wallet('issuer')
  const payer = on.chain.account('payer').address
  const { args } = await authorize(payer, on.chain.account('seller').address, 1n)
  await on.mined(issuer.writeContract({ ...usdc, functionName: 'blacklist', args: [payer] }))
  await expect(settle(args)).rejects.toThrow('Blacklistable: account is blacklisted')
  await on.mined(issuer.writeContract({ ...usdc, functionName: 'unBlacklist', args: [payer] }))
  await on.mined(issuer.writeContract({ ...usdc, functionName: 'pause' }))
  await expect(settle(args)).rejects.toThrow('Pausable: paused')
})

test('an ERC-1271 wallet pays with its owner’s signature', async () => {
  const seller = on.chain.account('seller').address
  const wallet = await deployErc1271Wallet(on.chain, on.chain.account('payer').address)
  await on.chain.fund(wallet, 10n)
  await settle((await authorize(wallet, seller, 4n)).args)
  expect([await on.chain.balance(wallet), await on.chain.balance(seller)]).toEqual([6n, 4n])
  const stranger = (await authorize(wallet, seller, 4n, on.chain.account('payer2').privateKey)).args
  await expect(settle(stranger)).rejects.toThrow('invalid signature')
})

test('a delegated account pays when its code answers ERC-1271', async () => {
  const [payer, seller] = [on.chain.account('payer').address, on.chain.account('seller').address]
  const delegate = await deployErc1271Delegate(on.chain)
  await delegate7702(on.chain, payer, delegate)
  expect(await codeAt(payer)).toBe(`0xef0100${delegate.slice(2)}`.toLowerCase())
  await settle((await authorize(payer, seller, 4n)).args)
  expect(await on.chain.balance(seller)).toBe(4n)
  const stranger = (await authorize(payer, seller, 4n, on.chain.account('payer2').privateKey)).args
  await expect(settle(stranger)).rejects.toThrow('invalid signature')
})

test('a delegated account cannot pay when its code does not', async () => {
  const [payer, seller] = [on.chain.account('payer').address, on.chain.account('seller').address]
  await delegate7702(on.chain, payer, await deployPlainDelegate(on.chain))
  await expect(settle((await authorize(payer, seller, 4n)).args)).rejects.toThrow('invalid signature')
})

test('a real EIP-7702 transaction leaves the same code', async () => {
  const wallet = on.wallet('payer')
  const delegate = await deployPlainDelegate(on.chain)
  const authorization = await wallet.signAuthorization({ contractAddress: delegate, executor: 'self' })
  await on.mined(wallet.sendTransaction({ to: zeroAddress, authorizationList: [authorization] }))
  expect(await codeAt(wallet.account.address)).toBe(`0xef0100${delegate.slice(2)}`.toLowerCase())
})

const codeAt = (address: Address) => on.chain.client.getCode({ address })

const settle = (args: Awaited<ReturnType<typeof authorize>>['args']) =>
  on.mined(on.wallet('facilitator').writeContract({ ...usdc, functionName: 'transferWithAuthorization', args }))

/** A signed EIP-3009 authorization; the key is the payer's unless told. */
async function authorize(from: Address, to: Address, value: bigint, key = on.chain.account('payer').privateKey) {
  const now = BigInt(await on.chain.now())
  const message = { from, to, value, validAfter: 0n, validBefore: now + 60n, nonce: generatePrivateKey() }
  const signature = await privateKeyToAccount(key).signTypedData({
    domain: { name: 'USDC', version: '2', chainId: on.chain.chainId, verifyingContract: usdcAddress },
    types: {
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
    message,
  })
  const args = [from, to, value, message.validAfter, message.validBefore, message.nonce, signature] as const
  return { args, signature }
}
