import { assetByTicker, network, networkReference } from '@groat/core'
import { type SvmChain as LocalChain, type RpcProxy, startRpcProxy, startSvmChain } from '@groat/sandbox'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DEVNET, FEE_PAYER, FEE_PAYER_KEY, PAYER, SELLER } from '../testing/payments.js'
import { createSvmChain, secretKeyAccount } from './chain.js'
import { createSvmRpc } from './rpc.js'

let local: LocalChain
let proxy: RpcProxy
let revert: () => Promise<void>
beforeAll(async () => {
  local = await startSvmChain({ rpcUrl: false, tick: 'off' })
  revert = await local.snapshot()
})
beforeEach(async () => {
  await revert()
  proxy = await startRpcProxy({ target: local.rpcUrl })
})
afterEach(() => proxy.stop())
afterAll(() => local?.stop())

const chainOf = (options: Partial<Parameters<typeof createSvmChain>[0]> = {}) =>
  createSvmChain({ network: DEVNET, rpc: proxy.url, signers: [FEE_PAYER_KEY], ...options })
const usdc = assetByTicker(DEVNET, 'USDC')!

describe('what a chain is made of', () => {
  test.each<[string, () => unknown, string]>([
    ['another kind of network', () => chainOf({ network: network('base') }), 'invalid_network'],
    ['half a genesis hash', () => chainOf({ network: network('solana:EtWTRABZaYq6iMfe') }), 'invalid_network'],
    ['a signer that stands there twice', () => chainOf({ signers: [FEE_PAYER_KEY, FEE_PAYER_KEY] }), 'invalid_config'],
    ['a key that is none', () => chainOf({ signers: ['correct horse'] }), 'invalid_config'],
    [
      'an account without an address',
      () => chainOf({ signers: [{ address: 'me', sign: async (of) => of }] }),
      'invalid_config',
    ],
  ])('%s is told at once', (_name, make, code) => {
    expect(make).toThrow(expect.objectContaining({ code }))
    expect(make).not.toThrow('horse')
  })

  test('a key that signs elsewhere is a signer like any other', async () => {
    const { address, sign } = secretKeyAccount(FEE_PAYER_KEY)
    const chain = chainOf({ signers: [{ address, sign }] })
    const call = { message: new Uint8Array(8), signatures: [new Uint8Array(64), new Uint8Array(64).fill(1)] }
    const signed = await chain.sign(call, { signer: FEE_PAYER })
    expect(signed).toEqual({ ...(await chainOf().sign(call, { signer: FEE_PAYER })) })
    const height = expect.stringMatching(/^[0-9]+$/)
    expect(signed.details).toEqual({ sinceSlot: height, sinceBlockHeight: height, lastBlockHeight: height })
    await expect(chain.sign(call, { signer: PAYER })).rejects.toMatchObject({ code: 'invalid_config' })
  })

  test('what costs more than it may is not signed, nor what nobody knows the cost of', async () => {
    const chain = chainOf()
    const call = { message: new Uint8Array(8), signatures: [new Uint8Array(64)], fee: 10_001n }
    expect(await chain.price?.(call)).toBe(10_001n)
    expect(await chain.sign(call, { signer: FEE_PAYER, maxCost: 10_001n })).toMatchObject({ maxCost: 10_001n })
    const tooDear = { code: 'fee_above_limit' }
    await expect(chain.sign(call, { signer: FEE_PAYER, maxCost: 10_000n })).rejects.toMatchObject(tooDear)
    const { fee: _, ...unknown } = call
    await expect(chain.sign(unknown, { signer: FEE_PAYER, maxCost: 10n ** 18n })).rejects.toMatchObject(tooDear)
    await expect(chain.price?.(unknown)).rejects.toMatchObject(tooDear)
    expect(await chain.sign(unknown, { signer: FEE_PAYER })).not.toHaveProperty('maxCost')
  })
})

