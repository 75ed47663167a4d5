import { readFile } from 'node:fs/promises'
import { type Address, encodeAbiParameters, encodeFunctionData, type Hex, keccak256, zeroAddress, zeroHash } from 'viem'
import { expect, test } from 'vitest'
import { bareV, type Contract, compact, eventsOf, malleated, useContracts } from '../../test/contract.js'
import { useChain } from '../../test/kit.js'
import { parts, randomWord, useSignatures } from '../../test/sign.js'
import {
  delegate7702,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployHostileToken,
  deployPermitToken,
  deployPlainToken,
  type EvmRole,
  evmContracts,
} from '../index.js'

const on = useChain()
const { account, approvePermit2, read, refusal, send } = useContracts(on)
const signed = useSignatures(on)
const vectors = JSON.parse(await readFile(new URL('../../test/vectors.json', import.meta.url), 'utf8'))
const { permit2, erc3009DepositCollector, permit2DepositCollector } = evmContracts
const batch: Contract = evmContracts.x402BatchSettlement
const [byEip3009, byPermit2] = [erc3009DepositCollector.address, permit2DepositCollector.address]

test('the life of a channel, with the published signatures', async () => {
  const { config, channelId } = vectors.batch_channel
  const { batch_deposit_eip3009: first, batch_deposit_permit2: second } = vectors
  await approvePermit2('payer')

  const opened = await send('facilitator', batch, 'deposit', [config, 5_000n, byEip3009, first.collectorData])
  const data = permit2Data(BigInt(second.message.nonce), 2_000_000_000n, second.signature)
  const topped = await send('facilitator', batch, 'deposit', [config, 5_000n, byPermit2, data])
  const claims = [claimOf(config, 1_000n, 700n, vectors.batch_voucher.signature)]
  const claimed = await send('facilitator', batch, 'claimWithSignature', [claims, vectors.batch_claim.signature])
  const refunded = await send('facilitator', batch, 'refundWithSignature', [
    config,
    4_000n,
    0n,
    vectors.batch_refund.signature,
  ])
  const settled = await send('payer3', batch, 'settle', [account('seller'), on.chain.usdc])

  const channel = config as Config
  const named = { ...channel, withdrawDelay: 900 }
  const sender = account('facilitator')
  expect({
    opened: eventsOf(opened, batch.address),
    topped: eventsOf(topped, batch.address),
    claimed: eventsOf(claimed, batch.address),
    refunded: eventsOf(refunded, batch.address),
    settled: eventsOf(settled, batch.address),
  }).toEqual({
    opened: [
      ['ChannelCreated', { channelId, config: named }],
      ['Deposited', { channelId, sender, amount: 5_000n, newBalance: 5_000n }],
    ],
    topped: [['Deposited', { channelId, sender, amount: 5_000n, newBalance: 10_000n }]],
    claimed: [['Claimed', { channelId, sender, claimAmount: 700n, newTotalClaimed: 700n }]],
    refunded: [['Refunded', { channelId, sender, amount: 4_000n }]],
    settled: [
      ['Settled', { receiver: account('seller'), token: on.chain.usdc, sender: account('payer3'), amount: 700n }],
    ],
  })
  expect({
    channel: await read(batch, 'channels', [channelId]),
    receiver: await read(batch, 'receivers', [account('seller'), on.chain.usdc]),
    refundNonce: await read(batch, 'refundNonce', [channelId]),
    payer: await on.chain.balance(account('payer')),
    seller: await on.chain.balance(account('seller')),
    contract: await on.chain.balance(batch.address),
  }).toEqual({
    channel: [6_000n, 700n],
    receiver: [700n, 700n],
    refundNonce: 1n,
    payer: 1_000_000_000n - 6_000n,
    seller: 700n,
    contract: 5_300n,
  })
})

