import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  assetByTicker,
  type FacilitatorRequest,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  type SchemeClient,
  type Settlement,
  systemRandom,
} from '@groat/core'
import { createEvmChain, type EvmChainOptions } from '@groat/evm/chain'
import { exactEvm as exactEvmClient, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { exactEvmWithPermit2 } from '@groat/evm/exact/permit2/client'
import { delegateSigner, deploySelfBatch, SELF_BATCH } from '@groat/evm/self-batch'
import { uptoEvm } from '@groat/evm/upto/client'
import { uptoEvm as uptoSeller } from '@groat/evm/upto/server'
import { type EvmChain, type EvmRole, evmAccounts, startEvmChain, usdcAbi } from '@groat/sandbox'
import { openStore, type Store } from '@groat/store'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { createFacilitator, type FacilitatorOptions, type FacilitatorService, type Fault } from '../src/index.js'
import type { JournalTables } from '../src/journal/tables.js'

export const PRICE = 1000n

/** A real chain for a test file and a journal in a file for each test. What is started is stopped. */
export function useFacilitator() {
  const on = {} as {
    chain: EvmChain
    store: Store
    storePath: string
    faults: Fault[]
    before: bigint
    fromBlock: bigint
  }
  let revert: () => Promise<void>
  let folder: string
  let services: FacilitatorService[] = []

  beforeAll(async () => {
    on.chain = await startEvmChain()
    revert = await on.chain.snapshot()
  })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'groat-facilitator-'))
    on.storePath = join(folder, 'pay.db')
    on.store = await openStore(on.storePath)
    on.faults = []
    on.before = await on.chain.balance(on.chain.account('seller').address)
    on.fromBlock = (await on.chain.client.getBlockNumber()) + 1n
  })
  afterEach(async () => {
    await Promise.all(services.map((service) => service.stop()))
    services = []
    await on.store.close()
    await rm(folder, { recursive: true, force: true })
    await revert()
  })
  afterAll(() => on.chain?.stop())

  return Object.assign(on, {
    /** A facilitator in this process, started. */
    async serve(
      options: Partial<FacilitatorOptions> & { rpc?: string; signers?: readonly EvmRole[]; sendAndWait?: boolean } = {},
    ) {
      const { rpc = on.chain.rpcUrl, signers = ['facilitator'], sendAndWait = false, ...rest } = options
      const service = createFacilitator({
        schemes: [exactEvm({ chains: [await settlingChain(rpc, signers, sendAndWait)] })],
        store: on.store,
        onFault: (fault) => on.faults.push(fault),
        stopTimeout: 1000,
        rebroadcast: 200,
        ...rest,
      })
      services.push(service)
      await service.start()
      return service
    },

    /** Signed by a payer of the sandbox for the seller of the sandbox. */
    pay: (role: EvmRole = 'payer', terms: Partial<PaymentRequirements> = {}) => pay(on.chain, role, terms),

    /** The same by Permit2, which the payer has let take. */
    payByPermit2: (role: EvmRole = 'payer', terms: Partial<PaymentRequirements> = {}) =>
      pay(on.chain, role, { ...terms, extra: { assetTransferMethod: 'permit2' } }, exactEvmWithPermit2),

    /** Lets Permit2 take from a payer of the sandbox. */
    async approvePermit2(role: EvmRole) {
      const { client, usdc, permit2, account } = on.chain
      const words = [permit2.slice(2).toLowerCase().padStart(64, '0'), 'f'.repeat(64)]
      const from = account(role).address
      const hash = await client.sendUnsignedTransaction({ from, to: usdc, data: `0x095ea7b3${words.join('')}` })
      await client.waitForTransactionReceipt({ hash })
    },

    /** The same by a payer of its own, with the money for it. */
    async payFrom(key: string, money = PRICE): Promise<FacilitatorRequest> {
      const account = privateKeyAccount(key)
      await on.chain.fund(account.address, money)
      return payAs(on.chain, account)
    },

    /** What an account has for gas. */
    async setCoin(role: EvmRole, wei: bigint) {
      const params = [on.chain.account(role).address, `0x${wei.toString(16)}`]
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'anvil_setBalance', params })
      await fetch(on.chain.rpcUrl, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    },

    /** Of a ceiling that a payer has signed, what a payment costs here; the payer has let Permit2 take it, and has the money. */
    async payUpto(key: string, seconds = 120): Promise<FacilitatorRequest> {
      const { chain } = on
      const account = privateKeyAccount(key)
      await chain.fund(account.address, 10n * PRICE)
      await chain.allow(account.address, chain.permit2, 2n ** 255n)
      const asset = usdcOf()
      const extra = { facilitatorAddress: chain.account('facilitator').address }
      const terms = { network: asset.network, asset, amount: 10n * PRICE, maxTimeoutSeconds: seconds, extra }
      const requirements = uptoSeller.offer({ ...terms, payTo: chain.account('seller').address })
      const payment = await paymentFor(requirements, uptoEvm({ account }))
      return { payment, requirements: { ...requirements, amount: PRICE } }
    },

    /** The signer runs the batch from now on. */
    async delegate(role: EvmRole = 'facilitator') {
      const chain = await settlingChain(on.chain.rpcUrl, [role])
      for (const done of [
        await deploySelfBatch(chain),
        await delegateSigner(chain, privateKeyAccount(on.chain.account(role).privateKey)),
      ]) {
        if (!done.ok) throw new Error(done.detail)
      }
      on.fromBlock = (await on.chain.client.getBlockNumber()) + 1n
    },

    tables: () => on.store.withTables<JournalTables>().db,

    /** The seller has the money, the token’s own logs say so, and the journal says the same: so many times and not once more. */
    async expectMoved(times: number) {
      const { client, usdc, account, balance } = on.chain
      const to = account('seller').address
      const logs = await client.getContractEvents({
        address: usdc,
        abi: usdcAbi,
        eventName: 'Transfer',
        args: { to },
        fromBlock: on.fromBlock,
      })
      const evidence = await on.store.withTables<JournalTables>().db.selectFrom('evidence').selectAll().execute()
      const inOrder = (list: readonly { transaction: string; log: number }[]) =>
        list.map(({ transaction, log }) => `${transaction} ${log}`).sort()
      expect({
        moved: (await balance(to)) - on.before,
        logs: inOrder(logs.map(({ transactionHash, logIndex }) => ({ transaction: transactionHash, log: logIndex }))),
      }).toEqual({
        moved: PRICE * BigInt(times),
        logs: inOrder(evidence.map(({ transaction, log_index }) => ({ transaction, log: log_index }))),
      })
      expect(evidence.reduce((sum, { amount }) => sum + BigInt(amount), 0n)).toBe(PRICE * BigInt(times))
    },
  })
}

