import {
  assetByTicker,
  type Facilitator,
  type PaymentPayload,
  type PaymentRequirements,
  systemRandom,
} from '@groat/core'
import {
  type CounterfactualWallet,
  deployErc1271Wallet,
  deployWalletFactory,
  type EvmChain,
  startEvmChain,
} from '@groat/sandbox'
import { encodeFunctionData, erc20Abi, type Hex, parseAbi } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { offerOf as exactOfferOf } from '../../testing/payments.js'
import { contractWallets } from '../contract-wallets.js'
import { transferProof as pays } from './client.js'
import { createTransferProof, transferProof as keysOnly, withTransferProofs } from './server.js'

// Transfers of contract wallets, on a real chain: the wallet is asked whose signature it is, and the call that it was told to make is read.

let chain: EvmChain
let wallet: Hex
let counterfactual: CounterfactualWallet
const URL_SOLD = 'https://shop.example/report'
const walletAbi = parseAbi(['function execute(address target, uint256 value, bytes data) returns (bytes)'])

beforeAll(async () => {
  chain = await startEvmChain({ rpcUrl: false })
  wallet = await deployErc1271Wallet(chain, owner())
  const factory = await deployWalletFactory(chain)
  counterfactual = await factory.predict(owner())
  const hash = await chain.client.sendUnsignedTransaction({
    from: owner(),
    to: factory.address,
    data: counterfactual.factoryData,
  } as never)
  await chain.client.waitForTransactionReceipt({ hash })
  for (const each of [wallet, counterfactual.address]) await chain.fund(each, 1_000_000n)
}, 60_000)
afterAll(() => chain?.stop())

const owner = () => chain.account('payer').address
const ownerKey = () => privateKeyToAccount(chain.account('payer').privateKey)

const unasked = async (): Promise<never> => {
  throw new Error('another facilitator was asked')
}
const nobody: Facilitator = {
  verify: unasked,
  settle: unasked,
  supported: async () => ({ kinds: [], extensions: [], signers: {} }),
}
const judge = () => withTransferProofs(nobody, { chains: { 'base-sepolia': chain.rpcUrl }, finality: 0 })
const seller = () => createTransferProof({ wallets: contractWallets({ [chain.network]: chain.rpcUrl }) })

function offerOf(): PaymentRequirements {
  const { network, amount, payTo } = exactOfferOf()
  const asset = assetByTicker(network, 'USDC')
  if (asset === undefined) throw new Error('no USDC here')
  return keysOnly.offer({ network, asset, amount, payTo, maxTimeoutSeconds: 300, extra: { audience: 'store-1' } })
}

/** What a wallet is told to call, by its owner. */
async function execute(by: Hex, to: Hex, data: Hex): Promise<Hex> {
  const call = encodeFunctionData({ abi: walletAbi, functionName: 'execute', args: [to, 0n, data] })
  const hash = await chain.client.sendUnsignedTransaction({ from: owner(), to: by, data: call } as never)
  await chain.client.waitForTransactionReceipt({ hash })
  return hash
}

const transferCall = (to: string, amount: bigint): Hex =>
  encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [to as Hex, amount] })

const transferBy = (by: Hex, { payTo, amount }: PaymentRequirements) =>
  execute(by, chain.usdc, transferCall(payTo, amount))

async function proofOf(
  transaction: Hex,
  offer: PaymentRequirements,
  { from = wallet, wrap = (signature: Hex): Hex => signature, payload = {}, signer = ownerKey() } = {},
): Promise<PaymentPayload> {
  const account = {
    address: from,
    signTypedData: async (data: unknown) => wrap(await signer.signTypedData(data as never)),
  }
  const { network, asset, payTo, amount } = offer
  const half = pays({ account, transfers: [{ transaction, network, asset, payTo, amount }] })
  const context = { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 300, resource: URL_SOLD }
  const prepared = await half.prepare(offer, context)
  if (!prepared.ok) throw new Error(prepared.code)
  const signed = { ...(await prepared.sign()), ...payload }
  return {
    x402Version: 2,
    scheme: 'transfer-proof',
    network,
    accepted: offer,
    payload: signed,
    resource: { url: URL_SOLD },
  }
}

/** What the seller alone says, and what the chain does: a word each. */
async function saidOf(payment: PaymentPayload, offer: PaymentRequirements): Promise<readonly string[]> {
  const inspected = seller().inspect(payment, offer, { now: Date.now() })
  const refusal = inspected.ok ? await seller().vouch?.(payment, offer) : inspected
  const verdict = await judge().verify({ payment, requirements: offer })
  return [refusal === undefined ? 'ok' : 'code' in refusal ? refusal.code : 'ok', verdict.ok ? 'ok' : verdict.code]
}

