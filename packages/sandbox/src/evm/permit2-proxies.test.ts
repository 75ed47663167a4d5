import { type Address, encodeFunctionData, type Hex, zeroAddress } from 'viem'
import { describe, expect, test } from 'vitest'
import { bareV, type Contract, compact, eventsOf, malleated, useContracts } from '../../test/contract.js'
import { usdc, useChain } from '../../test/kit.js'
import { parts, randomWord, useSignatures, type Witness } from '../../test/sign.js'
import { walletAbi } from '../generated/wallets.js'
import { exactPermit2ProxyCreation } from '../generated/x402.js'
import {
  delegate7702,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployHostileToken,
  deployPermitToken,
  deployPlainToken,
  evmContracts,
} from '../index.js'

const on = useChain()
const { account, approvePermit2, read, refusal, send } = useContracts(on)
const signed = useSignatures(on)
const { permit2 } = evmContracts
const exact: Contract = evmContracts.x402ExactPermit2Proxy
const upto: Contract = evmContracts.x402UptoPermit2Proxy

describe.each(['exact', 'upto'] as const)('the %s proxy', (scheme) => {
  const proxy = scheme === 'exact' ? exact : upto

  test('pays the signed recipient, once, and says so without data', async () => {
    await approvePermit2('payer')
    const payment = await pay(scheme, { amount: 10_000n })
    const receipt = await send('facilitator', proxy, 'settle', payment.args())
    expect(eventsOf(receipt, proxy.address)).toEqual([['Settled', undefined]])
    expect(eventsOf(receipt, on.chain.usdc)).toEqual([
      ['Transfer', { from: account('payer'), to: account('seller'), value: 10_000n }],
    ])
    expect(await on.chain.balance(account('seller'))).toBe(10_000n)
    expect(await refusal('facilitator', proxy, 'settle', payment.args())).toBe('InvalidNonce')
  })

  test('binds recipient, spender, token, amount, time and owner to the signature', async () => {
    await approvePermit2('payer')
    await approvePermit2('payer2')
    const payment = await pay(scheme, { amount: 10_000n })
    const attempt = (change: Partial<Terms>) => refusal('facilitator', proxy, 'settle', payment.args(change))
    const other = await deployPlainToken(on.chain)
    expect({
      recipient: await attempt({ to: account('facilitator') }),
      more: await attempt({ amount: 10_001n }),
      token: await attempt({ token: other.address }),
      nonce: await attempt({ nonce: 7n }),
      deadline: await attempt({ deadline: 2_000_000_001n }),
      validAfter: await attempt({ validAfter: 1n }),
      owner: await attempt({ owner: account('payer2') }),
      spender: await refusal(
        'facilitator',
        proxy,
        'settle',
        (await pay(scheme, { spender: account('payer3') })).args(),
      ),
      witness: await refusal('facilitator', proxy, 'settle', (await pay(scheme, {}, otherOf(scheme))).args()),
      untouched: await attempt({}),
    }).toEqual({
      recipient: 'InvalidSigner',
      more: 'InvalidSigner',
      token: 'InvalidSigner',
      nonce: 'InvalidSigner',
      deadline: 'InvalidSigner',
      validAfter: 'InvalidSigner',
      owner: 'InvalidSigner',
      spender: 'InvalidSigner',
      witness: 'InvalidSigner',
      untouched: 'nothing',
    })
  })

  test('refuses nothing at all, nobody, nowhere, too early and too late', async () => {
    await approvePermit2('payer')
    const now = BigInt(await on.chain.now())
    const attempt = async (terms: Partial<Terms>) =>
      refusal('facilitator', proxy, 'settle', (await pay(scheme, terms)).args())
    expect({
      amount: await attempt({ amount: 0n }),
      owner: await attempt({ owner: zeroAddress }),
      to: await attempt({ to: zeroAddress }),
      early: await attempt({ validAfter: now + 1_000n }),
      now: await attempt({ validAfter: now - 10n }),
      late: await attempt({ deadline: 1n }),
    }).toEqual({
      amount: 'InvalidAmount',
      owner: 'InvalidOwner',
      to: 'InvalidDestination',
      early: 'PaymentTooEarly',
      now: 'nothing',
      late: 'SignatureExpired',
    })
  })

  test('needs an allowance and a balance', async () => {
    const payment = await pay(scheme, { amount: 10_000n })
    expect(await refusal('facilitator', proxy, 'settle', payment.args())).toBe('TRANSFER_FROM_FAILED')
    await approvePermit2('payer')
    const rich = await pay(scheme, { amount: 1_000_000_001n })
    expect(await refusal('facilitator', proxy, 'settle', rich.args())).toBe('TRANSFER_FROM_FAILED')
    expect(await refusal('facilitator', proxy, 'settle', payment.args())).toBe('nothing')
  })

  test('a payer takes a payment back by using up its nonce', async () => {
    await approvePermit2('payer')
    const payment = await pay(scheme, { nonce: 513n })
    await send('payer', permit2, 'invalidateUnorderedNonces', [2n, 2n])
    expect(await refusal('facilitator', proxy, 'settle', payment.args())).toBe('InvalidNonce')
  })

  test('takes every form of a signature that Permit2 takes, and uses up one nonce with it', async () => {
    await approvePermit2('payer')
    const { args, signature } = await pay(scheme, {})
    const attempt = (form: Hex) => refusal('facilitator', proxy, 'settle', args({}, form))
    expect({
      malleated: await attempt(malleated(signature)),
      compact: await attempt(compact(signature)),
      bareV: await attempt(bareV(signature)),
      long: await attempt(`${signature}00`),
      empty: await attempt('0x'),
    }).toEqual({
      malleated: 'nothing',
      compact: 'nothing',
      bareV: 'InvalidSignature',
      long: 'InvalidSignatureLength',
      empty: 'InvalidSignatureLength',
    })
    await send('facilitator', proxy, 'settle', args({}, malleated(signature)))
    expect(await attempt(signature)).toBe('InvalidNonce')
  })

  test('settleWithPermit sets the allowance and uses all of it', async () => {
    const payment = await pay(scheme, { amount: 10_000n })
    const receipt = await send('facilitator', proxy, 'settleWithPermit', [await permitFor(10_000n), ...payment.args()])
    expect(eventsOf(receipt, proxy.address)).toEqual([['SettledWithPermit', undefined]])
    expect(await on.chain.balance(account('seller'))).toBe(10_000n)
    expect(await read(usdc, 'allowance', [account('payer'), permit2.address])).toBe(0n)
  })

  test('settleWithPermit wants a permit of exactly what was permitted', async () => {
    const args = (await pay(scheme, { amount: 10_000n })).args()
    const attempt = async (value: bigint) =>
      refusal('facilitator', proxy, 'settleWithPermit', [await permitFor(value), ...args])
    expect([await attempt(2n ** 256n - 1n), await attempt(9_999n), await attempt(10_000n)]).toEqual([
      'Permit2612AmountMismatch',
      'Permit2612AmountMismatch',
      'nothing',
    ])
  })

  test('a permit that somebody else used is no obstacle', async () => {
    const used = await permitFor(10_000n)
    const { value, deadline, v, r, s } = used
    await send('payer2', usdc, 'permit', [account('payer'), permit2.address, value, deadline, v, r, s])
    const receipt = await send('facilitator', proxy, 'settleWithPermit', [
      used,
      ...(await pay(scheme, { amount: 10_000n })).args(),
    ])
    expect(eventsOf(receipt, proxy.address).map(([name]) => name)).toEqual([
      'EIP2612PermitFailedWithReason',
      'SettledWithPermit',
    ])
  })

  test('a permit that fails with an error, or a token without permits, leaves it to the allowance', async () => {
    const modern = await deployPermitToken(on.chain)
    const plain = await deployPlainToken(on.chain)
    for (const token of [modern, plain]) {
      await token.mint(account('payer'), 10_000n)
      const args = [await permitFor(10_000n), ...(await pay(scheme, { token: token.address, amount: 10_000n })).args()]
      expect(await refusal('facilitator', proxy, 'settleWithPermit', args)).toBe('TRANSFER_FROM_FAILED')
      await approvePermit2('payer', token)
      const receipt = await send('facilitator', proxy, 'settleWithPermit', args)
      expect(eventsOf(receipt, proxy.address).map(([name]) => name)).toEqual([
        'EIP2612PermitFailedWithData',
        'SettledWithPermit',
      ])
    }
  })

  test('a contract wallet and a delegated account pay by ERC-1271', async () => {
    const wallet = await deployErc1271Wallet(on.chain, account('payer'))
    await on.chain.fund(wallet, 10_000n)
    const approval = encodeFunctionData({ ...usdc, functionName: 'approve', args: [permit2.address, 10_000n] })
    await send('payer', { address: wallet, abi: walletAbi }, 'execute', [on.chain.usdc, 0n, approval])
    await approvePermit2('payer2')
    await delegate7702(on.chain, account('payer2'), await deployErc1271Delegate(on.chain))

    const attempt = async (terms: Partial<Terms>, signer: 'payer' | 'payer2' | 'payer3') =>
      refusal('facilitator', proxy, 'settle', (await pay(scheme, terms, undefined, signer)).args())
    expect({
      wallet: await attempt({ owner: wallet }, 'payer'),
      delegated: await attempt({ owner: account('payer2') }, 'payer2'),
      stranger: await attempt({ owner: wallet }, 'payer3'),
    }).toEqual({ wallet: 'nothing', delegated: 'nothing', stranger: 'InvalidContractSignature' })
  })

  test('a token that calls back finds the door shut', async () => {
    const token = await deployHostileToken(on.chain, 'reentrant')
    await token.mint(account('payer'), 10_000n)
    await approvePermit2('payer', token)
    const second = await pay(scheme, { token: token.address, amount: 1n, facilitator: token.address })
    await token.reenter(
      proxy.address,
      encodeFunctionData({ abi: proxy.abi, functionName: 'settle', args: second.args() }),
    )
    await send('facilitator', proxy, 'settle', (await pay(scheme, { token: token.address })).args())
    expect([await read(token, 'reentered'), await read(token, 'reentryAnswer')]).toEqual([false, '0x3ee5aeb5'])
  })

  test('believes a token that lies: whoever settles looks at logs and balances', async () => {
    const received = async (conduct: Parameters<typeof deployHostileToken>[1]) => {
      const token = await deployHostileToken(on.chain, conduct)
      await token.mint(account('payer'), 10_000n)
      await approvePermit2('payer', token)
      const args = (await pay(scheme, { token: token.address, amount: 10_000n })).args()
      const answer = await refusal('facilitator', proxy, 'settle', args)
      if (answer !== 'nothing') return answer
      const receipt = await send('facilitator', proxy, 'settle', args)
      const logged = eventsOf(receipt, token.address).filter(([name]) => name === 'Transfer').length
      return [logged, await on.chain.balance(account('seller'), token.address)]
    }
    expect({
      'fee-on-transfer': await received('fee-on-transfer'),
      'returns-false': await received('returns-false'),
      'returns-nothing': await received('returns-nothing'),
      'lying-log': await received('lying-log'),
      'no-log': await received('no-log'),
      paused: await received('paused'),
      'burns-gas': await received('burns-gas'),
    }).toEqual({
      'fee-on-transfer': [2, 9_900n],
      'returns-false': 'TRANSFER_FROM_FAILED',
      'returns-nothing': [1, 10_000n],
      'lying-log': [1, 0n],
      'no-log': [0, 10_000n],
      paused: 'TRANSFER_FROM_FAILED',
      'burns-gas': 'TRANSFER_FROM_FAILED',
    })
  })

  test('an asset without code is paid with nothing, as on public chains', async () => {
    const receipt = await send('facilitator', proxy, 'settle', (await pay(scheme, { token: account('payer5') })).args())
    expect(receipt.logs.length).toBe(1)
  })
})

