import { type Asset, network, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import {
  delegate7702,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployHostileToken,
  deployPlainDelegate,
  type EvmChain as Sandbox,
  startEvmChain,
  usdcAbi,
} from '@groat/sandbox'
import { maxUint256, serializeErc6492Signature } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { offerOf, pay, payUpto, uptoOfferOf } from '../../testing/payments.js'
import { type EvmAccount, privateKeyAccount } from '../account.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { exactEvm } from '../exact/facilitator.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import { uptoEvm } from './facilitator.js'

let sandbox: Sandbox
let chain: EvmChain
let restore: () => Promise<void>
let scheme: ReturnType<typeof uptoEvm>
const payer = () => privateKeyAccount(sandbox.account('payer').privateKey)
const offer = uptoOfferOf()
const now = () => ({ now: Date.now() })
const settling = () => ({ ...now(), settling: true })
/** Answers with the magic value of ERC-1271; the second runs out of gas where `GASPRICE` is not zero. */
const YES_ALWAYS: Hex = '0x631626ba7e60e01b60005260206000f3'
const YES_WHILE_FREE: Hex = '0x3a601457631626ba7e60e01b60005260206000f35bfe'
/** The terms of a settlement: what is charged of the ceiling. */
const charging = (amount: bigint, terms = offer): PaymentRequirements => ({ ...terms, amount })

beforeAll(async () => {
  sandbox = await startEvmChain()
  chain = await connect()
  await chain.ready()
  await allow(sandbox.account('payer').address)
  restore = await sandbox.snapshot()
})
beforeEach(async () => {
  await restore()
  scheme = uptoEvm({ chains: [chain] })
})
afterAll(() => sandbox?.stop())

const allow = (owner: Hex, amount = maxUint256, token: Hex = sandbox.usdc) =>
  sandbox.client
    .sendUnsignedTransaction({ from: owner, to: token, data: approval(amount) })
    .then((hash) => sandbox.client.waitForTransactionReceipt({ hash }))
const approval = (amount: bigint): Hex =>
  `0x095ea7b3${sandbox.permit2.slice(2).toLowerCase().padStart(64, '0')}${amount.toString(16).padStart(64, '0')}`

function connect(
  options: { readonly assets?: readonly Asset[]; readonly fetch?: typeof fetch } = {},
): Promise<EvmChain> {
  const signers = [sandbox.account('facilitator').privateKey, sandbox.account('facilitator2').privateKey]
  return createEvmChain({ network: network(sandbox.network), rpc: sandbox.rpcUrl, signers, ...options })
}

async function verify(payment: PaymentPayload, terms = offer, by = scheme): Promise<string> {
  const verdict = await by.verify(payment, terms, now())
  return verdict.ok ? 'ok' : verdict.code
}

async function verifyCharge(payment: PaymentPayload, amount: bigint, by = scheme): Promise<string> {
  const verdict = await by.verify(payment, charging(amount), settling())
  return verdict.ok ? 'ok' : verdict.code
}

/** What the engine does, without its journal. */
async function submit(payment: PaymentPayload, terms: PaymentRequirements, by = scheme, on = chain) {
  const signer = by.signerOf?.(payment, terms) ?? on.signers[0] ?? ''
  const nonce = await on.nextNonce?.(signer)
  const call = await by.prepare(payment, terms)
  if (call === undefined) throw new TypeError('nothing to send')
  const transaction = await on.sign(call, { signer, ...(nonce === undefined ? {} : { nonce }) })
  expect(await on.send(transaction)).toEqual({ status: 'accepted' })
  await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  return transaction
}

/** The same payment with another signature. */
function resigned(payment: PaymentPayload, change: (signature: Uint8Array) => Uint8Array): PaymentPayload {
  const signature = formatHex(change(parseHex(String(payment.payload.signature))!))
  return { ...payment, payload: { ...payment.payload, signature } }
}

const walletAccount = (address: Hex, owner: Hex): EvmAccount => ({
  address,
  signTypedData: (data) => privateKeyToAccount(owner).signTypedData(data),
})

async function takeBack(payment: PaymentPayload): Promise<void> {
  const { nonce } = payment.payload.permit2Authorization as { nonce: string }
  const hash = await sandbox.client.writeContract({
    ...sandbox.contracts.permit2,
    account: privateKeyToAccount(sandbox.account('payer').privateKey),
    chain: null,
    functionName: 'invalidateUnorderedNonces',
    args: [BigInt(nonce) >> 8n, 1n << (BigInt(nonce) & 255n)],
  })
  await sandbox.client.waitForTransactionReceipt({ hash })
}

describe('a good payment', () => {
  test('EVM-UPTO-043 EVM-UPTO-051 EVM-UPTO-052 is verified for its ceiling and moves what is charged', async () => {
    const payment = await payUpto(offer, payer())
    const seller = sandbox.account('seller').address
    const before = await sandbox.balance(seller)
    expect(await scheme.verify(payment, offer, now())).toEqual({ ok: true, payer: payer().address })
    const terms = charging(12_345n)
    expect(await scheme.verify(payment, terms, settling())).toEqual({ ok: true, payer: payer().address })
    const sent = await submit(payment, terms)
    expect(await scheme.outcome(payment, terms, [sent])).toEqual({
      status: 'settled',
      transaction: sent.hash,
      logIndex: expect.any(Number),
      blockNumber: expect.any(BigInt),
      blockHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      amount: 12_345n,
      fee: expect.any(BigInt),
    })
    expect((await sandbox.balance(seller)) - before).toBe(12_345n)
    expect(await verifyCharge(payment, 12_345n)).toBe('permit2_invalid_nonce')
    expect(await verify(payment)).toBe('permit2_invalid_nonce')
  })

  test("EVM-UPTO-054 a charge of nothing needs no transaction, only the payer's signature", async () => {
    const payment = await payUpto(offer, payer())
    expect(await verifyCharge(payment, 0n)).toBe('ok')
    expect(await scheme.prepare(payment, charging(0n))).toBeUndefined()
    const forged = resigned(payment, (signature) => signature.fill(7, 0, 32))
    expect(await verifyCharge(forged, 0n)).toBe('invalid_permit2_signature')
  })

  test('EVM-UPTO-042 EVM-UPTO-044 is settled by the account that it names, and simulated as that one', async () => {
    const theirs = uptoOfferOf({ facilitator: sandbox.account('facilitator2').address })
    const payment = await payUpto(theirs, payer())
    expect(await verify(payment, theirs)).toBe('ok')
    expect(scheme.signerOf?.(payment, theirs)).toBe(sandbox.account('facilitator2').address)
    const terms = charging(1n, theirs)
    expect(await scheme.outcome(payment, terms, [await submit(payment, terms)])).toMatchObject({ status: 'settled' })
    const foreign = uptoOfferOf({ facilitator: sandbox.account('payer5').address })
    expect(await verify(await payUpto(foreign, payer()), foreign)).toBe('upto_facilitator_mismatch')
  })

  test('EVM-UPTO-001 names the first signer as the one who settles', () => {
    expect(scheme.kinds()).toEqual([
      {
        x402Version: 2,
        scheme: 'upto',
        network: chain.network,
        extra: { facilitatorAddress: sandbox.account('facilitator').address },
      },
    ])
  })

  test('costs no more calls than an exact one', async () => {
    const asked: string[] = []
    const watching: typeof fetch = (input, init) => {
      asked.push(...[JSON.parse(String(init?.body))].flat().map(({ method }) => method))
      return fetch(input, init)
    }
    const watched = await connect({ fetch: watching })
    await watched.ready()
    const upto = uptoEvm({ chains: [watched] })
    const exact = exactEvm({ chains: [watched] })
    const exactOffer = offerOf()

    /** What a half asks for one payment: verify, verify again, look. Signing and sending are the chain's, and the same for all. */
    async function callsOf(by: typeof upto | typeof exact, payment: PaymentPayload, terms: PaymentRequirements) {
      asked.length = 0
      expect(await verify(payment, payment.accepted, by)).toBe('ok')
      expect(await by.verify(payment, terms, settling())).toMatchObject({ ok: true })
      const sent = await submit(payment, terms, by)
      expect(await by.outcome(payment, terms, [sent])).toMatchObject({ status: 'settled' })
      return asked.length
    }
    // The first of a kind asks once whether the contracts are there.
    await callsOf(upto, await payUpto(offer, payer()), charging(1n))
    const [forUpto, forExact] = [
      await callsOf(upto, await payUpto(offer, payer()), charging(1n)),
      await callsOf(exact, await pay(exactOffer, payer()), exactOffer),
    ]
    expect(forUpto).toBeLessThanOrEqual(forExact)
  })
})

describe('signatures', () => {
  test("EVM-UPTO-047 only the one canonical form of a key's signature counts", async () => {
    const payment = await payUpto(offer, payer())
    const order = BigInt('0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141')
    const highS = (signature: Uint8Array) => {
      const s = order - BigInt(formatHex(signature.subarray(32, 64)))
      signature.set(parseHex(`0x${s.toString(16).padStart(64, '0')}`)!, 32)
      signature[64] = 55 - (signature[64] ?? 0)
      return signature
    }
    const bareV = (signature: Uint8Array) => {
      signature[64] = (signature[64] ?? 0) - 27
      return signature
    }
    const compact = (signature: Uint8Array) => {
      const short = signature.slice(0, 64)
      if (signature[64] === 28) short[32] = (short[32] ?? 0) | 0x80
      return short
    }
    for (const change of [highS, bareV, compact, () => new Uint8Array(), (s: Uint8Array) => s.fill(7, 0, 32)]) {
      expect(await verify(resigned(payment, change))).toBe('invalid_permit2_signature')
      expect(await verifyCharge(resigned(payment, change), 1n)).toBe('invalid_permit2_signature')
    }
  })

  test('EVM-UPTO-048 a contract wallet pays by ERC-1271, delegated code by its own rule, and one that is not there not at all', async () => {
    const owner = sandbox.account('payer').privateKey
    const wallet = await deployErc1271Wallet(sandbox, sandbox.account('payer').address)
    await sandbox.fund(wallet, 1_000_000n)
    await sandbox.client.impersonateAccount({ address: wallet })
    await sandbox.client.setBalance({ address: wallet, value: 10n ** 18n })
    await allow(wallet)
    const byWallet = await payUpto(offer, walletAccount(wallet, owner))
    expect(await verify(byWallet)).toBe('ok')
    const terms = charging(777n)
    expect(await scheme.outcome(byWallet, terms, [await submit(byWallet, terms)])).toMatchObject({ status: 'settled' })
    expect(await verify(resigned(await payUpto(offer, walletAccount(wallet, owner)), (s) => s.fill(7, 0, 32)))).toBe(
      'invalid_permit2_signature',
    )

    await delegate7702(sandbox, payer().address, await deployErc1271Delegate(sandbox))
    expect(await verify(await payUpto(offer, payer()))).toBe('ok')
    await delegate7702(sandbox, payer().address, await deployPlainDelegate(sandbox))
    expect(await verify(await payUpto(offer, payer()))).toBe('invalid_permit2_signature')
  })

  test('EVM-UPTO-048 no factory is ever called for a wallet that is not there', async () => {
    const ghost: Hex = `0x${'9'.repeat(40)}`
    const payment = await payUpto(offer, walletAccount(ghost, sandbox.account('payer').privateKey))
    const wrapped = serializeErc6492Signature({
      address: sandbox.multicall3,
      data: '0x1234',
      signature: payment.payload.signature as Hex,
    })
    expect(await verify(resigned(payment, () => parseHex(wrapped)!))).toBe('invalid_permit2_signature')
  })
})

describe('a payer without means', () => {
  test('EVM-UPTO-049 no allowance, no balance, no nonce, no contract: each has its code', async () => {
    const payment = await payUpto(offer, payer())
    const back = await sandbox.snapshot()
    await allow(payer().address, 49_999n)
    expect(await verify(payment)).toBe('permit2_allowance_required')
    expect(await verifyCharge(payment, 49_999n)).toBe('ok')
    await back()
    const rich = uptoOfferOf({ amount: 1_000_000_001n })
    expect(await verify(await payUpto(rich, payer()), rich)).toBe('permit2_insufficient_balance')
    await takeBack(payment)
    expect(await verify(payment)).toBe('permit2_invalid_nonce')
    await sandbox.setCode(sandbox.contracts.x402UptoPermit2Proxy.address, '0x')
    const fresh = uptoEvm({ chains: [await connect()] })
    expect(await verify(await payUpto(offer, payer()), offer, fresh)).toBe('permit2_proxy_not_deployed')
  })

  test('EVM-UPTO-045 EVM-UPTO-046 ceilings that are open count against balance and allowance together', async () => {
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => payUpto(offer, payer())))
    await allow(payer().address, 100_000n)
    expect(await Promise.all([first, second, third].map((payment) => verify(payment!)))).toEqual(
      expect.arrayContaining(['ok', 'ok', 'upto_exposure_exceeded']),
    )
    scheme = uptoEvm({ chains: [chain] })
    expect([await verify(first!), await verify(second!), await verify(first!)]).toEqual(['ok', 'ok', 'ok'])
    expect(await verify(third!)).toBe('upto_exposure_exceeded')
    // What is charged frees the rest, and what is settled frees all: the allowance went down with it.
    expect(await verifyCharge(first!, 10_000n)).toBe('ok')
    expect(await verify(third!)).toBe('upto_exposure_exceeded')
    const sent = await submit(first!, charging(10_000n))
    await scheme.outcome(first!, charging(10_000n), [sent])
    expect(await verify(third!)).toBe('upto_exposure_exceeded')
    expect(await verifyCharge(second!, 0n)).toBe('ok')
    expect(await verify(third!)).toBe('ok')
  })

  test('EVM-UPTO-045 forgeries are no exposure, and a payer has a bounded number of open payments', async () => {
    await allow(payer().address, 50_000n)
    const payment = await payUpto(offer, payer())
    const forged = resigned(await payUpto(offer, payer()), (signature) => signature.fill(7, 0, 32))
    expect([await verify(forged), await verify(payment)]).toEqual(['invalid_permit2_signature', 'ok'])
    const strict = uptoEvm({ chains: [chain], maxOpen: 1 })
    await allow(payer().address)
    expect(await verify(payment, offer, strict)).toBe('ok')
    expect(await verify(await payUpto(offer, payer()), offer, strict)).toBe('upto_exposure_exceeded')
  })

  test('EVM-EXACT-074 code that answers yes only while no gas is paid is tried with the gas that will be paid', async () => {
    await sandbox.setCode(payer().address, YES_WHILE_FREE)
    expect(await verifyCharge(await payUpto(offer, payer()), 5n)).toBe('permit2_simulation_failed')
    // What no key has signed, only code can answer for: it is asked at once.
    const byCode = resigned(await payUpto(offer, payer()), (signature) => signature.fill(7, 0, 32))
    expect(await verify(byCode)).toBe('permit2_simulation_failed')
  })

  test('EVM-EXACT-075 whose code made a settlement fail on chain waits, and it is not tried again', async () => {
    await sandbox.setCode(payer().address, YES_ALWAYS)
    const [payment, open] = [await payUpto(offer, payer()), await payUpto(offer, payer())]
    expect([await verify(payment), await verify(open)]).toEqual(['ok', 'ok'])
    await sandbox.setCode(payer().address, '0x60006000fd')
    const sent = await submit(payment, charging(5n))
    expect(await scheme.outcome(payment, charging(5n), [sent])).toMatchObject({ status: 'reverted' })
    await sandbox.setCode(payer().address, YES_ALWAYS)
    expect([await verifyCharge(payment, 5n), await verify(await payUpto(offer, payer()))]).toEqual([
      'payer_on_hold',
      'payer_on_hold',
    ])
    expect(await verifyCharge(open, 5n)).toBe('ok')
  })

  test('the facilitator pays nobody for itself', async () => {
    const self = privateKeyAccount(sandbox.account('facilitator2').privateKey)
    expect(await verify(await payUpto(offer, self))).toBe('payer_is_facilitator')
  })
})

