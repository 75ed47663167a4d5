import { type Address, encodeFunctionData, type Hex, keccak256, parseSignature, zeroAddress } from 'viem'
import { generatePrivateKey, privateKeyToAccount, sign } from 'viem/accounts'
import { parseErc6492Signature } from 'viem/utils'
import { expect, test } from 'vitest'
import { compact, malleated, useContracts } from '../../test/contract.js'
import { usdc, useChain } from '../../test/kit.js'
import { walletAbi } from '../generated/wallets.js'
import {
  delegate7702,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployGasBurningWallet,
  deployPlainDelegate,
  deployWalletFactory,
  usdcAddress,
} from '../index.js'

const on = useChain()
const { account, read, refusal, send } = useContracts(on)

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

test('a wallet does what its owner says and takes no other form of signature', async () => {
  const wallet = await deployErc1271Wallet(on.chain, account('payer'))
  await on.chain.fund(wallet, 10n)
  const data = encodeFunctionData({ ...usdc, functionName: 'transfer', args: [account('seller'), 4n] })
  const contract = { address: wallet, abi: walletAbi } as const
  expect(await refusal('payer2', contract, 'execute', [usdcAddress, 0n, data])).toBe('NotOwner')
  await send('payer', contract, 'execute', [usdcAddress, 0n, data])
  expect(await on.chain.balance(wallet)).toBe(6n)

  const hash = keccak256('0x')
  const signature = await sign({ hash, privateKey: on.chain.account('payer').privateKey, to: 'hex' })
  const answers = (form: Hex) => read(contract, 'isValidSignature', [hash, form])
  expect([await answers(signature), await answers(malleated(signature)), await answers(compact(signature))]).toEqual([
    '0x1626ba7e',
    '0xffffffff',
    '0xffffffff',
  ])
})

test('a factory deploys the wallet where it said, once, and an envelope says how', async () => {
  const factory = await deployWalletFactory(on.chain)
  const wallet = await factory.predict(account('payer'), 7n)
  expect(await codeAt(wallet.address)).toBe(undefined)
  await on.chain.fund(wallet.address, 10n)
  const deploy = () =>
    on.mined(on.wallet('facilitator').sendTransaction({ to: factory.address, data: wallet.factoryData }))
  const [created, again] = [await deploy(), await deploy()]
  expect([created.logs.length, again.logs.length]).toEqual([1, 0])
  await settle((await authorize(wallet.address, account('seller'), 4n)).args)
  expect(await on.chain.balance(account('seller'))).toBe(4n)
  expect(parseErc6492Signature(wallet.wrap('0x1234'))).toEqual({
    address: factory.address,
    data: wallet.factoryData,
    signature: '0x1234',
  })
  const others = [
    (await factory.predict(account('payer2'), 7n)).address,
    (await factory.predict(account('payer'))).address,
  ]
  expect(new Set([wallet.address, ...others]).size).toBe(3)
})

test('a wallet that burns gas takes all that a call has', async () => {
  const wallet = await deployGasBurningWallet(on.chain)
  const args = [keccak256('0x'), '0x']
  expect(await refusal('facilitator', { address: wallet, abi: walletAbi }, 'isValidSignature', args)).toBe('all gas')
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
