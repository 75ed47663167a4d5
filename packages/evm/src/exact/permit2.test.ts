import { type Asset, assetByTicker, network, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import {
  delegate7702,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployGasBurningWallet,
  deployHostileToken,
  deployPermitToken,
  deployPlainDelegate,
  deployPlainToken,
  deployWalletFactory,
  type HostileConduct,
  type EvmChain as Sandbox,
  startEvmChain,
  startRpcProxy,
} from '@groat/sandbox'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BASE_SEPOLIA } from '../../testing/payments.js'
import { approvePermit2, assetOf, type Permit2PayOptions, payByPermit2, permit2Offer } from '../../testing/permit2.js'
import { encodeCall } from '../abi.js'
import { type EvmAccount, privateKeyAccount } from '../account.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import { EXACT_PERMIT2_PROXY, PERMIT2 } from '../permit2/contracts.js'
import { EIP2612_GAS_SPONSORING } from '../sponsoring/eip2612.js'
import { exactEvm } from './facilitator.js'

let sandbox: Sandbox
let chain: EvmChain
let plain: Asset
let restore: () => Promise<void>

const usdc = assetByTicker(BASE_SEPOLIA, 'USDC')!
const payer = () => privateKeyAccount(sandbox.account('payer').privateKey)
const now = () => ({ now: Date.now() })
const seller = () => sandbox.account('seller').address

