import { assetByTicker, type JsonObject, network, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import {
  type DelegationManager,
  delegate7702,
  deployDelegationManager,
  deployDelegatorAccount,
  deployErc1271Wallet,
  type EvmChain as Sandbox,
  startEvmChain,
} from '@groat/sandbox'
import { encodeAbiParameters, encodeFunctionData, hashTypedData, toFunctionSelector } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { keyOf, payByDelegation } from '../../testing/delegation.js'
import { privateKeyAccount } from '../account.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import { exactEvmByDelegation } from '../exact/erc7710-client.js'
import { type ExactEvmFacilitator, exactEvm } from '../exact/facilitator.js'
import { exactEvm as sells } from '../exact/server.js'
import { formatHex, type Hex } from '../hex.js'
import { encodeContext, signableDelegation } from './delegation.js'
import {
  createSession,
  formatSession,
  parseSession,
  revokeCall,
  type Session,
  type SessionLimits,
  sessionAccount,
  sessionDay,
} from './session.js'

let sandbox: Sandbox
let chain: EvmChain
let manager: DelegationManager
let scheme: ExactEvmFacilitator
let restore: () => Promise<void>
const key = privateKeyAccount(generatePrivateKey())
const address = (role: Parameters<Sandbox['account']>[0]) => sandbox.account(role).address
const later = () => Math.floor(Date.now() / 1000) + 3600

beforeAll(async () => {
  sandbox = await startEvmChain()
  const signers = [sandbox.account('facilitator').privateKey]
  chain = await createEvmChain({ network: network(sandbox.network), rpc: sandbox.rpcUrl, signers })
  await chain.ready()
  manager = await deployDelegationManager(sandbox)
  await delegate7702(sandbox, address('payer'), await deployDelegatorAccount(sandbox, manager.address))
  scheme = exactEvm({ chains: [chain], delegations: { managers: [manager.address] } })
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

/** A session of the payer's for a key that has nothing itself. */
async function grant(limits: Partial<SessionLimits> = {}, by: Hex = sandbox.account('payer').privateKey, from?: Hex) {
  return createSession({
    owner: privateKeyAccount(by),
    network: chain.network,
    contracts: { manager: manager.address, enforcers: manager.enforcers },
    key: key.address,
    limits: { token: sandbox.usdc, total: 2500n, perPayment: 1000n, expiresAt: later(), ...limits },
    ...(from && { delegator: from }),
  })
}

/** A payment that is in no way held back by the client: the chain alone says no. */
function pay(session: Session, terms = offer(), now = Date.now()): Promise<PaymentPayload> {
  const { delegator, delegationManager, permit } = sessionAccount({ session, key })
  return payByDelegation(terms, { delegator, delegationManager, permit }, now)
}

function offer(change: { amount?: bigint; payTo?: Hex } = {}): PaymentRequirements {
  const asset = assetByTicker(chain.network, 'USD')!
  const [kind] = scheme.kinds()
  const terms = { network: chain.network, asset, amount: 1000n, payTo: address('seller'), maxTimeoutSeconds: 60 }
  return sells.offer({ ...terms, ...change, extra: { assetTransferMethod: 'erc7710' }, kind: kind! })
}

async function verify(payment: PaymentPayload): Promise<string> {
  const verdict = await scheme.verify(payment, payment.accepted!, { now: Date.now() })
  return verdict.ok ? 'ok' : verdict.code
}

async function settle(payment: PaymentPayload): Promise<string> {
  const terms = payment.accepted!
  const signer = scheme.signerOf?.(payment, terms) ?? ''
  const nonce = (await chain.nextNonce?.(signer)) ?? 0n
  const transaction = await chain.sign(await scheme.prepare(payment, terms), { signer, nonce })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  return (await scheme.outcome(payment, terms, [transaction])).status
}

/** What the manager says to a payment that its facilitator would send. */
async function reason(payment: PaymentPayload): Promise<string> {
  const { to, data } = await scheme.prepare(payment, payment.accepted!)
  const call = { account: address('facilitator'), to, data, gas: 500_000n }
  const error = await sandbox.client.call(call).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  const text = JSON.stringify(error, Object.getOwnPropertyNames(Object(error)))
  const names = [
    'ExceedsDelegatedAmount(uint256,uint256)',
    'ExceedsPaymentLimit(uint256,uint256)',
    'DelegationExpired()',
    'ExceedsPeriodAmount(uint256,uint256)',
    'PayeeNotAllowed(address)',
  ]
  names.push('ExecutionNotAllowed()', 'DelegationDisabled()', 'InvalidDelegationSignature()', 'InvalidDelegate()')
  names.push('InvalidAuthority()')
  const found = names.find((name) => collected(error).includes(toFunctionSelector(name)))
  return error === undefined ? 'nothing' : (found?.split('(')[0] ?? text)
}

function collected(error: unknown): string {
  const texts: string[] = []
  for (let at = error; typeof at === 'object' && at !== null; at = 'cause' in at ? at.cause : undefined) {
    texts.push('data' in at ? JSON.stringify(at.data) : '', 'message' in at ? String(at.message) : '')
  }
  return texts.join(' ')
}

describe('a session key', () => {
  test('EVM-EXACT-161 EVM-EXACT-162 pays within its limits, and the owner’s key is not needed', async () => {
    const session = await grant({ recipients: [address('seller')] })
    const before = await sandbox.balance(address('payer'))
    const first = await pay(session)
    expect(await verify(first)).toBe('ok')
    expect(await settle(first)).toBe('settled')
    // The permission is for its payment alone: nobody redeems it again, although the session has money left.
    expect([await verify(first), await reason(first)]).toEqual(['erc7710_simulation_failed', 'ExceedsDelegatedAmount'])
    expect(await settle(await pay(session, offer({ amount: 900n })))).toBe('settled')
    expect(before - (await sandbox.balance(address('payer')))).toBe(1900n)
    expect(await sandbox.balance(address('seller'))).toBe(1900n)
    expect(await sandbox.balance(key.address)).toBe(0n)
  })

  test('EVM-EXACT-161 the chain refuses what is beyond the limits, whatever the key signs', async () => {
    const session = await grant({ recipients: [address('seller')] })
    const other = await grant({ token: manager.address })
    const over = await grant({ expiresAt: 1 })
    await settle(await pay(session))
    await settle(await pay(session))
    const payments = {
      perPayment: await pay(await grant(), offer({ amount: 1001n })),
      total: await pay(session, offer({ amount: 501n })),
      payTo: await pay(session, offer({ amount: 1n, payTo: address('payer3') })),
      token: await pay(other),
      expired: await pay(over),
      left: await pay(session, offer({ amount: 500n })),
    }
    const said: Record<string, readonly string[]> = {}
    for (const [name, payment] of Object.entries(payments)) {
      const why = await reason(payment)
      said[name] = [await verify(payment), why]
    }
    expect(said).toEqual({
      perPayment: ['erc7710_simulation_failed', 'ExceedsPaymentLimit'],
      total: ['erc7710_simulation_failed', 'ExceedsDelegatedAmount'],
      payTo: ['erc7710_simulation_failed', 'ExecutionNotAllowed'],
      token: ['erc7710_simulation_failed', 'ExecutionNotAllowed'],
      expired: ['erc7710_simulation_failed', 'DelegationExpired'],
      left: ['ok', 'nothing'],
    })
  })

  test('EVM-EXACT-161 limits that the owner did not sign are worth nothing, nor is a session of a stranger', async () => {
    const session = await grant()
    const raised = { ...session, limits: { ...session.limits, total: 9_000_000n } }
    const stranger = await grant({}, sandbox.account('payer2').privateKey, address('payer'))
    expect(await reason(await pay(raised))).toBe('InvalidDelegationSignature')
    expect(await reason(await pay(stranger))).toBe('InvalidDelegationSignature')
    const thief = privateKeyAccount(generatePrivateKey())
    expect(() => sessionAccount({ session, key: thief })).toThrow(TypeError)
    // With the thief's own leaf under the owner's delegation.
    const stolen = { ...sessionAccount({ session: { ...session, key: thief.address }, key: thief }) }
    expect(await reason(await payByDelegation(offer(), { ...stolen, delegator: session.delegator }))).toBe(
      'InvalidDelegationSignature',
    )
  })

  test('EVM-EXACT-161 spends each day what a day is for, and that anew the next day', async () => {
    const session = await grant({ total: 9_000n, perPayment: 5_000n, perDay: 1_500n, expiresAt: later() + 200_000 })
    expect(await settle(await pay(session))).toBe('settled')
    const second = await pay(session, offer({ amount: 501n }))
    expect([await verify(second), await reason(second)]).toEqual(['erc7710_simulation_failed', 'ExceedsPeriodAmount'])
    // What the first has not spent is there, and no more; and what was not spent is not kept.
    expect(await settle(await pay(session, offer({ amount: 400n })))).toBe('settled')
    await sandbox.client.increaseTime({ seconds: 86_400 })
    await sandbox.client.mine({ blocks: 1 })
    const { timestamp } = await sandbox.client.getBlock()
    const tomorrow = Number(timestamp) * 1000
    expect(await reason(await pay(session, offer({ amount: 1_501n }), tomorrow))).toBe('ExceedsPeriodAmount')
    const next = await pay(session, offer({ amount: 1_500n }), tomorrow)
    expect([await reason(next), await settle(next)]).toEqual(['nothing', 'settled'])
    expect(await reason(await pay(session, offer({ amount: 1n }), tomorrow))).toBe('ExceedsPeriodAmount')
  })

  test('EVM-EXACT-161 pays those who are named, and nobody else', async () => {
    const session = await grant({ recipients: [address('seller'), address('payer3')] })
    expect(await settle(await pay(session))).toBe('settled')
    expect(await verify(await pay(session, offer({ payTo: address('payer3') })))).toBe('ok')
    const other = await pay(session, offer({ payTo: address('payer4') }))
    expect([await verify(other), await reason(other)]).toEqual(['erc7710_simulation_failed', 'PayeeNotAllowed'])
  })

  test('EVM-EXACT-163 is ended by its delegator on chain, and by nobody else', async () => {
    const session = await grant()
    const another = await grant()
    const { to, data } = revokeCall(session)
    const send = (from: Hex) => sandbox.client.sendUnsignedTransaction({ from, to, data, gas: 300_000n })
    const mined = async (hash: Hex) => (await sandbox.client.waitForTransactionReceipt({ hash })).status
    expect(await mined(await send(address('payer3')))).toBe('reverted')
    expect(await verify(await pay(session))).toBe('ok')
    expect(await mined(await send(address('payer')))).toBe('success')
    expect(await reason(await pay(session))).toBe('DelegationDisabled')
    expect(await verify(await pay(session))).toBe('erc7710_simulation_failed')
    expect(await verify(await pay(another))).toBe('ok')
  })

  test('EVM-EXACT-161 spends out of a contract wallet whose owner signed', async () => {
    const wallet = await deployErc1271Wallet(sandbox, address('payer2'), manager.address)
    await sandbox.fund(wallet, 1000n)
    const session = await grant({}, sandbox.account('payer2').privateKey, wallet)
    const payment = await pay(session)
    expect([await verify(payment), await settle(payment)]).toEqual(['ok', 'settled'])
  })
})

describe('the payer with a session', () => {
  const prepare = async (limits: Partial<SessionLimits>, terms = offer(), change: object = {}) => {
    const account = { ...sessionAccount({ session: { ...(await grant(limits)), ...change }, key }) }
    const permit = account.permit
    let signed = 0
    const counting: typeof account = {
      ...account,
      permit(payment) {
        signed++
        return permit(payment)
      },
    }
    const random = (n: number) => new Uint8Array(n)
    const context = { clock: Date.now, random, maxLifetimeSeconds: 600 }
    const prepared = await exactEvmByDelegation({ account: counting }).prepare(terms, context)
    return [prepared.ok ? 'ok' : prepared.code, signed]
  }

  test('EVM-EXACT-162 signs nothing that it sees to be beyond the limits', async () => {
    expect({
      right: await prepare({}),
      perPayment: await prepare({ perPayment: 999n }),
      total: await prepare({ total: 999n }),
      perDay: await prepare({ perDay: 999n }),
      payTo: await prepare({ recipients: [address('payer3')] }),
      token: await prepare({ token: manager.address }),
      expired: await prepare({ expiresAt: 1 }),
      network: await prepare({}, offer(), { network: 'eip155:1' }),
    }).toEqual({
      // Nor before it is decided that it is paid.
      right: ['ok', 0],
      perPayment: ['amount_over_limit', 0],
      total: ['budget_exceeded', 0],
      perDay: ['budget_exceeded', 0],
      payTo: ['recipient_not_allowed', 0],
      token: ['asset_not_in_policy', 0],
      expired: ['lifetime_over_limit', 0],
      network: ['network_not_allowed', 0],
    })
  })

  test('EVM-EXACT-162 what is known to be spent counts, and the refusal names the limit and what is left of it', async () => {
    const session = await grant({ total: 5_000n, perDay: 2_000n })
    const context = { clock: Date.now, random: (n: number) => new Uint8Array(n), maxLifetimeSeconds: 600 }
    const says = async (total: bigint, today: bigint) => {
      const account = sessionAccount({ session, key, spent: () => ({ total, today }) })
      const prepared = await exactEvmByDelegation({ account }).prepare(offer({ amount: 1_000n }), context)
      return prepared.ok ? 'ok' : `${prepared.code}: ${prepared.detail}`
    }
    expect([
      await says(4_000n, 1_000n),
      await says(3_000n, 1_001n),
      await says(4_001n, 0n),
      await says(9_000n, 0n),
    ]).toEqual([
      'ok',
      'budget_exceeded: the session allows 0.002 USDC a day: 0.000999 USDC is left today, and 0.001 USDC is asked',
      'budget_exceeded: the session allows 0.005 USDC in all: 0.000999 USDC is left, and 0.001 USDC is asked',
      'budget_exceeded: the session allows 0.005 USDC in all: 0 USDC is left, and 0.001 USDC is asked',
    ])
    expect(sessionDay({ startsAt: 1_000 }, 1_000)).toBe(1_000)
    expect(sessionDay({ startsAt: 1_000 }, 87_399)).toBe(1_000)
    expect(sessionDay({ startsAt: 1_000 }, 87_400)).toBe(87_400)
  })

  test('a payment ends with its session', async () => {
    const end = Math.floor(Date.now() / 1000) + 20
    const account = sessionAccount({ session: await grant({ expiresAt: end }), key })
    const context = { clock: Date.now, random: (n: number) => new Uint8Array(n), maxLifetimeSeconds: 600 }
    expect(await exactEvmByDelegation({ account }).prepare(offer(), context)).toMatchObject({ expiresAt: end })
  })

  test('a session is one line of text, and what is none is said to be none', async () => {
    const session = await grant({ recipients: [address('seller'), address('payer3')], perDay: 7n })
    const text = formatSession(session)
    expect(parseSession(text)).toEqual(session)
    const broken = (change: JsonObject) => parseSession(JSON.stringify({ ...JSON.parse(text), ...change }))
    expect([
      parseSession('{'),
      parseSession('null'),
      broken({ key: '0x12' }),
      broken({ limits: { token: sandbox.usdc } }),
      broken({ limits: { token: sandbox.usdc, total: '-1', expiresAt: 9 } }),
      broken({ limits: { token: sandbox.usdc, total: '1', expiresAt: 0 } }),
      broken({ network: 'solana:mainnet' }),
      broken({ salt: '0x' }),
    ]).toEqual(Array(8).fill(undefined))
  })

  test('limits that cannot be held are no session', async () => {
    const { erc20TransferAmount, timestamp, allowedCalldata } = manager.enforcers
    const enforcers = { erc20TransferAmount, timestamp, allowedCalldata }
    const owner = privateKeyAccount(sandbox.account('payer').privateKey)
    const terms = {
      owner,
      network: chain.network,
      key: key.address,
      contracts: { manager: manager.address, enforcers },
    }
    const limits = { token: sandbox.usdc, total: 1n, expiresAt: later() }
    await expect(createSession({ ...terms, limits: { ...limits, perPayment: 1n } })).rejects.toThrow(TypeError)
    for (const strange of [{ perDay: 1n }, { recipients: [key.address, manager.address] }, { recipients: [] }]) {
      await expect(createSession({ ...terms, limits: { ...limits, ...strange } })).rejects.toThrow(TypeError)
    }
    await expect(createSession({ ...terms, limits, clock: () => 0 })).rejects.toThrow(TypeError)
    await expect(createSession({ ...terms, limits: { ...limits, total: 2n ** 256n } })).rejects.toThrow(TypeError)
    await expect(createSession({ ...terms, limits: { ...limits, expiresAt: Number.NaN } })).rejects.toThrow(TypeError)
    const one = { ...limits, recipients: [key.address] }
    expect((await createSession({ ...terms, limits: one })).signature).toHaveLength(132)
  })
})

test('EVM-EXACT-161 EVM-EXACT-162 hashes, contexts and the wallet’s typed data are those of viem', async () => {
  const session = await grant({ recipients: [address('seller')] })
  const wallet = privateKeyToAccount(sandbox.account('payer').privateKey)
  const random = () => new Uint8Array(32).fill(3)
  const { contracts, limits } = session
  const byWallet = { owner: wallet, network: chain.network, contracts, key: key.address, limits, random }
  const byKey = { ...byWallet, owner: privateKeyAccount(sandbox.account('payer').privateKey) }
  expect((await createSession(byWallet)).signature).toBe((await createSession(byKey)).signature)

  const delegation = {
    delegate: key.address,
    delegator: address('payer').toLowerCase() as typeof key.address,
    authority: `0x${'ab'.repeat(32)}` as const,
    caveats: [
      { enforcer: key.address, terms: '0x1234' as const },
      { enforcer: key.address, terms: `0x${'56'.repeat(33)}` as const },
    ],
    salt: 7n,
  }
  const domain = { name: 'DelegationManager', version: '1', chainId: 5n, verifyingContract: key.address }
  const { digest, typedData } = signableDelegation(nobleSigningEngine, domain, delegation)
  expect(formatHex(digest())).toBe(hashTypedData(typedData() as Parameters<typeof hashTypedData>[0]))

  const signed = { ...delegation, signature: '0xc0ffee' as const }
  const whole = { ...signed, caveats: signed.caveats.map((caveat) => ({ ...caveat, args: '0x' as const })) }
  const abi = manager.abi.find((entry) => 'name' in entry && entry.name === 'disableDelegation')
  const components = abi && 'inputs' in abi ? abi.inputs[0] : undefined
  const context = encodeAbiParameters([{ ...(components as object), type: 'tuple[]' } as never], [
    [whole, whole],
  ] as never)
  expect(encodeContext([signed, signed])).toBe(context)
  const { data } = revokeCall(session)
  expect(data.slice(0, 10)).toBe(
    encodeFunctionData({ abi: manager.abi, functionName: 'disableDelegation', args: [whole] }).slice(0, 10),
  )
})

test('a key of the sandbox owns the session that its wallet signs', async () => {
  expect((await grant()).delegator.toLowerCase()).toBe(keyOf(sandbox, 'payer').address.toLowerCase())
})
