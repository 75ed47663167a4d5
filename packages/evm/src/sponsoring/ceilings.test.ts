import {
  assetByTicker,
  type JsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  type SchemeClient,
  X402Error,
} from '@groat/core'
import { type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { generatePrivateKey } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BASE_SEPOLIA, uptoOfferOf } from '../../testing/payments.js'
import { approvePermit2 } from '../../testing/permit2.js'
import { privateKeyAccount } from '../account.js'
import { batchEvm as fills } from '../batch-settlement/client.js'
import { batchEvm as holds } from '../batch-settlement/facilitator.js'
import { batchEvm as sellsChannels } from '../batch-settlement/server.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import { UPTO_PERMIT2_PROXY } from '../permit2/contracts.js'
import { uptoEvm as settles } from '../upto/facilitator.js'
import { uptoEvmWithSponsoring } from '../upto/sponsored-client.js'
import { ERC20_APPROVAL_GAS_SPONSORING } from './approval.js'
import { EIP2612_GAS_SPONSORING as KEY } from './eip2612.js'

// What comes along with a ceiling or a deposit is held against it as with a price, whether verification or settlement is asked for.

const usdc = assetByTicker(BASE_SEPOLIA, 'USDC')
if (usdc === undefined) throw new Error('no USDC')
const announced = { [KEY]: { info: { description: 'gas is on us', version: '1' }, schema: {} } }
let sandbox: Sandbox
let chain: EvmChain

beforeAll(async () => {
  sandbox = await startEvmChain({ rpcUrl: false })
  const signers = [sandbox.account('facilitator').privateKey]
  chain = await createEvmChain({ network: BASE_SEPOLIA, rpc: sandbox.rpcUrl, signers })
})
afterAll(() => sandbox?.stop())

async function newcomer() {
  const account = privateKeyAccount(generatePrivateKey())
  await sandbox.fund(account.address, 200_000n)
  return { account, rpc: { [BASE_SEPOLIA]: sandbox.rpcUrl } }
}

async function pay(half: SchemeClient, offer: PaymentRequirements, extensions: JsonObject = announced) {
  const context = { clock: Date.now, random: (n: number) => crypto.getRandomValues(new Uint8Array(n)) }
  const prepared = await half.prepare(offer, { ...context, maxLifetimeSeconds: 600, extensions })
  if (!prepared.ok) return prepared
  const payload = await prepared.sign()
  const { scheme, network } = offer
  const echo = { extensions: prepared.extensions?.() ?? extensions }
  const payment: PaymentPayload = { x402Version: 2, scheme, network, accepted: offer, payload, ...echo }
  return { ok: true, payment, preview: prepared.preview } as const
}

/** How each scheme is paid and settled. */
const schemes = {
  upto: {
    half: settles,
    offer: () => ({ ...uptoOfferOf(), extra: { ...uptoOfferOf().extra, facilitatorAddress: chain.signers[0] ?? '' } }),
    payer: async () => uptoEvmWithSponsoring(await newcomer()),
    charged: 4_000n,
    lacking: 'permit2_allowance_required',
  },
  'batch-settlement': {
    half: holds,
    offer: () =>
      sellsChannels({ receiverAuthorizer: sandbox.account('payer4').address }).offer({
        ...{ network: BASE_SEPOLIA, asset: usdc, amount: 10_000n, payTo: sandbox.account('seller').address },
        ...{ maxTimeoutSeconds: 60, extra: { assetTransferMethod: 'permit2' } },
      }),
    payer: async () => fills(await newcomer()),
    charged: 10_000n,
    lacking: 'invalid_batch_settlement_evm_permit2_allowance_required',
  },
} as const