beforeAll(async () => {
  sandbox = await startEvmChain({ rpcUrl: false })
  const token = await deployPlainToken(sandbox)
  plain = assetOf(token.address)
  await token.mint(payer().address, 1_000_000n)
  await approvePermit2(sandbox, payer().address, token.address)
  chain = await connect([plain, usdc])
  await chain.ready()
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

function connect(assets: readonly Asset[]): Promise<EvmChain> {
  const signers = [sandbox.account('facilitator').privateKey]
  return createEvmChain({ network: network(sandbox.network), rpc: sandbox.rpcUrl, signers, assets })
}

async function verify(
  payment: PaymentPayload,
  terms: PaymentRequirements = payment.accepted!,
  by = exactEvm({ chains: [chain] }),
): Promise<string> {
  const verdict = await by.verify(payment, terms, now())
  return verdict.ok ? 'ok' : verdict.code
}

const pay = (asset: Asset = plain, options: Permit2PayOptions = {}, by: EvmAccount = payer(), amount = 1000n) =>
  payByPermit2(asset, permit2Offer(asset, amount), by, options)

/** What the engine does, without its journal. */
async function submit(payment: PaymentPayload, by = exactEvm({ chains: [chain] }), on = chain) {
  const signer = on.signers[0] ?? ''
  const call = await by.prepare(payment, payment.accepted!)
  const transaction = await on.sign(call, { signer, nonce: (await on.nextNonce?.(signer)) ?? 0n })
  expect(await on.send(transaction)).toEqual({ status: 'accepted' })
  await mined(transaction.hash as Hex)
  return transaction
}

const mined = (hash: Hex) => sandbox.client.waitForTransactionReceipt({ hash })
const outcome = (payment: PaymentPayload, sent: Parameters<ReturnType<typeof exactEvm>['outcome']>[2] = []) =>
  exactEvm({ chains: [chain] }).outcome(payment, payment.accepted!, sent)

/** The payment with parts of what was signed changed. */
function changed(payment: PaymentPayload, change: Record<string, unknown>): PaymentPayload {
  const { permit2Authorization, ...rest } = payment.payload as Record<string, Record<string, unknown>>
  return { ...payment, payload: { ...rest, permit2Authorization: { ...permit2Authorization, ...change } } as never }
}

function resigned(payment: PaymentPayload, change: (signature: Uint8Array) => Uint8Array): PaymentPayload {
  const signature = formatHex(change(parseHex(String(payment.payload.signature))!))
  return { ...payment, payload: { ...payment.payload, signature } }
}

describe('a good payment', () => {
  test('EVM-EXACT-126 EVM-EXACT-130 EVM-EXACT-131 verifies, settles, and moves exactly the amount of a token without EIP-3009', async () => {
    const payment = await pay()
    expect(await exactEvm({ chains: [chain] }).verify(payment, payment.accepted!, now())).toEqual({
      ok: true,
      payer: payer().address,
    })
    const before = await sandbox.balance(seller(), plain.address as Hex)
    const sent = await submit(payment)
    expect(await outcome(payment, [sent])).toEqual({
      status: 'settled',
      transaction: sent.hash,
      logIndex: expect.any(Number),
      blockNumber: expect.any(BigInt),
      blockHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      amount: 1000n,
      fee: expect.any(BigInt),
    })
    expect((await sandbox.balance(seller(), plain.address as Hex)) - before).toBe(1000n)
  })

  test('is named by its payer and number, in one spelling', async () => {
    const payment = await pay(plain, { random: (length) => new Uint8Array(length).fill(0x22) })
    const loud = changed(payment, { from: payer().address.toUpperCase().replace('0X', '0x') })
    const inspect = (each: PaymentPayload) => exactEvm({ chains: [chain] }).inspect(each, payment.accepted!, now())
    expect(inspect(loud)).toEqual(inspect(payment))
    expect(inspect(payment)).toMatchObject({ ok: true, payer: payer().address })
  })

  test('costs verify one round trip once the proxy has been seen', async () => {
    const requests: string[][] = []
    const watching: typeof fetch = (input, init) => {
      requests.push([JSON.parse(String(init?.body))].flat().map(({ method }) => method))
      return fetch(input, init)
    }
    const rpc = sandbox.rpcUrl
    const watched = await createEvmChain({ network: chain.network, rpc, signers: [], assets: [plain], fetch: watching })
    await watched.ready()
    const scheme = exactEvm({ chains: [watched] })
    expect(await verify(await pay(), undefined, scheme)).toBe('ok')
    requests.length = 0
    expect(await verify(await pay(), undefined, scheme)).toBe('ok')
    expect(requests).toEqual([['eth_call']])
  })
})

describe('what the payer signed is what was asked for', () => {
  const cases: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ['EVM-EXACT-110 another spender', { spender: PERMIT2 }, 'invalid_permit2_spender'],
    [
      'EVM-EXACT-111 another recipient',
      { witness: { to: EXACT_PERMIT2_PROXY, validAfter: '0' } },
      'invalid_permit2_recipient_mismatch',
    ],
    [
      'EVM-EXACT-112 five seconds left',
      { deadline: String(Math.floor(Date.now() / 1000) + 5) },
      'permit2_deadline_expired',
    ],
    ['EVM-EXACT-112 a deadline that is over', { deadline: '1' }, 'permit2_deadline_expired'],
    [
      'EVM-EXACT-114 years',
      { deadline: String(Math.floor(Date.now() / 1000) + 86_400) },
      'permit2_authorization_lifetime',
    ],
    ['EVM-EXACT-117 a hexadecimal amount', { permitted: { token: PERMIT2, amount: '0x3e8' } }, 'invalid_payload'],
    ['EVM-EXACT-117 a fraction', { permitted: { token: PERMIT2, amount: '1000.0' } }, 'invalid_payload'],
    ['EVM-EXACT-117 no amount', { permitted: { token: PERMIT2, amount: '' } }, 'invalid_payload'],
    ['EVM-EXACT-117 a nonce beyond 256 bits', { nonce: (2n ** 256n).toString() }, 'invalid_payload'],
    ['EVM-EXACT-117 a hexadecimal nonce', { nonce: '0x22' }, 'invalid_payload'],
    ['EVM-EXACT-117 a number', { nonce: 22 }, 'invalid_payload'],
    ['EVM-EXACT-117 no witness', { witness: undefined }, 'invalid_payload'],
    ['EVM-EXACT-117 a payer that is no address', { from: 'me' }, 'invalid_payload'],
  ]
  test.each(cases)('%s is refused', async (_name, change, code) => {
    expect(await verify(changed(await pay(), change))).toBe(code)
  })

  test('EVM-EXACT-113 one that is not valid yet is refused', async () => {
    const witness = { to: seller(), validAfter: String(Math.floor(Date.now() / 1000) + 30) }
    expect(await verify(changed(await pay(), { witness }))).toBe('permit2_not_yet_valid')
  })

  test('EVM-EXACT-115 another amount is refused', async () => {
    const payment = await pay()
    expect(await verify(changed(payment, { permitted: { token: plain.address, amount: '999' } }))).toBe(
      'permit2_amount_mismatch',
    )
    expect(await verify(changed(payment, { permitted: { token: plain.address, amount: '1001' } }))).toBe(
      'permit2_amount_mismatch',
    )
  })

  test('EVM-EXACT-116 another token is refused', async () => {
    const payment = await pay()
    expect(await verify(changed(payment, { permitted: { token: usdc.address, amount: '1000' } }))).toBe(
      'permit2_token_mismatch',
    )
  })

  test('EVM-EXACT-051 terms of one method are not met by the other', async () => {
    const payment = await pay()
    const { assetTransferMethod: _, ...extra } = payment.accepted!.extra
    const terms = { ...payment.accepted!, extra }
    expect(await verify(payment, terms)).toBe('unsupported_transfer_method')
    expect(await verify({ ...payment, accepted: terms }, payment.accepted!)).toBe('unsupported_transfer_method')
    const { permit2Authorization: _permit, ...bare } = payment.payload
    expect(await verify({ ...payment, payload: { ...bare, authorization: {} } })).toBe('unsupported_transfer_method')
  })
})

describe('signatures', () => {
  const highS = (signature: Uint8Array): Uint8Array => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const s = order - BigInt(formatHex(signature.subarray(32, 64)))
    const v = signature[64] === 27 ? 28 : 27
    return Uint8Array.of(...signature.subarray(0, 32), ...parseHex(`0x${s.toString(16).padStart(64, '0')}`)!, v)
  }
  const compact = (signature: Uint8Array): Uint8Array => {
    const bytes = signature.slice(0, 64)
    if (signature[64] === 28) bytes[32]! |= 0x80
    return bytes
  }
  const cases: readonly (readonly [string, (signature: Uint8Array) => Uint8Array])[] = [
    ['its malleated twin, which Permit2 itself would take', highS],
    ['64 bytes (EIP-2098), which Permit2 itself would take', compact],
    ['a v of 0 or 1', (signature) => Uint8Array.of(...signature.subarray(0, 64), (signature[64] ?? 27) - 27)],
    ['no bytes', () => new Uint8Array()],
    ['zeros', () => new Uint8Array(65)],
    ['a changed bit', (signature) => signature.with(5, (signature[5] ?? 0) ^ 1)],
  ]
  test.each(cases)('EVM-EXACT-119 %s is refused', async (_name, change) => {
    expect(await verify(resigned(await pay(), change))).toBe('invalid_permit2_signature')
  })

  test('EVM-EXACT-034 what is no hex is refused', async () => {
    const payment = await pay()
    expect(await verify({ ...payment, payload: { ...payment.payload, signature: '0xhello' } })).toBe(
      'invalid_exact_evm_failed_to_parse_signature',
    )
  })

  test('EVM-EXACT-119 whoever did not sign does not pay', async () => {
    const payment = await pay()
    expect(await verify(changed(payment, { from: sandbox.account('payer2').address }))).toBe(
      'invalid_permit2_signature',
    )
    const nonce = String(BigInt((payment.payload.permit2Authorization as { nonce: string }).nonce) ^ 1n)
    expect(await verify(changed(payment, { nonce }))).toBe('invalid_permit2_signature')
  })

  test('EVM-EXACT-120 a contract wallet pays, and nobody for it', async () => {
    const wallet = await deployErc1271Wallet(sandbox, payer().address)
    await fundWallet(wallet)
    const payment = await pay(plain, {}, walletAccount(wallet))
    expect(await verify(payment)).toBe('ok')
    expect(await outcome(payment, [await submit(payment)])).toMatchObject({ status: 'settled', amount: 1000n })
    const stranger = sandbox.account('payer2').privateKey
    expect(await verify(await pay(plain, {}, walletAccount(wallet, stranger)))).toBe('invalid_permit2_signature')
  })

  test('EVM-EXACT-120 EIP-7702: delegated code decides, by ERC-1271', async () => {
    await delegate7702(sandbox, payer().address, await deployErc1271Delegate(sandbox))
    const payment = await pay()
    expect(await verify(payment)).toBe('ok')
    expect(await outcome(payment, [await submit(payment)])).toMatchObject({ status: 'settled' })
    await delegate7702(sandbox, payer().address, await deployPlainDelegate(sandbox))
    expect(await verify(await pay())).toBe('invalid_permit2_signature')
  })

  test('EVM-EXACT-053 a wallet that burns gas burns none of ours', async () => {
    const wallet = await deployGasBurningWallet(sandbox)
    await fundWallet(wallet)
    expect(await verify(await pay(plain, {}, walletAccount(wallet)))).toBe('invalid_permit2_signature')
  })

  test('EVM-EXACT-121 a wallet that is not there yet is refused', async () => {
    const factory = await deployWalletFactory(sandbox)
    const wallet = await factory.predict(payer().address)
    const payment = await pay(plain, {}, walletAccount(wallet.address))
    const wrapped = resigned(payment, (signature) => parseHex(wallet.wrap(formatHex(signature)))!)
    expect(await verify(wrapped)).toBe('invalid_permit2_signature')
  })

  async function fundWallet(wallet: Hex): Promise<void> {
    const transfer = encodeCall('0xa9059cbb', wallet, 10_000n)
    await sandbox.client.sendUnsignedTransaction({ from: payer().address, to: plain.address as Hex, data: transfer })
    await sandbox.client.impersonateAccount({ address: wallet })
    await sandbox.client.setBalance({ address: wallet, value: 10n ** 18n })
    await approvePermit2(sandbox, wallet, plain.address as Hex)
  }
})

