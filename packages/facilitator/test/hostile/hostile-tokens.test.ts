import { type Asset, type FacilitatorRequest, isErrorCode, network, type Settlement } from '@groat/core'
import { createEvmChain, type EvmChain as SettlingChain } from '@groat/evm/chain'
import {
  deployHostileToken,
  deployPlainToken,
  type EvmChain,
  type HostileConduct,
  type HostileToken,
  startEvmChain,
} from '@groat/sandbox'
import { openMemoryStore, type Store } from '@groat/store'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createFacilitator, type FacilitatorService } from '../../src/index.js'
import type { JournalTables } from '../../src/journal/tables.js'
import { until } from '../chain-kit.js'
import { allSchemes, payIn, type Way, ways } from './payments.js'

// Tokens that betray whoever lists them, in every way that takes a payer's money, through the engine with its journal, on a real node.

const NETWORK = network('base-sepolia')
const AMOUNT = 1000n
const EXACT = 'invalid_exact_evm_transaction_simulation_failed'
const PERMIT2 = 'permit2_simulation_failed'
const MISMATCH = 'invalid_exact_evm_transfer_event_mismatch'
const DEPOSIT = 'invalid_batch_settlement_evm_deposit_simulation_failed'
const HOLD = 'invalid_auth_capture_evm_simulation_failed'
const OK = 'ok'

type Address = `0x${string}`

let sandbox: EvmChain
let store: Store
let service: FacilitatorService | undefined
let restore: () => Promise<void>
const address = (role: Parameters<EvmChain['account']>[0]): Address => sandbox.account(role).address

beforeAll(async () => {
  sandbox = await startEvmChain()
  restore = await sandbox.snapshot()
})
beforeEach(async () => {
  store = await openMemoryStore()
})
afterEach(async () => {
  await service?.stop()
  service = undefined
  await store.close()
  await restore()
})
afterAll(() => sandbox?.stop())

const signer = () => [sandbox.account('facilitator').privateKey]

/** A facilitator of all schemes that lists these tokens. */
async function serve(...assets: Asset[]): Promise<FacilitatorService> {
  return serveOn(await createEvmChain({ network: NETWORK, rpc: sandbox.rpcUrl, signers: signer(), assets }))
}

async function serveOn(chain: SettlingChain, settleTimeout?: number): Promise<FacilitatorService> {
  service = createFacilitator({
    schemes: allSchemes(chain),
    store,
    // Each of these payers fails more often than anybody is let.
    limits: { failuresPerPayer: 1000 },
    ...(settleTimeout === undefined ? {} : { settleTimeout }),
    stopTimeout: 1000,
  })
  await service.start()
  return service
}

/** A token that one payer has a million of, all of which Permit2 may take. */
async function hostile(conduct: HostileConduct = 'honest') {
  const token = await deployHostileToken(sandbox)
  await arm(token)
  // Everybody is on its list.
  await token.block(address('payer'))
  await token.misbehave(conduct)
  const domain = { name: 'Hostile Dollar', version: '1' }
  return { token, asset: { ...listed(token.address), transfer: 'eip3009', domain } as const satisfies Asset }
}

const listed = (token: Address) => ({ network: NETWORK, symbol: 'BAD', address: token, decimals: 6 })

async function arm(token: Pick<HostileToken, 'address' | 'mint'>): Promise<void> {
  await token.mint(address('payer'), 1_000_000n)
  const words = [sandbox.permit2.slice(2).toLowerCase().padStart(64, '0'), 'f'.repeat(64)]
  await transact('payer', token.address, `0x095ea7b3${words.join('')}`)
}

async function transact(role: 'payer' | 'issuer', to: Address, data: Address): Promise<void> {
  const hash = await sandbox.client.sendUnsignedTransaction({ from: address(role), to, data })
  await sandbox.client.waitForTransactionReceipt({ hash })
}

const codeOf = (settlement: Settlement): string =>
  settlement.status === 'refused' ? settlement.code : settlement.status === 'settled' ? OK : settlement.status

const gas = () => sandbox.nativeBalance(address('facilitator'))
const rows = () => store.withTables<JournalTables>().db.selectFrom('settlement').selectAll().execute()

