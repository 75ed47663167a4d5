import { network } from '@groat/core'
import { type RpcProxy, type EvmChain as Sandbox, startEvmChain, startRpcProxy } from '@groat/sandbox'
import { generatePrivateKey } from 'viem/accounts'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { batchOfferOf, batchRequest, payBatch } from '../testing/batch.js'
import { offerOf, pay, SELLER } from '../testing/payments.js'
import { privateKeyAccount } from './account.js'
import { batchEvm } from './batch-settlement/facilitator.js'
import { createEvmChain, type EvmChain } from './chain.js'
import { exactEvm } from './exact/facilitator.js'

let sandbox: Sandbox
let restore: () => Promise<void>
let nodes: readonly [RpcProxy, RpcProxy]
beforeAll(async () => {
  sandbox = await startEvmChain()
  restore = await sandbox.snapshot()
})
beforeEach(async () => {
  nodes = [await startRpcProxy({ target: sandbox.rpcUrl }), await startRpcProxy({ target: sandbox.rpcUrl })]
})
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.stop()))
  await restore()
})
afterAll(() => sandbox?.stop())

async function connect(agreeFrom?: string): Promise<EvmChain> {
  const chain = await createEvmChain({
    network: network(sandbox.network),
    rpc: [nodes[0].url, nodes[1].url],
    signers: [sandbox.account('facilitator').privateKey],
    ...(agreeFrom === undefined ? {} : { agreeFrom }),
  })
  await chain.ready()
  return chain
}

const payer = () => privateKeyAccount(sandbox.account('payer').privateKey)
const [small, large] = [offerOf({ amount: 999n }), offerOf({ amount: 1000n })]
const lie = { method: 'eth_call', fault: { action: 'result', result: '0x' } } as const

describe('from the operator’s tier on two nodes have to agree', () => {
  test('about whether a payment is good', async () => {
    const by = exactEvm({ chains: [await connect('0.001')] })
    const verify = async (offer = large) => by.verify(await pay(offer, payer()), offer, { now: Date.now() })
    expect(await verify()).toMatchObject({ ok: true })
    nodes[1].use(lie)
    await expect(verify()).rejects.toMatchObject({ code: 'rpc_nodes_disagree' })
    expect(await verify(small)).toMatchObject({ ok: true })
  })

  test('EVM-BATCH-045 about channels too: one that invents a balance or a deposit gives nothing away', async () => {
    const by = batchEvm({ chains: [await connect('0.005')] })
    const verify = async (depositFor: number) => {
      const offer = batchOfferOf()
      return by.verify(await payBatch(offer, { depositFor }), offer, { now: Date.now() })
    }
    expect(await verify(5)).toMatchObject({ ok: true })
    nodes[0].use({ method: 'eth_call', fault: { action: 'result', result: `0x${'0'.repeat(62)}ff${'0'.repeat(128)}` } })
    await expect(verify(5)).rejects.toMatchObject({ code: 'rpc_nodes_disagree' })
    expect(await verify(4)).toMatchObject({ ok: true })
    // What a seller has done is as dear as what it is about.
    const sweep = batchRequest(batchOfferOf(), { type: 'settle', receiver: SELLER, token: sandbox.usdc })
    await expect(by.verify(sweep, batchOfferOf(), { now: Date.now() })).rejects.toMatchObject({
      code: 'rpc_nodes_disagree',
    })
  })

  test('about what became of it: one that invents a receipt settles nothing, one that is late delays', async () => {
    const chain = await connect('0.001')
    const by = exactEvm({ chains: [chain] })
    const payment = await pay(large, payer())
    const [signer = ''] = chain.signers
    const nonce = await chain.nextNonce?.(signer)
    const sent = await chain.sign(await by.prepare(payment, large), { signer, nonce: nonce ?? 0n })
    await chain.send(sent)
    await sandbox.client.waitForTransactionReceipt({ hash: sent.hash as `0x${string}` })

    const late = nodes[1].use({ method: 'eth_getTransactionReceipt', fault: { action: 'result', result: null } })
    const lateLogs = nodes[1].use({ method: 'eth_getLogs', fault: { action: 'result', result: [] } })
    expect(await by.outcome(payment, large, [sent])).toEqual({ status: 'pending' })
    late()
    lateLogs()
    const lying = nodes[1].use({
      method: 'eth_getTransactionReceipt',
      fault: {
        action: 'rewrite',
        rewrite: (receipt) => ({ ...(receipt as object), blockHash: `0x${'11'.repeat(32)}` }),
      },
    })
    await expect(by.outcome(payment, large, [sent])).rejects.toMatchObject({ code: 'rpc_nodes_disagree' })
    lying()
    expect(await by.outcome(payment, large, [sent])).toMatchObject({ status: 'settled', transaction: sent.hash })
  })

  test('and one that stays away leaves nothing to agree on', async () => {
    const by = exactEvm({ chains: [await connect('0.001')] })
    await nodes[1].stop()
    const payment = await pay(large, payer())
    await expect(by.verify(payment, large, { now: Date.now() })).rejects.toMatchObject({ code: 'rpc_unreachable' })
  })

  test('which takes two nodes to be configured', async () => {
    const only = { network: network(sandbox.network), rpc: nodes[0].url, signers: [], agreeFrom: '1' }
    await expect(createEvmChain(only)).rejects.toMatchObject({ code: 'invalid_config' })
  })
})

test('a nonce is the highest that any two nodes know of', async () => {
  const chain = await connect()
  const [signer = ''] = chain.signers
  nodes[0].use({ method: 'eth_getTransactionCount', fault: { action: 'result', result: '0x7' } })
  expect(await chain.nextNonce?.(signer)).toBe(7n)
  await nodes[0].stop()
  expect(await chain.nextNonce?.(signer)).toBe(
    BigInt(await sandbox.client.getTransactionCount({ address: signer as '0x' })),
  )
})

describe('verifications of concurrent payments', () => {
  test('share one call of the chain', async () => {
    const by = exactEvm({ chains: [await connect()] })
    const payments = await Promise.all(Array.from({ length: 20 }, () => pay(small, payer())))
    const before = nodes[0].count('eth_call')
    const verdicts = await Promise.all(payments.map((payment) => by.verify(payment, small, { now: Date.now() })))
    expect(verdicts.every(({ ok }) => ok)).toBe(true)
    expect(nodes[0].count('eth_call') - before).toBe(1)
  })

  test('do not fail for their company, nor live on its money', async () => {
    const by = exactEvm({ chains: [await connect()] })
    const poor = privateKeyAccount(generatePrivateKey())
    const gift = offerOf({ amount: 999n, payTo: poor.address })
    const cases = [
      [await pay(small, payer()), small],
      [await pay(small, poor), small],
      [await pay(gift, payer()), gift],
      [await pay(small, poor), small],
    ] as const
    const [twice] = cases
    const verdicts = await Promise.all(
      [...cases, twice].map(([payment, offer]) => by.verify(payment, offer, { now: Date.now() })),
    )
    expect(verdicts.map((verdict) => (verdict.ok ? 'ok' : verdict.code))).toEqual([
      'ok',
      'invalid_exact_evm_insufficient_balance',
      'ok',
      'invalid_exact_evm_insufficient_balance',
      'ok',
    ])
  })
})
