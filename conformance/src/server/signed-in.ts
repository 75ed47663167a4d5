import { randomBytes } from 'node:crypto'
import type { Payer } from '../chain/rail.js'
import { type Answer, isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail, notApplicable } from '../model/finding.js'
import { expectMessage } from '../spec/messages.js'
import { decodeHeader, encodeHeader } from '../wire/messages.js'
import { type Statement, signIn } from '../wire/sign-in.js'
import { expectNoFault, extensionIn, needExtension, origin, payExtended } from './extended.js'
import { serverCheck } from './offers.js'
import { expectDelivered, expectUnpaid, expectWithheld, type ServerStage, secret } from './stage.js'

const key = 'sign-in-with-x'
const route = 'pass'
const other = 'other-pass'
const members = 'members'

/** Somebody who has bought the pass, or has not. */
interface Visitor {
  readonly payer: Payer
  /** What the challenge asks this account to sign. */
  readonly asked: Statement
  /** Shows a proof. */
  show(proof: unknown): Promise<Answer>
}

const typeOf = ({ rail }: ServerStage): Statement['type'] => (rail.family === 'evm' ? 'eip191' : 'ed25519')

async function visit(
  stage: ServerStage,
  { buys = true, as }: { readonly buys?: boolean; readonly as?: Payer } = {},
): Promise<Visitor> {
  const found = await needExtension(stage, route, key)
  const payer = as ?? (await stage.rail.payer(1_000_000n))
  if (buys) expectDelivered(await stage.ask(route, { 'PAYMENT-SIGNATURE': await payExtended(stage, found, payer) }))
  const { info } = await needExtension(stage, route, key)
  return {
    payer,
    asked: { ...info, address: payer.address, chainId: stage.rail.network, type: typeOf(stage) },
    show: (proof) => stage.ask(route, { 'SIGN-IN-WITH-X': typeof proof === 'string' ? proof : encodeHeader(proof) }),
  }
}

/** The challenge of a route that asks for a sign-in and for no money. */
async function membersOnly(stage: ServerStage) {
  const answer = await stage.ask(members)
  const challenge = decodeHeader(answer.headers['payment-required'])
  const announced = extensionIn(challenge, key)
  if (announced === undefined) {
    if (stage.claims(members)) fail(`/conformance/${members} does not ask for a sign-in`, key, answer.status)
    notApplicable(`the target has no route ${members} that asks for a sign-in`)
  }
  const { info } = announced
  const payer = await stage.rail.payer(1n)
  const asked = {
    ...(isObject(info) ? info : {}),
    address: payer.address,
    chainId: stage.rail.network,
    type: typeOf(stage),
  }
  const header = encodeHeader(await signIn(asked, payer))
  const show = () => stage.ask(members, { 'SIGN-IN-WITH-X': header })
  return { answer, challenge, show }
}

/** Fails unless caches keep an answer for nobody else. */
function expectUnshared({ headers }: Answer): void {
  const control = headers['cache-control'] ?? ''
  expectThat(/private|no-store/.test(control), 'Cache-Control of the answer', 'private or no-store', control)
}

/** A proof of somebody who has bought the pass that has to be refused: well signed, but for something else. */
const foreign = (
  id: string,
  what: string,
  change: (stage: ServerStage) => Readonly<Record<string, unknown>>,
): Check<ServerStage> =>
  serverCheck(id, `a proof ${what} is refused`, async (stage) => {
    const { asked, payer, show } = await visit(stage)
    const answer = await show(await signIn({ ...asked, ...change(stage) }, payer))
    expectWithheld(answer, `the proof is one ${what}`)
    expectNoFault(answer, `a proof ${what}`)
  })

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()

