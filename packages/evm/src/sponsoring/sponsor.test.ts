import { type Asset, type JsonObject, network, type PaymentPayload } from '@groat/core'
import { deployPlainToken, type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { approvePermit2, assetOf, payByPermit2, permit2Offer } from '../../testing/permit2.js'
import { encodeCall } from '../abi.js'
import { type EvmAccount, privateKeyAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { nobleEngine } from '../crypto/noble.js'
import { type ExactEvmFacilitator, exactEvm } from '../exact/facilitator.js'
import type { Hex } from '../hex.js'
import { PERMIT2 } from '../permit2/contracts.js'
import { parseTransaction, signTransaction, type Transaction } from '../transaction.js'
import { APPROVE, ERC20_APPROVAL_GAS_SPONSORING as KEY } from './approval.js'

let sandbox: Sandbox
let chain: EvmChain
let asset: Asset
let scheme: ExactEvmFacilitator
let restore: () => Promise<void>
const announced = { [KEY]: { info: { description: 'gas is on us', version: '1' }, schema: {} } }
const now = () => ({ now: Date.now() })
const poorKey = generatePrivateKey()
const poor = privateKeyAccount(poorKey)

beforeAll(async () => {
  sandbox = await startEvmChain({ rpcUrl: false })
  const token = await deployPlainToken(sandbox)
  asset = assetOf(token.address)
  await token.mint(poor.address, 1_000_000n)
  const signers = [sandbox.account('facilitator').privateKey]
  const on = { network: network(sandbox.network), rpc: sandbox.rpcUrl, assets: [asset] }
  chain = await createEvmChain({ ...on, signers })
  restore = await sandbox.snapshot()
})
beforeEach(async () => {
  await restore()
  scheme = exactEvm({ chains: [chain], sponsor: { account: sandbox.account('facilitator3').privateKey } })
})
afterAll(() => sandbox?.stop())

const sponsored = (by: EvmAccount = poor, maxAllowance?: bigint) =>
  payByPermit2(asset, permit2Offer(asset), by, {
    ...{ rpc: sandbox.rpcUrl, extensions: announced },
    ...(maxAllowance && { maxAllowance }),
  })

async function verify(payment: PaymentPayload, by = scheme): Promise<string> {
  const verdict = await by.verify(payment, payment.accepted!, now())
  return verdict.ok ? 'ok' : verdict.code
}

const infoOf = (payment: PaymentPayload) => (payment.extensions![KEY] as { info: JsonObject }).info
const withInfo = (payment: PaymentPayload, change: JsonObject): PaymentPayload => ({
  ...payment,
  extensions: { [KEY]: { info: { ...infoOf(payment), ...change } } },
})

/** The payment with another transaction in the place of the approval. */
async function withTransaction(change: Partial<Transaction>, key: Hex = poorKey): Promise<PaymentPayload> {
  const payment = await sponsored()
  const approval: Transaction = {
    chainId: 84_532n,
    nonce: 0n,
    maxPriorityFeePerGas: 1_000_000_000n,
    maxFeePerGas: 3_000_000_000n,
    gas: 70_000n,
    to: at(asset.address),
    data: encodeCall(APPROVE, PERMIT2, 2n ** 256n - 1n),
    ...change,
  }
  const { raw } = await signTransaction(nobleEngine, approval, privateKeyAccount(key))
  return withInfo(payment, { signedTransaction: raw })
}

test('GAS-APPROVAL-002 G08 an approval is for the payment alone, and for more where the payer has said so', async () => {
  const approved = async (most?: bigint) => {
    const info = infoOf(await sponsored(poor, most))
    const parsed = parseTransaction(nobleEngine, info.signedTransaction as Hex)
    expect(parsed?.transaction.data.slice(-64)).toBe(BigInt(String(info.amount)).toString(16).padStart(64, '0'))
    return info.amount
  }
  expect([await approved(), await approved(999n), await approved(5000n)]).toEqual(['1000', '1000', '5000'])
})

test('GAS-APPROVAL-001 GAS-APPROVAL-030 EVM-EXACT-125 a payer without any coin of the chain pays with a token that knows no permits', async () => {
  expect(await sandbox.nativeBalance(poor.address)).toBe(0n)
  const payment = await sponsored(poor, 5_000n)
  expect(await verify(payment)).toBe('ok')
  expect(await scheme.enable?.(payment, payment.accepted!, now())).toEqual({ ok: true, payer: poor.address })
  // Once more does nothing once more.
  const spent = await sandbox.nativeBalance(sandbox.account('facilitator3').address)
  expect(await scheme.enable?.(payment, payment.accepted!, now())).toEqual({ ok: true, payer: poor.address })
  expect(await sandbox.nativeBalance(sandbox.account('facilitator3').address)).toBe(spent)
  const [signer = ''] = chain.signers
  const nonce = (await chain.nextNonce?.(signer)) ?? 0n
  const sent = await chain.sign(await scheme.prepare(payment, payment.accepted!), { signer, nonce })
  await chain.send(sent)
  await sandbox.client.waitForTransactionReceipt({ hash: sent.hash as Hex })
  expect(await scheme.outcome(payment, payment.accepted!, [sent])).toMatchObject({ status: 'settled', amount: 1000n })
  // What is left of the allowance is enough for the next payment, which brings nothing along.
  expect((await sponsored()).extensions).toEqual(announced)
})

test('a wallet of viem’s signs the approval too', async () => {
  const account = privateKeyToAccount(poorKey)
  const wallet = {
    address: account.address,
    signTypedData: (data: object) => account.signTypedData(data as never),
    signTransaction: (transaction: object) => account.signTransaction(transaction as never),
  }
  expect(await verify(await sponsored(wallet))).toBe('ok')
})

describe('D2 D3 what a stranger would have the sponsor pay for', () => {
  const cases: readonly (readonly [string, () => Promise<PaymentPayload>, string])[] = [
    [
      'GAS-APPROVAL-010 no hex',
      async () => withInfo(await sponsored(), { signedTransaction: '0x0' }),
      'invalid_erc20_approval_extension_format',
    ],
    [
      'GAS-APPROVAL-011 another owner',
      async () => withInfo(await sponsored(), { from: PERMIT2 }),
      'erc20_approval_from_mismatch',
    ],
    [
      'GAS-APPROVAL-012 another token',
      async () => withInfo(await sponsored(), { asset: PERMIT2 }),
      'erc20_approval_asset_mismatch',
    ],
    [
      'GAS-APPROVAL-013 another spender',
      async () => withInfo(await sponsored(), { spender: asset.address }),
      'erc20_approval_spender_not_permit2',
    ],
    [
      'GAS-APPROVAL-014 no transaction',
      async () => withInfo(await sponsored(), { signedTransaction: '0x02c0' }),
      'erc20_approval_tx_parse_failed',
    ],
    [
      'GAS-APPROVAL-014 bytes behind it',
      async () =>
        withInfo(await sponsored(), { signedTransaction: `${String(infoOf(await sponsored()).signedTransaction)}00` }),
      'erc20_approval_tx_parse_failed',
    ],
    ['GAS-APPROVAL-015 D19 another chain', () => withTransaction({ chainId: 1n }), 'erc20_approval_tx_wrong_chain'],
    ['GAS-APPROVAL-016 another contract', () => withTransaction({ to: PERMIT2 }), 'erc20_approval_tx_wrong_target'],
    [
      'GAS-APPROVAL-017 a transfer',
      () => withTransaction({ data: encodeCall('0xa9059cbb', PERMIT2, 1000n) }),
      'erc20_approval_tx_wrong_selector',
    ],
    [
      'GAS-APPROVAL-017 more than an approval',
      () => withTransaction({ data: encodeCall(APPROVE, PERMIT2, 1000n, 0n) }),
      'erc20_approval_tx_invalid_calldata',
    ],
    [
      'GAS-APPROVAL-018 an approval of another spender',
      () => withTransaction({ data: encodeCall(APPROVE, at(asset.address), 2n ** 256n - 1n) }),
      'erc20_approval_tx_wrong_spender',
    ],
    [
      'GAS-APPROVAL-019 an approval of too little',
      () => withTransaction({ data: encodeCall(APPROVE, PERMIT2, 999n) }),
      'erc20_approval_tx_amount_too_low',
    ],
    [
      'GAS-APPROVAL-020 the chain’s own coin',
      () => withTransaction({ value: 12_345n }),
      'erc20_approval_tx_value_not_zero',
    ],
    [
      'GAS-APPROVAL-021 D19 30 million gas',
      () => withTransaction({ gas: 30_000_000n }),
      'erc20_approval_tx_gas_above_limit',
    ],
    [
      'GAS-APPROVAL-022 a fee of 10^15',
      () => withTransaction({ maxFeePerGas: 10n ** 15n }),
      'erc20_approval_tx_fee_above_limit',
    ],
    [
      'GAS-APPROVAL-022 no fee',
      () => withTransaction({ maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }),
      'erc20_approval_tx_fee_too_low',
    ],
    ['GAS-APPROVAL-023 a nonce of later', () => withTransaction({ nonce: 999n }), 'erc20_approval_tx_wrong_nonce'],
    [
      'GAS-APPROVAL-024 a stranger’s approval',
      () => withTransaction({}, sandbox.account('payer2').privateKey),
      'erc20_approval_tx_signer_mismatch',
    ],
  ]
  test.each(cases)('%s is refused, in verify and in settle', async (_name, make, code) => {
    const payment = await make()
    expect(await verify(payment)).toBe(code)
    if (!/fee|nonce/.test(code)) {
      expect(await scheme.enable?.(payment, payment.accepted!, now())).toMatchObject({ ok: false, code })
    }
    expect(await sandbox.nativeBalance(poor.address)).toBe(0n)
  })

  test('GAS-APPROVAL-025 where nobody says how often, a payer is given so much coin a day and no more', async () => {
    const account = sandbox.account('facilitator3').privateKey
    const again = async () => {
      await sandbox.client.impersonateAccount({ address: poor.address })
      await sandbox.client.setBalance({ address: poor.address, value: 10n ** 18n })
      await approvePermit2(sandbox, poor.address, asset.address as Hex, 0n)
      await sandbox.client.setBalance({ address: poor.address, value: 0n })
    }
    const limited = (maxFunding?: bigint) =>
      exactEvm({ chains: [chain], sponsor: { account, ...(maxFunding && { maxFunding }) } })
    scheme = limited()
    for (let i = 0; i < 3; i++) {
      const payment = await sponsored()
      expect(await scheme.enable?.(payment, payment.accepted!, now()), `payment ${i + 1}`).toMatchObject({ ok: true })
      await again()
    }
    // Of what one approval takes now, twice as much is given, and not three times.
    const { baseFeePerGas } = await sandbox.client.getBlock()
    scheme = limited(70_000n * 4n * ((baseFeePerGas ?? 0n) + 1_000_000_000n))
    const verdicts: string[] = []
    for (let i = 0; i < 20 && verdicts.at(-1) !== 'erc20_approval_limit_reached'; i++) {
      const payment = await sponsored()
      verdicts.push(await verify(payment))
      if (verdicts.at(-1) === 'ok') await scheme.enable?.(payment, payment.accepted!, now())
      await again()
    }
    expect([verdicts.length > 2, verdicts.at(-1)]).toEqual([true, 'erc20_approval_limit_reached'])
  })

  test('GAS-APPROVAL-025 one payer is not sponsored again and again', async () => {
    const account = sandbox.account('facilitator3').privateKey
    scheme = exactEvm({ chains: [chain], sponsor: { account, perPayerAndDay: 1 } })
    const first = await sponsored()
    expect(await scheme.enable?.(first, first.accepted!, now())).toMatchObject({ ok: true })
    await approvePermit2(sandbox, sandbox.account('payer').address, asset.address as Hex)
    await sandbox.client.impersonateAccount({ address: poor.address })
    await approvePermit2(sandbox, poor.address, asset.address as Hex, 0n)
    await sandbox.client.setBalance({ address: poor.address, value: 0n })
    expect(await verify(await sponsored())).toBe('erc20_approval_limit_reached')
  })

  test('GAS-APPROVAL-025 payments that were verified at once are given no more than one after the other', async () => {
    const { address, privateKey } = sandbox.account('facilitator3')
    scheme = exactEvm({ chains: [chain], sponsor: { account: privateKey, perPayerAndDay: 2 } })
    const payments = [await sponsored(), await sponsored()]
    for (const payment of payments) expect(await verify(payment)).toBe('ok')
    // Whatever a payer does with its coin, and its approval, meanwhile.
    const spend = async () => {
      await sandbox.client.impersonateAccount({ address: poor.address })
      await sandbox.client.setBalance({ address: poor.address, value: 10n ** 18n })
      await approvePermit2(sandbox, poor.address, asset.address as Hex, 0n)
      await sandbox.client.setBalance({ address: poor.address, value: 0n })
    }
    await scheme.enable?.(payments[0]!, payments[0]!.accepted!, now())
    await spend()
    // The approval has its place in the chain: nothing is lacking any more.
    const before = await sandbox.nativeBalance(address)
    await scheme.enable?.(payments[1]!, payments[1]!.accepted!, now())
    expect(await sandbox.nativeBalance(address)).toBe(before)
    const second = await sponsored()
    expect(await scheme.enable?.(second, second.accepted!, now())).toMatchObject({ ok: true })
    await spend()
    // Whoever asked for it was told yes before.
    const late = await sponsored()
    expect(await scheme.enable?.(late, late.accepted!, now())).toMatchObject({
      ok: false,
      code: 'erc20_approval_limit_reached',
    })
  })

  test('GAS-APPROVAL-026 without a sponsor it is as if it were not there', async () => {
    expect(await verify(await sponsored(), exactEvm({ chains: [chain] }))).toBe('permit2_allowance_required')
    expect(exactEvm({ chains: [chain] }).extensions).toEqual(['eip2612GasSponsoring'])
    expect(scheme.extensions).toEqual(['eip2612GasSponsoring', KEY])
  })
})

function at(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(text)
  return address
}