test('deposit wants a whole channel, a delay in range, an amount and a collector', async () => {
  const attempt = (change: Partial<Config>, amount = 1n, collector: Address = byEip3009) =>
    refusal('facilitator', batch, 'deposit', [{ ...config(), ...change }, amount, collector, '0x'])
  expect({
    payer: await attempt({ payer: zeroAddress }),
    receiver: await attempt({ receiver: zeroAddress }),
    authorizer: await attempt({ receiverAuthorizer: zeroAddress }),
    token: await attempt({ token: zeroAddress }),
    short: await attempt({ withdrawDelay: 899 }),
    long: await attempt({ withdrawDelay: 2_592_001 }),
    nothing: await attempt({}, 0n),
    nobody: await attempt({}, 1n, zeroAddress),
    bounds: [await read(batch, 'MIN_WITHDRAW_DELAY'), await read(batch, 'MAX_WITHDRAW_DELAY')],
  }).toEqual({
    payer: 'InvalidChannel',
    receiver: 'InvalidChannel',
    authorizer: 'InvalidChannel',
    token: 'InvalidChannel',
    short: 'WithdrawDelayOutOfRange',
    long: 'WithdrawDelayOutOfRange',
    nothing: 'ZeroDeposit',
    nobody: 'InvalidCollector',
    bounds: [900, 2_592_000],
  })
})

test('an authorized deposit is for one channel, one amount and one time', async () => {
  const data = await eip3009Data(config(), 5_000n)
  const attempt = (channel: Config, amount: bigint, form = data) =>
    refusal('facilitator', batch, 'deposit', [channel, amount, byEip3009, form])
  expect({
    channel: await attempt(config({ salt: randomWord() }), 5_000n),
    amount: await attempt(config(), 5_001n),
    payer: await attempt(config({ payer: account('payer2') }), 5_000n),
    early: await attempt(config(), 5_000n, await eip3009Data(config(), 5_000n, { validAfter: 2_000_000_000n })),
    late: await attempt(config(), 5_000n, await eip3009Data(config(), 5_000n, { validBefore: 1n })),
    poor: await attempt(config(), 1_000_000_001n, await eip3009Data(config(), 1_000_000_001n)),
    malleated: await attempt(config(), 5_000n, await eip3009Data(config(), 5_000n, {}, malleated)),
    right: await attempt(config(), 5_000n),
  }).toEqual({
    channel: 'FiatTokenV2: invalid signature',
    amount: 'FiatTokenV2: invalid signature',
    payer: 'FiatTokenV2: invalid signature',
    early: 'FiatTokenV2: authorization is not yet valid',
    late: 'FiatTokenV2: authorization is expired',
    poor: 'ERC20: transfer amount exceeds balance',
    malleated: "ECRecover: invalid signature 's' value",
    right: 'nothing',
  })
  await send('facilitator', batch, 'deposit', [config(), 5_000n, byEip3009, data])
  expect(await attempt(config(), 5_000n)).toBe('FiatTokenV2: authorization is used or canceled')
})

test('a Permit2 deposit is for one channel, one amount and one time', async () => {
  await approvePermit2('payer')
  const data = await signedPermit2(config(), 5_000n)
  const attempt = (channel: Config, amount: bigint, form = data) =>
    refusal('facilitator', batch, 'deposit', [channel, amount, byPermit2, form])
  expect({
    channel: await attempt(config({ salt: randomWord() }), 5_000n),
    amount: await attempt(config(), 4_999n),
    late: await attempt(config(), 5_000n, await signedPermit2(config(), 5_000n, { deadline: 1n })),
    right: await attempt(config(), 5_000n),
  }).toEqual({ channel: 'InvalidSigner', amount: 'InvalidSigner', late: 'SignatureExpired', right: 'nothing' })
  await send('facilitator', batch, 'deposit', [config(), 5_000n, byPermit2, data])
  expect(await attempt(config(), 5_000n)).toBe('InvalidNonce')
})

test('a Permit2 deposit brings its own allowance, of exactly the deposit', async () => {
  const token = await deployPermitToken(on.chain)
  await token.mint(account('payer'), 10_000n)
  const channel = config({ token: token.address })
  const attempt = async (value: bigint) => [
    channel,
    5_000n,
    byPermit2,
    await signedPermit2(channel, 5_000n, {}, await permitData(token.address, value)),
  ]
  expect(await refusal('facilitator', batch, 'deposit', await attempt(2n ** 256n - 1n))).toBe(
    'Permit2612AmountMismatch',
  )
  const plain = [channel, 5_000n, byPermit2, await signedPermit2(channel, 5_000n)]
  expect(await refusal('facilitator', batch, 'deposit', plain)).toBe('TRANSFER_FROM_FAILED')
  await send('facilitator', batch, 'deposit', await attempt(5_000n))
  expect(await read(batch, 'channels', [await idOf(channel)])).toEqual([5_000n, 0n])
})

