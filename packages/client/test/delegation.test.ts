import { isPid, type PaymentRequirements } from '@groat/core'
import { exactEvmByDelegation } from '@groat/evm/exact/erc7710/client'
import { describe, expect, test } from 'vitest'
import { type BuyerOptions, createBuyer } from '../src/buyer/index.js'
import { createPayer } from '../src/index.js'
import { challenge, honest, offer, type Script, startSeller } from './support/seller.js'
import { purses } from './support/stores.js'

const byDelegation = (change: Partial<PaymentRequirements> = {}) =>
  offer({ ...change, extra: { assetTransferMethod: 'erc7710' } })

/** Somebody who may spend another's money, and counts what it permits. */
function delegate() {
  const permitted: bigint[] = []
  const scheme = exactEvmByDelegation({
    account: {
      delegator: `0x${'22'.repeat(20)}`,
      delegationManager: `0x${'33'.repeat(20)}`,
      async permit({ amount }) {
        permitted.push(amount)
        return `0x${'ab'.repeat(64)}${permitted.length.toString(16).padStart(2, '0')}`
      },
    },
  })
  return { scheme, permitted }
}

describe.each(purses)('%s purse', (_, open) => {
  async function buyerFor(script: Script, options: Partial<BuyerOptions> = {}) {
    const [seller, purse, { scheme, permitted }] = [await startSeller(script), await open(), delegate()]
    const buyer = createBuyer({ schemes: [scheme], purse, sleep: async () => {}, ...options })
    return { seller, purse, permitted, buyer }
  }

  const refusals: [string, Partial<BuyerOptions>][] = [
    ['a person says no', { policy: { askAbove: '$0' }, approve: async () => false }],
    ['nobody can be asked', { policy: { askAbove: '$0' } }],
    ['the chain would refuse it', { simulate: async () => ({ ok: false, code: 'simulation_failed' }) }],
    ['the budget is used up', { policy: { perDay: '$0.0005' } }],
    ['payments are stopped', { policy: { stopped: true } }],
    ['the account has too little', { balances: async () => 0n }],
  ]
  test.each(refusals)('CLI-002 CL-1 nothing is permitted where %s', async (_name, options) => {
    const { seller, permitted, buyer, purse } = await buyerFor(honest([byDelegation()]), options)
    const response = await buyer.fetch(seller.url)
    expect(buyer.outcome(response)).toMatchObject({ status: 'unpaid' })
    expect([permitted, await purse.records()]).toEqual([[], []])
  })

  test('CLI-002 CL-7 asking for the price and for reasons permits nothing', async () => {
    const { seller, permitted, buyer } = await buyerFor(honest([byDelegation()]))
    expect(await buyer.quote(seller.url)).toMatchObject({ status: 'payable', amount: 1_000n })
    expect(await buyer.explain(seller.url)).toMatchObject({ status: 'payable' })
    expect(permitted).toEqual([])
  })

  test('CLI-016 EVM-EXACT-158 a payment has the identity of its permission once it is signed', async () => {
    const { seller, permitted, buyer, purse } = await buyerFor(honest([byDelegation()]))
    const pids: unknown[] = []
    const onEvent = ({ type, pid }: { type: string; pid?: unknown }) => type === 'payment_signed' && pids.push(pid)
    const outcome = buyer.outcome(await buyer.fetch(seller.url, { onEvent }))
    if (outcome === undefined || !('payment' in outcome)) throw new Error('not paid')
    const [record] = await purse.records()
    const { pid } = outcome.payment
    expect([isPid(pid), record?.intent.pid, pids, permitted]).toEqual([true, pid, [pid], [1_000n]])
  })

  test('CLI-014 the permission that was given is presented again, and no second one is given', async () => {
    let answers = 0
    const script: Script = (seen, nth) => {
      if (seen.payment === undefined) return challenge({ accepts: [byDelegation()] })
      answers++
      return answers < 3 ? { status: 500 } : honest([byDelegation()])(seen, nth)
    }
    const { seller, permitted, buyer } = await buyerFor(script)
    for (let call = 0; call < 3; call++) await buyer.fetch(seller.url)
    expect([permitted.length, new Set(seller.presented()).size, seller.presented().length]).toEqual([1, 1, 3])
  })
})

test('a payer without a purse permits within its policy alone', async () => {
  const seller = await startSeller(honest([byDelegation({ amount: 100_001n })]))
  const { scheme, permitted } = delegate()
  const payer = createPayer({ schemes: [scheme] })
  expect(payer.outcome(await payer.fetch(seller.url))).toMatchObject({ status: 'unpaid', code: 'amount_over_limit' })
  expect(permitted).toEqual([])
})