/** What has arrived where money of payers goes, and what the journal says has arrived, in atomic units of a token. */
async function books({ address: token, abi }: HostileToken) {
  const { authCaptureEscrow, x402BatchSettlement } = sandbox.contracts
  const { client } = sandbox
  const operator = [address('facilitator')] as const
  const purse = await client.readContract({ ...authCaptureEscrow, functionName: 'getTokenStore', args: operator })
  const owners = [address('seller'), x402BatchSettlement.address, purse]
  const balances = await Promise.all(
    owners.map((owner) => client.readContract({ address: token, abi, functionName: 'balanceOf', args: [owner] })),
  )
  const evidence = await store
    .withTables<JournalTables>()
    .db.selectFrom('evidence')
    .innerJoin('settlement', 'settlement.id', 'evidence.settlement')
    .select('evidence.amount')
    .where('settlement.asset', '=', token)
    .execute()
  return {
    chain: balances.reduce((sum, balance) => sum + balance, 0n),
    ledger: evidence.reduce((sum, { amount }) => sum + BigInt(amount), 0n),
  }
}

/** By ways: exact by EIP-3009, exact by Permit2, upto, deposits, holds. */
const known: readonly (readonly [HostileConduct, readonly string[]])[] = [
  ['fee-on-transfer', [MISMATCH, MISMATCH, PERMIT2, DEPOSIT, HOLD]],
  ['returns-false', [MISMATCH, PERMIT2, PERMIT2, DEPOSIT, HOLD]],
  ['lying-log', [MISMATCH, MISMATCH, PERMIT2, DEPOSIT, HOLD]],
  // The contracts of the last two count what arrives, whatever a token says of it.
  ['no-log', [MISMATCH, MISMATCH, PERMIT2, OK, OK]],
  ['blocklist', [EXACT, PERMIT2, PERMIT2, DEPOSIT, HOLD]],
  ['paused', [EXACT, PERMIT2, PERMIT2, DEPOSIT, HOLD]],
  ['burns-gas', [EXACT, PERMIT2, PERMIT2, DEPOSIT, HOLD]],
]

test.each(known)(
  'D14 EVM-EXACT-077 EVM-UPTO-057 %s: refused in verify and in settle, without gas, in every way of paying',
  async (conduct, [byEip3009 = '', byPermit2 = '', upto = '', deposit = '', hold = '']) => {
    const { token, asset } = await hostile(conduct)
    const facilitator = await serve(asset)
    const expected = [byEip3009, byPermit2, upto, deposit, deposit, hold, hold]
    const answers: (readonly [Way, string, string])[] = []
    const spent: Way[] = []
    for (const way of ways) {
      const request = await payIn(way, sandbox, asset, AMOUNT)
      const before = await gas()
      const verdict = await facilitator.verify(request)
      answers.push([way, verdict.ok ? OK : verdict.code, codeOf(await facilitator.settle(request))])
      if ((await gas()) !== before) spent.push(way)
    }
    expect(answers).toEqual(ways.map((way, i) => [way, expected[i], expected[i]]))
    expect(spent).toEqual(ways.filter((_, i) => expected[i] === OK))
    const { chain, ledger } = await books(token)
    expect([chain, ledger]).toEqual([AMOUNT * BigInt(spent.length), chain])
    for (const { state, reason } of await rows()) {
      expect([state, reason === null || isErrorCode(reason)]).toEqual([reason === null ? 'settled' : 'refused', true])
    }
  },
)

test.each(['returns-nothing', 'silent-replay', 'reentrant'] as const)(
  'D14 %s: every payment is taken once, however often it comes, and not by anybody else',
  async (conduct) => {
    const { token, asset } = await hostile(conduct)
    const facilitator = await serve(asset)
    const chain = await createEvmChain({ network: NETWORK, rpc: sandbox.rpcUrl, signers: signer(), assets: [asset] })
    const halves = allSchemes(chain)
    const requests: FacilitatorRequest[] = []
    for (const way of ways) {
      const request = await payIn(way, sandbox, asset, AMOUNT)
      const half = halves.find(({ scheme }) => scheme.name === request.payment.scheme)
      // The token hands the very payment in again while it moves the money of the first time.
      const again = await half?.prepare(request.payment, request.requirements)
      if (again) await token.reenter(again.to, again.data)
      const first = await facilitator.settle(request)
      expect([way, first.status]).toEqual([way, 'settled'])
      expect(await facilitator.settle(request)).toEqual(first)
      requests.push(request)
    }
    const all = AMOUNT * BigInt(ways.length)
    expect(await books(token)).toEqual({ chain: all, ledger: all })

    // Another facilitator, whose journal knows nothing of it.
    const [before, journal] = [await gas(), await openMemoryStore()]
    const other = createFacilitator({ schemes: halves, store: journal })
    await other.start()
    for (const request of requests) {
      const verdict = await other.verify(request)
      expect(verdict.ok ? OK : isErrorCode(verdict.code)).toBe(true)
      const settlement = await other.settle(request)
      // Found on chain, or refused: never moved again.
      if (settlement.status === 'refused') expect(isErrorCode(settlement.code)).toBe(true)
      else expect(settlement.status).toBe('settled')
    }
    await other.stop()
    await journal.close()
    expect([await gas(), (await books(token)).chain]).toEqual([before, all])
  },
)

