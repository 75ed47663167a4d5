import {
  type Facilitator,
  type FacilitatorRequest,
  type JsonObject,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  type SchemeFacilitator,
  type Settlement,
} from '@groat/core'
import {
  delegate7702,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployWalletFactory,
  type EvmChain as Sandbox,
  startEvmChain,
} from '@groat/sandbox'
import { openMemoryStore, type Store } from '@groat/store'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AUTHORIZER, AUTHORIZER_KEY, holdOffer, payHold } from '../../testing/auth-capture.js'
import { FACILITATOR, PAYER, SELLER } from '../../testing/payments.js'
import { approvePermit2 } from '../../testing/permit2.js'
import { encodeCall } from '../abi.js'
import { type EvmAccount, privateKeyAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { createEvmChain, type EvmCall, type EvmChain } from '../chain.js'
import { type Captures, createCaptures, type HoldMove } from './captures.js'
import { reclaimCall } from './client.js'
import { type AuthCaptureEvmFacilitatorOptions, authCaptureEvm } from './facilitator.js'
import { AUTH_CAPTURE_ESCROW, NOBODY, OPERATOR_REFUND_COLLECTOR } from './identity.js'
import { readCollect } from './shared.js'

let sandbox: Sandbox
let chain: EvmChain
let store: Store<object>
let captures: Captures
let inner: Facilitator
let scheme: SchemeFacilitator<EvmCall>
let restore: () => Promise<void>
let lost = false
const now = () => ({ now: Date.now() })
const payer = () => privateKeyAccount(sandbox.account('payer').privateKey)
const authorizer = privateKeyAccount(AUTHORIZER_KEY)
const byPermit2 = { assetTransferMethod: 'permit2' }

beforeAll(async () => {
  sandbox = await startEvmChain()
  const signers = [sandbox.account('facilitator').privateKey]
  chain = await createEvmChain({ network: network(sandbox.network), rpc: sandbox.rpcUrl, signers })
  await chain.ready()
  restore = await sandbox.snapshot()
})
beforeEach(async () => {
  await restore()
  lost = false
  store = await openMemoryStore()
  await settleBy({})
})
afterEach(() => store.close())
afterAll(() => sandbox?.stop())

async function settleBy(options: Partial<AuthCaptureEvmFacilitatorOptions>): Promise<void> {
  scheme = authCaptureEvm({ chains: [chain], ...options })
  inner = facilitatorOf(scheme)
  captures = await createCaptures(store, { facilitator: inner, authorizer })
}

/** What the engine does, without its journal: each payment once. It answers nothing while `lost`. */
function facilitatorOf(by: SchemeFacilitator<EvmCall>): Facilitator {
  const known = new Map<string, Promise<Settlement>>()

  async function settle({ payment, requirements }: FacilitatorRequest, payerOf: string): Promise<Settlement> {
    const verdict = await by.verify(payment, requirements, { ...now(), settling: true })
    if (!verdict.ok) return { status: 'refused', code: verdict.code }
    const outcome = await by.outcome(payment, requirements, [await submit(payment, requirements, by)])
    if (outcome.status !== 'settled') return { status: 'refused', code: 'unexpected_settle_error' }
    const { transaction, amount } = outcome
    return { status: 'settled', receipt: { payer: payerOf, network: requirements.network, transaction, amount } }
  }

  return {
    verify: async ({ payment, requirements }) => by.verify(payment, requirements, now()),
    async settle(request) {
      const inspected = by.inspect(request.payment, request.requirements, { ...now(), settling: true })
      if (!inspected.ok) return { status: 'refused', code: inspected.code }
      const settlement = known.get(inspected.pid) ?? settle(request, inspected.payer)
      known.set(inspected.pid, settlement)
      if ((await settlement).status === 'refused') known.delete(inspected.pid)
      return lost ? { status: 'unknown', retryAfter: 1 } : settlement
    },
    settlement: async (pid) => known.get(pid),
    supported: async () => ({ kinds: by.kinds(), extensions: [], signers: {} }),
  }
}

/** Captures whose facilitator writes down what it is asked, and does not answer. */
async function listening() {
  const asked: PaymentPayload[] = []
  const settle: Facilitator['settle'] = async ({ payment }) => {
    asked.push(payment)
    return { status: 'unknown', retryAfter: 1 }
  }
  return { asked, captures: await createCaptures(store, { facilitator: { ...inner, settle }, authorizer }) }
}

async function submit(payment: PaymentPayload, terms: PaymentRequirements, by = scheme) {
  const signer = by.signerOf?.(payment, terms) ?? ''
  const call = await by.prepare(payment, terms)
  const transaction = await chain.sign(call!, { signer, nonce: (await chain.nextNonce?.(signer)) ?? 0n })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  return transaction
}

const shortOf = (code: string) => code.replace('invalid_auth_capture_evm_', '…')
async function verify(payment: PaymentPayload, terms: PaymentRequirements, settling = false): Promise<string> {
  const verdict = await scheme.verify(payment, terms, { ...now(), settling })
  return verdict.ok ? 'ok' : shortOf(verdict.code)
}
const answerOf = async (settlement: Promise<Settlement>) => {
  const answer = await settlement
  return answer.status === 'settled'
    ? answer.receipt.amount
    : answer.status === 'refused'
      ? shortOf(answer.code)
      : answer.status
}

async function purses() {
  const of = (address: Hex) => sandbox.balance(address)
  const [buyer, seller, operator] = await Promise.all([of(PAYER), of(SELLER as Hex), of(FACILITATOR as Hex)])
  return { buyer, seller, operator }
}
/** What changed hands, in atomic units. */
async function moved(act: () => Promise<unknown>) {
  const before = await purses()
  await act()
  const after = await purses()
  return {
    buyer: after.buyer - before.buyer,
    seller: after.seller - before.seller,
    operator: after.operator - before.operator,
  }
}

async function send(transaction: { from: Hex; to: Hex; data: Hex }): Promise<void> {
  const hash = await sandbox.client.sendUnsignedTransaction(transaction)
  await sandbox.client.waitForTransactionReceipt({ hash })
}

/** A payment that is held. */
async function held(offer = holdOffer()): Promise<{ pid: Pid; payment: PaymentPayload; offer: PaymentRequirements }> {
  const payment = await payHold(offer, payer())
  const read = readCollect(payment, offer)
  if (!read.ok) throw new TypeError(read.code)
  expect(await captures.facilitator.settle({ payment, requirements: offer })).toMatchObject({ status: 'settled' })
  return { pid: read.pid, payment, offer }
}

const withPayload = (payment: PaymentPayload, change: JsonObject): PaymentPayload => ({
  ...payment,
  payload: { ...payment.payload, ...change },
})

describe('a hold', () => {
  test.each(['eip3009', 'permit2'])(
    'EVM-CAPTURE-001 EVM-CAPTURE-051 EVM-CAPTURE-053 EVM-CAPTURE-065 by %s is collected in full, captured in parts, and the rest is let go',
    async (method) => {
      if (method === 'permit2') await approvePermit2(sandbox, PAYER, sandbox.usdc)
      expect(scheme.kinds()).toEqual([
        { x402Version: 2, scheme: 'auth-capture', network: chain.network, extra: { captureAuthorizer: FACILITATOR } },
      ])
      const offer = holdOffer({}, { assetTransferMethod: method })
      const payment = await payHold(offer, payer())
      expect(await scheme.verify(payment, offer, now())).toEqual({ ok: true, payer: PAYER })
      const holds: Pid[] = []
      expect(await moved(async () => holds.push((await held(offer)).pid))).toEqual({
        buyer: -10_000n,
        seller: 0n,
        operator: 0n,
      })
      const pid = holds[0]!
      expect(await captures.hold(pid)).toMatchObject({
        state: 'collected',
        capturable: 10_000n,
        refundable: 0n,
        amount: 10_000n,
      })
      expect(await moved(async () => expect(await answerOf(captures.capture(pid, 6_000n))).toBe(6_000n))).toEqual({
        buyer: 0n,
        seller: 6_000n,
        operator: 0n,
      })
      expect(await answerOf(captures.capture(pid, 1_000n))).toBe(1_000n)
      expect(await moved(async () => expect(await answerOf(captures.void(pid))).toBe(3_000n))).toEqual({
        buyer: 3_000n,
        seller: 0n,
        operator: 0n,
      })
      expect(await captures.hold(pid)).toMatchObject({ capturable: 0n, refundable: 7_000n })
      expect([await answerOf(captures.capture(pid)), await answerOf(captures.void(pid))]).toEqual([
        '…zero_authorization',
        '…zero_authorization',
      ])
      expect(await captures.open(10)).toEqual([])
    },
  )

  test('EVM-CAPTURE-052 in the flow authorization is paid out at once, by the seller’s word', async () => {
    const offer = holdOffer({ flow: 'authorization' })
    const payment = await payHold(offer, payer())
    const request = { payment, requirements: offer }
    expect([await verify(payment, offer), await verify(payment, offer, true)]).toEqual(['ok', '…authorizer_signature'])
    const change = await moved(async () => expect(await answerOf(captures.facilitator.settle(request))).toBe(10_000n))
    expect(change).toEqual({ buyer: -10_000n, seller: 10_000n, operator: 0n })
    const read = readCollect(payment, offer)
    const pid = read.ok ? read.pid : ('' as Pid)
    expect(await captures.hold(pid)).toMatchObject({ capturable: 0n, refundable: 10_000n })
    expect(await answerOf(captures.facilitator.settle(request))).toBe(10_000n)
  })

  test('EVM-CAPTURE-002 of a facilitator that takes a fee pays it out of the seller’s part', async () => {
    await settleBy({ fee: { bps: 100, recipient: FACILITATOR } })
    const [kind] = scheme.kinds()
    const fees = { minFeeBps: 100, maxFeeBps: 100, feeRecipient: FACILITATOR }
    expect(kind?.extra).toEqual({ captureAuthorizer: FACILITATOR, ...fees })
    const { pid } = await held(holdOffer({}, fees))
    expect(await moved(() => captures.capture(pid))).toEqual({ buyer: 0n, seller: 9_900n, operator: 100n })
    const without = holdOffer()
    expect(await verify(await payHold(without, payer()), without)).toBe('…extra')
    for (const bps of [0, 1.5, 10_001]) {
      expect(() => authCaptureEvm({ chains: [chain], fee: { bps, recipient: FACILITATOR } })).toThrow('invalid_config')
    }
  })

  test('EVM-CAPTURE-064 is refunded only by agreement, out of the operator’s own money', async () => {
    const { pid } = await held()
    await captures.capture(pid)
    expect(await answerOf(captures.refund(pid, 4_000n))).toBe('…refund_funding_unavailable')
    await settleBy({ mayRefund: ({ amount }) => amount <= 5_000n })
    // Agreed, and still nothing there to pay with.
    expect(await answerOf(captures.refund(pid, 4_000n))).toBe('…refund_funding_unavailable')
    await sandbox.fund(FACILITATOR as Hex, 20_000n)
    const data = encodeCall('0x095ea7b3', OPERATOR_REFUND_COLLECTOR, 20_000n)
    const hash = await sandbox.client.sendUnsignedTransaction({ from: FACILITATOR as Hex, to: sandbox.usdc, data })
    await sandbox.client.waitForTransactionReceipt({ hash })
    expect(await moved(async () => expect(await answerOf(captures.refund(pid, 4_000n))).toBe(4_000n))).toEqual({
      buyer: 4_000n,
      seller: 0n,
      operator: -4_000n,
    })
    expect([await answerOf(captures.refund(pid, 5_001n)), await answerOf(captures.refund(pid, 6_001n))]).toEqual([
      '…refund_funding_unavailable',
      '…refund_exceeds_capture',
    ])
  })

  test('EVM-CAPTURE-069 of which the payer has taken back the rest is still refunded', async () => {
    await settleBy({ mayRefund: () => true })
    await sandbox.fund(FACILITATOR as Hex, 20_000n)
    const data = encodeCall('0x095ea7b3', OPERATOR_REFUND_COLLECTOR, 20_000n)
    await send({ from: FACILITATOR as Hex, to: sandbox.usdc, data })
    const { pid, payment, offer } = await held(holdOffer({ captureSeconds: 60 }))
    expect(await answerOf(captures.capture(pid, 4_000n))).toBe(4_000n)
    const read = readCollect(payment, offer)
    if (!read.ok) throw new TypeError(read.code)
    await sandbox.warp(3600)
    await send({ from: PAYER, ...reclaimCall(read.info) })
    const change = await moved(async () => expect(await answerOf(captures.refund(pid, 1_000n))).toBe(1_000n))
    expect(change).toEqual({ buyer: 1_000n, seller: 0n, operator: -1_000n })
    expect(await captures.hold(pid)).toMatchObject({ capturable: 0n, refundable: 3_000n })
  })

  test('EVM-CAPTURE-069 is not counted back by a node that is behind', async () => {
    const { pid } = await held()
    expect(await answerOf(captures.capture(pid, 4_000n))).toBe(4_000n)
    const extra = { capturableAmount: '10000', refundableAmount: '0' }
    const refused = { code: 'invalid_auth_capture_evm_unexpected_payment_state' } as const
    const behind: Facilitator = {
      ...inner,
      verify: async () => ({ ok: false, ...refused, extra }),
      settle: async () => ({ status: 'refused', ...refused }),
    }
    const other = await createCaptures(store, { facilitator: behind, authorizer })
    expect(await answerOf(other.capture(pid, 4_000n))).toBe('…unexpected_payment_state')
    expect(await captures.hold(pid)).toMatchObject({ capturable: 6_000n, refundable: 4_000n })
  })

  test('goes back to its payer alone when its time is over', async () => {
    const offer = holdOffer({ captureSeconds: 60 })
    const { pid, payment } = await held(offer)
    const read = readCollect(payment, offer)
    if (!read.ok) throw new TypeError(read.code)
    await sandbox.warp(3600)
    expect(await answerOf(captures.capture(pid))).toBe('…capture_deadline_expired')
    const change = await moved(async () => {
      const hash = await sandbox.client.sendUnsignedTransaction({ from: PAYER, ...reclaimCall(read.info) })
      await sandbox.client.waitForTransactionReceipt({ hash })
    })
    expect(change).toEqual({ buyer: 10_000n, seller: 0n, operator: 0n })
    expect(await answerOf(captures.void(pid))).toBe('…zero_authorization')
  })

  test('of a contract wallet, and of an account with code (EIP-7702), is judged by that code', async () => {
    const wallet = await deployErc1271Wallet(sandbox, sandbox.account('payer2').address)
    await sandbox.fund(wallet, 10_000n)
    const owner = privateKeyToAccount(sandbox.account('payer2').privateKey)
    const account: EvmAccount = { address: wallet, signTypedData: (data) => owner.signTypedData(data as never) }
    const offer = holdOffer()
    const payment = await payHold(offer, account)
    expect(await verify(payment, offer, true)).toBe('ok')
    expect(await answerOf(captures.facilitator.settle({ payment, requirements: offer }))).toBe(10_000n)
    await delegate7702(sandbox, PAYER, await deployErc1271Delegate(sandbox))
    expect(await verify(await payHold(offer, payer()), offer, true)).toBe('ok')
  })
})

describe('what is refused on chain costs nothing', () => {
  const offer = holdOffer()

  test('EVM-CAPTURE-042 EVM-CAPTURE-043 a signature of somebody else, in another form, or of a wallet that is not there', async () => {
    const payment = await payHold(offer, payer())
    const text = String(payment.payload.signature)
    const factory = await deployWalletFactory(sandbox)
    const wallet = await factory.predict(PAYER)
    const other = await payHold(offer, privateKeyAccount(sandbox.account('payer2').privateKey))
    expect({
      other: await verify(withPayload(payment, { signature: other.payload.signature! }), offer),
      compact: await verify(withPayload(payment, { signature: text.slice(0, -2) }), offer),
      parity: await verify(withPayload(payment, { signature: `${text.slice(0, -2)}00` }), offer),
      nothing: await verify(withPayload(payment, { signature: '0x' }), offer),
      undeployed: await verify(withPayload(payment, { signature: wallet.wrap(text as Hex) }), offer),
      right: await verify(payment, offer),
    }).toEqual({
      other: '…signature',
      compact: '…signature',
      parity: '…signature',
      nothing: '…signature',
      undeployed: '…erc6492_factory_not_allowed',
      right: 'ok',
    })
  })

  test('EVM-CAPTURE-041 an operator, a payer or a token that it should not be', async () => {
    const stranger = { ...offer, extra: { ...offer.extra, captureAuthorizer: SELLER } }
    const token = { ...offer, asset: SELLER }
    const [payment, other] = [await payHold(offer, payer()), await payHold(stranger, payer())]
    const ours = privateKeyAccount(sandbox.account('facilitator').privateKey)
    const second = await createEvmChain({
      ...{ network: chain.network, rpc: sandbox.rpcUrl },
      signers: [sandbox.account('payer').privateKey, sandbox.account('facilitator').privateKey],
    })
    expect(await verify(other, stranger)).toBe('…operator_not_admitted')
    expect(await verify({ ...payment, accepted: token }, token)).toBe('…nonce_mismatch')
    expect(authCaptureEvm({ chains: [second] }).inspect(payment, offer, now())).toMatchObject({
      code: 'payer_is_facilitator',
    })
    expect(authCaptureEvm({ chains: [] }).inspect(payment, offer, now())).toMatchObject({ code: 'invalid_network' })
    const plain = await createEvmChain({ network: chain.network, rpc: sandbox.rpcUrl, signers: [], assets: [] })
    expect(authCaptureEvm({ chains: [plain] }).inspect(payment, offer, now())).toMatchObject({
      code: 'asset_not_allowed',
    })
    expect(ours.address).toBe(FACILITATOR.toLowerCase())
  })

  test('EVM-CAPTURE-044 EVM-CAPTURE-045 a payer without money or allowance, and a payment that was collected before', async () => {
    const poor = await payHold(offer, privateKeyAccount(`0x${'77'.repeat(32)}`))
    const permitted = holdOffer({}, byPermit2)
    const { payment } = await held(offer)
    const crowded = await payHold(offer, payer())
    const verdict = await scheme.verify(crowded, offer, { ...now(), reserved: 10n ** 12n })
    expect({
      poor: await verify(poor, offer),
      allowance: await verify(await payHold(permitted, payer()), permitted),
      again: await verify(payment, offer),
      crowded: verdict.ok ? 'ok' : shortOf(verdict.code),
    }).toEqual({
      poor: '…insufficient_balance',
      allowance: 'permit2_allowance_required',
      again: '…payment_already_collected',
      crowded: '…insufficient_balance',
    })
  })

  test('EVM-CAPTURE-046 nothing is settled where there is no escrow', async () => {
    await sandbox.setCode(AUTH_CAPTURE_ESCROW, '0x')
    const bare = await createEvmChain({
      network: chain.network,
      rpc: sandbox.rpcUrl,
      signers: [sandbox.account('facilitator').privateKey],
    })
    const by = authCaptureEvm({ chains: [bare] })
    const verdict = await by.verify(await payHold(offer, payer()), offer, now())
    expect(verdict).toMatchObject({ ok: false, code: 'auth_capture_escrow_not_deployed' })
  })

  test('EVM-CAPTURE-047 EVM-CAPTURE-048 a charge that the authorizer did not sign, of too much, or for another fee', async () => {
    const charge = holdOffer({ flow: 'authorization' }, { maxFeeBps: 100, feeRecipient: FACILITATOR })
    const spy = await listening()
    const payment = await payHold(charge, payer())
    await spy.captures.facilitator.settle({ payment, requirements: charge })
    const good = spy.asked[0]!
    const change = (part: JsonObject) => verify(withPayload(good, part), charge, true)
    expect({
      right: await change({}),
      less: await change({ amount: '9999' }),
      more: await change({ amount: '10001' }),
      nothing: await change({ amount: '0' }),
      fee: await change({ feeAmount: '101' }),
      unsignedFee: await change({ feeAmount: '100' }),
      receiver: await change({ feeReceiver: SELLER }),
      forged: await change({ authorizerSignature: payment.payload.signature! }),
    }).toEqual({
      right: 'ok',
      less: '…authorizer_signature',
      more: '…amount_mismatch',
      nothing: '…amount_mismatch',
      fee: '…fee_bps_out_of_range',
      unsignedFee: '…authorizer_signature',
      receiver: '…fee_receiver',
      forged: '…authorizer_signature',
    })
    // A hold takes no completion: its amount is the whole.
    const { amount, feeAmount, feeReceiver, authorizerSignature } = good.payload as Record<string, string>
    const extra = {
      amount: amount!,
      feeAmount: feeAmount!,
      feeReceiver: feeReceiver!,
      authorizerSignature: authorizerSignature!,
    }
    expect(await verify(withPayload(await payHold(offer, payer()), extra), offer)).toBe('invalid_payload')
  })
})

describe('what became of it', () => {
  test('EVM-CAPTURE-050 EVM-CAPTURE-054 is found again without its receipt, and is dead only past its end', async () => {
    const offer = holdOffer()
    const payment = await payHold(offer, payer())
    expect(await scheme.outcome(payment, offer, [])).toEqual({ status: 'pending' })
    const loud = withPayload(payment, { salt: String(payment.payload.salt).toUpperCase().replace('0X', '0x') })
    expect(scheme.inspect(loud, offer, now())).toEqual(scheme.inspect(payment, offer, now()))
    const mark = await sandbox.snapshot()
    const sent = await submit(payment, offer)
    const found = await scheme.outcome(payment, offer, [])
    expect(found).toEqual(await scheme.outcome(payment, offer, [sent]))
    expect(found).toMatchObject({ status: 'settled', transaction: sent.hash, amount: 10_000n })
    expect(await scheme.receiptExtra?.(payment, offer)).toEqual({
      paymentInfoHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      capturableAmount: '10000',
      refundableAmount: '0',
    })
    await mark()
    await sandbox.warp(120)
    await sandbox.mine(1)
    expect(await scheme.outcome(payment, offer, [])).toEqual({
      status: 'dead',
      refusal: { ok: false, code: 'payment_expired' },
    })
    const failed = await submit(payment, offer)
    expect(await scheme.outcome(payment, offer, [failed])).toMatchObject({ status: 'reverted' })
  })

  test('EVM-CAPTURE-065 a capture that failed is dead when nothing of it is under way', async () => {
    const { pid, offer } = await held()
    const spy = await listening()
    expect(await spy.captures.capture(pid, 4_000n)).toMatchObject({ status: 'unknown' })
    const asked = spy.asked[0]
    expect(await scheme.outcome(asked!, offer, [])).toMatchObject({ status: 'dead' })
    const first = await submit(asked!, offer)
    expect(await scheme.outcome(asked!, offer, [first])).toMatchObject({ status: 'settled', amount: 4_000n })
    // The same again would move money twice.
    expect(await verify(asked!, offer, true)).toBe('…unexpected_payment_state')
  })
})

describe('what sellers ask for', () => {
  /** What is asked of the facilitator for a capture of 4,000. */
  async function asked(offer = holdOffer()) {
    const hold = await held(offer)
    const spy = await listening()
    await spy.captures.capture(hold.pid, 4_000n)
    return { ...hold, request: spy.asked[0]! }
  }

  test('EVM-CAPTURE-070 it travels with nothing else of the same payer', async () => {
    const { request } = await asked()
    const call = (await scheme.prepare(request, holdOffer()))!
    const collect = (await scheme.prepare(await payHold(holdOffer(), payer()), holdOffer()))!
    const stranger = { ...call, payer: parseAddress(SELLER)! }
    expect(call).toMatchObject({ sender: FACILITATOR.toLowerCase(), payer: PAYER, unmarked: true })
    expect(chain.groups?.company([call, call, collect, stranger])).toEqual([0, 3])
    expect(chain.groups?.company([collect, call, stranger])).toEqual([0, 2])
  })

  test('EVM-CAPTURE-060 EVM-CAPTURE-061 EVM-CAPTURE-062 EVM-CAPTURE-063 needs the authorizer’s word over this payment and these balances', async () => {
    const { request, offer } = await asked(holdOffer({}, { maxFeeBps: 100, feeRecipient: FACILITATOR }))
    const info = request.payload.paymentInfo as JsonObject
    const change = (part: JsonObject, terms = offer) => verify(withPayload(request, part), terms, true)
    const withExtra = (extra: JsonObject) => ({ ...offer, extra: { ...offer.extra, ...extra } })
    const inOther = (terms: PaymentRequirements) => verify({ ...request, accepted: terms }, terms, true)
    expect({
      right: await change({}),
      amount: await change({ amount: '4001' }),
      much: await change({ amount: '10001' }),
      fee: await change({ feeAmount: '41' }),
      unsigned: await change({ authorizerSignature: undefined as never }),
      forged: await change({ authorizerSignature: `0x${'11'.repeat(65)}` }),
      balances: await change({ expectedCapturableAmount: '9999' }),
      info: await change({ paymentInfo: { ...info, payer: SELLER } }),
      salt: await change({ saltNonce: `0x${'11'.repeat(32)}` }),
      receiver: await change({ paymentInfo: { ...info, receiver: FACILITATOR } }),
      huge: await change({ paymentInfo: { ...info, maxAmount: (2n ** 120n).toString() } }),
      both: await change({ voidAuthorizerSignature: '0x11' }),
      kind: await change({ type: 'reclaim' }),
      shape: await change({ feeReceiver: 7 }),
      authorizer: await inOther(withExtra({ receiverAuthorizer: SELLER })),
      nobody: await inOther(withExtra({ receiverAuthorizer: NOBODY })),
      charge: await inOther(withExtra({ paymentFlow: 'authorization' })),
      other: await inOther({ ...offer, amount: 1n }),
      scheme: await inOther({ ...offer, scheme: 'exact' }),
    }).toEqual({
      right: 'ok',
      amount: '…authorizer_signature',
      much: '…authorizer_signature',
      fee: '…authorizer_signature',
      unsigned: '…authorizer_signature',
      forged: '…authorizer_signature',
      balances: '…authorizer_signature',
      info: '…authorizer_signature',
      salt: '…salt_binding_mismatch',
      receiver: 'no_matching_requirements',
      huge: 'invalid_payload',
      both: 'invalid_payload',
      kind: '…payload_type',
      shape: 'invalid_payload',
      authorizer: '…salt_binding_mismatch',
      nobody: '…lifecycle_not_relayed',
      charge: '…payload_type',
      other: 'no_matching_requirements',
      scheme: '…scheme',
    })
  })

  test('what a seller sends of a payment that it did not offer so is told by its name', async () => {
    const { request, offer } = await asked()
    const info = request.payload.paymentInfo as JsonObject
    const detailOf = async (change: JsonObject) => {
      const other = withPayload(request, { paymentInfo: { ...info, ...change } })
      const verdict = await scheme.verify(other, offer, { ...now(), settling: true })
      return verdict.ok ? 'ok' : verdict.detail
    }
    const changes = { receiver: FACILITATOR, maxAmount: '1', refundExpiry: 2 ** 40, maxFeeBps: 7, feeReceiver: SELLER }
    for (const [member, value] of Object.entries(changes)) {
      expect(await detailOf({ [member]: value })).toBe(`payload.paymentInfo.${member} is not what was offered`)
    }
  })

  test('EVM-CAPTURE-066 EVM-CAPTURE-067 is written down first: a lost answer is asked for again, and nothing is signed twice', async () => {
    const offer = holdOffer()
    const payment = await payHold(offer, payer())
    const read = readCollect(payment, offer)
    const pid = read.ok ? read.pid : ('' as Pid)
    lost = true
    expect(await answerOf(captures.facilitator.settle({ payment, requirements: offer }))).toBe('unknown')
    // Another process, with the same database, knows of it.
    const other = await createCaptures(store, { facilitator: inner, authorizer })
    expect(await other.hold(pid)).toMatchObject({ state: 'collected', capturable: 10_000n })
    const before = await purses()
    expect(await answerOf(captures.capture(pid, 4_000n))).toBe('unknown')
    lost = false
    // Asked for the same it is the same; asked for more it is more.
    expect(await answerOf(other.capture(pid, 4_000n))).toBe(4_000n)
    expect(await answerOf(other.capture(pid, 5_000n))).toBe(5_000n)
    expect((await purses()).seller - before.seller).toBe(9_000n)
    expect(await captures.hold(pid)).toMatchObject({ capturable: 1_000n, refundable: 9_000n })
    expect((await captures.open(5)).map((hold) => hold.pid)).toEqual([pid])
  })

  test('EVM-CAPTURE-067 the books are told before it is forgotten that it was asked for: a seller that dies in between tells them again, and moves nothing again', async () => {
    const { pid } = await held()
    const told: HoldMove[] = []
    const moved = async (move: HoldMove) => {
      told.push(move)
      if (told.length === 1) throw new Error('died')
    }
    const dying = await createCaptures(store, { facilitator: inner, authorizer, moved })
    const before = await purses()
    await expect(dying.capture(pid, 4_000n)).rejects.toThrow('died')
    // Another process goes on where that one stopped.
    const next = await createCaptures(store, { facilitator: inner, authorizer, moved })
    expect(await answerOf(next.capture(pid, 4_000n))).toBe(4_000n)
    expect([told.length, told[0]]).toEqual([2, told[1]])
    expect(told[0]).toMatchObject({ pid, kind: 'capture', amount: 4_000n, fee: 0n })
    expect((await purses()).seller - before.seller).toBe(4_000n)
    expect(await next.hold(pid)).toMatchObject({ capturable: 6_000n, refundable: 4_000n })
  })

  test('EVM-CAPTURE-067 captures at once never take more than is held', async () => {
    const { pid } = await held()
    const before = await purses()
    const answers = await Promise.all([1, 2, 3].map(() => captures.capture(pid, 4_000n)))
    const settled = answers.filter(({ status }) => status === 'settled').length
    const hold = await captures.hold(pid)
    const { seller } = await purses()
    expect(seller - before.seller).toBe(10_000n - (hold?.capturable ?? 0n))
    expect(seller - before.seller).toBeLessThanOrEqual(10_000n)
    expect(settled).toBeGreaterThan(0)
  })

  test('EVM-CAPTURE-067 replicas of a seller share their holds: whatever they ask for at once, each amount is paid out once', async () => {
    const { pid } = await held()
    const replicas = await Promise.all([1, 2, 3].map(() => createCaptures(store, { facilitator: inner, authorizer })))
    expect(await Promise.all(replicas.map((replica) => replica.hold(pid)))).toEqual(
      replicas.map(() => expect.objectContaining({ state: 'collected', capturable: 10_000n })),
    )
    const before = await purses()
    // Whoever is told that it is not known yet asks again.
    const insist = async (act: () => Promise<Settlement>): Promise<Settlement> => {
      const settlement = await act()
      return settlement.status === 'unknown' ? insist(act) : settlement
    }
    const amounts = [1_000n, 2_000n, 4_000n]
    const settlements = await Promise.all(replicas.map((replica, i) => insist(() => replica.capture(pid, amounts[i]))))
    expect(settlements.map((settlement) => settlement.status)).toEqual(['settled', 'settled', 'settled'])
    const [hold] = await Promise.all(replicas.map((replica) => replica.hold(pid)))
    expect(hold).toMatchObject({ capturable: 3_000n, refundable: 7_000n })
    expect((await purses()).seller - before.seller).toBe(7_000n)
    // What one of them began, another one ends.
    lost = true
    expect(await replicas[0]?.capture(pid, 500n)).toMatchObject({ status: 'unknown' })
    lost = false
    expect(await replicas[1]?.void(pid)).toMatchObject({ status: 'settled', receipt: { amount: 2_500n } })
    expect((await purses()).seller - before.seller).toBe(7_500n)
  })

  test('a hold that nobody knows, or that names another authorizer, is none of ours', async () => {
    const nothing = 'x'.repeat(64) as Pid
    expect(await answerOf(captures.capture(nothing))).toBe('…zero_authorization')
    expect(await captures.hold(nothing)).toBeUndefined()
    const offer = holdOffer({ receiverAuthorizer: SELLER })
    const request = { payment: await payHold(offer, payer()), requirements: offer }
    await expect(captures.facilitator.settle(request)).rejects.toMatchObject({ code: 'invalid_config' })
    const open = holdOffer({ receiverAuthorizer: NOBODY })
    expect(
      await answerOf(captures.facilitator.settle({ payment: await payHold(open, payer()), requirements: open })),
    ).toBe(10_000n)
    expect(parseAddress(AUTHORIZER)).toBe(parseAddress(authorizer.address))
  })
})
