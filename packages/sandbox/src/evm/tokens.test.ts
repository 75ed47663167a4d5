import { type Abi, encodeFunctionData, type Hex, zeroAddress } from 'viem'
import { expect, test } from 'vitest'
import { eventsOf, malleated, useContracts } from '../../test/contract.js'
import { useChain } from '../../test/kit.js'
import { parts, randomWord, useSignatures } from '../../test/sign.js'
import {
  deployEip3009Token,
  deployHostileToken,
  deployPermitToken,
  deployPlainToken,
  type EvmToken,
  type HostileConduct,
  type HostileToken,
} from '../index.js'

const on = useChain()
const { account, read, refusal, send } = useContracts(on)
const signed = useSignatures(on)

test('a plain token is an ERC-20 and nothing more', async () => {
  const token = await deployPlainToken(on.chain)
  await token.mint(account('payer'), 100n)
  await send('payer', token, 'approve', [account('seller'), 60n])
  await send('seller', token, 'transferFrom', [account('payer'), account('seller'), 50n])
  await send('seller', token, 'transfer', [account('payer2'), 20n])
  expect({
    balances: await Promise.all(
      (['payer', 'seller', 'payer2'] as const).map((role) => on.chain.balance(account(role), token.address)),
    ),
    supply: await read(token, 'totalSupply'),
    decimals: await read(token, 'decimals'),
    allowance: await refusal('seller', token, 'transferFrom', [account('payer'), account('seller'), 11n]),
    balance: await refusal('seller', token, 'transfer', [account('payer'), 31n]),
    functions: token.abi.flatMap((entry) => (entry.type === 'function' ? [entry.name] : [])).sort(),
  }).toEqual({
    balances: [50n, 30n, 20n],
    supply: 100n,
    decimals: 6,
    allowance: 'ERC20InsufficientAllowance',
    balance: 'ERC20InsufficientBalance',
    functions: [
      ...['allowance', 'approve', 'balanceOf', 'decimals', 'mint', 'name', 'symbol'],
      ...['totalSupply', 'transfer', 'transferFrom'],
    ],
  })
})

test('a permit is for one owner, spender, value and time, once', async () => {
  const token = await deployPermitToken(on.chain)
  const domain = { address: token.address, name: 'Permit Dollar', version: '1' }
  const message = {
    owner: account('payer'),
    spender: account('seller'),
    value: 5n,
    nonce: 0n,
    deadline: 2_000_000_000n,
  }
  const signature = await signed.permit('payer', message, domain)
  const permit = (change: Partial<typeof message>, form: Hex = signature) => {
    const { owner, spender, value, deadline } = { ...message, ...change }
    const { v, r, s } = parts(form)
    return [owner, spender, value, deadline, v, r, s]
  }
  const attempt = (change: Partial<typeof message>, form?: Hex) =>
    refusal('facilitator', token, 'permit', permit(change, form))
  expect({
    value: await attempt({ value: 6n }),
    spender: await attempt({ spender: account('payer2') }),
    late: await attempt({ deadline: 1n }),
    malleated: await attempt({}, malleated(signature)),
    right: await attempt({}),
  }).toEqual({
    value: 'ERC2612InvalidSigner',
    spender: 'ERC2612InvalidSigner',
    late: 'ERC2612ExpiredSignature',
    malleated: 'ECDSAInvalidSignatureS',
    right: 'nothing',
  })
  await send('facilitator', token, 'permit', permit({}))
  expect(await attempt({})).toBe('ERC2612InvalidSigner')
  expect(await read(token, 'allowance', [account('payer'), account('seller')])).toBe(5n)
})

test.each([
  ['a token with EIP-3009', () => mintedTo(deployEip3009Token(on.chain))],
  ['a hostile token that is honest', () => funded('honest')],
])('%s keeps it to the letter', async (_, deployed) => {
  const token = await deployed()
  const { args, change } = await authorize(token)
  const now = BigInt(await on.chain.now())
  const attempt = (form: readonly unknown[]) => refusal('facilitator', token, 'transferWithAuthorization', form)
  expect({
    value: await attempt(change({ value: 101n })),
    to: await attempt(change({ to: account('payer3') })),
    from: await attempt(change({ from: account('payer2') })),
    early: await attempt((await authorize(token, { validAfter: now + 100n })).args),
    late: await attempt((await authorize(token, { validBefore: 1n })).args),
    received: await refusal('facilitator', token, 'receiveWithAuthorization', args),
    right: await attempt(args),
  }).toEqual({
    value: 'InvalidAuthorizationSignature',
    to: 'InvalidAuthorizationSignature',
    from: 'InvalidAuthorizationSignature',
    early: 'AuthorizationNotYetValid',
    late: 'AuthorizationExpired',
    received: 'CallerMustBePayee',
    right: 'nothing',
  })
  const receipt = await send('facilitator', token, 'transferWithAuthorization', args)
  expect(eventsOf(receipt, token.address).map(([name]) => name)).toEqual(['AuthorizationUsed', 'Transfer'])
  expect(await attempt(args)).toBe('AuthorizationUsedOrCanceled')
})

