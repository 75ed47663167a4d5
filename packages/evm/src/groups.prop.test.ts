import { assetByTicker, type PaymentPayload } from '@groat/core'
import { type EvmRole, type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BASE_SEPOLIA, offerOf, pay, SELLER } from '../testing/payments.js'
import { approvePermit2, payByPermit2, permit2Offer } from '../testing/permit2.js'
import { privateKeyAccount } from './account.js'
import { createEvmChain, type EvmChain } from './chain.js'
import { exactEvm } from './exact/facilitator.js'
import type { Hex } from './hex.js'

const usdc = assetByTicker(BASE_SEPOLIA, 'USDC')!
const PAYERS = ['payer', 'payer2', 'payer3'] as const
let sandbox: Sandbox
let chain: EvmChain

beforeAll(async () => {
  sandbox = await startEvmChain()
  for (const role of PAYERS) await approvePermit2(sandbox, sandbox.account(role).address, usdc.address as Hex)
  const signers = [sandbox.account('facilitator').privateKey]
  chain = await createEvmChain({ network: BASE_SEPOLIA, rpc: sandbox.rpcUrl, signers })
  await chain.ready()
})
afterAll(() => sandbox?.stop())

const scheme = () => exactEvm({ chains: [chain] })
const keyOf = (role: EvmRole) => privateKeyAccount(sandbox.account(role).privateKey)

/** The same price to the same seller, so that nothing but the group keeps equal transfers apart. */
const sign = (method: 'eip3009' | 'permit2', role: EvmRole): Promise<PaymentPayload> =>
  method === 'eip3009' ? pay(offerOf(), keyOf(role)) : payByPermit2(usdc, permit2Offer(usdc), keyOf(role))

const callOf = (payment: PaymentPayload) => scheme().prepare(payment, payment.accepted!)

async function land(call: Awaited<ReturnType<typeof callOf>>) {
  const [signer = ''] = chain.signers
  const transaction = await chain.sign(call, { signer, nonce: (await chain.nextNonce?.(signer)) ?? 0n })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  const receipt = await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  return { transaction, receipt }
}

const outcomeOf = (payment: PaymentPayload, sent: Awaited<ReturnType<typeof land>>[]) =>
  scheme().outcome(
    payment,
    payment.accepted!,
    sent.map(({ transaction }) => transaction),
  )

const member = fc.record({
  method: fc.constantFrom('eip3009' as const, 'permit2' as const),
  role: fc.constantFrom(...PAYERS),
  /** Somebody else hands it in first: in the group it fails. */
  isSpent: fc.boolean(),
})

test('EVM-EXACT-160 whatever travels together, each that was good is settled by a log of its own, and one that fails changes nothing for the others', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(member, { minLength: 2, maxLength: 7 }), async (members) => {
      const before = await sandbox.balance(SELLER)
      const signed = await Promise.all(
        members.map(async ({ method, role, isSpent }) => ({ isSpent, payment: await sign(method, role) })),
      )
      const waiting = await Promise.all(signed.map(async (each) => ({ ...each, call: await callOf(each.payment) })))
      const earlier = new Map<PaymentPayload, Awaited<ReturnType<typeof land>>>()
      for (const { isSpent, payment, call } of waiting) if (isSpent) earlier.set(payment, await land(call))
      const places = new Set<string>()
      while (waiting.length > 0) {
        const company = chain.groups?.company(waiting.map(({ call }) => call)) ?? [0]
        expect(company[0]).toBe(0)
        const group = company.flatMap((at) => waiting[at] ?? [])
        const calls = group.map(({ call }) => call)
        const sent = await land(calls.length === 1 ? calls[0]! : chain.groups!.join(calls))
        for (const each of group) {
          waiting.splice(waiting.indexOf(each), 1)
          const first = earlier.get(each.payment)
          const outcome = await outcomeOf(each.payment, [sent])
          expect(outcome).toMatchObject({ status: 'settled', transaction: (first ?? sent).transaction.hash })
          if (outcome.status === 'settled') places.add(`${outcome.transaction} ${outcome.logIndex}`)
        }
      }
      expect(places.size).toBe(members.length)
      expect((await sandbox.balance(SELLER)) - before).toBe(1000n * BigInt(members.length))
    }),
    { numRuns: 12 },
  )
}, 60_000)

test('by Permit2 too, a payment in a group costs less gas than alone, and the group keeps far below what it may use', async () => {
  const roles = ['payer', 'payer2', 'payer3', 'payer4', 'payer5'] as const
  await approvePermit2(sandbox, sandbox.account('payer4').address, usdc.address as Hex)
  await approvePermit2(sandbox, sandbox.account('payer5').address, usdc.address as Hex)
  const calls = async () => Promise.all(roles.map(async (role) => callOf(await sign('permit2', role))))
  const [alone, ...rest] = await calls()
  const single = (await land(alone!)).receipt.gasUsed
  for (const count of [2, 5]) {
    const group = chain.groups!.join((await calls()).slice(0, count))
    const { gasUsed } = (await land(group)).receipt
    expect(gasUsed).toBeLessThan(BigInt(count) * single)
    expect((3n * gasUsed) / 2n).toBeLessThan(group.gas)
  }
  expect(rest.every(({ payer, unmarked }) => payer !== undefined && unmarked === true)).toBe(true)
})