/** The chain as a facilitator has it, with keys of the sandbox. */
export async function settlingChain(rpc: EvmChainOptions['rpc'], signers: readonly EvmRole[], sendAndWait = false) {
  const keys = signers.map((role) => evmAccounts.find((account) => account.role === role)?.privateKey ?? '')
  return createEvmChain({ network: network('base-sepolia'), rpc, signers: keys, sendAndWait, selfBatch: SELF_BATCH })
}

function usdcOf() {
  const usdc = assetByTicker(network('base-sepolia'), 'USDC')
  if (usdc?.domain === undefined) throw new Error('USDC has no domain')
  return { ...usdc, domain: usdc.domain }
}

async function paymentFor(requirements: PaymentRequirements, scheme: SchemeClient): Promise<PaymentPayload> {
  const context = { clock: Date.now, random: systemRandom, maxLifetimeSeconds: requirements.maxTimeoutSeconds }
  const prepared = await scheme.prepare(requirements, context)
  if (!prepared.ok) throw new Error(prepared.code)
  const { scheme: name, network: on } = requirements
  return { x402Version: 2, scheme: name, network: on, accepted: requirements, payload: await prepared.sign() }
}

function pay(
  chain: EvmChain,
  role: EvmRole,
  terms: Partial<PaymentRequirements>,
  scheme?: typeof exactEvmClient | typeof exactEvmWithPermit2,
): Promise<FacilitatorRequest> {
  return payAs(chain, privateKeyAccount(chain.account(role).privateKey), terms, scheme)
}

async function payAs(
  chain: EvmChain,
  account: ReturnType<typeof privateKeyAccount>,
  terms: Partial<PaymentRequirements> = {},
  scheme: typeof exactEvmClient | typeof exactEvmWithPermit2 = exactEvmClient,
): Promise<FacilitatorRequest> {
  const usdc = usdcOf()
  const requirements: PaymentRequirements = {
    scheme: 'exact',
    network: usdc.network,
    amount: PRICE,
    asset: usdc.address,
    payTo: chain.account('seller').address,
    maxTimeoutSeconds: 120,
    extra: { name: usdc.domain.name, version: usdc.domain.version },
    ...terms,
  }
  return { requirements, payment: await paymentFor(requirements, scheme({ account })) }
}

/** What a payment comes to. Until that is known it is presented again, as its payer would: how long one call waits says nothing of the payment. */
export async function settleToEnd(service: FacilitatorService, request: FacilitatorRequest): Promise<Settlement> {
  for (;;) {
    const settlement = await service.settle(request)
    if (settlement.status !== 'unknown') return settlement
  }
}

/** Waits for something that will happen. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}