test('each hostile token betrays as its name says', async () => {
  const outcome = async (conduct: HostileConduct) => {
    const token = await funded(conduct)
    await token.block(account('seller'))
    const { args } = await authorize(token)
    const answer = await refusal('facilitator', token, 'transferWithAuthorization', args)
    if (answer !== 'nothing') return answer
    const receipt = await send('facilitator', token, 'transferWithAuthorization', args)
    const transfers = eventsOf(receipt, token.address).filter(([name]) => name === 'Transfer').length
    const again = await refusal('facilitator', token, 'transferWithAuthorization', args)
    return { transfers, received: await on.chain.balance(account('seller'), token.address), again }
  }
  const used = 'AuthorizationUsedOrCanceled'
  expect({
    honest: await outcome('honest'),
    'fee-on-transfer': await outcome('fee-on-transfer'),
    'returns-false': await outcome('returns-false'),
    'returns-nothing': await outcome('returns-nothing'),
    'silent-replay': await outcome('silent-replay'),
    'lying-log': await outcome('lying-log'),
    'no-log': await outcome('no-log'),
    reentrant: await outcome('reentrant'),
    blocklist: await outcome('blocklist'),
    paused: await outcome('paused'),
    'burns-gas': await outcome('burns-gas'),
  }).toEqual({
    honest: { transfers: 1, received: 100n, again: used },
    'fee-on-transfer': { transfers: 2, received: 99n, again: used },
    'returns-false': { transfers: 0, received: 0n, again: used },
    'returns-nothing': { transfers: 1, received: 100n, again: used },
    'silent-replay': { transfers: 1, received: 100n, again: 'nothing' },
    'lying-log': { transfers: 1, received: 0n, again: used },
    'no-log': { transfers: 0, received: 100n, again: used },
    reentrant: { transfers: 1, received: 100n, again: used },
    blocklist: 'Blocked',
    paused: 'TokenPaused',
    'burns-gas': 'all gas',
  })
})

test('a token may change an allowance from zero only, and say nothing', async () => {
  const token = await funded('approves-from-zero')
  const approve = (amount: bigint) => {
    const data = encodeFunctionData({ abi: token.abi, functionName: 'approve', args: [account('seller'), amount] })
    return on.chain.client.call({ account: account('payer'), to: token.address, data })
  }
  expect(await approve(5n)).toEqual({ data: undefined })
  const hash = await on.chain.client.sendUnsignedTransaction({
    from: account('payer'),
    to: token.address,
    data: encodeFunctionData({ abi: token.abi, functionName: 'approve', args: [account('seller'), 5n] }),
  })
  await on.chain.client.waitForTransactionReceipt({ hash })
  await expect(approve(6n)).rejects.toThrow()
  expect(await approve(0n)).toEqual({ data: undefined })
})

test('a replay that succeeds moves nothing', async () => {
  const token = await funded('silent-replay')
  const { args } = await authorize(token)
  await send('facilitator', token, 'transferWithAuthorization', args)
  const replay = await send('facilitator', token, 'transferWithAuthorization', args)
  expect([replay.logs, await on.chain.balance(account('seller'), token.address)]).toEqual([[], 100n])
})

test('a token may turn between two steps of a payment, and call anybody back', async () => {
  const token = await funded('honest')
  const { args } = await authorize(token)
  expect(await refusal('facilitator', token, 'transferWithAuthorization', args)).toBe('nothing')
  await token.misbehave('reentrant')
  await token.reenter(
    token.address,
    encodeFunctionData({ abi: token.abi as Abi, functionName: 'transferWithAuthorization', args }),
  )
  await send('facilitator', token, 'transferWithAuthorization', args)
  expect(await read(token, 'reentered')).toBe(false) // used before it calls
  await token.reenter(token.address, encodeFunctionData({ ...token, functionName: 'setConduct', args: [9] }))
  await send('payer', token, 'transfer', [zeroAddress, 1n])
  expect([await read(token, 'reentered'), await refusal('payer', token, 'transfer', [zeroAddress, 1n])]).toEqual([
    true,
    'TokenPaused',
  ])
})

test('a payer cancels an authorization', async () => {
  const token = await funded('honest')
  const { args } = await authorize(token)
  const cancel = await signed.cancellation('payer', args[0] as Hex, args[5] as Hex, await domainOf(token))
  const { v, r, s } = parts(cancel)
  await send('facilitator', token, 'cancelAuthorization', [args[0], args[5], v, r, s])
  expect(await refusal('facilitator', token, 'transferWithAuthorization', args)).toBe('AuthorizationUsedOrCanceled')
})

async function domainOf(token: EvmToken) {
  return { address: token.address, name: String(await read(token, 'name')), version: '1' }
}

function funded(conduct: HostileConduct): Promise<HostileToken> {
  return mintedTo(deployHostileToken(on.chain, conduct))
}

async function mintedTo<Token extends EvmToken>(deployed: Promise<Token>): Promise<Token> {
  const token = await deployed
  await token.mint(account('payer'), 1_000n)
  return token
}

/** The arguments of a transfer of 100 units to the seller, and the same with something changed after signing. */
async function authorize(token: EvmToken, given: { validAfter?: bigint; validBefore?: bigint } = {}) {
  const message = {
    from: account('payer'),
    to: account('seller'),
    value: 100n,
    validAfter: 0n,
    validBefore: 2_000_000_000n,
    nonce: randomWord(),
    ...given,
  }
  const signature = await signed.authorization('payer', 'TransferWithAuthorization', message, await domainOf(token))
  const change = (difference: Partial<typeof message>) => [...Object.values({ ...message, ...difference }), signature]
  return { args: change({}), change }
}
