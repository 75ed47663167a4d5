import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail, notApplicable } from '../model/finding.js'
import { expectMessage } from '../spec/messages.js'
import { errorCodes } from '../spec/requirements.js'
import {
  type Agent,
  a2aExtensions,
  a2aKey,
  challengeOf,
  expectDone,
  expectNotDone,
  meetAgent,
  offersOf,
  receiptsOf,
  submitted,
  type Told,
} from './a2a-calls.js'
import { expectSales, settledPayments } from './extended.js'
import { serverCheck } from './offers.js'
import { invalid, pending, refused } from './scripted-facilitator.js'
import type { ServerStage } from './stage.js'

const route = 'a2a'
const upfront = 'a2a-upfront'

/** A check of an agent, and how often its work was done before. */
const agentCheck = (
  id: string,
  title: string,
  run: (stage: ServerStage, agent: Agent, before: number) => Promise<void>,
): Check<ServerStage> =>
  serverCheck(id, title, async (stage) => run(stage, await meetAgent(stage, route), await stage.hits(route)))

/** Presents a payment in the task that asked for it. */
const present = (agent: Agent, asked: Told, payment: unknown): Promise<Told> =>
  agent.say('Here is the payment.', { in: asked, metadata: submitted(payment) })

/** Asks, and pays. */
async function buy(agent: Agent, order = 'the sea'): Promise<{ readonly payment: unknown; readonly done: Told }> {
  const asked = await agent.say(order)
  const payment = await agent.pay(asked)
  const done = await present(agent, asked, payment)
  expectDone(done)
  return { payment, done }
}

/** Waits until something is so, for a while. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let times = 0; times < 50 && !(await holds()); times += 1) await pause(100)
}

/** In which states of its task a payment may be so. */
const statesOf: Readonly<Record<string, readonly string[]>> = {
  'payment-required': ['input-required'],
  'payment-submitted': ['input-required', 'working'],
  'payment-verified': ['working'],
  'payment-completed': ['completed'],
  'payment-failed': ['input-required', 'failed', 'working'],
  'payment-rejected': ['failed', 'input-required'],
}