test('anybody settles an exact payment; an upto payment only its facilitator', async () => {
  await approvePermit2('payer')
  const [open, bound] = [await pay('exact', {}), await pay('upto', {})]
  expect({
    exact: await refusal('payer3', exact, 'settle', open.args()),
    upto: await refusal('payer3', upto, 'settle', bound.args()),
    withPermit: await refusal('payer3', upto, 'settleWithPermit', [await permitFor(10_000n), ...bound.args()]),
    stolen: await refusal('payer3', upto, 'settle', bound.args({ facilitator: account('payer3') })),
  }).toEqual({
    exact: 'nothing',
    upto: 'UnauthorizedFacilitator',
    withPermit: 'UnauthorizedFacilitator',
    stolen: 'InvalidSigner',
  })
})

test('upto takes any part of what was permitted, once, and no more', async () => {
  await approvePermit2('payer')
  const payment = await pay('upto', { amount: 50_000n })
  const attempt = (charge: bigint) => refusal('facilitator', upto, 'settle', payment.args({ charge }))
  expect([await attempt(0n), await attempt(1n), await attempt(50_000n), await attempt(50_001n)]).toEqual([
    'InvalidAmount',
    'nothing',
    'nothing',
    'AmountExceedsPermitted',
  ])
  await send('facilitator', upto, 'settle', payment.args({ charge: 12_345n }))
  expect(await on.chain.balance(account('seller'))).toBe(12_345n)
  expect(await attempt(1n)).toBe('InvalidNonce')
})