test('collectors serve the settlement contract and nobody else', async () => {
  const args = [account('payer'), on.chain.usdc, 1n, zeroHash, '0x']
  expect(await refusal('payer3', erc3009DepositCollector, 'collect', args)).toBe('OnlyX402BatchSettlement')
  expect(await refusal('payer3', permit2DepositCollector, 'collect', args)).toBe('OnlyX402BatchSettlement')
})

test('only what arrives is a deposit, and a token that calls back finds the door shut', async () => {
  const attempt = async (conduct: Parameters<typeof deployHostileToken>[1]) => {
    const token = await deployHostileToken(on.chain, conduct)
    await token.mint(account('payer'), 10_000n)
    await approvePermit2('payer', token)
    const channel = config({ token: token.address })
    await token.reenter(
      batch.address,
      encodeFunctionData({ ...batch, functionName: 'settle', args: [zeroAddress, zeroAddress] }),
    )
    const args = [channel, 5_000n, byPermit2, await signedPermit2(channel, 5_000n)]
    const answer = await refusal('facilitator', batch, 'deposit', args)
    if (answer === 'nothing') await send('facilitator', batch, 'deposit', args)
    return conduct === 'reentrant' ? [answer, await read(token, 'reentryAnswer')] : answer
  }
  expect({
    fee: await attempt('fee-on-transfer'),
    liar: await attempt('lying-log'),
    silent: await attempt('returns-nothing'),
    unlogged: await attempt('no-log'),
    reentrant: await attempt('reentrant'),
  }).toEqual({
    fee: 'DepositCollectionFailed',
    liar: 'DepositCollectionFailed',
    silent: 'nothing',
    unlogged: 'nothing',
    reentrant: ['nothing', '0x3ee5aeb5'],
  })
})

test('an authorization that a token lets pass twice fills no channel twice', async () => {
  const token = await deployHostileToken(on.chain, 'silent-replay')
  await token.mint(account('payer'), 10_000n)
  const channel = config({ token: token.address })
  const data = await eip3009Data(channel, 5_000n, {}, (signature) => signature, {
    address: token.address,
    name: 'Hostile Dollar',
    version: '1',
  })
  const args = [channel, 5_000n, byEip3009, data]
  await send('facilitator', batch, 'deposit', args)
  expect(await refusal('facilitator', batch, 'deposit', args)).toBe('ERC20InsufficientBalance')
  await token.mint(byEip3009, 5_000n)
  expect(await refusal('facilitator', batch, 'deposit', args)).toBe('nothing') // of money that lay about
})

test('a voucher pays up to its ceiling and the balance, in any number of claims, and never twice', async () => {
  const channel = await open(5_000n)
  const attempt = async (ceiling: bigint, total: bigint) =>
    refusal('seller', batch, 'claim', [[await row(channel, ceiling, total)]])
  expect({
    ceiling: await attempt(1_000n, 1_001n),
    balance: await attempt(6_000n, 5_001n),
    all: await attempt(6_000n, 5_000n),
    empty: await refusal('seller', batch, 'claim', [[]]),
  }).toEqual({ ceiling: 'ClaimExceedsCeiling', balance: 'ClaimExceedsBalance', all: 'nothing', empty: 'EmptyBatch' })

  await send('seller', batch, 'claim', [[await row(channel, 1_000n, 400n)]])
  await send('seller', batch, 'claim', [[await row(channel, 1_000n, 1_000n)]])
  const again = await send('seller', batch, 'claim', [[await row(channel, 1_000n, 1_000n)]])
  const older = await send('seller', batch, 'claim', [[{ ...(await row(channel, 1_000n, 900n)), signature: '0x' }]])
  expect([again.logs, older.logs]).toEqual([[], []])
  expect(await read(batch, 'channels', [await idOf(channel)])).toEqual([5_000n, 1_000n])
  expect(await read(batch, 'receivers', [account('seller'), on.chain.usdc])).toEqual([1_000n, 0n])
})