describe('readiness', () => {
  test('a chain with its token and money is ready', async () => {
    await chainOf({ assets: [usdc] }).ready()
    await chainOf().ready()
  })

  test.each<[string, object]>([
    ['is not there', { ...usdc, address: SELLER }],
    ['has other decimals', { ...usdc, decimals: 9 }],
    ['is of the other program', { ...usdc, transfer: 'spl-2022' }],
  ])('a token that %s is unknown', async (_name, asset) => {
    await expect(chainOf({ assets: [asset as typeof usdc] }).ready()).rejects.toMatchObject({ code: 'unknown_asset' })
  })

  test('a fee payer that will soon be empty is told before it is', async () => {
    await local.setAccount(FEE_PAYER, { lamports: 9_999_999n, owner: '11111111111111111111111111111111' })
    await expect(chainOf().ready()).rejects.toMatchObject({ code: 'signer_out_of_gas' })
    await chainOf({ minLamports: 9_999_999n }).ready()
  })

  test('SVM-EXACT-079 a node of another chain is told', async () => {
    const [expected, answered] = [networkReference(network('solana')), networkReference(DEVNET)]
    await expect(chainOf({ network: network('solana') }).ready()).rejects.toMatchObject({
      code: 'rpc_wrong_chain',
      context: { expected, answered },
    })
  })
})

describe('sending', () => {
  const transaction = { hash: 'x', raw: 'AA==', signer: FEE_PAYER }
  const fault = (message: string) => ({ action: 'error', code: -32002, message }) as const

  test.each<[string, Parameters<RpcProxy['use']>[0]['fault'], object]>([
    ['its signature', { action: 'result', result: 'x' }, { status: 'accepted' }],
    ['another signature', { action: 'result', result: 'y' }, { status: 'unknown' }],
    ['that it has it', fault('This transaction has already been processed'), { status: 'accepted' }],
    ['any error', fault('Node is behind by 42 slots'), { status: 'unknown', reason: 'Node is behind by 42 slots' }],
    ['nonsense', { action: 'result', result: 7 }, { status: 'unknown', reason: 'rpc_invalid_answer' }],
    ['nothing', { action: 'drop' }, { status: 'unknown', reason: 'rpc_unreachable' }],
  ])('a node that answers %s', async (_name, fault, outcome) => {
    proxy.use({ method: 'sendTransaction', fault })
    expect(await chainOf().send(transaction)).toMatchObject(outcome)
  })
})

test('a mint is read once for a while', async () => {
  let now = 0
  const chain = chainOf({ clock: () => now })
  let asked = 0
  proxy.use({ method: 'getMultipleAccounts', when: () => ++asked > 0, fault: { action: 'pass' } })
  await Promise.all([chain.mint(usdc.address), chain.mint(usdc.address)])
  now = 59_999
  expect(await chain.mint(usdc.address)).toMatchObject({ decimals: 6, extensions: [] })
  expect(asked).toBe(1)
  now = 60_000
  await chain.mint(usdc.address)
  expect([asked, await chain.mint(SELLER)]).toEqual([2, undefined])
})

test('whatever a node answers is an answer or a typed fault', async () => {
  let answer: unknown
  proxy.use({ method: /^(?!getGenesisHash)/, fault: { action: 'rewrite', rewrite: () => answer } })
  const rpc = createSvmRpc({ urls: [proxy.url], network: DEVNET })
  const questions = [
    () => rpc.simulate('AA==', [SELLER]),
    () => rpc.accounts([SELLER]),
    () => rpc.latestBlockhash(),
    () => rpc.blockHeight(),
    () => rpc.finality(),
    () => rpc.finalBlocks(1n, 2n),
    () => rpc.statuses(['x']),
    () => rpc.transaction('x'),
  ]
  const nearly = fc.constantFrom<unknown>(
    { value: { err: null, accounts: [{}] } },
    { value: [{ data: ['!!', 'base64'], owner: SELLER, lamports: 1 }] },
    { value: { blockhash: 7 } },
    -1,
    { absoluteSlot: 1.5, blockHeight: 1 },
    { context: { slot: 1 }, value: [] },
    {
      slot: 1,
      meta: {
        err: null,
        fee: 1,
        preTokenBalances: [{ accountIndex: 0, mint: 'm', uiTokenAmount: { amount: '-1' } }],
        postTokenBalances: [],
      },
    },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(nearly, fc.jsonValue({ maxDepth: 3 })),
      fc.nat(questions.length - 1),
      async (of, which) => {
        answer = of
        const said = await questions[which]?.().catch((error: unknown) => error)
        if (said instanceof Error) expect(said).toMatchObject({ name: 'X402Error', code: 'rpc_invalid_answer' })
      },
    ),
    { numRuns: 150 },
  )
})
