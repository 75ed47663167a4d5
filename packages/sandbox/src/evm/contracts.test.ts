import { readFile } from 'node:fs/promises'
import { domainSeparator, hashTypedData, keccak256, toBytes, toEventSelector, toFunctionSelector } from 'viem'
import { expect, test } from 'vitest'
import { eventsOf, everyAbi, useContracts } from '../../test/contract.js'
import { useChain } from '../../test/kit.js'
import { evmContracts, startEvmChain } from '../index.js'

const on = useChain()
const { approvePermit2, read, account } = useContracts(on)
const vectors = JSON.parse(await readFile(new URL('../../test/vectors.json', import.meta.url), 'utf8'))
const { permit2, x402ExactPermit2Proxy, x402UptoPermit2Proxy, x402BatchSettlement, authCaptureEscrow } = evmContracts

test('every contract is at the address that payers sign for', async () => {
  const placed = Object.entries(on.chain.contracts).map(async ([name, { address }]) => [
    name,
    address,
    ((await on.chain.client.getCode({ address }))?.length ?? 0) > 2,
  ])
  expect(await Promise.all(placed)).toEqual([
    ['permit2', '0x000000000022D473030F116dDEE9F6B43aC78BA3', true],
    ['x402ExactPermit2Proxy', '0x402085c248EeA27D92E8b30b2C58ed07f9E20001', true],
    ['x402UptoPermit2Proxy', '0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002', true],
    ['x402BatchSettlement', '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003', true],
    ['erc3009DepositCollector', '0x4020806089470a89826cB9fB1f4059150b550004', true],
    ['permit2DepositCollector', '0x4020425FAf3B746C082C2f942b4E5159887B0005', true],
    ['authCaptureEscrow', '0xf96815976523E00e65Be8f34cA5e64b4f41EB19c', true],
    ['authCaptureEip3009Collector', '0x8612dfdc421f80336cd14E8EF9cb1E765dB5ab88', true],
    ['authCapturePermit2Collector', '0xD69831Aed5bfe262067ec4c751f4F830EcdD446e', true],
    ['authCaptureRefundCollector', '0x7a03443724d14798c4AB4622F1DAAcA761Fea486', true],
  ])
  expect(on.chain.permit2).toBe(permit2.address)
})

test('typed data is for the address and the chain at hand', async () => {
  const batch = { name: 'x402 Batch Settlement', version: '1', verifyingContract: x402BatchSettlement.address }
  const other = await startEvmChain({ rpcUrl: false, chainId: 31_337 })
  try {
    expect(await read(permit2, 'DOMAIN_SEPARATOR')).toBe(vectors.permit2_exact.domainSeparator)
    expect(await other.client.readContract({ ...permit2, functionName: 'DOMAIN_SEPARATOR' })).toBe(
      domainSeparator({ domain: { name: 'Permit2', chainId: 31_337, verifyingContract: permit2.address } }),
    )
    const { config } = vectors.batch_channel
    expect(
      await other.client.readContract({ ...x402BatchSettlement, functionName: 'getChannelId', args: [config] }),
    ).toBe(
      hashTypedData({
        domain: { ...batch, chainId: 31_337 },
        types: channelTypes,
        primaryType: 'ChannelConfig',
        message: config,
      }),
    )
  } finally {
    await other.stop()
  }
  expect(await read(x402BatchSettlement, 'eip712Domain')).toEqual([
    '0x0f',
    batch.name,
    batch.version,
    84_532n,
    batch.verifyingContract,
    `0x${'00'.repeat(32)}`,
    [],
  ])
})

