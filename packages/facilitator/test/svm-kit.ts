import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assetByTicker, type FacilitatorRequest, network, type PaymentRequirements, systemRandom } from '@groat/core'
import { type SvmChain, type SvmRole, startSvmChain, svmAccounts } from '@groat/sandbox'
import { openStore, type Store } from '@groat/store'
import { createSvmChain, type SvmChainOptions } from '@groat/svm/chain'
import { exactSvm as exactSvmClient, secretKeyAccount } from '@groat/svm/exact/client'
import { type ExactSvmFacilitatorOptions, exactSvm } from '@groat/svm/exact/facilitator'
import { exactSvm as exactSvmServer } from '@groat/svm/exact/server'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { createFacilitator, type FacilitatorOptions, type FacilitatorService, type Fault } from '../src/index.js'
import type { JournalTables } from '../src/journal/tables.js'

export const PRICE = 1000n
export const DEVNET = network('solana-devnet')

type Serving = Partial<FacilitatorOptions> & {
  readonly rpc?: string
  readonly signers?: readonly SvmRole[]
  readonly chain?: Partial<SvmChainOptions>
  readonly exact?: Partial<ExactSvmFacilitatorOptions>
}

/** A real chain for a test file, back to its beginning before each test, and a journal in a file for each test. */
export function useSvmFacilitator() {
  const on = {} as { chain: SvmChain; store: Store; faults: Fault[] }
  let revert: () => Promise<void>
  let folder: string
  let services: FacilitatorService[] = []

  beforeAll(async () => {
    on.chain = await startSvmChain({ rpcUrl: false, tick: 'off' })
    revert = await on.chain.snapshot()
  })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'groat-facilitator-'))
    on.store = await openStore(join(folder, 'pay.db'))
    on.faults = []
  })
  afterEach(async () => {
    await Promise.all(services.map((service) => service.stop()))
    services = []
    await on.store.close()
    await rm(folder, { recursive: true, force: true })
    await revert()
  })
  afterAll(() => on.chain?.stop())

  const journal = () => on.store.withTables<JournalTables>().db

  return Object.assign(on, {
    /** A facilitator in this process, started. */
    async serve({ rpc = on.chain.rpcUrl, signers = ['facilitator'], chain, exact, ...rest }: Serving = {}) {
      const keys = signers.map((role) => accountOf(role).secretKey)
      const settling = createSvmChain({ network: DEVNET, rpc, signers: keys, ...chain })
      const service = createFacilitator({
        schemes: [exactSvm({ chains: [settling], ...exact })],
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
    pay: (role: SvmRole = 'payer', terms: Partial<PaymentRequirements> = {}) => pay(on.chain, role, terms),

    /** The seller has the money, and the journal says so: so many times and not once more. */
    async expectMoved(times: number) {
      const evidence = await journal().selectFrom('evidence').selectAll().execute()
      expect({
        moved: await on.chain.balance(on.chain.account('seller').address),
        credited: evidence.reduce((sum, { amount }) => sum + BigInt(amount), 0n),
        rows: evidence.length,
      }).toEqual({ moved: PRICE * BigInt(times), credited: PRICE * BigInt(times), rows: times })
    },

    journal,

    /** Waits until so many transactions have left. */
    async sent(times = 1) {
      for (;;) {
        const out = await journal().selectFrom('attempt').select('hash').where('status', '=', 'sent').execute()
        if (out.length >= times) return
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
  })
}

export function accountOf(role: SvmRole) {
  const account = svmAccounts.find((each) => each.role === role)
  if (account === undefined) throw new TypeError(`no account is ${role}`)
  return account
}

async function pay(chain: SvmChain, role: SvmRole, terms: Partial<PaymentRequirements>): Promise<FacilitatorRequest> {
  const usdc = assetByTicker(DEVNET, 'USDC')
  if (usdc === undefined) throw new Error('devnet has no USDC')
  const requirements: PaymentRequirements = {
    ...exactSvmServer.offer({
      network: DEVNET,
      asset: usdc,
      amount: PRICE,
      payTo: accountOf('seller').address,
      maxTimeoutSeconds: 60,
      extra: { feePayer: accountOf('facilitator').address },
    }),
    ...terms,
  }
  const scheme = exactSvmClient({ account: secretKeyAccount(accountOf(role).secretKey), rpc: chain.rpcUrl })
  const context = { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 120 }
  const prepared = await scheme.prepare(requirements, context)
  if (!prepared.ok) throw new Error(prepared.code)
  return {
    requirements,
    payment: {
      x402Version: 2,
      scheme: 'exact',
      network: requirements.network,
      accepted: requirements,
      payload: await prepared.sign(),
    },
  }
}