describe('what the chain says', () => {
  test('EVM-EXACT-122 without the proxy, or Permit2, nothing is settled: a call to nothing succeeds', async () => {
    const payment = await pay()
    for (const address of [EXACT_PERMIT2_PROXY, PERMIT2]) {
      const code = (await sandbox.client.getCode({ address })) ?? '0x'
      await sandbox.setCode(address, '0x')
      const scheme = exactEvm({ chains: [await connect([plain])] })
      expect(await verify(payment, undefined, scheme)).toBe('permit2_proxy_not_deployed')
      await sandbox.setCode(address, code)
      expect(await verify(payment, undefined, scheme)).toBe('ok')
    }
  })

  test('EVM-EXACT-123 a number that is used, or was taken back, is refused', async () => {
    const used = await pay()
    await submit(used)
    expect(await verify(used)).toBe('permit2_invalid_nonce')
    const cancelled = await pay()
    await cancel(cancelled)
    expect(await verify(cancelled)).toBe('permit2_invalid_nonce')
  })

  test('EVM-EXACT-124 a payer who has too little is refused, with what is under way counted', async () => {
    expect(await verify(await pay(plain, {}, payer(), 1_000_001n))).toBe('permit2_insufficient_balance')
    const payment = await pay(plain, {}, payer(), 600_000n)
    const scheme = exactEvm({ chains: [chain] })
    const reserved = (amount: bigint) => scheme.verify(payment, payment.accepted!, { ...now(), reserved: amount })
    expect(await reserved(400_000n)).toMatchObject({ ok: true })
    expect(await reserved(400_001n)).toMatchObject({ ok: false, code: 'permit2_insufficient_balance' })
  })

  test('EVM-EXACT-125 without the allowance the answer says so', async () => {
    await approvePermit2(sandbox, payer().address, plain.address as Hex, 999n)
    expect(await verify(await pay())).toBe('permit2_allowance_required')
  })

  test('EVM-EXACT-054 a token that the operator does not know is refused', async () => {
    const other = assetOf((await deployPlainToken(sandbox)).address)
    expect(await verify(await pay(other))).toBe('asset_not_allowed')
  })

  test('payments of the facilitator are refused', async () => {
    const own = privateKeyAccount(sandbox.account('facilitator').privateKey)
    expect(await verify(await pay(plain, {}, own))).toBe('payer_is_facilitator')
  })

  async function cancel(payment: PaymentPayload): Promise<void> {
    const nonce = BigInt((payment.payload.permit2Authorization as { nonce: string }).nonce)
    // invalidateUnorderedNonces(uint256,uint256)
    const data = encodeCall('0x3ff9dcb1', nonce >> 8n, 1n << (nonce & 255n))
    await mined(await sandbox.client.sendUnsignedTransaction({ from: payer().address, to: PERMIT2, data }))
  }

  describe('in the end', () => {
    test('EVM-EXACT-132 somebody else’s call with this payment settles it, once, and an equal transfer does not', async () => {
      const [payment, equal] = [await pay(), await pay()]
      const { to, data } = await exactEvm({ chains: [chain] }).prepare(payment, payment.accepted!)
      const hash = await sandbox.client.sendTransaction({
        account: privateKeyToAccount(sandbox.account('payer5').privateKey),
        to,
        data,
      })
      await mined(hash)
      expect(await outcome(payment)).toMatchObject({ status: 'settled', transaction: hash, amount: 1000n })
      expect(await outcome(equal)).toEqual({ status: 'pending' })
      await cancel(equal)
      expect(await outcome(equal)).toEqual({ status: 'pending' })
      await sandbox.warp(200)
      expect(await outcome(equal)).toEqual({
        status: 'dead',
        refusal: { ok: false, code: 'permit2_invalid_nonce' },
      })
    })

    test('EVM-EXACT-072 a node that has the state and not what happened buries no transaction of ours', async () => {
      const payment = await pay()
      const sent = await submit(payment)
      await sandbox.warp(200)
      const rules = [
        { method: 'eth_getTransactionReceipt', fault: { action: 'result', result: null } },
        { method: 'eth_getLogs', fault: { action: 'result', result: [] } },
      ] as const
      const proxy = await startRpcProxy({ target: sandbox.rpcUrl, rules })
      const signers = [sandbox.account('facilitator').privateKey]
      const assets = [plain, usdc]
      const by = exactEvm({
        chains: [await createEvmChain({ network: chain.network, rpc: proxy.url, signers, assets })],
      })
      const said = by.outcome(payment, payment.accepted!, [sent])
      await expect(said).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
      await proxy.stop()
      expect(await outcome(payment, [sent])).toMatchObject({ status: 'settled', transaction: sent.hash })
    })

    test('one that reverted says why, and may still live', async () => {
      const payment = await pay()
      await approvePermit2(sandbox, payer().address, plain.address as Hex, 0n)
      expect(await outcome(payment, [await submit(payment)])).toMatchObject({
        status: 'reverted',
        refusal: { code: 'permit2_allowance_required' },
      })
    })

    test('what nobody hands in dies with its deadline', async () => {
      const payment = await pay()
      expect(await outcome(payment)).toEqual({ status: 'pending' })
      await sandbox.warp(120)
      expect(await outcome(payment)).toEqual({ status: 'dead', refusal: { ok: false, code: 'payment_expired' } })
    })
  })
})

