import {
  delegate7702,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployGasBurningWallet,
  deployPlainDelegate,
  deployWalletFactory,
  type EvmChain as Sandbox,
  startEvmChain,
} from '@groat/sandbox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { privateKeyAccount } from './account.js'
import { type Address, parseAddress } from './address.js'
import { nobleEngine } from './crypto/noble.js'
import { formatHex, type Hex, parseHex } from './hex.js'
import { createEvmRpc } from './rpc.js'
import { acceptsSignature, type SignatureChain, signerOf } from './wallet.js'

let sandbox: Sandbox
let chain: SignatureChain
const digest = new Uint8Array(32).fill(7)

beforeAll(async () => {
  sandbox = await startEvmChain({ rpcUrl: false })
  chain = { rpc: createEvmRpc({ urls: [sandbox.rpcUrl], chainId: BigInt(sandbox.chainId) }), engine: nobleEngine }
})
afterAll(() => sandbox?.stop())

const key = () => privateKeyAccount(sandbox.account('payer').privateKey)

async function judge(payer: Hex, signature: Uint8Array) {
  const claim = { payer: at(payer), digest, signature }
  return [await signerOf(chain, claim), await acceptsSignature(chain, claim)]
}

test('an account without code answers by its key, in one form', async () => {
  const { address } = key()
  const good = await key().signDigest(digest)
  expect(await judge(address, good)).toEqual(['key', true])
  expect(await judge(address, Uint8Array.of(...good.subarray(0, 64), (good[64] ?? 0) - 27))).toEqual(['nobody', false])
  expect(await judge(address, good.subarray(0, 64))).toEqual(['nobody', false])
  expect(await judge(sandbox.account('payer2').address, good)).toEqual(['nobody', false])
})

test('a wallet answers for itself, whoever signed', async () => {
  const wallet = await deployErc1271Wallet(sandbox, key().address)
  expect(await judge(wallet, await key().signDigest(digest))).toEqual(['contract', true])
  expect(await judge(wallet, new Uint8Array(65))).toEqual(['contract', false])
  expect(await judge(await deployGasBurningWallet(sandbox), new Uint8Array(65))).toEqual(['contract', false])
})

test('delegated code is code', async () => {
  const { address } = key()
  const restore = await sandbox.snapshot()
  const good = await key().signDigest(digest)
  await delegate7702(sandbox, address, await deployErc1271Delegate(sandbox))
  expect(await judge(address, good)).toEqual(['key', true])
  await delegate7702(sandbox, address, await deployPlainDelegate(sandbox))
  expect(await judge(address, good)).toEqual(['key', false])
  await restore()
})

test('an envelope is opened for a wallet that exists, and believed of none that does not', async () => {
  const factory = await deployWalletFactory(sandbox)
  const wallet = await factory.predict(key().address)
  const wrapped = parseHex(wallet.wrap(formatHex(await key().signDigest(digest)))) ?? new Uint8Array()
  expect(await judge(wallet.address, wrapped)).toEqual(['undeployed', false])
  const hash = await sandbox.client.sendUnsignedTransaction({
    from: sandbox.account('issuer').address,
    to: factory.address,
    data: wallet.factoryData,
  })
  await sandbox.client.waitForTransactionReceipt({ hash })
  expect(await judge(wallet.address, wrapped)).toEqual(['contract', true])
})

function at(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(text)
  return address
}