test('D5: only the one canonical form of a voucher can be claimed', async () => {
  const channel = await open(5_000n)
  const signature = await signed.voucher('payer', await idOf(channel), 1_000n)
  const attempt = (form: Hex) => refusal('seller', batch, 'claim', [[claimOf(channel, 1_000n, 700n, form)]])
  expect({
    canonical: await attempt(signature),
    malleated: await attempt(malleated(signature)),
    bareV: await attempt(bareV(signature)),
    compact: await attempt(compact(signature)),
    stranger: await attempt(await signed.voucher('payer2', await idOf(channel), 1_000n)),
    other: await attempt(await signed.voucher('payer', await idOf(channel), 1_001n)),
  }).toEqual({
    canonical: 'nothing',
    malleated: 'ECDSAInvalidSignatureS',
    bareV: 'ECDSAInvalidSignature',
    compact: 'ECDSAInvalidSignatureLength',
    stranger: 'InvalidSignature',
    other: 'InvalidSignature',
  })
})

test('one bad row takes the whole batch with it', async () => {
  const [one, two] = [await open(5_000n), await open(5_000n, { salt: randomWord() })]
  const good = await row(one, 1_000n, 1_000n)
  const bad = { ...(await row(two, 1_000n, 1_000n)), signature: malleated((await row(two, 1_000n, 1_000n)).signature) }
  expect(await refusal('seller', batch, 'claim', [[good, bad]])).toBe('ECDSAInvalidSignatureS')
  await send('seller', batch, 'claim', [[good, await row(two, 1_000n, 500n)]])
  expect(await read(batch, 'receivers', [account('seller'), on.chain.usdc])).toEqual([1_500n, 0n])
})

test('claims are the receiver’s: by itself, by its authorizer, or with the authorizer’s signature', async () => {
  const channel = await open(5_000n)
  const rows = [await row(channel, 1_000n, 700n)]
  const attempt = async (by: EvmRole, total = 700n) =>
    refusal('payer3', batch, 'claimWithSignature', [rows, await batchSignature(by, channel, total)])
  const other = config({ receiverAuthorizer: account('payer3') })
  expect({
    receiver: await refusal('seller', batch, 'claim', [rows]),
    authorizer: await refusal('payer2', batch, 'claim', [rows]),
    payer: await refusal('payer', batch, 'claim', [rows]),
    signed: await attempt('payer2'),
    stranger: await attempt('seller'),
    total: await attempt('payer2', 600n),
    empty: await refusal('payer3', batch, 'claimWithSignature', [[], '0x']),
    mixed: await refusal('payer3', batch, 'claimWithSignature', [[...rows, claimOf(other, 1n, 1n, '0x')], '0x']),
  }).toEqual({
    receiver: 'nothing',
    authorizer: 'nothing',
    payer: 'NotAuthorizedToClaim',
    signed: 'nothing',
    stranger: 'InvalidSignature',
    total: 'InvalidSignature',
    empty: 'EmptyBatch',
    mixed: 'NotReceiverAuthorizer',
  })
})

test('a payer without an authorizer signs vouchers as ERC-1271 has it, and so does a receiver’s authorizer', async () => {
  const authorizer = await deployErc1271Wallet(on.chain, account('payer2'))
  const channel = await open(5_000n, { payerAuthorizer: zeroAddress, receiverAuthorizer: authorizer })
  const rows = [await row(channel, 1_000n, 700n)]
  const args = [rows, await batchSignature('payer2', channel, 700n)]
  expect(await refusal('payer3', batch, 'claimWithSignature', args)).toBe('nothing')

  await delegate7702(on.chain, account('payer'), await deployErc1271Delegate(on.chain))
  expect(await refusal('payer3', batch, 'claimWithSignature', args)).toBe('nothing')
  await on.chain.setCode(account('payer'), '0xfe') // D7: the payer changes its mind and its code
  expect(await refusal('payer3', batch, 'claimWithSignature', args)).toBe('InvalidSignature')
})