test('digests and type hashes are the published vectors', async () => {
  const { channelId, config } = vectors.batch_channel
  const claims = [{ voucher: { channel: config, maxClaimableAmount: 1_000n }, signature: '0x', totalClaimed: 700n }]
  const typehash = (start: string) => Object.entries(vectors.typehashes).find(([type]) => type.startsWith(start))?.[1]
  expect({
    channel: await read(x402BatchSettlement, 'getChannelId', [config]),
    voucher: await read(x402BatchSettlement, 'getVoucherDigest', [channelId, 1_000n]),
    refund: await read(x402BatchSettlement, 'getRefundDigest', [channelId, 0n, 4_000n]),
    claim: await read(x402BatchSettlement, 'getClaimBatchDigest', [claims]),
    types: await Promise.all(
      ['CHANNEL_CONFIG', 'VOUCHER', 'REFUND', 'CLAIM_BATCH', 'CLAIM_ENTRY'].map((name) =>
        read(x402BatchSettlement, `${name}_TYPEHASH`),
      ),
    ),
    exact: await read(x402ExactPermit2Proxy, 'WITNESS_TYPEHASH'),
    upto: await read(x402UptoPermit2Proxy, 'WITNESS_TYPEHASH'),
    deposit: await read(evmContracts.permit2DepositCollector, 'DEPOSIT_WITNESS_TYPEHASH'),
    payment: await read(authCaptureEscrow, 'PAYMENT_INFO_TYPEHASH'),
  }).toEqual({
    channel: channelId,
    voucher: vectors.batch_voucher.digest,
    refund: vectors.batch_refund.digest,
    claim: vectors.batch_claim.digest,
    types: ['ChannelConfig', 'Voucher', 'Refund', 'ClaimBatch', 'ClaimEntry'].map((name) => typehash(`${name}(`)),
    exact: typehash('Witness(address to,uint256'),
    upto: typehash('Witness(address to,address'),
    deposit: typehash('DepositWitness('),
    payment: vectors.auth_capture.paymentInfoTypehash,
  })
})

test('the witness types that the proxies hand to Permit2 make the published type hashes', async () => {
  const stub = 'PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,'
  const witnesses = [
    [x402ExactPermit2Proxy, 'WITNESS_TYPE_STRING'],
    [x402UptoPermit2Proxy, 'WITNESS_TYPE_STRING'],
    [evmContracts.permit2DepositCollector, 'DEPOSIT_WITNESS_TYPE_STRING'],
  ] as const
  for (const [contract, name] of witnesses) {
    const type = `${stub}${await read(contract, name)}`
    expect(vectors.typehashes[type]).toBe(keccak256(toBytes(type)))
  }
})

test('functions, events and errors have the published selectors', () => {
  const known = new Set<string>(
    everyAbi.flatMap((entry): string[] => {
      if (entry.type === 'function') return [toFunctionSelector(entry)]
      if (entry.type === 'event') return [toEventSelector(entry)]
      if (entry.type !== 'error') return []
      return [toFunctionSelector({ ...entry, type: 'function', outputs: [], stateMutability: 'view' })]
    }),
  )
  const elsewhere = /^(Error|Panic|ERC3009\w+|tryAggregate)\(/ // Solidity's, OpenZeppelin's, Multicall3's
  const missing = (table: Record<string, string>) =>
    Object.keys(table).filter((name) => !elsewhere.test(name) && !known.has(table[name] ?? ''))
  expect({
    functions: missing(vectors.selectors),
    events: missing(vectors.topics),
    errors: missing(vectors.errorSelectors),
  }).toEqual({ functions: [], events: [], errors: [] })
})

test('payments that were signed elsewhere settle: the calldata of the vectors', async () => {
  await approvePermit2('payer')
  const exact = await on.mined(
    on
      .wallet('facilitator')
      .sendTransaction({ to: x402ExactPermit2Proxy.address, data: vectors.calldata.exact_settle }),
  )
  const upto = await on.mined(
    on
      .wallet('facilitator')
      .sendTransaction({ to: x402UptoPermit2Proxy.address, data: vectors.calldata.upto_settle_12345 }),
  )
  expect(eventsOf(exact, on.chain.usdc)).toEqual([transfer(10_000n)])
  expect(eventsOf(upto, on.chain.usdc)).toEqual([transfer(12_345n)])
})

const transfer = (value: bigint) => ['Transfer', { from: account('payer'), to: account('seller'), value }]

const channelTypes = {
  ChannelConfig: [
    { name: 'payer', type: 'address' },
    { name: 'payerAuthorizer', type: 'address' },
    { name: 'receiver', type: 'address' },
    { name: 'receiverAuthorizer', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'withdrawDelay', type: 'uint40' },
    { name: 'salt', type: 'bytes32' },
  ],
} as const
