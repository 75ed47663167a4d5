import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Payer } from '../chain/rail.js'
import { type Answer, isObject, jsonIn } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, notApplicable } from '../model/finding.js'
import { encodeHeader } from '../wire/messages.js'
import { type RefundMessage, signRefund } from '../wire/refunds.js'
import { type Statement, signIn } from '../wire/sign-in.js'
import { expectNoFault, extensionIn, needExtension, origin, payExtended } from './extended.js'
import { serverCheck } from './offers.js'
import { pending } from './scripted-facilitator.js'
import { expectDelivered, expectUnpaid, receiptIn, type ServerStage } from './stage.js'

const key = 'groat-refund'
const route = 'refunded'
const day = 86_400

type Members = Readonly<Record<string, unknown>>

/** Somebody who has paid, and can ask for the money. */
interface Customer {
  readonly terms: Members
  readonly payer: Payer
  /** What the answer that was paid for says of refunds. */
  readonly receipt: Members
  /** All of the money, asked for now, under a name of its own. */
  readonly wish: RefundMessage
  /** Signed by this payer, or by another. */
  ask(wish: RefundMessage, by?: Payer): Promise<Reply>
  /** A request as it stands. */
  send(request: object): Promise<Reply>
  /** Refunds to this payer that the facilitator was asked to settle. */
  refunds(): number
}

type Reply = { readonly answer: Answer; readonly body: Members; readonly isDenied: boolean }

/** What is announced, and where requests go. Servers say that they are at the origin that they were told. */
async function termsOf(stage: ServerStage, name: string) {
  const found = await needExtension(stage, name, key)
  const { endpoint } = found.info
  const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  expectThat(url?.origin === origin, '`info.endpoint`', `a URL of ${origin}`, endpoint)
  return { found, terms: found.info, path: `${url.pathname}${url.search}` }
}

async function buy(stage: ServerStage, name = route): Promise<Customer> {
  const { found, terms, path } = await termsOf(stage, name)
  const payer = await stage.rail.payer(1_000_000n)
  const answer = await stage.ask(name, { 'PAYMENT-SIGNATURE': await payExtended(stage, found, payer) })
  expectDelivered(answer)
  const receipt = receiptIn(answer) ?? {}
  const { network, payTo, asset, amount } = found.offer
  const send: Customer['send'] = async (request) => {
    const said = await stage.http.send({
      method: 'POST',
      url: stage.url(route),
      path,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
      timeoutMs: 20_000,
    })
    const read = jsonIn(said)
    const body = isObject(read) ? read : {}
    return { answer: said, body, isDenied: body.status === 'denied' || (said.status >= 400 && said.status < 500) }
  }
  return {
    send,
    terms,
    payer,
    receipt,
    wish: {
      version: 1,
      network: String(network),
      transaction: String(receipt.transaction),
      payer: payer.address,
      payTo: String(payTo),
      asset: String(asset),
      amount: String(amount),
      reason: 'service_defective',
      refundTo: payer.address,
      idempotencyKey: `kit_${randomBytes(16).toString('hex')}`,
      audience: origin,
      issuedAt: Math.floor(Date.now() / 1000),
    },
    ask: async (wish, by = payer) => send(await signRefund(wish, by)),
    refunds: () =>
      stage.facilitator.asked('/settle').filter(({ body }) => isTo(body.paymentRequirements, payer)).length,
  }
}

const isTo = (requirements: unknown, { address }: Payer): boolean =>
  isObject(requirements) && String(requirements.payTo).toLowerCase() === address.toLowerCase()

/** Fails unless the money comes, or is on its way. */
function expectGiven({ answer, body }: Reply, wish: RefundMessage, what: string): void {
  const { status, refundOf, amount } = body
  const right = (answer.status === 200 && status === 'executed') || (answer.status === 202 && status === 'pending')
  expectThat(right, `${what} is not given`, '200 and executed, or 202 and pending', `${answer.status} ${answer.text}`)
  expectSame(`refundOf and amount of ${what}`, [wish.transaction, wish.amount], [refundOf, amount])
}

/** Fails if money comes. */
function expectDenied({ answer, isDenied }: Reply, because: string): void {
  expectThat(isDenied, `money is given back although ${because}`, 'denied', `${answer.status} ${answer.text}`)
  expectNoFault(answer, `a request although ${because}`)
}