test('settle sends what was claimed, once, to the receiver alone', async () => {
  const channel = await open(5_000n)
  await send('seller', batch, 'claim', [[await row(channel, 1_000n, 700n)]])
  await send('payer3', batch, 'settle', [account('seller'), on.chain.usdc])
  const again = await send('payer3', batch, 'settle', [account('seller'), on.chain.usdc])
  expect(again.logs).toEqual([])
  expect(await on.chain.balance(account('seller'))).toBe(700n)
  expect(await read(batch, 'receivers', [account('seller'), on.chain.usdc])).toEqual([700n, 700n])
})

test('settle fails as a whole when the token does', async () => {
  const token = await deployHostileToken(on.chain)
  const channel = config({ token: token.address })
  await token.mint(account('payer'), 5_000n)
  await approvePermit2('payer', token)
  await send('facilitator', batch, 'deposit', [channel, 5_000n, byPermit2, await signedPermit2(channel, 5_000n)])
  await send('seller', batch, 'claim', [[await row(channel, 1_000n, 700n)]])
  const settle = () => refusal('seller', batch, 'settle', [account('seller'), token.address])
  await token.misbehave('returns-false')
  expect(await settle()).toBe('SafeERC20FailedOperation')
  await token.misbehave('blocklist')
  await token.block(account('seller'))
  expect(await settle()).toBe('Blocked')
  await token.misbehave('honest')
  expect(await settle()).toBe('nothing')
})

test('a refund gives back what is unclaimed, moves the nonce first, and caps in silence', async () => {
  const channel = await open(5_000n)
  const id = await idOf(channel)
  await send('seller', batch, 'claim', [[await row(channel, 1_000n, 1_000n)]])
  const attempt = async (by: EvmRole, amount: bigint, nonce: bigint, said = amount) =>
    refusal('payer3', batch, 'refundWithSignature', [channel, amount, nonce, await signed.refund(by, id, nonce, said)])
  expect({
    stranger: await attempt('seller', 100n, 0n),
    amount: await attempt('payer2', 100n, 0n, 99n),
    nonce: await attempt('payer2', 100n, 1n),
    zero: await attempt('payer2', 0n, 0n),
    payer: await refusal('payer', batch, 'refund', [channel, 1n]),
    receiver: await refusal('seller', batch, 'refund', [channel, 1n]),
    right: await attempt('payer2', 100n, 0n),
  }).toEqual({
    stranger: 'InvalidSignature',
    amount: 'InvalidSignature',
    nonce: 'InvalidRefundNonce',
    zero: 'ZeroRefund',
    payer: 'NotAuthorizedToRefund',
    receiver: 'nothing',
    right: 'nothing',
  })

  const most = [channel, 9_999n, 0n, await signed.refund('payer2', id, 0n, 9_999n)]
  const receipt = await send('payer3', batch, 'refundWithSignature', most)
  expect(eventsOf(receipt, batch.address)).toEqual([
    ['Refunded', { channelId: id, sender: account('payer3'), amount: 4_000n }],
  ])
  expect(await refusal('payer3', batch, 'refundWithSignature', most)).toBe('InvalidRefundNonce')
  const empty = await send('payer2', batch, 'refund', [channel, 1n])
  expect(empty.logs).toEqual([])
  expect([await read(batch, 'refundNonce', [id]), await read(batch, 'channels', [id])]).toEqual([2n, [1_000n, 1_000n]])
})

test('a channel that is emptied unclaimed closes, and opens again', async () => {
  const channel = await open(5_000n)
  const closed = await send('seller', batch, 'refund', [channel, 5_000n])
  expect(eventsOf(closed, batch.address).map(([name]) => name)).toEqual(['ChannelClosed', 'Refunded'])
  const data = await eip3009Data(channel, 1_000n)
  const opened = await send('facilitator', batch, 'deposit', [channel, 1_000n, byEip3009, data])
  expect(eventsOf(opened, batch.address).map(([name]) => name)).toEqual(['ChannelCreated', 'Deposited'])
})