describe('what the chain says', () => {
  test('EVM-UPTO-053 a settlement that was included and failed is no settlement; one that never was dies with its time', async () => {
    const payment = await payUpto(offer, payer())
    const terms = charging(5n)
    await takeBack(payment)
    const sent = await submit(payment, terms)
    expect(await scheme.outcome(payment, terms, [sent])).toEqual({
      status: 'reverted',
      transaction: sent.hash,
      blockNumber: expect.any(BigInt),
      refusal: { ok: false, code: 'permit2_invalid_nonce' },
    })
    expect(await scheme.outcome(payment, terms, [])).toEqual({ status: 'pending' })
    await sandbox.client.setNextBlockTimestamp({ timestamp: BigInt(Math.floor(Date.now() / 1000) + 200) })
    await sandbox.mine()
    expect(await scheme.outcome(payment, terms, [])).toMatchObject({
      status: 'dead',
      refusal: { code: 'permit2_invalid_nonce' },
    })
    const other = await payUpto(offer, payer())
    expect(await scheme.outcome(other, terms, [])).toMatchObject({
      status: 'dead',
      refusal: { code: 'payment_expired' },
    })
  })

  test('EVM-UPTO-056 a node that has the state and not the receipt buries no settlement', async () => {
    const payment = await payUpto(offer, payer())
    const terms = charging(5n)
    const sent = await submit(payment, terms)
    await sandbox.client.setNextBlockTimestamp({ timestamp: BigInt(Math.floor(Date.now() / 1000) + 200) })
    await sandbox.mine()
    const forgetful: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (!String(init?.body).includes('eth_getTransactionReceipt')) return response
      const { jsonrpc, id } = (await response.json()) as { jsonrpc: string; id: number }
      return Response.json({ jsonrpc, id, result: null })
    }
    const by = uptoEvm({ chains: [await connect({ fetch: forgetful })] })
    await by.chains[0]?.ready()
    await expect(by.outcome(payment, terms, [sent])).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
    expect(await scheme.outcome(payment, terms, [sent])).toMatchObject({ status: 'settled', transaction: sent.hash })
  })

  test.each(['fee-on-transfer', 'lying-log', 'no-log', 'returns-false', 'paused', 'burns-gas'] as const)(
    'EVM-UPTO-052 a token with %s settles nothing that it does not log',
    async (conduct) => {
      const token = await deployHostileToken(sandbox)
      await token.mint(payer().address, 1_000_000n)
      await allow(payer().address, maxUint256, token.address)
      const asset: Asset = {
        network: chain.network,
        symbol: 'BAD',
        address: token.address,
        decimals: 6,
        transfer: 'permit2',
      } as Asset
      const on = await connect({ assets: [asset] })
      const by = uptoEvm({ chains: [on] })
      const bad = uptoOfferOf({ asset })
      const payment = await payUpto(bad, payer(), { assets: [asset] })
      expect(await verify(payment, bad, by)).toBe('ok')
      await token.misbehave(conduct)
      const terms = charging(10_000n, bad)
      const before = await balance(token.address)
      const outcome = await by.outcome(payment, terms, [await submit(payment, terms, by, on)])
      const moved = (await balance(token.address)) - before
      // A log is the token's word: one that lies is why tokens have to be listed.
      if (conduct === 'lying-log') expect([outcome.status, moved]).toEqual(['settled', 0n])
      else expect(outcome.status).toBe('reverted')
    },
  )

  const balance = (token: Hex) =>
    sandbox.client.readContract({
      address: token,
      abi: usdcAbi,
      functionName: 'balanceOf',
      args: [sandbox.account('seller').address],
    })

  test('a token that is not listed is refused', async () => {
    const token = await deployHostileToken(sandbox)
    const asset = {
      network: chain.network,
      symbol: 'BAD',
      address: token.address,
      decimals: 6,
      transfer: 'permit2',
    } as Asset
    const bad = uptoOfferOf({ asset })
    expect(await verify(await payUpto(bad, payer(), { assets: [asset] }), bad)).toBe('asset_not_allowed')
  })
})
