import { network, type PaymentPayload } from '@groat/core'
import {
  deployErc1271Wallet,
  deployWalletFactory,
  type EvmChain as Sandbox,
  startEvmChain,
  type WalletFactory,
} from '@groat/sandbox'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { offerOf, pay } from '../../testing/payments.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import { MULTICALL3 } from '../multicall.js'
import { type ExactEvmFacilitator, exactEvm } from './facilitator.js'

let sandbox: Sandbox
let chain: EvmChain
let factory: WalletFactory
let scheme: ExactEvmFacilitator
let restore: () => Promise<void>
const offer = offerOf()
const now = () => ({ now: Date.now() })

beforeAll(async () => {
  sandbox = await startEvmChain({ rpcUrl: false })
  factory = await deployWalletFactory(sandbox)
  const signers = [sandbox.account('facilitator').privateKey]
  chain = await createEvmChain({ network: network(sandbox.network), rpc: sandbox.rpcUrl, signers })
  scheme = exactEvm({ chains: [chain], walletFactories: [factory.address] })
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

const owner = () => sandbox.account('payer').address
const key = () => privateKeyToAccount(sandbox.account('payer').privateKey)

/** A payment of an address, signed by the payer's key. */
const payAs = (address: Hex) => pay(offer, { address, signTypedData: (data) => key().signTypedData(data as never) })

function wrapped(payment: PaymentPayload, wrap: (signature: Hex) => Hex): PaymentPayload {
  return { ...payment, payload: { ...payment.payload, signature: wrap(payment.payload.signature as Hex) } }
}

async function verify(payment: PaymentPayload, by = scheme): Promise<string> {
  const verdict = await by.verify(payment, offer, now())
  return verdict.ok ? 'ok' : verdict.code
}

async function submit(payment: PaymentPayload) {
  const [signer = ''] = chain.signers
  const nonce = (await chain.nextNonce?.(signer)) ?? 0n
  const transaction = await chain.sign(await scheme.prepare(payment, offer), { signer, nonce })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  return transaction
}

test('EVM-EXACT-040 D4 a wallet of an allowed factory is created and pays, in one transaction', async () => {
  const wallet = await factory.predict(owner())
  await sandbox.fund(wallet.address, 5_000n)
  const payment = wrapped(await payAs(wallet.address), wallet.wrap)
  expect(await verify(payment, exactEvm({ chains: [chain] }))).toBe('eip6492_factory_not_allowed')
  expect(await verify(payment)).toBe('ok')
  const sent = await submit(payment)
  expect(await scheme.outcome(payment, offer, [sent])).toMatchObject({ status: 'settled', amount: offer.amount })
  expect(await sandbox.client.getCode({ address: wallet.address })).toBeDefined()
})

test('EVM-EXACT-040 D4 a wallet that exists is asked, and nobody calls what its envelope names', async () => {
  const wallet = await deployErc1271Wallet(sandbox, owner())
  await sandbox.fund(wallet, 5_000n)
  const other = await factory.predict(owner(), 7n)
  const payment = wrapped(await payAs(wallet), other.wrap)
  expect(await verify(payment)).toBe('ok')
  expect(await scheme.outcome(payment, offer, [await submit(payment)])).toMatchObject({ status: 'settled' })
  expect(await sandbox.client.getCode({ address: other.address })).toBeUndefined()
})

test('EVM-EXACT-040 D4 a key that wraps its own signature does not have strangers’ wallets created', async () => {
  const other = await factory.predict(owner(), 8n)
  const payment = wrapped(await payAs(owner()), other.wrap)
  expect(await verify(payment)).toBe('smart_wallet_deployment_failed')
})

test('EVM-EXACT-035 D4 the created wallet has to take the signature, and to be able to pay', async () => {
  const stranger = await factory.predict(sandbox.account('payer2').address)
  await sandbox.fund(stranger.address, 5_000n)
  expect(await verify(wrapped(await payAs(stranger.address), stranger.wrap))).toBe('invalid_exact_evm_signature')
  const poor = await factory.predict(owner(), 9n)
  expect(await verify(wrapped(await payAs(poor.address), poor.wrap))).toBe('invalid_exact_evm_insufficient_balance')
})

test('EVM-EXACT-053 D4 gas for creating a wallet is bounded', async () => {
  const wallet = await factory.predict(owner())
  await sandbox.fund(wallet.address, 5_000n)
  const payment = wrapped(await payAs(wallet.address), wallet.wrap)
  const frugal = exactEvm({
    chains: [chain],
    walletFactories: [factory.address],
    gasLimit: 100_000n,
    deploymentGas: 0n,
  })
  expect(await verify(payment, frugal)).toBe('smart_wallet_deployment_failed')
})

test.each([
  ['a contract that calls whatever it is told', () => MULTICALL3],
  ['a deployer of anything', () => '0x4e59b44847b379578588920cA78FbF26c0B4956C'],
  ['the token', () => sandbox.usdc],
  ['an account that settles', () => sandbox.account('facilitator').address],
  ['no address', () => 'factory'],
])('EVM-EXACT-040 D4 %s is no factory', (_name, address) => {
  expect(() => exactEvm({ chains: [chain], walletFactories: [address()] })).toThrow(
    expect.objectContaining({ code: 'invalid_config' }),
  )
})

test('an envelope that cannot be opened is refused', async () => {
  const wallet = await factory.predict(owner())
  const payment = wrapped(await payAs(wallet.address), (signature) =>
    formatHex(Uint8Array.of(...parseHex(signature)!, ...parseHex(`0x${'6492'.repeat(16)}`)!)),
  )
  expect(await verify(payment)).toBe('eip6492_factory_not_allowed')
})