test('a payer leaves alone after the delay, with what is unclaimed by then', async () => {
  const channel = await open(5_000n)
  const id = await idOf(channel)
  const initiate = (by: EvmRole, amount: bigint) => refusal(by, batch, 'initiateWithdraw', [channel, amount])
  const finalize = (by: EvmRole) => refusal(by, batch, 'finalizeWithdraw', [channel])
  expect({
    stranger: await initiate('seller', 1n),
    zero: await initiate('payer', 0n),
    more: await initiate('payer', 5_001n),
    unasked: await finalize('payer'),
  }).toEqual({
    stranger: 'NotAuthorizedToFinalizeWithdraw',
    zero: 'NothingToWithdraw',
    more: 'WithdrawAmountExceedsAvailable',
    unasked: 'WithdrawalNotPending',
  })

  const asked = await send('payer', batch, 'initiateWithdraw', [channel, 5_000n])
  const { timestamp } = await on.chain.client.getBlock({ blockNumber: asked.blockNumber })
  expect(eventsOf(asked, batch.address)).toEqual([
    ['WithdrawInitiated', { channelId: id, amount: 5_000n, finalizeAfter: Number(timestamp) + 900 }],
  ])
  expect(await read(batch, 'pendingWithdrawals', [id])).toEqual([5_000n, Number(timestamp)])
  expect([await initiate('payer', 1n), await finalize('payer')]).toEqual([
    'WithdrawalAlreadyPending',
    'WithdrawDelayNotElapsed',
  ])

  await send('seller', batch, 'claim', [[await row(channel, 1_000n, 1_000n)]]) // D8: in time
  await on.chain.warp(900)
  expect(await finalize('seller')).toBe('NotAuthorizedToFinalizeWithdraw')
  const left = await send('payer', batch, 'finalizeWithdraw', [channel])
  expect(eventsOf(left, batch.address)).toEqual([
    ['WithdrawFinalized', { channelId: id, sender: account('payer'), amount: 4_000n }],
  ])
  expect(await refusal('seller', batch, 'claim', [[await row(channel, 2_000n, 2_000n)]])).toBe('ClaimExceedsBalance')
  await send('seller', batch, 'settle', [account('seller'), on.chain.usdc])
  expect([await on.chain.balance(batch.address), await on.chain.balance(account('seller'))]).toEqual([0n, 1_000n])
})

test('a refund makes a pending withdrawal smaller, or undoes it', async () => {
  const channel = await open(5_000n)
  const id = await idOf(channel)
  await send('payer', batch, 'initiateWithdraw', [channel, 3_000n])
  await send('seller', batch, 'refund', [channel, 1_000n])
  expect(await read(batch, 'pendingWithdrawals', [id])).toMatchObject([2_000n, expect.any(Number)])
  await send('seller', batch, 'refund', [channel, 2_000n])
  expect(await read(batch, 'pendingWithdrawals', [id])).toEqual([0n, 0])
})

test('multicall claims and refunds together, as its sender, or does nothing', async () => {
  const channel = await open(5_000n)
  const id = await idOf(channel)
  const claim = encodeFunctionData({
    ...batch,
    functionName: 'claimWithSignature',
    args: [[await row(channel, 1_000n, 1_000n)], await batchSignature('payer2', channel, 1_000n)],
  })
  const refund = async (nonce: bigint) =>
    encodeFunctionData({
      ...batch,
      functionName: 'refundWithSignature',
      args: [channel, 4_000n, nonce, await signed.refund('payer2', id, nonce, 4_000n)],
    })
  expect(await refusal('payer3', batch, 'multicall', [[claim, await refund(1n)]])).toBe('InvalidRefundNonce')
  await send('payer3', batch, 'multicall', [[claim, await refund(0n)]])
  expect(await read(batch, 'channels', [id])).toEqual([1_000n, 1_000n])
})

test('a balance does not overflow', async () => {
  const token = await deployPlainToken(on.chain)
  const channel = config({ token: token.address })
  const all = 2n ** 128n - 1n
  await token.mint(account('payer'), all + 1n)
  await approvePermit2('payer', token)
  await send('facilitator', batch, 'deposit', [channel, all, byPermit2, await signedPermit2(channel, all)])
  const more = [channel, 1n, byPermit2, await signedPermit2(channel, 1n)]
  expect(await refusal('facilitator', batch, 'deposit', more)).toBe('DepositOverflow')
})