/** What an agent that sells makes of payments (A2A). */
export const a2aChecks: readonly Check<ServerStage>[] = [
  agentCheck(
    'A2A-001/waits',
    'a task that has to be paid for waits for input, and is not worked on',
    async (stage, agent, before) => {
      const asked = await agent.say('the sea')
      expectSame('the state of the task', 'input-required', asked.state)
      expectNotDone(asked, 'nobody paid')
      await expectSales(stage, route, { before, work: 0, payments: 0 })
    },
  ),
  agentCheck('A2A-002/offers', 'the offers stand in the metadata of its status', async (_, agent) => {
    const asked = await agent.say('the sea')
    expectMessage('a2a/A2aRequired', asked.metadata)
    expectMessage('v2/PaymentRequired', challengeOf(asked))
    expectThat(offersOf(asked).length > 0, 'there are no offers')
  }),
  agentCheck(
    'A2A-003/paid',
    'a payment in a message to the task gets what the task began with',
    async (stage, agent, before) => {
      const order = `a sea ${randomUUID()}`
      const { done } = await buy(agent, order)
      expectThat(
        done.texts.some((text) => text.includes(order)),
        'something else was done than what the task began with',
        order,
        done.texts,
      )
      await expectSales(stage, route, { before, work: 1, payments: 1 })
    },
  ),
  agentCheck('A2A-004/receipt', 'a task that was paid for carries the receipt', async (stage, agent) => {
    const asked = await agent.say('the sea')
    const payer = await stage.rail.payer(1_000_000n)
    const done = await present(agent, asked, await agent.pay(asked, payer))
    expectMessage('a2a/A2aCompleted', done.metadata)
    const receipt = receiptsOf(done).at(-1) ?? fail('there is no receipt', a2aKey.receipts, done.metadata)
    expectMessage('v2/SettleResponse', receipt)
    expectSame(
      'success and payer',
      [true, payer.address.toLowerCase()],
      [receipt.success, String(receipt.payer).toLowerCase()],
    )
  }),
  agentCheck('A2A-005/first-message', 'a payment may come with the first message', async (stage, agent, before) => {
    const payment = await agent.pay(await agent.say('the sea'))
    expectDone(await agent.say('the sea', { metadata: submitted(payment) }), 'a payment with the first message')
    await expectSales(stage, route, { before, work: 1, payments: 1 })
  }),
  agentCheck(
    'A2A-006/again',
    'a payment that comes again in another task, for the same message, gets the same work',
    async (stage, agent, before) => {
      const { payment, done } = await buy(agent)
      const again = await present(agent, await agent.say('the sea'), payment)
      expectDone(again, 'a payment that is presented again')
      expectSame('the texts of the second task', done.texts, again.texts)
      await expectSales(stage, route, { before, work: 1, payments: 1 })
    },
  ),
  agentCheck(
    'A2A-006/at-once',
    'of copies of a payment in several tasks at once, one is worked for',
    async (stage, agent, before) => {
      const tasks = await Promise.all([1, 2, 3].map(() => agent.say('the sea')))
      const [first] = tasks
      const payment = first === undefined ? undefined : await agent.pay(first)
      const told = await Promise.all(tasks.map((asked) => present(agent, asked, payment)))
      expectThat(
        told.some(({ state }) => state === 'completed'),
        'none of the tasks is completed',
        'one at least',
        told.map(({ state }) => state),
      )
      await expectSales(stage, route, { before, work: 1, payments: 1 })
    },
  ),
  agentCheck(
    'A2A-007/other-message',
    'a payment that was presented for another message is refused',
    async (stage, agent, before) => {
      const { payment } = await buy(agent)
      const other = await present(agent, await agent.say('the moon'), payment)
      expectNotDone(other, 'the payment was presented for another message')
      await expectSales(stage, route, { before, work: 1, payments: 1 })
    },
  ),
  agentCheck('A2A-008/failing', 'nothing is settled for a task whose work fails', async (stage, agent) => {
    const asked = await agent.say('fail')
    const failed = await present(agent, asked, await agent.pay(asked))
    expectNotDone(failed, 'the work fails')
    expectSame('how often the facilitator was asked to settle', 0, stage.facilitator.asked('/settle').length)
  }),
  serverCheck(
    'A2A-009/upfront',
    'a task that fails after its payment was settled carries the receipt',
    async (stage) => {
      const agent = await meetAgent(stage, upfront)
      const asked = await agent.say('fail')
      const failed = await present(agent, asked, await agent.pay(asked))
      if (stage.facilitator.asked('/settle').length === 0) notApplicable('the agent settles after its work')
      expectSame('the state of the task', 'failed', failed.state)
      const paid = receiptsOf(failed).filter(({ success }) => success === true)
      expectThat(paid.length === 1, 'the receipts that say success', 'one', failed.metadata)
    },
  ),
  agentCheck(
    'A2A-010/words',
    'how a payment stands is said in the words of the extension, and fits the state of its task',
    async (stage, agent) => {
      const asked = await agent.say('the sea')
      const payment = await agent.pay(asked)
      stage.facilitator.play({ settle: (usual, nth) => (nth === 1 ? refused(usual, nth) : { json: usual }) })
      const again = await present(agent, asked, payment)
      const done = again.state === 'input-required' ? await present(agent, again, await agent.pay(again)) : undefined
      for (const { metadata, state } of [asked, again, ...(done === undefined ? [] : [done])]) {
        const status = String(metadata[a2aKey.status])
        const states = statesOf[status] ?? fail(a2aKey.status, Object.keys(statesOf).join(' or '), status)
        expectThat(states.includes(state), `the state of a task with ${status}`, states.join(' or '), state)
      }
    },
  ),
  agentCheck('A2A-011/refused', 'what was not settled is not given', async (stage, agent) => {
    const asked = await agent.say('the sea')
    const payment = await agent.pay(asked)
    stage.facilitator.play({ settle: refused })
    expectNotDone(await present(agent, asked, payment), 'settlement is refused')
  }),
  agentCheck('A2A-011/invalid', 'nothing is done for a payment that is no good', async (stage, agent, before) => {
    const asked = await agent.say('the sea')
    const payment = await agent.pay(asked)
    stage.facilitator.play({ verify: invalid })
    expectNotDone(await present(agent, asked, payment), 'the payment is no good')
    await expectSales(stage, route, { before, work: 0, payments: 0 })
  }),
  agentCheck('A2A-012/word', 'why a payment failed is said in both vocabularies', async (stage, agent) => {
    const asked = await agent.say('the sea')
    const payment = await agent.pay(asked)
    stage.facilitator.play({ settle: refused })
    const told = await present(agent, asked, payment)
    expectMessage('a2a/A2aFailed', told.metadata)
    const codes = [challengeOf(told)?.error, ...receiptsOf(told).map(({ errorReason }) => errorReason)].map(String)
    const known = codes.filter((code) => errorCodes.has(code) && code !== 'payment_required')
    expectThat(known.length > 0, 'the code of the reason', 'one of the registry, in the offers or the receipt', codes)
  }),
  agentCheck('A2A-013/history', 'receipts of a task are added, and none is taken away', async (stage, agent) => {
    const asked = await agent.say('the sea')
    const payment = await agent.pay(asked)
    stage.facilitator.play({ settle: (usual, nth) => (nth === 1 ? refused(usual, nth) : { json: usual }) })
    const first = await present(agent, asked, payment)
    if (first.state !== 'input-required') notApplicable('a task whose payment was refused has ended')
    const done = await present(agent, first, await agent.pay(first))
    expectDone(done, 'a second payment in the task of one that was refused')
    expectSame(
      'success of the receipts',
      [false, true],
      receiptsOf(done).map(({ success }) => success),
    )
  }),
  agentCheck(
    'A2A-014/pending',
    'a task waits while the outcome of its payment is unknown, and says so',
    async (stage, agent) => {
      const asked = await agent.say('the sea')
      const payment = await agent.pay(asked)
      stage.facilitator.play({ settle: pending })
      const told = await present(agent, asked, payment)
      expectNotDone(told, 'the outcome is unknown')
      expectSame('the state of the task', 'input-required', told.state)
      const { success, errorReason } = receiptsOf(told).at(-1) ?? {}
      expectSame('success and errorReason', [false, 'settlement_pending'], [success, errorReason])
    },
  ),
  agentCheck(
    'A2A-015/no-payment',
    'what is no payment is refused with offers and the code',
    async (stage, agent, before) => {
      for (const payload of ['text', 7, [], {}, { x402Version: 2 }]) {
        const told = await present(agent, await agent.say('the sea'), payload)
        expectNotDone(told, `the payment is ${JSON.stringify(payload)}`)
        const code = String(challengeOf(told)?.error)
        const isReason = errorCodes.has(code) && code !== 'payment_required'
        expectThat(isReason, 'error of the challenge', 'the code of the reason, such as invalid_payload', code)
      }
      await expectSales(stage, route, { before, work: 0, payments: 0 })
    },
  ),
  agentCheck('A2A-016/forged', 'receipts that the work writes are removed', async (_, agent) => {
    const { done } = await buy(agent, 'forge')
    const said = JSON.stringify(done.metadata)
    expectThat(!said.includes('forged'), 'a receipt is the one that the work wrote', 'none', done.metadata)
  }),
  agentCheck('A2A-017/rejected', 'a task whose payment the client rejects ends', async (stage, agent, before) => {
    const asked = await agent.say('the sea')
    const told = await agent.say('I will not pay.', { in: asked, metadata: { [a2aKey.status]: 'payment-rejected' } })
    expectSame('the state of the task', 'failed', told.state)
    expectNotDone(told, 'the client rejects the payment')
    await expectSales(stage, route, { before, work: 0, payments: 0 })
  }),
  agentCheck(
    'A2A-018/activated',
    'the header names the extensions that were asked for and are followed, and no other',
    async (_, agent) => {
      const strange = 'https://strange.example/extension'
      const known = a2aExtensions.filter((name) => agent.declared.includes(name))
      for (const asks of [[...known, strange], [strange]]) {
        const { answer } = await agent.say('the sea', { asks })
        const header = answer.headers['a2a-extensions'] ?? answer.headers['x-a2a-extensions'] ?? ''
        const named = header.split(',').map((each) => each.trim())
        const wanted = known.filter((name) => asks.includes(name)).sort()
        expectSame('the extensions that are activated', wanted, named.filter((name) => name !== '').sort())
      }
    },
  ),
  agentCheck(
    'A2A-019/unknown-task',
    'a payment for a task that nobody knows is not settled',
    async (stage, agent, before) => {
      const asked = await agent.say('the sea')
      const payment = await agent.pay(asked)
      const told = await present(agent, { ...asked, task: { id: randomUUID(), contextId: '' } }, payment)
      expectNotDone(told, 'nobody knows the task')
      await expectSales(stage, route, { before, work: 0, payments: 0 })
    },
  ),
  agentCheck(
    'A2A-019/ended-task',
    'a payment for a task that has ended is not settled',
    async (stage, agent, before) => {
      const { done } = await buy(agent)
      const asked = await agent.say('the sea')
      const told = await present(agent, done, await agent.pay(asked))
      const isError = told.state === 'error' || receiptsOf(told).length <= 1
      expectThat(isError, 'a task that has ended is paid for again', 'an error, or the task as it ended', told.metadata)
      await expectSales(stage, route, { before, work: 1, payments: 1 })
    },
  ),
  serverCheck('A2A-003/version-0.3', 'an agent that lists version 0.3 sells in it too', async (stage) => {
    const agent = await meetAgent(stage, route, true)
    const before = await stage.hits(route)
    const asked = await agent.say('the sea')
    expectSame('the state of the task', 'input-required', asked.state)
    expectMessage('a2a/A2aRequired', asked.metadata)
    const done = await present(agent, asked, await agent.pay(asked))
    expectDone(done)
    expectThat(receiptsOf(done).length > 0, 'the task has no receipt', a2aKey.receipts, done.metadata)
    await expectSales(stage, route, { before, work: 1, payments: 1 })
  }),
  agentCheck(
    'A2A-021/cancelled',
    'a task that is cancelled before it is settled is not paid for',
    async (stage, agent, before) => {
      const asked = await agent.say('wait')
      const paying = present(agent, asked, await agent.pay(asked))
      await until(async () => (await stage.hits(route)) > before)
      const [cancelled, told] = await Promise.all([agent.cancel(asked), paying])
      if (cancelled.state !== 'canceled') notApplicable(`the target has not cancelled the task: ${cancelled.state}`)
      expectNotDone(told, 'the task was cancelled')
      expectSame('payments that were settled', 0, settledPayments(stage))
    },
  ),
  agentCheck(
    'A2A-022/settling',
    'a task that is being settled cannot be cancelled, and completes',
    async (stage, agent, before) => {
      const asked = await agent.say('the sea')
      let release = () => {}
      const held = new Promise<void>((resolve) => {
        release = resolve
      })
      stage.facilitator.play({ settle: (usual) => held.then(() => ({ json: usual })) })
      const paying = present(agent, asked, await agent.pay(asked))
      await until(() => stage.facilitator.asked('/settle').length > 0)
      const cancelling = agent.cancel(asked)
      // Whoever waits with its answer until the facilitator has spoken may.
      await Promise.race([cancelling, pause(500)])
      release()
      const [told, cancelled] = await Promise.all([paying, cancelling])
      expectSame('the answer to cancelling it', 'error', cancelled.state)
      expectDone(told, 'a payment that was being settled when its task was to be cancelled')
      await expectSales(stage, route, { before, work: 1, payments: 1 })
    },
  ),
  agentCheck('A2A-020/card', 'the card declares the extension', async (_, { declared }) => {
    const known = declared.filter((name) => a2aExtensions.includes(name))
    expectThat(known.length > 0, 'capabilities.extensions', a2aExtensions.join(' or '), declared)
  }),
]
