import { assetByTicker, type Facilitator, network, type Pid, type Settlement } from '@groat/core'
import { type Captures, createCaptures } from '@groat/evm/auth-capture/captures'
import { privateKeyAccount } from '@groat/evm/auth-capture/client'
import { authCaptureEvm } from '@groat/evm/auth-capture/facilitator'
import { openMemoryStore, type Store } from '@groat/store'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FacilitatorService } from '../src/index.js'
import { settlingChain, until, useFacilitator } from './chain-kit.js'
import { payIn } from './hostile/payments.js'

// What a seller does with money that is held, through the engine with its journal, where transactions fail and blocks are undone.

const on = useFacilitator()
const usdc = assetByTicker(network('base-sepolia'), 'USDC')!
const HELD = 10_000n
let service: FacilitatorService
let shop: Store
let captures: Captures
let pid: Pid
let escrow: `0x${string}`
let code: `0x${string}`
const REVERT = '0x60006000fd'
/** Milliseconds: what is known is asked for half a second at a time, several times over, on a machine that may have others to serve. */
const PATIENCE = 90_000

beforeEach(async () => {
  const chains = [await settlingChain(on.chain.rpcUrl, ['facilitator'])]
  service = await on.serve({ schemes: [authCaptureEvm({ chains })], settleTimeout: 500 })
  shop = await openMemoryStore()
  const authorizer = privateKeyAccount(on.chain.account('payer4').privateKey)
  captures = await createCaptures(shop, { facilitator: service as Facilitator, authorizer })
  const request = await payIn('a hold by EIP-3009', on.chain, usdc, HELD)
  const inspected = service.inspect(request)
  if (!inspected.ok) throw new Error(inspected.code)
  pid = inspected.pid
  expect(await settled(() => captures.facilitator.settle(request))).toMatchObject({ status: 'settled' })
  escrow = on.chain.contracts.authCaptureEscrow.address
  code = (await on.chain.client.getCode({ address: escrow })) ?? '0x'
})
afterEach(() => shop.close())

const earned = async () => (await on.chain.balance(on.chain.account('seller').address)) - on.before
const attempts = () =>
  on.tables().selectFrom('attempt').select(['hash', 'status', 'raw']).orderBy('nonce', 'desc').execute()
const standings = () => on.tables().selectFrom('settlement').select(['state', 'reason']).execute()
const states = async () => (await standings()).map(({ state }) => state)
const reasons = async () => (await standings()).map(({ reason }) => reason)

/** Has a capture sent, and included where it fails. */
async function failing(amount: bigint): Promise<`0x${string}`> {
  await on.chain.setAutomine(false)
  const known = (await attempts()).length
  expect(await captures.capture(pid, amount)).toMatchObject({ status: 'unknown' })
  await until(async () => (await attempts()).length > known)
  await until(async () => (await on.chain.client.getBlock({ blockTag: 'pending' })).transactions.length === 1)
  await on.chain.setCode(escrow, REVERT)
  await on.chain.mine()
  const hash = (await attempts())[0]!.hash as `0x${string}`
  expect((await on.chain.client.getTransactionReceipt({ hash })).status).toBe('reverted')
  return hash
}

async function settled(act: () => Promise<Settlement>): Promise<Settlement> {
  let answer = await act()
  await until(async () => {
    if (answer.status === 'unknown') {
      await on.chain.mine()
      answer = await act()
    }
    return answer.status !== 'unknown'
  })
  return answer
}

test(
  'EVM-CAPTURE-068 a capture that failed is not over while its block may be undone: the same bytes pay out then, once',
  async () => {
    const hash = await failing(6_000n)
    for (let i = 0; i < 3; i++) expect(await captures.capture(pid, 6_000n)).toMatchObject({ status: 'unknown' })
    expect(await states()).not.toContain('dead')
    await on.chain.reorg(1)
    await on.chain.setCode(escrow, code)
    // As nodes do with what was in a block that was undone.
    await on.chain.client.sendRawTransaction({ serializedTransaction: (await attempts())[0]!.raw as `0x${string}` })
    const answer = await settled(() => captures.capture(pid, 6_000n))
    expect(answer).toMatchObject({ status: 'settled', receipt: { transaction: hash, amount: 6_000n } })
    expect([await earned(), await captures.hold(pid)]).toMatchObject([
      6_000n,
      { capturable: 4_000n, refundable: 6_000n },
    ])
    expect(await settled(() => captures.capture(pid))).toMatchObject({ status: 'settled' })
    expect(await earned()).toBe(HELD)
  },
  PATIENCE,
)

test(
  'FAC-051 what failed for good can be asked for anew: a hold is not lost for one failure',
  async () => {
    await failing(6_000n)
    const asked = captures.capture(pid, 6_000n)
    await on.chain.mine(80)
    await until(async () => (await states()).includes('dead'))
    const told = { status: 'refused', code: 'invalid_auth_capture_evm_transaction_reverted' }
    const answer = await asked
    // Who has asked too early is told nothing yet, and who asks after that asks anew.
    expect(answer).toMatchObject(answer.status === 'unknown' ? {} : told)
    expect(await reasons()).toContain(told.code)
    await on.chain.setCode(escrow, code)
    expect(await settled(() => captures.capture(pid, 6_000n))).toMatchObject({ status: 'settled' })
    expect(await settled(() => captures.capture(pid, 4_000n))).toMatchObject({ status: 'settled' })
    expect([await earned(), await captures.hold(pid)]).toMatchObject([HELD, { capturable: 0n, refundable: HELD }])
  },
  PATIENCE,
)
