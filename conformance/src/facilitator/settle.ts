import { both } from '../model/check.js'
import { expectSame, expectThat, fail, warn } from '../model/finding.js'
import { expectMessage } from '../spec/messages.js'
import { errorCodes } from '../spec/requirements.js'
import { expectSettled, expectValid, type Receipt } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith } from './check.js'
import { expectMoved, type FacilitatorStage } from './stage.js'

const check = facilitatorChecksWith({ families: both })

/** What `/settle` does with money. */
export const settleChecks: readonly FacilitatorCheck[] = [
  check(
    'FAC-038/settles',
    'a good payment settles: the chain shows it, by the transaction of the receipt',
    async (stage) => {
      const scene = await stage.scene()
      expectValid(await stage.verify(scene.payment, scene.requirements))
      const receipt = await stage.settle(scene.payment, scene.requirements)
      expectSettled(receipt)
      await expectMoved(stage, scene, 1, receipt)
    },
  ),
  check('FAC-038/without-verify', 'a payment settles without having been verified', async (stage) => {
    const scene = await stage.scene({ amount: 1n })
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'the smallest payment there is')
    await expectMoved(stage, scene, 1, receipt)
  }),
  check('FAC-036/evidence', 'success is said only of what the chain shows', async (stage) => {
    // The payer has money for one of the two payments.
    const first = await stage.scene({ holds: 10_000n })
    const other = { ...first.terms, payTo: await stage.rail.recipient() }
    const requirements = { ...first.requirements, payTo: other.payTo }
    const payload = await stage.rail.pay(first.payer, other)
    const payment = { ...first.payment, accepted: requirements, payload }
    const receipts = [await stage.settle(first.payment, first.requirements), await stage.settle(payment, requirements)]
    expectSame(
      'how many of two payments succeed when there is money for one',
      1,
      receipts.filter(({ success }) => success).length,
    )
    await expectMoved(stage, first, 1, receipts[0])
  }),
  check('FAC-046/status', 'an outcome, good or bad, is a SettleResponse with status 200', async (stage) => {
    for (const holds of [undefined, 0n]) {
      const scene = await stage.scene(holds === undefined ? {} : { holds })
      const { answer, body } = await stage.settle(scene.payment, scene.requirements)
      expectSame('the status of an outcome', 200, answer.status)
      expectMessage('v2/SettleResponse', body)
    }
  }),
  check('FAC-039/reason', 'a refusal has success: false and a reason', async (stage) => {
    const { body, reason, answer } = await refused(stage)
    expectSame('success', false, body.success)
    expectThat(reason !== undefined, 'a refusal has no errorReason', 'a code', answer.text)
    if (!errorCodes.has(reason)) warn('errorReason is no code of the registry', undefined, reason)
  }),
  check('FAC-040/empty-transaction', 'a refusal without a transaction says so with empty text', async (stage) => {
    expectSame('transaction', '', (await refused(stage)).body.transaction)
  }),
  check('FAC-041/network', 'every SettleResponse names the network of the requirements', async (stage) => {
    const scene = await stage.scene()
    expectSame(
      'the network of a success',
      stage.rail.network,
      (await stage.settle(scene.payment, scene.requirements)).body.network,
    )
    expectSame('the network of a refusal', stage.rail.network, (await refused(stage)).body.network)
  }),
  check('FAC-041/network-v1', 'a SettleResponse of version 1 names the network as version 1 does', async (stage) => {
    const scene = await stage.scene({ version: 1 })
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'a payment of version 1 that is right')
    expectSame('the network', stage.rail.v1Network, receipt.body.network)
  }),
  check('FAC-042/no-reason', 'a success has no errorReason', async (stage) => {
    const scene = await stage.scene()
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt)
    expectSame('errorReason', undefined, receipt.body.errorReason)
  }),
  check('FAC-031/twice', 'a payment that is settled twice moves value once', async (stage) => {
    const scene = await stage.scene()
    const first = await stage.settle(scene.payment, scene.requirements)
    expectSettled(first)
    const second = await stage.settle(scene.payment, scene.requirements)
    await expectMoved(stage, scene, 1, first)
    if (second.success) await expectMoved(stage, scene, 1, second)
  }),
  check('FAC-031/at-once', 'six copies of a payment at once move value once', async (stage) => {
    const scene = await stage.scene()
    const receipts = await Promise.all(Array.from({ length: 6 }, () => stage.settle(scene.payment, scene.requirements)))
    const good = receipts.filter(({ success }) => success)
    expectThat(good.length > 0, 'none of six copies settles', 'at least one', receipts[0]?.answer.text)
    for (const receipt of good) await expectMoved(stage, scene, 1, receipt)
  }),
  check('FAC-032/first-receipt', 'settling again gives the first receipt', async (stage) => {
    const scene = await stage.scene()
    const first = await stage.settle(scene.payment, scene.requirements)
    expectSettled(first)
    const second = await stage.settle(scene.payment, scene.requirements)
    expectSame('success and transaction', [true, first.transaction], [second.success, second.transaction])
  }),
  check('FAC-033/other-terms', 'a settled payment is refused under other requirements', async (stage) => {
    const scene = await stage.scene()
    expectSettled(await stage.settle(scene.payment, scene.requirements))
    const requirements = { ...scene.requirements, maxTimeoutSeconds: scene.terms.maxTimeoutSeconds - 1 }
    const second = await stage.settle({ ...scene.payment, accepted: requirements }, requirements)
    expectThat(!second.success, 'one payment is said to have settled two terms', 'success: false', second.answer.text)
  }),
  check('FAC-030/poor', '/settle refuses a payer without money, and moves nothing', async (stage) => {
    const scene = await stage.scene({ holds: 9_999n })
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectThat(!receipt.success, '/settle accepts a payer who holds too little', 'success: false', receipt.answer.text)
    await expectMoved(stage, scene, 0)
  }),
  check('FAC-030/other-amount', '/settle refuses a payment of another amount, and moves nothing', async (stage) => {
    const scene = await stage.scene()
    const cheap = await stage.rail.pay(scene.payer, { ...scene.terms, amount: '1' })
    const receipt = await stage.settle(stage.withPayload(scene, cheap), scene.requirements)
    expectThat(
      !receipt.success,
      '/settle accepts a payment of one unit for 10000',
      'success: false',
      receipt.answer.text,
    )
    await expectMoved(stage, scene, 0)
  }),
  check('FAC-030/spent-meanwhile', '/settle looks again: what was verified may be gone', async (stage) => {
    const scene = await stage.scene({ holds: 10_000n })
    expectValid(await stage.verify(scene.payment, scene.requirements))
    const other = { ...scene.terms, payTo: await stage.rail.recipient() }
    const requirements = { ...scene.requirements, payTo: other.payTo }
    const payment = { ...scene.payment, accepted: requirements, payload: await stage.rail.pay(scene.payer, other) }
    expectSettled(await stage.settle(payment, requirements), 'the first of two payments')
    const late = await stage.settle(scene.payment, scene.requirements)
    expectThat(!late.success, 'a payment settles without money', 'success: false', late.answer.text)
  }),
  check('FAC-037/two-payments', 'two equal payments have two transactions, or one that moves both', async (stage) => {
    const scene = await stage.scene()
    const payload = await stage.rail.pay(scene.payer, scene.terms)
    const receipts = [
      await stage.settle(scene.payment, scene.requirements),
      await stage.settle(stage.withPayload(scene, payload), scene.requirements),
    ]
    for (const receipt of receipts) expectSettled(receipt, 'one of two payments')
    const earned = await stage.rail.balance(scene.recipient)
    expectSame('what the recipient got for two payments', BigInt(scene.terms.amount) * 2n, earned)
  }),
  check('FAC-047/one-transaction', 'copies of a payment at once name one transaction', async (stage) => {
    const scene = await stage.scene()
    const receipts = await Promise.all(Array.from({ length: 4 }, () => stage.settle(scene.payment, scene.requirements)))
    const hashes = new Set(receipts.map(({ transaction }) => transaction).filter((hash) => hash !== ''))
    if (hashes.size !== 1) fail('copies of one payment', 'one transaction', [...hashes])
    expectSame('how many transfers the payer made', 1, await stage.rail.transfersOf(scene.payer))
  }),
]

async function refused(stage: FacilitatorStage): Promise<Receipt> {
  const scene = await stage.scene({ holds: 0n })
  return stage.settle(scene.payment, scene.requirements)
}