type Config = {
  readonly payer: Address
  readonly payerAuthorizer: Address
  readonly receiver: Address
  readonly receiverAuthorizer: Address
  readonly token: Address
  readonly withdrawDelay: number
  readonly salt: Hex
}

/** The payer's channel with the seller, whose authorizer is `payer2`. */
function config(change: Partial<Config> = {}): Config {
  return {
    payer: account('payer'),
    payerAuthorizer: account('payer'),
    receiver: account('seller'),
    receiverAuthorizer: account('payer2'),
    token: on.chain.usdc,
    withdrawDelay: 900,
    salt: zeroHash,
    ...change,
  }
}

async function open(amount: bigint, change: Partial<Config> = {}): Promise<Config> {
  const channel = config(change)
  await send('facilitator', batch, 'deposit', [channel, amount, byEip3009, await eip3009Data(channel, amount)])
  return channel
}

const idOf = async (channel: Config): Promise<Hex> => (await read(batch, 'getChannelId', [channel])) as Hex

const claimOf = (channel: Config, maxClaimableAmount: bigint, totalClaimed: bigint, signature: Hex) => ({
  voucher: { channel, maxClaimableAmount },
  signature,
  totalClaimed,
})

const row = async (channel: Config, ceiling: bigint, total: bigint) =>
  claimOf(channel, ceiling, total, await signed.voucher('payer', await idOf(channel), ceiling))

const batchSignature = async (by: EvmRole, channel: Config, totalClaimed: bigint) =>
  signed.claimBatch(by, [{ channelId: await idOf(channel), maxClaimableAmount: 1_000n, totalClaimed }])

/** Collector data of an EIP-3009 deposit. */
async function eip3009Data(
  channel: Config,
  value: bigint,
  given: { validAfter?: bigint; validBefore?: bigint } = {},
  form: (signature: Hex) => Hex = (signature) => signature,
  token = { address: on.chain.usdc, name: 'USDC', version: '2' },
): Promise<Hex> {
  const salt = BigInt(randomWord())
  const nonce = keccak256(encodeAbiParameters([{ type: 'bytes32' }, { type: 'uint256' }], [await idOf(channel), salt]))
  const times = { validAfter: 0n, validBefore: 2_000_000_000n, ...given }
  const message = { from: account('payer'), to: byEip3009, value, ...times, nonce }
  const signature = await signed.authorization('payer', 'ReceiveWithAuthorization', message, token)
  return encodeAbiParameters(
    [{ type: 'uint256' }, { type: 'uint256' }, { type: 'uint256' }, { type: 'bytes' }],
    [times.validAfter, times.validBefore, salt, form(signature)],
  )
}

/** Collector data of a Permit2 deposit. */
async function signedPermit2(
  { token, ...rest }: Config,
  amount: bigint,
  { deadline = 2_000_000_000n } = {},
  eip2612: Hex = '0x',
): Promise<Hex> {
  const nonce = BigInt(randomWord())
  const signature = await signed.permit2(
    'payer',
    { permitted: { token, amount }, spender: byPermit2, nonce, deadline },
    {
      name: 'DepositWitness',
      fields: [{ name: 'channelId', type: 'bytes32' }],
      value: { channelId: await idOf({ token, ...rest }) },
    },
  )
  return permit2Data(nonce, deadline, signature, eip2612)
}

const permit2Data = (nonce: bigint, deadline: bigint, signature: Hex, eip2612: Hex = '0x') =>
  encodeAbiParameters(
    [{ type: 'uint256' }, { type: 'uint256' }, { type: 'bytes' }, { type: 'bytes' }],
    [nonce, deadline, signature, eip2612],
  )

async function permitData(token: Address, value: bigint): Promise<Hex> {
  const deadline = 2_000_000_000n
  const message = { owner: account('payer'), spender: permit2.address, value, nonce: 0n, deadline }
  const { v, r, s } = parts(
    await signed.permit('payer', message, { address: token, name: 'Permit Dollar', version: '1' }),
  )
  return encodeAbiParameters(
    [{ type: 'uint256' }, { type: 'uint256' }, { type: 'uint8' }, { type: 'bytes32' }, { type: 'bytes32' }],
    [value, deadline, v, r, s],
  )
}