/** A request that has to be denied, of somebody who has paid. */
const denied = (
  id: string,
  because: string,
  change: (wish: RefundMessage, stage: ServerStage) => Partial<RefundMessage> | Promise<Partial<RefundMessage>>,
  { name = route, signer }: { readonly name?: string; readonly signer?: (stage: ServerStage) => Promise<Payer> } = {},
): Check<ServerStage> =>
  serverCheck(id, `a request is refused when ${because}`, async (stage) => {
    const customer = await buy(stage, name)
    const wish = { ...customer.wish, ...(await change(customer.wish, stage)) }
    expectDenied(await customer.ask(wish, await signer?.(stage)), because)
    expectSame('refunds that the facilitator was asked to settle', 0, customer.refunds())
  })

const stranger = (stage: ServerStage): Promise<Payer> => stage.rail.payer(1_000_000n)

const seconds = () => Math.floor(Date.now() / 1000)

/** Somebody who has bought a pass, and can sign in with it. */
async function buyPass(stage: ServerStage) {
  const name = 'refunded-pass'
  const customer = await buy(stage, name)
  return {
    ...customer,
    async use(): Promise<Answer> {
      const { info } = await needExtension(stage, name, 'sign-in-with-x')
      const { address } = customer.payer
      const type: Statement['type'] = stage.rail.family === 'evm' ? 'eip191' : 'ed25519'
      const proof = await signIn({ ...info, address, chainId: stage.rail.network, type }, customer.payer)
      return stage.ask(name, { 'SIGN-IN-WITH-X': encodeHeader(proof) })
    },
  }
}

