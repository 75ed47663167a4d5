import { assetByTicker, network, type PaymentRequirements } from '@groat/core'
import { verifyTypedData } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { BASE_SEPOLIA, offerOf, PAYER, PAYER_KEY, SELLER } from '../../testing/payments.js'
import { permit2Offer } from '../../testing/permit2.js'
import { privateKeyAccount, type TypedData } from '../account.js'
import { EXACT_PERMIT2_PROXY } from '../permit2/contracts.js'
import { exactEvmWithPermit2 } from './permit2-client.js'

const usdc = assetByTicker(BASE_SEPOLIA, 'USDC')!
const offer = { ...permit2Offer(usdc, 10_000n), maxTimeoutSeconds: 300 }
const account = privateKeyAccount(PAYER_KEY)
const context = {
  clock: () => 1_999_999_700_000,
  random: (length: number) => new Uint8Array(length).fill(0x22),
  maxLifetimeSeconds: 600,
}

test('EVM-EXACT-103 EVM-EXACT-104 EVM-EXACT-105 EVM-EXACT-106 EVM-EXACT-107 V2 signs the published vector', async () => {
  const prepared = await exactEvmWithPermit2({ account }).prepare(offer, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  expect([prepared.payer, prepared.amount, prepared.expiresAt]).toEqual([PAYER, 10_000n, 2_000_000_000])
  expect(await prepared.sign()).toEqual({
    signature:
      '0xa4664ca934dbe11be2fd1635ad39b2921e5f73ce043c72205c40dd0ae47152f806d82ebf1148af8fbd90b0422669a49f2323fbafdac5abfbc83be331ca46338d1c',
    permit2Authorization: {
      from: PAYER,
      permitted: { token: usdc.address, amount: '10000' },
      spender: '0x402085c248EeA27D92E8b30b2C58ed07f9E20001',
      nonce: BigInt(`0x${'22'.repeat(32)}`).toString(),
      deadline: '2000000000',
      witness: { to: SELLER, validAfter: '0' },
    },
  })
})

test('a wallet is shown the whole of it', async () => {
  const viemAccount = privateKeyToAccount(PAYER_KEY)
  let shown: TypedData | undefined
  const wallet = {
    address: viemAccount.address,
    signTypedData(data: TypedData) {
      shown = data
      return viemAccount.signTypedData(data as never)
    },
  }
  const prepared = await exactEvmWithPermit2({ account: wallet }).prepare(offer, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  const { signature } = await prepared.sign()
  expect(shown).toMatchObject({ domain: { name: 'Permit2' }, message: { spender: EXACT_PERMIT2_PROXY } })
  expect(shown?.domain).not.toHaveProperty('version')
  expect(await verifyTypedData({ address: wallet.address, signature, ...shown } as never)).toBe(true)
})

test('EVM-EXACT-109 every payment has its own number', async () => {
  let last = 0
  const random = (length: number) => new Uint8Array(length).fill(++last)
  const scheme = exactEvmWithPermit2({ account })
  const pids = await Promise.all([1, 2].map(() => scheme.prepare(offer, { ...context, random })))
  expect(new Set(pids.map((prepared) => prepared.ok && prepared.pid)).size).toBe(2)
  expect(last).toBe(2)
})

test('EVM-EXACT-102 what the offer does not name is not Permit2', async () => {
  const scheme = exactEvmWithPermit2({ account })
  const prepared = await scheme.prepare(offerOf(), { ...context, maxLifetimeSeconds: 60 })
  if (!prepared.ok) throw new TypeError(prepared.code)
  expect(await prepared.sign()).toHaveProperty('authorization')
  const other: PaymentRequirements = { ...offer, extra: { ...offer.extra, assetTransferMethod: 'erc7710' } }
  expect(await scheme.prepare(other, context)).toMatchObject({ ok: false, code: 'unsupported_transfer_method' })
})

test.each([
  ['an unknown asset', { asset: SELLER }, 'asset_not_known'],
  ['no recipient', { payTo: 'bob.eth' }, 'invalid_payment_requirements'],
  ['another chain family', { network: network('solana') }, 'asset_not_known'],
])('%s is refused', async (_name, change, code) => {
  expect(await exactEvmWithPermit2({ account }).prepare({ ...offer, ...change }, context)).toMatchObject({ code })
})

test('a node that cannot be asked is a fault, not a refusal', async () => {
  const scheme = exactEvmWithPermit2({ account, rpc: { [BASE_SEPOLIA]: 'http://127.0.0.1:1' } })
  await expect(scheme.prepare(offer, context)).rejects.toMatchObject({ name: 'X402Error', code: 'rpc_unreachable' })
})