/** What a server makes of accounts that sign in (`sign-in-with-x`). */
export const signInChecks: readonly Check<ServerStage>[] = [
  serverCheck(
    'EXT-SIGN-001/challenge',
    'the challenge has its own domain and origin, an end and a new nonce',
    async (stage) => {
      const { info, announced } = await needExtension(stage, route, key)
      expectMessage('extensions/SignInInfo', info)
      expectSame('domain', new URL(origin).host, info.domain)
      expectThat(String(info.uri).startsWith(`${origin}/`), 'uri', `of ${origin}`, info.uri)
      expectThat(
        Date.parse(String(info.expirationTime)) > Date.now(),
        'expirationTime',
        'a time to come',
        info.expirationTime,
      )
      const { info: second } = await needExtension(stage, route, key)
      expectThat(info.nonce !== second.nonce, 'two challenges have one nonce', 'two', info.nonce)
      // 64 bits are eleven letters and digits.
      expectThat(String(info.nonce).length >= 11, 'the nonce has less than 64 bits', 'more', info.nonce)
      const chains = Array.isArray(announced.supportedChains) ? announced.supportedChains.filter(isObject) : []
      const own = chains.find(({ chainId }) => chainId === stage.rail.network)
      expectSame('how accounts of the network sign', typeOf(stage), own?.type)
    },
  ),
  serverCheck('EXT-SIGN-015/host', 'the domain is the configured one, whatever a request says', async (stage) => {
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
    const { info } = await needExtension(stage, route, key, { headers })
    expectSame('domain', new URL(origin).host, info.domain)
  }),
  serverCheck('EXT-SIGN-002/admits', 'whoever has bought signs in and is served, and pays nothing', async (stage) => {
    const { asked, payer, show } = await visit(stage)
    stage.facilitator.play()
    const answer = await show(await signIn(asked, payer))
    expectDelivered(answer, 'a sign-in of somebody who has bought the pass')
    expectSame('how often the facilitator was asked to settle', 0, stage.facilitator.asked('/settle').length)
    expectUnshared(answer)
  }),
  serverCheck('EXT-SIGN-002/stranger', 'whoever has bought nothing is not served', async (stage) => {
    const { asked, payer, show } = await visit(stage, { buys: false })
    expectWithheld(await show(await signIn(asked, payer)), 'the account has bought nothing')
  }),
  serverCheck(
    'EXT-SIGN-003/resource',
    'a payment for another route opens nothing, whatever resource it names',
    async (stage) => {
      const { resource } = await needExtension(stage, route, key)
      const payer = await stage.rail.payer(1_000_000n)
      const header = await payExtended(stage, { offer: await stage.offer('paid'), resource }, payer)
      await stage.ask('paid', { 'PAYMENT-SIGNATURE': header })
      const { asked, show } = await visit(stage, { buys: false, as: payer })
      expectWithheld(await show(await signIn(asked, payer)), 'what was bought is another route')
    },
  ),
  serverCheck('EXT-SIGN-004/scope', 'a proof for one route does not open another', async (stage) => {
    const { payer, show } = await visit(stage)
    const found = await needExtension(stage, other, key)
    const header = await payExtended(stage, found, payer)
    expectDelivered(await stage.ask(other, { 'PAYMENT-SIGNATURE': header }))
    const { info } = await needExtension(stage, other, key)
    const asked = { ...info, address: payer.address, chainId: stage.rail.network, type: typeOf(stage) }
    expectWithheld(await show(await signIn(asked, payer)), `the proof is for ${other}`)
  }),
  serverCheck(
    'EXT-SIGN-024/asks',
    'a route that asks for a sign-in alone answers 401, with a challenge without offers',
    async (stage) => {
      const { answer, challenge } = await membersOnly(stage)
      expectSame('the status', 401, answer.status)
      expectSame('accepts', [], challenge?.accepts)
      expectUnshared(answer)
    },
  ),
  serverCheck('EXT-SIGN-024/once', 'it takes each proof once, and its answer is nobody else’s', async (stage) => {
    const { show } = await membersOnly(stage)
    const answer = await show()
    expectDelivered(answer, 'a sign-in at a route that costs nothing')
    expectUnshared(answer)
    expectWithheld(await show(), 'the proof was shown before')
  }),
  serverCheck(
    'EXT-SIGN-011/asks-again',
    'a sign-in that opens nothing gets offers, and is asked for a new proof',
    async (stage) => {
      const { asked, payer, show } = await visit(stage, { buys: false })
      const answer = await show(await signIn(asked, payer))
      expectUnpaid(answer, 'a sign-in that opens nothing')
      const { info } = extensionIn(decodeHeader(answer.headers['payment-required']), key) ?? {}
      const nonce = isObject(info) ? info.nonce : undefined
      expectThat(
        typeof nonce === 'string' && nonce !== asked.nonce,
        'the nonce of the new challenge',
        'a new one',
        nonce,
      )
    },
  ),
  serverCheck('EXT-SIGN-005/replayed', 'a proof is taken once', async (stage) => {
    const { asked, payer, show } = await visit(stage)
    const proof = await signIn(asked, payer)
    expectDelivered(await show(proof), 'a sign-in of somebody who has bought the pass')
    expectWithheld(await show(proof), 'the proof was shown before')
  }),
  serverCheck('EXT-SIGN-005/at-once', 'of copies of a proof at once, one is taken', async (stage) => {
    const { asked, payer, show } = await visit(stage)
    const proof = await signIn(asked, payer)
    const answers = await Promise.all([1, 2, 3, 4].map(() => show(proof)))
    expectSame('how many are served', 1, answers.filter(({ text }) => text.includes(secret)).length)
  }),
  foreign('EXT-SIGN-006/nonce', 'with a nonce that nobody issued', () => ({ nonce: randomBytes(16).toString('hex') })),
  foreign('EXT-SIGN-007/domain', 'for another domain', () => ({ domain: 'elsewhere.example' })),
  foreign('EXT-SIGN-007/origin', 'for another origin', () => ({ uri: 'https://elsewhere.example/conformance/pass' })),
  foreign('EXT-SIGN-008/over', 'that is over', () => ({
    issuedAt: minutesAgo(60),
    expirationTime: minutesAgo(55),
  })),
  foreign('EXT-SIGN-008/not-yet', 'that is not valid yet', () => ({ notBefore: minutesAgo(-60) })),
  foreign('EXT-SIGN-009/chain', 'by a chain that is not listed', ({ rail }) => ({
    chainId: rail.family === 'evm' ? 'eip155:1' : 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp',
  })),
  serverCheck('EXT-SIGN-010/other-key', 'a proof that somebody else has signed is refused', async (stage) => {
    const { asked, show } = await visit(stage)
    const other = await stage.rail.payer(1n)
    expectWithheld(await show(await signIn(asked, other)), 'somebody else has signed')
  }),
  serverCheck('EXT-SIGN-010/no-signature', 'a proof with something else for a signature is refused', async (stage) => {
    const { asked, show } = await visit(stage)
    for (const signature of ['', '0x', '0x00', '1111', `0x${'ff'.repeat(65)}`, 'z'.repeat(88)]) {
      const answer = await show({ ...asked, signature })
      expectWithheld(answer, 'there is no signature')
      expectNoFault(answer, `the signature ${signature}`)
    }
  }),
  serverCheck('EXT-SIGN-012/no-proof', 'a header that is no proof is refused', async (stage) => {
    const { asked, payer, show } = await visit(stage)
    const proof = await signIn(asked, payer)
    for (const value of [
      '?',
      'e30=',
      encodeHeader([proof]),
      encodeHeader({ ...proof, address: 7 }),
      JSON.stringify(proof),
    ]) {
      const answer = await show(value)
      expectWithheld(answer, 'the header is no proof')
      expectNoFault(answer, 'a header that is no proof')
    }
  }),
  serverCheck('EXT-SIGN-013/line-break', 'a proof with a line break in a member is refused', async (stage) => {
    const { asked, payer, show } = await visit(stage)
    const answer = await show(await signIn({ ...asked, statement: 'Hello\nURI: https://elsewhere.example' }, payer))
    expectWithheld(answer, 'a member of the proof has two lines')
    expectNoFault(answer, 'a line break in a proof')
  }),
]
