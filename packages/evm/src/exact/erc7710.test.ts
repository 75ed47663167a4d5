import { assetByTicker, type JsonObject, network, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import { arbMutated } from '@groat/core/testing'
import {
  type DelegationManager,
  delegate7702,
  deployDelegationManager,
  deployDelegatorAccount,
  deployErc1271Wallet,
  deployHostileDelegationManager,
  deployHostileDelegator,
  type HostileDelegatorConduct,
  type EvmChain as Sandbox,
  startEvmChain,
} from '@groat/sandbox'
import * as fc from 'fast-check'
import { encodeFunctionData } from 'viem'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { delegatedAccount, keyOf, payByDelegation } from '../../testing/delegation.js'
import { offerOf } from '../../testing/payments.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import { delegationId, redeemCall } from './erc7710.js'
import type { DelegatedAccount } from './erc7710-client.js'
import { exactEvmByDelegation } from './erc7710-client.js'
import { type ExactEvmFacilitator, exactEvm } from './facilitator.js'
import { exactEvm as sells } from './server.js'
import { inspectExact } from './shared.js'

let sandbox: Sandbox
let chain: EvmChain
let manager: DelegationManager
let scheme: ExactEvmFacilitator
let offer: PaymentRequirements
let account: DelegatedAccount
let restore: () => Promise<void>
const now = () => ({ now: Date.now() })
const address = (role: Parameters<Sandbox['account']>[0]) => sandbox.account(role).address

beforeAll(async () => {
  sandbox = await startEvmChain()
  const signers = [sandbox.account('facilitator').privateKey, sandbox.account('facilitator2').privateKey]
  chain = await createEvmChain({ network: network(sandbox.network), rpc: sandbox.rpcUrl, signers })
  await chain.ready()
  manager = await deployDelegationManager(sandbox)
  await delegate7702(sandbox, address('payer'), await deployDelegatorAccount(sandbox, manager.address))
  restore = await sandbox.snapshot()
})
beforeEach(async () => {
  await restore()
  scheme = exactEvm({ chains: [chain], delegations: { managers: [manager.address] } })
  const asset = assetByTicker(chain.network, 'USD')!
  const [kind] = scheme.kinds()
  const terms = { network: chain.network, asset, amount: 1000n, payTo: address('seller'), maxTimeoutSeconds: 60 }
  offer = sells.offer({ ...terms, extra: { assetTransferMethod: 'erc7710' }, kind: kind! })
  account = delegatedAccount(manager, address('payer'), keyOf(sandbox, 'payer'))
})
afterAll(() => sandbox?.stop())

async function verify(payment: PaymentPayload, by = scheme, terms = offer): Promise<string> {
  const verdict = await by.verify(payment, terms, now())
  return verdict.ok ? 'ok' : verdict.code
}

/** What the engine does, without its journal. */
async function submit(payment: PaymentPayload, by = scheme) {
  const signer = by.signerOf?.(payment, offer) ?? ''
  const nonce = (await chain.nextNonce?.(signer)) ?? 0n
  const transaction = await chain.sign(await by.prepare(payment, offer), { signer, nonce })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  return transaction
}

/** What accounts have, and what the settling account has spent. */
async function purses() {
  const [payer, seller, gas] = await Promise.all([
    sandbox.balance(address('payer')),
    sandbox.balance(address('seller')),
    sandbox.client.getBalance({ address: address('facilitator') }),
  ])
  return { payer, seller, gas }
}

const withPayload = (payment: PaymentPayload, change: JsonObject): PaymentPayload => ({
  ...payment,
  payload: { ...payment.payload, ...change },
})

describe('a good payment', () => {
  test('EVM-EXACT-150 EVM-EXACT-152 EVM-EXACT-154 EVM-EXACT-156 verifies, settles, and moves exactly the amount', async () => {
    expect(offer.extra).toEqual({
      name: 'USDC',
      version: '2',
      assetTransferMethod: 'erc7710',
      facilitators: [address('facilitator')],
      delegationManagers: [manager.address],
    })
    const payment = await payByDelegation(offer, account)
    expect(Object.keys(payment.payload)).toEqual(['delegationManager', 'permissionContext', 'delegator'])
    expect(await scheme.verify(payment, offer, now())).toEqual({ ok: true, payer: address('payer').toLowerCase() })
    const before = await purses()
    const sent = await submit(payment)
    expect(await scheme.outcome(payment, offer, [sent])).toEqual({
      status: 'settled',
      transaction: sent.hash,
      logIndex: expect.any(Number),
      blockNumber: expect.any(BigInt),
      blockHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      amount: 1000n,
      fee: expect.any(BigInt),
    })
    const after = await purses()
    expect([before.payer - after.payer, after.seller - before.seller]).toEqual([1000n, 1000n])
    // A permission for this payment alone allows nothing more.
    expect(await verify(payment)).toBe('erc7710_simulation_failed')
  })

  test('a contract wallet pays by a delegation of its owner’s', async () => {
    const wallet = await deployErc1271Wallet(sandbox, address('payer2'), manager.address)
    await sandbox.fund(wallet, 1000n)
    const payment = await payByDelegation(offer, delegatedAccount(manager, wallet, keyOf(sandbox, 'payer2')))
    expect(await verify(payment)).toBe('ok')
    expect(await scheme.outcome(payment, offer, [await submit(payment)])).toMatchObject({ status: 'settled' })
  })

  test('EVM-EXACT-158 is named by its permission, in one spelling, and the payer knows the name', async () => {
    const context = { clock: Date.now, random: (n: number) => new Uint8Array(n).fill(7), maxLifetimeSeconds: 600 }
    const prepared = await exactEvmByDelegation({ account }).prepare(offer, context)
    if (!prepared.ok) throw new TypeError(prepared.code)
    const payload = await prepared.sign()
    const payment = { x402Version: 2, scheme: 'exact', network: offer.network, accepted: offer, payload } as const
    const loud = Object.fromEntries(
      Object.entries(payload).map(([name, text]) => [name, String(text).toUpperCase().replace('0X', '0x')]),
    )
    const inspected = inspectExact(payment, offer, { now: 0 })
    expect(inspected).toMatchObject({ ok: true, pid: prepared.signedPid?.(), payer: prepared.payer, expiresAt: 60 })
    expect(inspectExact({ ...payment, payload: loud }, offer, { now: 0 })).toEqual(inspected)
    const another = await payByDelegation(offer, account)
    expect(inspectExact(another, offer, { now: 0 })).not.toMatchObject({ pid: prepared.signedPid?.() })
    const parts = { manager: '0x1', delegator: '0x2', context: '0x03' } as never
    expect(delegationId(chain.network, parts)).not.toBe(delegationId(network('base'), parts))
  })

  test('EVM-EXACT-153 is one transfer of the token, in the mode of a single call', () => {
    const word = (end: string) => end.padStart(64, '0')
    const part = (digit: string) => `0x${digit.repeat(40)}` as never
    const delegation = { manager: part('a'), delegator: part('b'), context: '0xc0ffee' } as const
    const { to, data } = redeemCall(delegation, { token: part('d'), payTo: part('e') }, 1000n)
    expect([to, data.slice(0, 10)]).toEqual([part('a'), '0xcef6d209'])
    const execution = `${'d'.repeat(40)}${word('0')}a9059cbb${word('e'.repeat(40))}${word('3e8')}`
    expect(data.slice(10)).toBe(
      [
        ...[word('60'), word('e0'), word('120')],
        ...[word('1'), word('20'), word('3'), 'c0ffee'.padEnd(64, '0')],
        ...[word('1'), word('0')],
        ...[word('1'), word('20'), word('78'), execution.padEnd(256, '0')],
      ].join(''),
    )
  })
})

describe('what is refused without a chain', () => {
  test('EVM-EXACT-151 EVM-EXACT-157 a manager that the operator does not know is not called, and by default none is', async () => {
    const payment = await payByDelegation(offer, account)
    expect(await verify(payment, exactEvm({ chains: [chain] }))).toBe('erc7710_manager_not_allowed')
    for (const conduct of ['idle', 'reverting', 'burning-gas'] as const) {
      const delegationManager = await deployHostileDelegationManager(sandbox, conduct)
      expect(await verify(withPayload(payment, { delegationManager }))).toBe('erc7710_manager_not_allowed')
    }
    expect(exactEvm({ chains: [chain] }).kinds()[0]?.extra).toBeUndefined()
    for (const text of ['me', '0xca11bde05977b3631167028862be2a173976ca11', chain.signers[0] ?? '']) {
      expect(() => exactEvm({ chains: [chain], delegations: { managers: [text] } })).toThrow('invalid_config')
    }
  })

  test.each<[string, JsonObject]>([
    ['no permission', { permissionContext: '0x' }],
    ['half a byte', { permissionContext: '0x123' }],
    ['a number', { permissionContext: 7 }],
    ['more than is paid for', { permissionContext: `0x${'00'.repeat(8193)}` }],
    ['a delegator that is no address', { delegator: 'me' }],
    ['a manager that is no address', { delegationManager: '0x12' }],
  ])('%s is no payload', async (_name, change) => {
    expect(await verify(withPayload(await payByDelegation(offer, account), change))).toBe('invalid_payload')
  })

  test('a payload of another method, or terms of another, do not meet', async () => {
    const payment = await payByDelegation(offer, account)
    const other = offerOf()
    expect(await verify({ ...payment, accepted: other }, scheme, other)).toBe('unsupported_transfer_method')
    expect(await verify(payment, scheme, other)).toBe('unsupported_transfer_method')
  })

  test('whatever a stranger sends is a verdict', async () => {
    const payment = await payByDelegation(offer, account)
    await fc.assert(
      fc.property(arbMutated(fc.constant(payment.payload)), (payload) => {
        const inspection = inspectExact({ ...payment, payload: payload as JsonObject }, offer, now())
        expect(inspection.ok || typeof inspection.code === 'string').toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})

describe('permissions that are not what they should be cost nothing', () => {
  test('EVM-EXACT-155 one for less, for another payee, from a stranger, or that is over does not pay', async () => {
    const by = (change: object, signer = keyOf(sandbox, 'payer')) =>
      payByDelegation(
        offer,
        delegatedAccount(manager, address('payer'), signer, () => change),
      )
    const before = await purses()
    expect({
      less: await verify(await by({ maxAmount: 999n })),
      payee: await verify(await by({ payee: address('payer3') })),
      token: await verify(await by({ token: manager.address })),
      over: await verify(await by({ expiry: 1n })),
      delegate: await verify(await by({ delegate: address('payer3') })),
      stranger: await verify(await by({}, keyOf(sandbox, 'payer2'))),
      noise: await verify(withPayload(await by({}), { permissionContext: '0xc0ffee' })),
      right: await verify(await by({})),
    }).toEqual({
      less: 'erc7710_simulation_failed',
      payee: 'erc7710_simulation_failed',
      token: 'erc7710_simulation_failed',
      over: 'erc7710_simulation_failed',
      delegate: 'erc7710_simulation_failed',
      stranger: 'erc7710_simulation_failed',
      noise: 'erc7710_simulation_failed',
      right: 'ok',
    })
    expect(await purses()).toEqual(before)
  })

  test('a delegator without the money is told so, also when other payments of it will take the money', async () => {
    const payment = await payByDelegation(offer, account)
    const verdict = await scheme.verify(payment, offer, { ...now(), reserved: 999_999_001n })
    expect(verdict).toMatchObject({ code: 'invalid_exact_evm_insufficient_balance' })
  })

  const conducts: readonly [HostileDelegatorConduct, string][] = [
    ['reverting', 'erc7710_simulation_failed'],
    ['burning-gas', 'erc7710_simulation_failed'],
    ['idle', 'erc7710_transfer_mismatch'],
    ['delivering-less', 'erc7710_transfer_mismatch'],
    ['delivering-elsewhere', 'erc7710_transfer_mismatch'],
    ['paying-while-free', 'erc7710_transfer_mismatch'],
  ]
  test.each(conducts)('EVM-EXACT-155 an account that is %s under an honest manager: %s', async (conduct, code) => {
    const hostile = await deployHostileDelegator(sandbox, conduct, address('payer3'))
    await delegate7702(sandbox, address('payer'), hostile.address)
    const payment = await payByDelegation(offer, account)
    const before = await purses()
    expect(await verify(payment)).toBe(code)
    expect(await purses()).toEqual(before)
  })

  test('EVM-EXACT-155 an account that re-enters its manager to pay twice does not pay', async () => {
    const hostile = await deployHostileDelegator(sandbox, 'reentering')
    await delegate7702(sandbox, address('payer'), hostile.address)
    const twice = delegatedAccount(manager, address('payer'), keyOf(sandbox, 'payer'), () => ({
      delegate: '0x0000000000000000000000000000000000000000',
      maxAmount: 2000n,
    }))
    const payment = await payByDelegation(offer, twice)
    const call = await scheme.prepare(payment, offer)
    const data = encodeFunctionData({ abi: hostile.abi, functionName: 'arm', args: [manager.address, call.data] })
    const hash = await sandbox.client.sendUnsignedTransaction({ from: address('payer3'), to: address('payer'), data })
    await sandbox.client.waitForTransactionReceipt({ hash })
    expect(await verify(payment)).toBe('erc7710_transfer_mismatch')
  })

  test('EVM-EXACT-159 one that fails on chain after all is refused, and its payer waits', async () => {
    const payment = await payByDelegation(offer, account)
    expect(await verify(payment)).toBe('ok')
    const hostile = await deployHostileDelegator(sandbox, 'delivering-less')
    await delegate7702(sandbox, address('payer'), hostile.address)
    const sent = await submit(payment)
    // Not before its block is final (EVM-EXACT-169); the payer waits at once.
    expect(await scheme.outcome(payment, offer, [sent])).toEqual({ status: 'pending', alone: true })
    expect(await verify(await payByDelegation(offer, account))).toBe('payer_on_hold')
    await sandbox.mine(80)
    expect(await scheme.outcome(payment, offer, [sent])).toEqual({
      status: 'reverted',
      transaction: sent.hash,
      blockNumber: expect.any(BigInt),
      refusal: { ok: false, code: 'erc7710_transfer_mismatch' },
    })
    // The engine drops what has failed; then nothing of it is under way.
    expect(await scheme.outcome(payment, offer, [])).toMatchObject({ status: 'dead' })
  })

  test('EVM-EXACT-154 gas is bounded, in the trial and in the transaction', async () => {
    const tight = exactEvm({ chains: [chain], delegations: { managers: [manager.address], gas: 60_000n } })
    const payment = await payByDelegation(offer, account)
    expect(await verify(payment, tight)).toBe('erc7710_simulation_failed')
    expect([(await tight.prepare(payment, offer)).gas, (await scheme.prepare(payment, offer)).gas]).toEqual([
      60_000n,
      500_000n,
    ])
  })
})

describe('the payer', () => {
  const prepare = async (terms: PaymentRequirements, by = account) => {
    const context = { clock: Date.now, random: (n: number) => new Uint8Array(n), maxLifetimeSeconds: 600 }
    const prepared = await exactEvmByDelegation({ account: by }).prepare(terms, context)
    return prepared.ok ? 'ok' : prepared.code
  }
  const terms = (change: Partial<PaymentRequirements>, extra: JsonObject = {}) => ({
    ...offer,
    ...change,
    extra: { ...offer.extra, ...extra },
  })

  test('EVM-EXACT-151 permits only what the offer names, through a manager that the offer names', async () => {
    expect({
      right: await prepare(offer),
      unlisted: await prepare(terms({}, { delegationManagers: undefined as never })),
      other: await prepare(terms({}, { delegationManagers: [address('payer3')] })),
      method: await prepare(terms({}, { assetTransferMethod: 'eip3009' })),
      asset: await prepare(terms({ asset: manager.address })),
      oneself: await prepare(terms({ payTo: address('payer') })),
      token: await prepare(terms({ payTo: offer.asset })),
    }).toEqual({
      right: 'ok',
      unlisted: 'ok',
      other: 'erc7710_manager_not_allowed',
      method: 'unsupported_transfer_method',
      asset: 'asset_not_known',
      oneself: 'invalid_payment_requirements',
      token: 'invalid_payment_requirements',
    })
  })

  test('a key that does not sign, or signs nothing, is a fault', async () => {
    for (const permit of [async () => '0x' as const, () => Promise.reject(new Error('locked'))]) {
      const context = { clock: Date.now, random: (n: number) => new Uint8Array(n), maxLifetimeSeconds: 600 }
      const prepared = await exactEvmByDelegation({ account: { ...account, permit } }).prepare(offer, context)
      await expect(prepared.ok && prepared.sign()).rejects.toMatchObject({ code: 'signer_failed' })
    }
    expect(() => exactEvmByDelegation({ account: { ...account, delegator: '0x1' } })).toThrow(TypeError)
  })
})