describe.each(['upto', 'batch-settlement'] as const)('%s', (name) => {
  const { half, offer, payer, charged, lacking } = schemes[name]

  test('GAS-PERMIT-001 GAS-PERMIT-002 a payer signs a permit where it is announced, and nothing where nothing would do', async () => {
    expect(await pay(await payer(), offer(), {})).toMatchObject({ ok: false, code: 'permit2_allowance_required' })
    expect(await pay(await payer(), offer())).toMatchObject({ preview: { sponsored: [KEY] } })
  })

  test.each([
    ['GAS-PERMIT-010', { amount: '0x3e8' }, 'invalid_eip2612_extension_format'],
    ['GAS-PERMIT-010', { signature: `0x${'11'.repeat(64)}00` }, 'invalid_eip2612_extension_format'],
    ['GAS-PERMIT-011', { from: UPTO_PERMIT2_PROXY }, 'eip2612_from_mismatch'],
    ['GAS-PERMIT-012', { asset: UPTO_PERMIT2_PROXY }, 'eip2612_asset_mismatch'],
    ['GAS-PERMIT-013', { spender: UPTO_PERMIT2_PROXY }, 'eip2612_spender_not_permit2'],
    ['GAS-PERMIT-014', { amount: (2n ** 256n - 1n).toString() }, 'permit2_2612_amount_mismatch'],
    ['GAS-PERMIT-015', { deadline: '1700000000' }, 'eip2612_deadline_expired'],
    ['GAS-PERMIT-016', { signature: `0x${'11'.repeat(64)}1b` }, 'allowance'],
  ] as const)('%s D2 %o is refused, by settlement too', async (_, change, code) => {
    const paid = await pay(await payer(), offer())
    if (!paid.ok) throw new Error(paid.code)
    const { info } = paid.payment.extensions![KEY] as { info: JsonObject }
    const payment = { ...paid.payment, extensions: { [KEY]: { info: { ...info, ...change } } } }
    const [scheme, now] = [half({ chains: [chain] }), { now: Date.now() }]
    const expected = code === 'allowance' ? lacking : code
    expect(await scheme.verify(payment, offer(), now)).toMatchObject({ ok: false, code: expected })
    const settling = await scheme.verify({ ...payment }, { ...offer(), amount: charged }, { ...now, settling: true })
    expect(settling).toMatchObject({ ok: false, code: expected })
  })
})

test('EVM-UPTO-058 who brings a permit has one payment open at a time', async () => {
  const { offer, half } = schemes.upto
  const options = await newcomer()
  const scheme = half({ chains: [chain] })
  const verdicts: unknown[] = []
  for (let times = 0; times < 2; times++) {
    // Payers who do not know of each other.
    const paid = await pay(uptoEvmWithSponsoring({ ...options, account: { ...options.account } }), offer())
    if (!paid.ok) throw new Error(paid.code)
    verdicts.push(await scheme.verify(paid.payment, offer(), { now: Date.now() }))
    // The same one again is no other.
    verdicts.push(await scheme.verify(paid.payment, offer(), { now: Date.now() }))
  }
  const exceeded = { ok: false, code: 'upto_exposure_exceeded' }
  expect(verdicts).toMatchObject([{ ok: true }, { ok: true }, exceeded, exceeded])
})