describe('EIP-2612 permits', () => {
  const announced = { [EIP2612_GAS_SPONSORING]: { info: { description: 'gas is on us', version: '1' }, schema: {} } }
  let permitting: Asset
  let on: EvmChain

  beforeEach(async () => {
    const token = await deployPermitToken(sandbox)
    await token.mint(payer().address, 1_000_000n)
    permitting = assetOf(token.address, 'Permit Dollar')
    on = await connect([permitting, usdc])
  })

  const sponsored = (asset = permitting) => pay(asset, { rpc: sandbox.rpcUrl, extensions: announced })
  const info = (payment: PaymentPayload) =>
    (payment.extensions![EIP2612_GAS_SPONSORING] as { info: Record<string, string> }).info
  const withInfo = (payment: PaymentPayload, change: Record<string, unknown>): PaymentPayload => ({
    ...payment,
    extensions: { [EIP2612_GAS_SPONSORING]: { info: { ...info(payment), ...change } } } as never,
  })

  test('GAS-PERMIT-001 GAS-PERMIT-003 GAS-PERMIT-014 a payer who never approved Permit2 pays with a permit of exactly the amount', async () => {
    const payment = await sponsored()
    expect(info(payment)).toMatchObject({ description: 'gas is on us', amount: '1000', nonce: '0' })
    const scheme = exactEvm({ chains: [on] })
    expect(await verify(payment, undefined, scheme)).toBe('ok')
    const sent = await submit(payment, scheme, on)
    expect(await scheme.outcome(payment, payment.accepted!, [sent])).toMatchObject({ status: 'settled', amount: 1000n })
  })

  test('so does a payer in USDC', async () => {
    const scheme = exactEvm({ chains: [on] })
    const payment = await sponsored(usdc)
    expect(await verify(payment, undefined, scheme)).toBe('ok')
    expect(await scheme.outcome(payment, payment.accepted!, [await submit(payment, scheme, on)])).toMatchObject({
      status: 'settled',
    })
  })

  test('GAS-PERMIT-017 a permit that somebody handed in first has done its work', async () => {
    const payment = await sponsored()
    const { deadline, signature } = info(payment)
    const [r, s, v] = [signature!.slice(0, 66), `0x${signature!.slice(66, 130)}`, BigInt(`0x${signature!.slice(130)}`)]
    const data = encodeCall('0xd505accf', payer().address, PERMIT2, 1000n, BigInt(deadline!), v, r as Hex, s as Hex)
    const to = permitting.address as Hex
    await mined(await sandbox.client.sendUnsignedTransaction({ from: sandbox.account('issuer').address, to, data }))
    expect(await verify(payment, undefined, exactEvm({ chains: [on] }))).toBe('ok')
  })

  const cases: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ['GAS-PERMIT-010 a number', { amount: 1000 }, 'invalid_eip2612_extension_format'],
    ['GAS-PERMIT-010 a hexadecimal amount', { amount: '0x3e8' }, 'invalid_eip2612_extension_format'],
    [
      'GAS-PERMIT-010 a signature of 64 bytes',
      { signature: `0x${'11'.repeat(64)}` },
      'invalid_eip2612_extension_format',
    ],
    ['GAS-PERMIT-010 a v of 0', { signature: `0x${'11'.repeat(64)}00` }, 'invalid_eip2612_extension_format'],
    ['GAS-PERMIT-010 a version that is none', { version: 'one' }, 'invalid_eip2612_extension_format'],
    ['GAS-PERMIT-011 another owner', { from: PERMIT2 }, 'eip2612_from_mismatch'],
    ['GAS-PERMIT-012 another token', { asset: PERMIT2 }, 'eip2612_asset_mismatch'],
    ['GAS-PERMIT-013 another spender', { spender: EXACT_PERMIT2_PROXY }, 'eip2612_spender_not_permit2'],
    ['GAS-PERMIT-014 everything', { amount: (2n ** 256n - 1n).toString() }, 'permit2_2612_amount_mismatch'],
    [
      'GAS-PERMIT-015 five seconds left',
      { deadline: String(Math.floor(Date.now() / 1000) + 5) },
      'eip2612_deadline_expired',
    ],
    [
      'GAS-PERMIT-016 a permit that the token does not take',
      { nonce: '7', signature: `0x${'11'.repeat(64)}1b` },
      'permit2_allowance_required',
    ],
  ]
  test.each(cases)('%s is refused', async (_name, change, code) => {
    expect(await verify(withInfo(await sponsored(), change), undefined, exactEvm({ chains: [on] }))).toBe(code)
  })

  test('GAS-PERMIT-018 an echo of the announcement is no permit', async () => {
    const payment = { ...(await sponsored()), extensions: announced }
    expect(await verify(payment, undefined, exactEvm({ chains: [on] }))).toBe('permit2_allowance_required')
  })

  test('GAS-PERMIT-002 who asked the chain does not sign what cannot settle', async () => {
    await expect(pay(permitting, { rpc: sandbox.rpcUrl })).rejects.toThrow('permit2_allowance_required')
  })

  test('GAS-PERMIT-002 who has approved Permit2 signs no permit', async () => {
    await approvePermit2(sandbox, payer().address, permitting.address as Hex)
    expect((await sponsored()).extensions).toEqual(announced)
  })
})