test('D14 tokens that turn after they were tried: every payment has an end that is true, and the ledger counts none that did not arrive', async () => {
  const conducts = ['fee-on-transfer', 'returns-false', 'blocklist', 'paused', 'burns-gas'] as const
  const tokens: (Awaited<ReturnType<typeof hostile>> & { readonly conduct: HostileConduct })[] = []
  for (const conduct of conducts) tokens.push({ conduct, ...(await hostile()) })
  const listed = tokens.map(({ asset }) => asset)
  const chain = await createEvmChain({ network: NETWORK, rpc: sandbox.rpcUrl, signers: signer(), assets: listed })
  let turned: Promise<unknown> | undefined
  const turn = async () => {
    for (const { token, conduct } of tokens) await token.misbehave(conduct)
  }
  const turning: SettlingChain = {
    ...chain,
    // Signed is signed: what was good a moment ago goes out.
    async send(transaction) {
      turned ??= turn()
      await turned
      return chain.send(transaction)
    },
  }
  const facilitator = await serveOn(turning, 300)
  const requests: FacilitatorRequest[] = []
  for (const asset of listed) for (const way of ways) requests.push(await payIn(way, sandbox, asset, AMOUNT))
  await Promise.all(requests.map((request) => facilitator.settle(request)))
  await until(async () => (await rows()).every(({ state }) => state !== 'claimed'))
  await sandbox.warp(200)
  await until(async () => (await rows()).every(({ state }) => ENDS.has(state)))

  const all = await rows()
  expect([all.length, all.some(({ state }) => state === 'dead')]).toEqual([requests.length, true])
  for (const { conduct, token, asset } of tokens) {
    const own = all.filter((row) => row.asset === token.address)
    const ends = own.map(({ state, reason }) => [state === 'settled', reason !== null && isErrorCode(reason)])
    expect([conduct, ends]).toEqual([conduct, ways.map(() => [false, true])])
    // What a token leaves of a payment to a seller is not that payment; an escrow does not even take it.
    const short = own.filter(({ scheme, state }) => state === 'dead' && (scheme === 'exact' || scheme === 'upto'))
    const stray = conduct === 'fee-on-transfer' ? 990n * BigInt(short.length) : 0n
    expect([conduct, await books(token)]).toEqual([conduct, { chain: stray, ledger: 0n }])
    // Once betrayed, nobody pays for it again.
    const before = await gas()
    const next = await facilitator.settle(await payIn('exact by EIP-3009', sandbox, asset, AMOUNT))
    expect([conduct, next.status, await gas()]).toEqual([conduct, 'refused', before])
  }
})

const ENDS: ReadonlySet<string> = new Set(['settled', 'final', 'refused', 'dead'])

test('a token without EIP-3009 pays by Permit2 in every way, and by EIP-3009 in none', async () => {
  const token = await deployPlainToken(sandbox)
  await arm(token)
  const plain: Asset = { ...listed(token.address), transfer: 'permit2' }
  // As somebody lists it who does not know.
  const asset: Asset = { ...plain, transfer: 'eip3009', domain: { name: 'Plain Dollar', version: '1' } }
  const facilitator = await serve(plain)
  const answers: (readonly [Way, string, boolean])[] = []
  for (const way of ways) {
    const before = await gas()
    const settlement = await facilitator.settle(await payIn(way, sandbox, asset, AMOUNT))
    answers.push([way, codeOf(settlement), (await gas()) !== before])
  }
  expect(answers).toEqual([
    ['exact by EIP-3009', 'invalid_exact_evm_eip3009_not_supported', false],
    ['exact by Permit2', OK, true],
    ['upto', OK, true],
    ['a deposit by EIP-3009', DEPOSIT, false],
    ['a deposit by Permit2', OK, true],
    ['a hold by EIP-3009', HOLD, false],
    ['a hold by Permit2', OK, true],
  ])
})