describe('a payer who counts on what Permit2 is allowed', () => {
  const { offer } = schemes.upto
  const byApproval = {
    [ERC20_APPROVAL_GAS_SPONSORING]: { info: { description: 'gas is on us', version: '1' }, schema: {} },
  }
  const context = {
    clock: Date.now,
    random: (n: number) => crypto.getRandomValues(new Uint8Array(n)),
    maxLifetimeSeconds: 600,
  }
  const allow = async (owner: Hex, amount: bigint) => approvePermit2(sandbox, owner, sandbox.usdc, amount)
  const codeOf = (error: unknown) => (X402Error.is(error) ? error.code : error)

  test('GAS-APPROVAL-003 does not promise the same allowance twice, and signs again when the first has ended', async () => {
    const half = uptoEvmWithSponsoring(await newcomer())
    for (const extensions of [announced, byApproval]) {
      const first = await half.prepare(offer(), { ...context, extensions })
      const second = await half.prepare(offer(), { ...context, extensions })
      if (!first.ok || !second.ok) throw new Error('refused')
      expect([first.allowance, second.allowance]).toEqual([offer().amount, offer().amount])
      await first.sign()
      // Prepared before the first was signed, and looked at again.
      expect(await second.sign().catch(codeOf)).toBe('payment_in_flight')
      expect(await half.prepare(offer(), { ...context, extensions })).toMatchObject({
        ok: false,
        code: 'payment_unresolved',
      })
      await half.settled?.(first.pid, { transaction: '0x', network: BASE_SEPOLIA, payer: first.payer })
      expect(await half.prepare(offer(), { ...context, extensions })).toMatchObject({ ok: true })
    }
  })

  test('GAS-APPROVAL-003 asks the chain what has ended, where no receipt said so', async () => {
    const options = await newcomer()
    const { address } = options.account
    const half = uptoEvmWithSponsoring(options)
    const again = () => half.prepare(offer(), { ...context, extensions: announced })
    const first = await again()
    if (!first.ok) throw new Error(first.code)
    const { permit2Authorization: permit } = (await first.sign()) as { permit2Authorization: { nonce: string } }
    expect(await again()).toMatchObject({ code: 'payment_unresolved' })
    // Nobody can take it any more: as after a settlement, its number is used up.
    await sandbox.client.setBalance({ address, value: 10n ** 18n })
    await sandbox.client.impersonateAccount({ address })
    const nonce = BigInt(permit.nonce)
    const words = [nonce >> 8n, 1n << (nonce & 255n)].map((word) => word.toString(16).padStart(64, '0'))
    const data: Hex = `0x3ff9dcb1${words.join('')}`
    const hash = await sandbox.client.sendUnsignedTransaction({ from: address, to: sandbox.permit2, data })
    expect(await sandbox.client.waitForTransactionReceipt({ hash })).toMatchObject({ status: 'success' })
    const second = await again()
    expect(second).toMatchObject({ ok: true })
    if (second.ok) await second.sign()
    expect(await again()).toMatchObject({ code: 'payment_unresolved' })
  })

  test('GAS-APPROVAL-003 what has expired takes nothing more, and a wallet that fails has signed nothing', async () => {
    const { account, rpc } = await newcomer()
    let fails = true
    const moody = {
      ...account,
      signDigest: (digest: Uint8Array) => {
        if (fails) throw new Error('locked')
        return account.signDigest(digest)
      },
    }
    const half = uptoEvmWithSponsoring({ account: moody, rpc })
    let now = Date.now()
    const at = { ...context, clock: () => now, extensions: announced }
    const sign = async () => {
      const prepared = await half.prepare(offer(), at)
      return prepared.ok ? prepared.sign().then(() => 'signed', codeOf) : prepared.code
    }
    expect(await sign()).toBe('signer_failed')
    fails = false
    expect([await sign(), await sign()]).toEqual(['signed', 'payment_unresolved'])
    now += (offer().maxTimeoutSeconds + 31) * 1000
    expect(await sign()).toBe('signed')
  })

  test('GAS-APPROVAL-003 an allowance that is large enough carries as many as fit', async () => {
    const { account, rpc } = await newcomer()
    const half = uptoEvmWithSponsoring({ account, rpc })
    const { amount } = offer()
    await sandbox.client.setBalance({ address: account.address, value: 10n ** 18n })
    await sandbox.client.impersonateAccount({ address: account.address })
    await allow(account.address, 2n * amount)
    const outcomes: string[] = []
    for (let times = 0; times < 3; times++) {
      const prepared = await half.prepare(offer(), { ...context, extensions: {} })
      if (prepared.ok) await prepared.sign()
      outcomes.push(prepared.ok ? `${prepared.allowance}` : prepared.code)
    }
    expect(outcomes).toEqual([`${amount}`, `${amount}`, 'payment_unresolved'])
  })

  test('G08 approves as much as it is let, so that several find room', async () => {
    const half = uptoEvmWithSponsoring(await newcomer())
    const terms = { ...context, extensions: byApproval, maxAllowance: 2n * offer().amount }
    const outcomes: string[] = []
    for (let times = 0; times < 3; times++) {
      const prepared = await half.prepare(offer(), terms)
      if (prepared.ok) await prepared.sign()
      outcomes.push(prepared.ok ? `${prepared.allowance}` : prepared.code)
    }
    expect(outcomes).toEqual([`${terms.maxAllowance}`, `${terms.maxAllowance}`, 'payment_unresolved'])
  })
})