test('what upto leaves of a permit stays an allowance', async () => {
  const payment = await pay('upto', { amount: 50_000n })
  await send('facilitator', upto, 'settleWithPermit', [await permitFor(50_000n), ...payment.args({ charge: 20_000n })])
  expect(await read(usdc, 'allowance', [account('payer'), permit2.address])).toBe(30_000n)
})

test('a proxy for no Permit2 cannot be made', async () => {
  await expect(on.chain.deploy(`${exactPermit2ProxyCreation}${'00'.repeat(32)}`)).rejects.toThrow()
  expect(await read(exact, 'PERMIT2')).toBe(permit2.address)
})

type Terms = {
  readonly token: Address
  readonly amount: bigint
  /** What an upto payment settles for; all of it unless told. */
  readonly charge: bigint
  readonly nonce: bigint
  readonly deadline: bigint
  readonly owner: Address
  readonly spender: Address
  readonly to: Address
  readonly facilitator: Address
  readonly validAfter: bigint
}

const otherOf = (scheme: 'exact' | 'upto') => (scheme === 'exact' ? 'upto' : 'exact')

/** A signed payment, and the arguments that settle it, changed after signing if told. */
async function pay(
  scheme: 'exact' | 'upto',
  given: Partial<Terms>,
  witnessOf: 'exact' | 'upto' = scheme,
  signer: 'payer' | 'payer2' | 'payer3' = 'payer',
) {
  const terms = {
    token: on.chain.usdc,
    amount: 10_000n,
    nonce: BigInt(randomWord()),
    deadline: 2_000_000_000n,
    owner: account('payer'),
    spender: (scheme === 'exact' ? exact : upto).address,
    to: account('seller'),
    facilitator: account('facilitator'),
    validAfter: 0n,
    ...given,
  }
  const { token, amount, spender, nonce, deadline } = terms
  const message = { permitted: { token, amount }, spender, nonce, deadline }
  const signature = await signed.permit2(signer, message, witness(witnessOf, terms))
  return {
    signature,
    args(change: Partial<Terms> = {}, form = signature): unknown[] {
      const now = { ...terms, ...change }
      return [
        { permitted: { token: now.token, amount: now.amount }, nonce: now.nonce, deadline: now.deadline },
        ...(scheme === 'upto' ? [now.charge ?? now.amount] : []),
        now.owner,
        witness(scheme, now).value,
        form,
      ]
    },
  }
}

function witness(scheme: 'exact' | 'upto', { to, facilitator, validAfter }: Omit<Terms, 'charge'>): Witness {
  const binding = scheme === 'upto' ? [{ name: 'facilitator', type: 'address' }] : []
  return {
    name: 'Witness',
    fields: [{ name: 'to', type: 'address' }, ...binding, { name: 'validAfter', type: 'uint256' }],
    value: { to, ...(scheme === 'upto' && { facilitator }), validAfter },
  }
}

/** An EIP-2612 permit of the payer's for USDC. */
async function permitFor(value: bigint) {
  const message = { owner: account('payer'), spender: permit2.address, value, nonce: 0n, deadline: 2_000_000_000n }
  return { value, deadline: message.deadline, ...parts(await signed.permit('payer', message)) }
}
