import { type Asset, assetByTicker, network, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import {
  delegate7702,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployPlainDelegate,
  type RpcFault,
  type EvmChain as Sandbox,
  startEvmChain,
  startRpcProxy,
  usdcAbi,
} from '@groat/sandbox'
import * as fc from 'fast-check'
import { serializeErc6492Signature } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { offerOf, pay } from '../../testing/payments.js'
import { type EvmAccount, privateKeyAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import { authorizationDigest } from './eip3009.js'
import { exactEvm } from './facilitator.js'
import { readExact } from './shared.js'

let sandbox: Sandbox
let chain: EvmChain
let restore: () => Promise<void>
const scheme = () => exactEvm({ chains: [chain] })
const payer = () => privateKeyAccount(sandbox.account('payer').privateKey)
const offer = offerOf()
const now = () => ({ now: Date.now() })

beforeAll(async () => {
  sandbox = await startEvmChain()
  chain = await connect()
  await chain.ready()
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

function connect(options: { readonly rpc?: string; readonly assets?: readonly Asset[] } = {}): Promise<EvmChain> {
  const signers = [sandbox.account('facilitator').privateKey, sandbox.account('facilitator2').privateKey]
  return createEvmChain({ network: network(sandbox.network), rpc: sandbox.rpcUrl, signers, ...options })
}

async function verify(payment: PaymentPayload, terms: PaymentRequirements = offer, by = scheme()): Promise<string> {
  const verdict = await by.verify(payment, terms, now())
  return verdict.ok ? 'ok' : verdict.code
}

/** What the engine does, without its journal. */
async function submit(payment: PaymentPayload, terms: PaymentRequirements = offer, by = scheme(), on = chain) {
  const signer = on.signers[0] ?? ''
  const nonce = await on.nextNonce?.(signer)
  const transaction = await on.sign(await by.prepare(payment, terms), {
    signer,
    ...(nonce === undefined ? {} : { nonce }),
  })
  expect(await on.send(transaction)).toEqual({ status: 'accepted' })
  // A node that mines by itself does so a moment after it has taken a transaction.
  if (await sandbox.client.getAutomine()) {
    await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  }
  return transaction
}

/** The same payment with another signature. */
function resigned(payment: PaymentPayload, change: (signature: Uint8Array) => Uint8Array): PaymentPayload {
  const signature = formatHex(change(parseHex(String(payment.payload.signature))!))
  return { ...payment, payload: { ...payment.payload, signature } }
}

/** Runs out of gas where `GASPRICE` is not zero, and answers with the magic value of ERC-1271 else. */
const YES_WHILE_FREE: Hex = '0x3a601457631626ba7e60e01b60005260206000f35bfe'

/** A contract that pays: it answers for the signatures of its owner. */
const walletAccount = (address: Hex, owner: Hex): EvmAccount => ({
  address,
  signTypedData: (data) => privateKeyToAccount(owner).signTypedData(data),
})

describe('a good payment', () => {
  test('EVM-EXACT-049 EVM-EXACT-061 verifies, settles, and moves exactly the amount', async () => {
    const payment = await pay(offer, payer())
    const seller = sandbox.account('seller').address
    const before = await sandbox.balance(seller)
    expect(await scheme().verify(payment, offer, now())).toEqual({ ok: true, payer: payer().address })
    const sent = await submit(payment)
    expect(await scheme().outcome(payment, offer, [sent])).toEqual({
      status: 'settled',
      transaction: sent.hash,
      logIndex: expect.any(Number),
      blockNumber: expect.any(BigInt),
      blockHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      amount: 1000n,
      fee: expect.any(BigInt),
    })
    expect((await sandbox.balance(seller)) - before).toBe(1000n)
  })

  test('version 1 is the same', async () => {
    const { accepted: _, ...payment } = { ...(await pay(offer, payer())), x402Version: 1 as const }
    expect(await verify(payment)).toBe('ok')
    expect(await scheme().outcome(payment, offer, [await submit(payment)])).toMatchObject({ status: 'settled' })
  })

  test('costs verify one round trip and no eth_getCode', async () => {
    const requests: string[][] = []
    const watching: typeof fetch = (input, init) => {
      requests.push([JSON.parse(String(init?.body))].flat().map(({ method }) => method))
      return fetch(input, init)
    }
    const watched = await createEvmChain({ network: chain.network, rpc: sandbox.rpcUrl, signers: [], fetch: watching })
    await watched.ready()
    const by = exactEvm({ chains: [watched] })
    // The first payment in a token shows what the token does.
    for (const asked of [[['eth_call'], ['eth_simulateV1']], [['eth_call']]]) {
      requests.length = 0
      expect(await verify(await pay(offer, payer()), offer, by)).toBe('ok')
      expect(requests).toEqual(asked)
    }
  })

  test('FAC-065 is served in versions 2 and 1, on the networks of its chains only', async () => {
    const { network } = chain
    expect(scheme().kinds()).toEqual([
      { x402Version: 2, scheme: 'exact', network },
      { x402Version: 1, scheme: 'exact', network },
    ])
    const elsewhere = offerOf({ network: 'eip155:8453' as typeof network })
    expect(await verify(await pay(elsewhere, payer()), elsewhere)).toBe('invalid_network')
  })
})

describe('signatures', () => {
  test('EVM-EXACT-035 any change of what was signed is refused', async () => {
    const payment = await pay(offer, payer())
    const authorization = payment.payload.authorization as Record<string, string>
    const changes = fc.oneof(
      fc.record({ nonce: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(formatHex) }),
      fc.record({ validAfter: fc.integer({ min: 1, max: 1_000_000 }).map(String) }),
      fc.record({
        validBefore: fc
          .integer({ min: -30, max: 30 })
          .filter((by) => by !== 0)
          .map((by) => String(Number(authorization.validBefore) + by)),
      }),
      fc.record({ from: fc.constantFrom(sandbox.account('payer2').address, sandbox.account('seller').address) }),
    )
    await fc.assert(
      fc.asyncProperty(changes, async (changed) => {
        const forged = { ...payment, payload: { ...payment.payload, authorization: { ...authorization, ...changed } } }
        expect(await verify(forged)).toBe('invalid_exact_evm_signature')
      }),
      { numRuns: 20 },
    )
  })

  test('EVM-EXACT-036 EVM-EXACT-037 EVM-EXACT-038 only the canonical form of a key’s signature is taken', async () => {
    const payment = await pay(offer, payer())
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const forms: Record<string, (s: Uint8Array) => Uint8Array> = {
      compact: (s) => s.slice(0, 64),
      long: (s) => Uint8Array.of(...s, 0),
      none: () => new Uint8Array(),
      parity: (s) => Uint8Array.of(...s.slice(0, 64), s[64]! - 27),
      highS: (s) => {
        const high = order - BigInt(formatHex(s.subarray(32, 64)))
        return Uint8Array.of(
          ...s.subarray(0, 32),
          ...parseHex(`0x${high.toString(16).padStart(64, '0')}`)!,
          55 - s[64]!,
        )
      },
    }
    for (const [form, change] of Object.entries(forms)) {
      expect([form, await verify(resigned(payment, change))]).toEqual([form, 'invalid_exact_evm_signature'])
    }
  })

  test('EVM-EXACT-062 EVM-EXACT-039 a contract wallet pays by its own word (ERC-1271), and stops when it changes its mind', async () => {
    const owner = generatePrivateKey()
    const wallet = await deployErc1271Wallet(sandbox, privateKeyToAccount(owner).address)
    await sandbox.fund(wallet, 5_000n)
    const payment = await pay(offer, walletAccount(wallet, owner))
    expect(await verify(payment)).toBe('ok')
    expect(await verify(await pay(offer, walletAccount(wallet, generatePrivateKey())))).toBe(
      'invalid_exact_evm_signature',
    )
    expect(await scheme().outcome(payment, offer, [await submit(payment)])).toMatchObject({ status: 'settled' })

    const second = await pay(offer, walletAccount(wallet, owner))
    await sandbox.setCode(wallet, '0x60006000fd')
    expect(await verify(second)).toBe('invalid_exact_evm_signature')
  })

  test('EVM-EXACT-039 an account with delegated code (EIP-7702) pays if that code knows ERC-1271', async () => {
    await delegate7702(sandbox, sandbox.account('payer').address, await deployErc1271Delegate(sandbox))
    const payment = await pay(offer, payer())
    expect(await verify(payment)).toBe('ok')
    expect(await scheme().outcome(payment, offer, [await submit(payment)])).toMatchObject({ status: 'settled' })

    await delegate7702(sandbox, sandbox.account('payer').address, await deployPlainDelegate(sandbox))
    expect(await verify(await pay(offer, payer()))).toBe('invalid_exact_evm_signature')
  })

  test('EVM-EXACT-074 code that answers yes only while no gas is paid is tried with the gas that will be paid', async () => {
    const wallet: Hex = `0x${'ab'.repeat(20)}`
    await sandbox.setCode(wallet, YES_WHILE_FREE)
    await sandbox.fund(wallet, 5_000n)
    const payment = await pay(offer, walletAccount(wallet, generatePrivateKey()))
    expect(await verify(payment)).toBe('invalid_exact_evm_transaction_simulation_failed')

    // Delegated code is asked even where the key has signed.
    await sandbox.setCode(payer().address, YES_WHILE_FREE)
    const settling = { ...now(), settling: true }
    expect(await scheme().verify(await pay(offer, payer()), offer, settling)).toMatchObject({
      code: 'invalid_exact_evm_transaction_simulation_failed',
    })
  })

  test('EVM-EXACT-075 whose code made a payment fail on chain waits', async () => {
    const owner = generatePrivateKey()
    const wallet = await deployErc1271Wallet(sandbox, privateKeyToAccount(owner).address)
    const code = (await sandbox.client.getCode({ address: wallet })) ?? '0x'
    await sandbox.fund(wallet, 5_000n)
    let later = 0
    const clock = () => Date.now() + later
    const by = exactEvm({ chains: [chain], clock })
    const payment = await pay(offer, walletAccount(wallet, owner))
    expect(await verify(payment, offer, by)).toBe('ok')
    await sandbox.setCode(wallet, '0x60006000fd')
    expect(await by.outcome(payment, offer, [await submit(payment)])).toMatchObject({ status: 'reverted' })
    await sandbox.setCode(wallet, code)
    expect(await verify(payment, offer, by)).toBe('payer_on_hold')
    later = 601_000
    expect(await verify(payment, offer, by)).toBe('ok')
  })

  test('EVM-EXACT-040 an envelope (ERC-6492) is refused for an account without code, its own key’s too', async () => {
    const envelope = (signature: Uint8Array) =>
      parseHex(
        serializeErc6492Signature({ address: sandbox.multicall3, data: '0x12345678', signature: formatHex(signature) }),
      )!
    const payment = await pay(offer, payer())
    expect(await verify(resigned(payment, envelope))).toBe('eip6492_factory_not_allowed')

    // A wallet that exists is asked about what is inside; the factory is never called.
    const owner = generatePrivateKey()
    const wallet = await deployErc1271Wallet(sandbox, privateKeyToAccount(owner).address)
    await sandbox.fund(wallet, 5_000n)
    const wrapped = resigned(await pay(offer, walletAccount(wallet, owner)), envelope)
    expect(await verify(wrapped)).toBe('ok')
    const sent = await submit(wrapped)
    expect(await scheme().outcome(wrapped, offer, [sent])).toMatchObject({ status: 'settled' })
    expect((await sandbox.client.getTransaction({ hash: sent.hash as Hex })).to).toBe(offer.asset.toLowerCase())
  })

  test('EVM-EXACT-053 a wallet that burns gas burns no more than a settlement may', async () => {
    const wallet = parseAddress(`0x${'77'.repeat(20)}`)!
    await sandbox.fund(wallet, 5_000n)
    await sandbox.setCode(wallet, '0x5b600056')
    expect(await verify(await pay(offer, walletAccount(wallet, generatePrivateKey())))).toBe(
      'invalid_exact_evm_signature',
    )
  })
})

test('SEC-031 the money that is for gas pays for nothing, though its own key signed', async () => {
  const own = privateKeyAccount(sandbox.account('facilitator').privateKey)
  expect(await verify(await pay(offer, own))).toBe('payer_is_facilitator')
})

describe('the payer’s means', () => {
  test('EVM-EXACT-048 too little money', async () => {
    const poor = privateKeyAccount(generatePrivateKey())
    expect(await verify(await pay(offer, poor))).toBe('invalid_exact_evm_insufficient_balance')
    await sandbox.fund(poor.address, 1_000n)
    expect(await verify(await pay(offer, poor))).toBe('ok')
  })

  test('EVM-EXACT-047 a used nonce', async () => {
    const payment = await pay(offer, payer())
    await submit(payment)
    expect(await verify(payment)).toBe('invalid_exact_evm_nonce_already_used')
  })

  test('EVM-EXACT-049 a transfer that the token forbids', async () => {
    const payment = await pay(offer, payer())
    const token = { address: sandbox.usdc, abi: usdcAbi, account: sandbox.account('issuer').address } as const
    await sandbox.client.impersonateAccount({ address: token.account })
    const hash = await sandbox.client.writeContract({
      ...token,
      functionName: 'blacklist',
      args: [sandbox.account('seller').address],
    })
    await sandbox.client.waitForTransactionReceipt({ hash })
    expect(await verify(payment)).toBe('invalid_exact_evm_transaction_simulation_failed')
  })

  test('EVM-EXACT-043 a window that has passed on chain, whatever our clock says', async () => {
    const payment = await pay(offer, payer())
    await sandbox.warp(600)
    expect(await verify(payment)).toBe('invalid_exact_evm_payload_authorization_valid_before')
  })

  test('EVM-EXACT-044 a window that opened after the newest block of an idle chain is open in the next one', async () => {
    const { timestamp } = await chain.rpc.latestBlock()
    while (Date.now() < 1000 * (Number(timestamp) + 1)) await new Promise((resolve) => setTimeout(resolve, 50))
    const payment = await pay(offer, payer())
    const read = readExact(payment, offer)
    if (!read.ok) throw new TypeError(read.code)
    const late = { ...read.authorization, validAfter: timestamp }
    const signature = formatHex(await payer().signDigest(authorizationDigest(chain.engine, read.domain, late)))
    const authorization = { ...(payment.payload.authorization as object), validAfter: timestamp.toString() }
    expect(await verify({ ...payment, payload: { signature, authorization } })).toBe('ok')
  })
})

describe('tokens', () => {
  const at = (address: Address, domain = { name: 'USDC', version: '2' }): Asset => ({
    ...assetByTicker(offer.network, 'USD')!,
    address,
    domain,
  })
  const strange = parseAddress(`0x${'55'.repeat(20)}`)!
  const terms = { ...offer, asset: strange }
  const payStrange = () => pay(terms, payer(), { assets: [at(strange)] })

  test('EVM-EXACT-054 a token that nobody allowed is refused unasked', async () => {
    const payment = await payStrange()
    expect(await verify(payment, terms)).toBe('asset_not_allowed')
    // Another may have settled it.
    expect(scheme().inspect(payment, terms, now())).toMatchObject({ code: 'asset_not_allowed', late: { ok: true } })
  })

  test('EVM-EXACT-004 an offer that names another domain than the token’s is refused unasked', async () => {
    const named = { ...offer, extra: { ...offer.extra, name: 'USD Coin' } }
    expect(await verify(await pay(offer, payer()), named)).toBe('invalid_exact_evm_token_name_mismatch')
    const versioned = { ...offer, extra: { ...offer.extra, version: '1' } }
    expect(await verify(await pay(offer, payer()), versioned)).toBe('invalid_exact_evm_token_version_mismatch')
  })

  test('a list of tokens that the chain contradicts fails at start', async () => {
    const misnamed = await connect({ assets: [at(parseAddress(sandbox.usdc)!, { name: 'USD Coin', version: '2' })] })
    await expect(misnamed.ready()).rejects.toMatchObject({ code: 'domain_mismatch' })
    const absent = await connect({ assets: [at(strange)] })
    await expect(absent.ready()).rejects.toMatchObject({ code: 'asset_not_deployed_contract' })
  })

  test.each([
    ['EVM-EXACT-046 is not there', '0x', 'asset_not_deployed_contract'],
    ['knows no EIP-3009', '0x60006000fd', 'invalid_exact_evm_eip3009_not_supported'],
    [
      'EVM-EXACT-047 lets a used nonce pass in silence',
      '0x600160005260206000f3',
      'invalid_exact_evm_nonce_already_used',
    ],
  ] as const)('a token that %s', async (_name, code, expected) => {
    await sandbox.setCode(strange, code)
    const lying = await connect({ assets: [at(strange)] })
    expect(await verify(await payStrange(), terms, exactEvm({ chains: [lying] }))).toBe(expected)
  })

  test('EVM-EXACT-063 a token that agrees to everything and moves nothing is found out', async () => {
    await sandbox.setCode(strange, '0x600060005260206000f3')
    const lying = await connect({ assets: [at(strange)] })
    const by = exactEvm({ chains: [lying] })
    const payment = await payStrange()
    const sent = await submit(payment, terms, by, lying)
    expect(await by.outcome(payment, terms, [sent])).toEqual({
      status: 'reverted',
      transaction: sent.hash,
      blockNumber: expect.any(BigInt),
      refusal: { ok: false, code: 'invalid_exact_evm_transfer_event_mismatch' },
    })
  })
})

describe('EVM-EXACT-050 a chain that cannot be asked is no verdict', () => {
  const failures: readonly (readonly [string, RpcFault])[] = [
    ['is overloaded', { action: 'status', status: 503 }],
    ['hangs up', { action: 'drop' }],
    ['is over its limit', { action: 'error', code: -32005, message: 'limit exceeded' }],
    ['lags behind', { action: 'error', code: -32000, message: 'header not found' }],
  ]
  test.each(failures)('when the node %s', async (_name, fault) => {
    const proxy = await startRpcProxy({ target: sandbox.rpcUrl })
    try {
      const by = exactEvm({ chains: [await connect({ rpc: proxy.url })] })
      const payment = await pay(offer, payer())
      expect(await verify(payment, offer, by)).toBe('ok')
      for (const method of ['eth_call', 'eth_getCode']) {
        const heal = proxy.use({ method, fault })
        const forged = resigned(payment, (signature) => signature.fill(1))
        const error = await by.verify(forged, offer, now()).catch((reason: unknown) => reason)
        expect(error).toMatchObject({ name: 'X402Error', code: 'rpc_unreachable' })
        heal()
      }
      expect(await verify(payment, offer, by)).toBe('ok')
    } finally {
      await proxy.stop()
    }
  })

  test('one passing failure is not even seen', async () => {
    const rules = [{ method: 'eth_call', nth: 1, fault: { action: 'status', status: 503 } }] as const
    const proxy = await startRpcProxy({ target: sandbox.rpcUrl, rules })
    try {
      const by = exactEvm({ chains: [await connect({ rpc: proxy.url })] })
      expect(await verify(await pay(offer, payer()), offer, by)).toBe('ok')
    } finally {
      await proxy.stop()
    }
  })
})