test('EVM-PROOF-013 EVM-PROOF-014 a contract wallet pays by a transfer that it was told to make, with a signature that it takes for its own', async () => {
  const offer = offerOf()
  const payment = await proofOf(await transferBy(wallet, offer), offer)
  expect(await saidOf(payment, offer)).toEqual(['ok', 'ok'])
  expect(await judge().settle({ payment, requirements: offer, resource: { url: URL_SOLD } })).toMatchObject({
    status: 'settled',
    receipt: { payer: wallet.toLowerCase(), amount: offer.amount },
  })
  // Who sells to keys alone says so before anything is asked.
  expect(keysOnly.inspect(payment, offer, { now: Date.now() })).toMatchObject({
    code: 'invalid_transfer_proof_signature',
  })
})

test('EVM-PROOF-014 the envelope of a wallet that was made by its factory is opened (ERC-6492)', async () => {
  const offer = offerOf()
  const from = counterfactual.address
  const transaction = await transferBy(from, offer)
  const payment = await proofOf(transaction, offer, { from, wrap: counterfactual.wrap })
  expect(await saidOf(payment, offer)).toEqual(['ok', 'ok'])
})

test('EVM-PROOF-014 nobody claims the transfer of a wallet without its word, nor that of a key', async () => {
  const offer = offerOf()
  const transaction = await transferBy(wallet, offer)
  const bad = ['invalid_transfer_proof_signature', 'invalid_transfer_proof_signature']
  const stranger = privateKeyToAccount(chain.account('payer2').privateKey)
  expect(await saidOf(await proofOf(transaction, offer, { signer: stranger }), offer)).toEqual(bad)
  for (const signature of ['0x', '0x00', `0x${'11'.repeat(65)}`]) {
    expect(await saidOf(await proofOf(transaction, offer, { payload: { signature } }), offer)).toEqual(bad)
  }
  // The owner's own account is not its wallet's.
  expect(await saidOf(await proofOf(transaction, offer, { from: owner() }), offer)).toEqual([
    'ok',
    'transfer_proof_mismatch',
  ])
  // An account without a contract has its key and nothing else.
  const keyless = await proofOf(transaction, offer, { from: chain.account('payer3').address })
  expect(await saidOf(keyless, offer)).toEqual(bad)
  expect(await saidOf(await proofOf(transaction, offer), offer)).toEqual(['ok', 'ok'])
})

test('EVM-PROOF-013 what a wallet did otherwise is no proof: by somebody’s allowance, by an authorization, to another, or through a contract in between', async () => {
  const offer = offerOf()
  const { payTo, amount } = offer
  const mismatch = ['ok', 'transfer_proof_mismatch']
  expect(
    await saidOf(await proofOf(await execute(wallet, chain.usdc, transferCall(payTo, amount - 1n)), offer), offer),
  ).toEqual(mismatch)
  expect(
    await saidOf(await proofOf(await execute(wallet, chain.usdc, transferCall(owner(), amount)), offer), offer),
  ).toEqual(mismatch)

  const approve = encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [owner(), amount] })
  await execute(wallet, chain.usdc, approve)
  const take = encodeFunctionData({ abi: erc20Abi, functionName: 'transferFrom', args: [wallet, payTo as Hex, amount] })
  const taken = await chain.client.sendUnsignedTransaction({ from: owner(), to: chain.usdc, data: take } as never)
  await chain.client.waitForTransactionReceipt({ hash: taken })
  expect(await saidOf(await proofOf(taken, offer), offer)).toEqual(mismatch)

  // One wallet that tells another: the transaction is not the payer's own.
  const told = encodeFunctionData({
    abi: walletAbi,
    functionName: 'execute',
    args: [chain.usdc, 0n, transferCall(payTo, amount)],
  })
  const outer = await deployErc1271Wallet(chain, owner())
  const inner = await deployErc1271Wallet(chain, outer)
  await chain.fund(inner, 1_000_000n)
  const nested = await execute(outer, inner, told)
  const payment = await proofOf(nested, offer, { from: inner })
  expect((await judge().verify({ payment, requirements: offer })).ok).toBe(false)
})

test('EVM-PROOF-010 a wallet’s transfer has one identity, whatever is said of it', async () => {
  const offer = offerOf()
  const transaction = await transferBy(wallet, offer)
  const pids = await Promise.all(
    [offer, { ...offer, extra: { audience: 'store-2' } }].map(async (of) => {
      const inspected = seller().inspect(await proofOf(transaction, of), of, { now: Date.now() })
      return inspected.ok ? inspected.pid : inspected.code
    }),
  )
  expect(pids[0]).toBe(pids[1])
})