describe('tokens that lie', () => {
  const cases: readonly (readonly [HostileConduct, string])[] = [
    ['returns-false', 'permit2_simulation_failed'],
    ['paused', 'permit2_simulation_failed'],
    ['burns-gas', 'permit2_simulation_failed'],
  ]
  test.each(cases)('%s is refused before any gas is spent', async (conduct, code) => {
    const { payment, scheme } = await hostile(conduct)
    expect(await verify(payment, undefined, scheme)).toBe(code)
  })

  test.each(['fee-on-transfer', 'no-log'] as const)('EVM-EXACT-131 D14 %s is no settlement', async (conduct) => {
    const { payment, scheme, on } = await hostile(conduct)
    const sent = await submit(payment, scheme, on)
    expect(await scheme.outcome(payment, payment.accepted!, [sent])).toMatchObject({
      status: 'reverted',
      refusal: { code: 'invalid_exact_evm_transfer_event_mismatch' },
    })
  })

  test('a token that answers nothing and pays is a token', async () => {
    const { payment, scheme, on } = await hostile('returns-nothing')
    expect(await verify(payment, undefined, scheme)).toBe('ok')
    expect(await scheme.outcome(payment, payment.accepted!, [await submit(payment, scheme, on)])).toMatchObject({
      status: 'settled',
    })
  })

  async function hostile(conduct: HostileConduct) {
    const token = await deployHostileToken(sandbox)
    await token.mint(payer().address, 1_000_000n)
    await approvePermit2(sandbox, payer().address, token.address)
    await token.misbehave(conduct)
    const asset = assetOf(token.address)
    const on = await connect([asset])
    return { on, scheme: exactEvm({ chains: [on] }), payment: await pay(asset) }
  }
})

/** A contract that pays: it answers for the signatures of its owner. */
const walletAccount = (address: Hex, owner: Hex = sandbox.account('payer').privateKey): EvmAccount => ({
  address,
  signTypedData: (data) => privateKeyToAccount(owner).signTypedData(data as never),
})