/** How a server gives money back to whoever asks for it (`groat-refund`). */
export const refundChecks: readonly Check<ServerStage>[] = [
  serverCheck('EXT-REFUND-001/announced', 'where, for how long, and whether for a part is announced', async (stage) => {
    const { terms } = await termsOf(stage, route)
    const { windowSeconds, partial } = terms
    const right = Number.isInteger(windowSeconds) && Number(windowSeconds) > 0
    expectThat(right, '`info.windowSeconds`', 'seconds, as a positive integer', windowSeconds)
    expectThat(typeof partial === 'boolean', '`info.partial`', 'true or false', partial)
  }),
  serverCheck('EXT-REFUND-001/receipt', 'the receipt says it again', async (stage) => {
    const { terms, receipt } = await buy(stage)
    const { info } = extensionIn(receipt, key) ?? {}
    const said = isObject(info) ? info : {}
    for (const name of ['endpoint', 'windowSeconds', 'partial'])
      expectSame(`${name} in the receipt`, terms[name], said[name])
  }),
  serverCheck('EXT-REFUND-003/payer', 'who has paid and asks for the money gets it', async (stage) => {
    const { ask, wish } = await buy(stage)
    expectGiven(await ask(wish), wish, 'what its payer asks for')
  }),
  denied('EXT-REFUND-003/stranger', 'somebody else has signed it', () => ({}), { signer: stranger }),
  serverCheck('EXT-REFUND-003/changed', 'a request is refused that was changed after it was signed', async (stage) => {
    const { send, wish, payer, refunds } = await buy(stage)
    const { signature } = await signRefund({ ...wish, amount: '1' }, payer)
    expectDenied(await send({ ...wish, signature }), 'it was changed')
    expectSame('refunds that the facilitator was asked to settle', 0, refunds())
  }),
  denied('EXT-REFUND-004/audience', 'it is for another origin', () => ({ audience: 'https://elsewhere.example' })),
  denied('EXT-REFUND-004/old', 'it is of yesterday', () => ({ issuedAt: seconds() - day })),
  denied('EXT-REFUND-004/future', 'it is of tomorrow', () => ({ issuedAt: seconds() + day })),
  denied('EXT-REFUND-005/elsewhere', 'the money is to go elsewhere', async (_, stage) => ({
    refundTo: (await stranger(stage)).address,
  })),
  denied('EXT-REFUND-006/unpaid', 'nothing was paid by the transaction that it names', ({ transaction }) => ({
    transaction: [...transaction.slice(0, 2), ...[...transaction.slice(2)].reverse()].join(''),
  })),
  serverCheck('EXT-REFUND-006/other-payer', 'a request is refused when somebody else has paid', async (stage) => {
    const { ask, wish, refunds } = await buy(stage)
    const other = await stranger(stage)
    const theirs = { ...wish, payer: other.address, refundTo: other.address }
    expectDenied(await ask(theirs, other), 'somebody else has paid')
    expectSame('refunds that the facilitator was asked to settle', 0, refunds())
  }),
  denied('EXT-REFUND-007/above', 'it is for more than was paid', ({ amount }) => ({
    amount: String(BigInt(amount) + 1n),
  })),
  serverCheck('EXT-REFUND-007/part', 'a part is refused where it was said that there are none', async (stage) => {
    const { ask, wish, terms } = await buy(stage, 'refunded-whole')
    expectSame('info.partial of /conformance/refunded-whole', false, terms.partial)
    const half = { ...wish, amount: String(BigInt(wish.amount) / 2n) }
    expectDenied(await ask(half), 'it is for a part')
  }),
  serverCheck('EXT-REFUND-008/late', 'a request is refused when the window is over', async (stage) => {
    const { ask, wish, terms } = await buy(stage, 'refunded-briefly')
    const window = Number(terms.windowSeconds)
    if (!(window <= 5)) notApplicable('the window of the target is longer than five seconds')
    await pause((window + 1) * 1000)
    expectDenied(await ask({ ...wish, issuedAt: seconds() }), 'the window is over')
  }),
  serverCheck('EXT-REFUND-009/other-wish', 'money is given back once, whatever it is asked for with', async (stage) => {
    const { ask, wish, refunds } = await buy(stage)
    expectGiven(await ask(wish), wish, 'what its payer asks for')
    const other = { ...wish, idempotencyKey: `kit_${randomBytes(16).toString('hex')}`, reason: 'other' }
    expectDenied(await ask(other), 'it was given back')
    expectThat(refunds() <= 1, 'refunds that the facilitator was asked to settle', 'one', refunds())
  }),
  serverCheck('EXT-REFUND-009/at-once', 'of requests at once, one is given', async (stage) => {
    const { ask, wish, refunds } = await buy(stage)
    const wishes = [1, 2, 3, 4].map((nth) => ({ ...wish, idempotencyKey: `${wish.idempotencyKey}_${nth}` }))
    const replies = await Promise.all(wishes.map((each) => ask(each)))
    const given = replies.filter(({ body }) => body.status === 'executed' || body.status === 'pending')
    expectThat(
      given.length === 1,
      'requests that are given',
      'one',
      replies.map(({ answer }) => answer.text),
    )
    expectThat(refunds() <= 1, 'refunds that the facilitator was asked to settle', 'one', refunds())
  }),
  serverCheck(
    'EXT-REFUND-010/again',
    'a request that is sent again is answered by what became of it',
    async (stage) => {
      const { ask, wish, refunds } = await buy(stage)
      expectGiven(await ask(wish), wish, 'what its payer asks for')
      expectGiven(await ask(wish), wish, 'a request that is sent again')
      expectGiven(await ask({ ...wish, issuedAt: seconds() + 1 }), wish, 'a request that is signed again')
      expectThat(refunds() <= 1, 'refunds that the facilitator was asked to settle', 'one', refunds())
    },
  ),
  serverCheck('EXT-REFUND-011/undecided', 'a request that cannot be decided on now is refused', async (stage) => {
    const { ask, wish, refunds } = await buy(stage, 'refund-fails')
    const { answer, body } = await ask(wish)
    expectThat(answer.status >= 400, 'money is given back although nobody decides', 'a refusal', answer.text)
    expectThat(body.status !== 'executed' && body.status !== 'pending', 'status', 'denied', body.status)
    expectSame('refunds that the facilitator was asked to settle', 0, refunds())
  }),
  serverCheck('EXT-REFUND-012/pending', 'nothing is executed before it is settled', async (stage) => {
    const { ask, wish } = await buy(stage)
    stage.facilitator.play({ settle: pending })
    for (const _ of [1, 2]) {
      const { answer, body } = await ask(wish)
      expectThat(body.status !== 'executed', 'status while it is unknown whether it is settled', 'pending', answer.text)
    }
  }),
  serverCheck('EXT-REFUND-013/part', 'a part of a pass is not given while the pass stays open', async (stage) => {
    const { ask, wish, use } = await buyPass(stage)
    const { answer, isDenied } = await ask({ ...wish, amount: String(BigInt(wish.amount) - 1n) })
    expectNoFault(answer, 'a request for a part of a pass')
    if (!isDenied) expectUnpaid(await use(), 'a sign-in for a pass that was given back in part')
    else expectDelivered(await use(), 'a sign-in for a pass of which nothing was given back')
  }),
  serverCheck('EXT-REFUND-014/used', 'a pass that was used is not given back', async (stage) => {
    const { ask, wish, use, refunds } = await buyPass(stage)
    expectDelivered(await use(), 'a sign-in for a pass')
    expectDenied(await ask(wish), 'the pass was used')
    expectSame('refunds that the facilitator was asked to settle', 0, refunds())
  }),
  serverCheck('EXT-SIGN-016/given-back', 'a pass whose money was given back opens nothing', async (stage) => {
    const { ask, wish, use } = await buyPass(stage)
    expectGiven(await ask(wish), wish, 'what was paid for a pass that was not used')
    expectUnpaid(await use(), 'a sign-in for a pass that was given back')
  }),
]
