import { privateKeyToAccount } from 'viem/accounts'
import { type Answer, isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail, notApplicable } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import { expectMessage } from '../spec/messages.js'
import { decodeHeader } from '../wire/messages.js'
import { type Artifact, artifactSigner, isJwsBy, readArtifact } from '../wire/offers.js'
import { type Extended, extensionIn, needExtension, origin, payExtended, signingJwk, signingKey } from './extended.js'
import { serverCheck } from './offers.js'
import { type Act, pending, refused } from './scripted-facilitator.js'
import { expectDelivered, receiptIn, type ServerStage } from './stage.js'

const key = 'offer-receipt'
const route = 'signed'

/** The signed offers of a challenge. */
function artifactsIn({ info }: Extended): readonly Artifact[] {
  expectMessage('extensions/OfferReceiptInfo', info)
  const offers = Array.isArray(info.offers) ? info.offers.map(readArtifact) : []
  return offers.map(
    (each) => each ?? fail('a signed offer cannot be read', 'format, payload and signature', info.offers),
  )
}

/** The signed receipt in an answer. */
function signedReceiptIn(answer: Answer): Artifact | undefined {
  const { info } = extensionIn(receiptIn(answer), key) ?? {}
  const { receipt } = (info ?? {}) as Readonly<Record<string, unknown>>
  return receipt === undefined ? undefined : readArtifact(receipt)
}

/** Buys, and gives the signed receipt. */
async function buy(stage: ServerStage, at = route) {
  const found = await needExtension(stage, at, key)
  const payer = await stage.rail.payer(1_000_000n)
  const answer = await stage.ask(at, { 'PAYMENT-SIGNATURE': await payExtended(stage, found, payer) })
  expectDelivered(answer)
  const receipt = signedReceiptIn(answer)
  if (receipt === undefined) fail('the receipt has no signed receipt', `${key} with info.receipt`, receiptIn(answer))
  return { found, payer, receipt }
}

async function expectSigned(kind: 'offer' | 'receipt', artifacts: readonly Artifact[]): Promise<void> {
  const typed = artifacts.filter(({ format }) => format === 'eip712')
  if (typed.length === 0) notApplicable('the target signs by JWS, with a key of its own')
  const { address } = privateKeyToAccount(signingKey)
  for (const each of typed) expectSame(`who signed the ${kind}`, address, await artifactSigner(kind, each))
}

/** Fails unless a JWS is over canonical JSON, by a key that a DID URL names and the kit has given. */
async function expectJws(what: string, { signature, payload }: Artifact): Promise<void> {
  const [head = '', body = ''] = signature.split('.')
  const header = parseJson(Buffer.from(head, 'base64url').toString())
  const { kid } = isObject(header) ? header : {}
  expectThat(/^did:[a-z]+:[^#\s]+#[^#\s]+$/.test(String(kid)), `kid of ${what}`, 'a DID URL', kid)
  const text = Buffer.from(body, 'base64url').toString()
  expectSame(`the payload of ${what}`, canonical(payload), text)
  expectThat(await isJwsBy(signingJwk, signature), `${what} is signed by another key`, undefined, header)
}

/** RFC 8785 for what these payloads hold: flat objects of texts and whole numbers. */
const canonical = (payload: object) =>
  JSON.stringify(Object.fromEntries(Object.entries(payload).sort(([a], [b]) => (a < b ? -1 : 1))))

/** A payment for which no signed receipt may be given out. */
const unsigned = (name: string, what: string, settle: Act): Check<ServerStage> =>
  serverCheck(`EXT-OFFER-003/${name}`, `there is no signed receipt for a payment that ${what}`, async (stage) => {
    const found = await needExtension(stage, route, key)
    const payer = await stage.rail.payer(1_000_000n)
    stage.facilitator.play({ settle })
    const answer = await stage.ask(route, { 'PAYMENT-SIGNATURE': await payExtended(stage, found, payer) })
    expectSame('the signed receipt', undefined, signedReceiptIn(answer))
  })

/** That a key is of no use is not seen from outside: a target has such a route where it says so. */
function needClaim(stage: ServerStage, route: string): void {
  if (!stage.claims(route)) notApplicable(`the target does not say that it has a route ${route}`)
}

/** A route whose key is of no use. */
const withoutKey = (id: string, broken: string, does: string): Check<ServerStage> =>
  serverCheck(
    id,
    `a key that ${does} closes no shop`,
    async (stage) => {
      needClaim(stage, broken)
      const sold = { offer: await stage.offer(broken), resource: { url: `${origin}/conformance/${broken}` } }
      const header = await payExtended(stage, sold, await stage.rail.payer(1_000_000n))
      const answer = await stage.ask(broken, { 'PAYMENT-SIGNATURE': header })
      expectDelivered(answer)
      expectSame('the signed receipt', undefined, signedReceiptIn(answer))
    },
    { once: true },
  )

/** What a server signs (`offer-receipt`). */
export const signedOfferChecks: readonly Check<ServerStage>[] = [
  serverCheck(
    'EXT-OFFER-001/offers',
    'each offer is signed, for the URL of the challenge, with an end',
    async (stage) => {
      const found = await needExtension(stage, route, key)
      const signed = artifactsIn(found)
      expectSame('how many offers are signed', found.offers.length, signed.length)
      for (const { scheme, network, asset, payTo, amount } of found.offers) {
        const terms = { version: 1, resourceUrl: found.resource.url, scheme, network, asset, payTo, amount }
        const said = signed.map(({ payload: { validUntil: _, ...rest } }) => sorted(rest))
        expectThat(said.includes(sorted(terms)), 'no signed offer says what the offer says', terms, said)
      }
      for (const { payload } of signed)
        expectThat(Number(payload.validUntil) * 1000 > Date.now(), 'validUntil', 'a time to come', payload.validUntil)
    },
  ),
  serverCheck(
    'EXT-OFFER-010/offer',
    'an offer that is signed by EIP-712 is signed as the specification says',
    async (stage) => expectSigned('offer', artifactsIn(await needExtension(stage, route, key))),
  ),
  serverCheck(
    'EXT-OFFER-010/receipt',
    'a receipt that is signed by EIP-712 is signed as the specification says',
    async (stage) => expectSigned('receipt', [(await buy(stage)).receipt]),
  ),
  serverCheck(
    'EXT-OFFER-017/jws',
    'what is signed by JWS is canonical JSON, by a key that is named by a DID URL',
    async (stage) => {
      const { found, receipt } = await buy(stage, 'signed-jws')
      const all = [...artifactsIn(found), receipt].filter(({ format }) => format === 'jws')
      if (all.length === 0) notApplicable('the target does not sign by JWS')
      for (const each of all) await expectJws(each === receipt ? 'the receipt' : 'an offer', each)
    },
  ),
  serverCheck('EXT-006/left-out', 'what cannot be signed is left out of the challenge', async (stage) => {
    needClaim(stage, 'key-fails')
    const answer = await stage.ask('key-fails')
    const required = decodeHeader(answer.headers['payment-required'])
    expectThat(Array.isArray(required?.accepts) && required.accepts.length > 0, 'there are no offers')
    expectSame('what is announced', undefined, extensionIn(required, key))
  }),
  serverCheck(
    'EXT-008/failing',
    'there is no signed receipt for work that fails after it was paid for',
    async (stage) => {
      const failing = 'signed-failing'
      const found = await needExtension(stage, failing, key)
      const payer = await stage.rail.payer(1_000_000n)
      const answer = await stage.ask(failing, { 'PAYMENT-SIGNATURE': await payExtended(stage, found, payer) })
      expectThat(answer.status >= 400, 'the status of work that fails', '400 or above', answer.status)
      if (stage.facilitator.asked('/settle').length === 0) notApplicable('the route settles after its work')
      expectSame('the signed receipt', undefined, signedReceiptIn(answer))
    },
  ),
  withoutKey('EXT-OFFER-005/fails', 'key-fails', 'fails'),
  withoutKey('EXT-015/hangs', 'key-hangs', 'does not answer'),
  serverCheck('EXT-OFFER-019/fields', 'what is signed by EIP-712 has every field of its type', async (stage) => {
    const { found, receipt } = await buy(stage)
    for (const { format, payload } of artifactsIn(found))
      if (format === 'eip712') expectSame('the fields of an offer', offerFields, Object.keys(payload).sort())
    if (receipt.format === 'eip712')
      expectSame('the fields of a receipt', receiptFields, Object.keys(receipt.payload).sort())
  }),
  serverCheck(
    'EXT-OFFER-022/names',
    'a receipt names the URL, the network and the payer of its payment',
    async (stage) => {
      const { found, payer, receipt } = await buy(stage)
      const { resourceUrl, network, payer: named, issuedAt } = receipt.payload
      expectSame('resourceUrl and network', [found.resource.url, stage.rail.network], [resourceUrl, network])
      expectSame('payer', payer.address.toLowerCase(), String(named).toLowerCase())
      expectThat(Math.abs(Number(issuedAt) * 1000 - Date.now()) < 120_000, 'issuedAt', 'now, in seconds', issuedAt)
    },
  ),
  unsigned('refused', 'was not settled', refused),
  unsigned('unknown', 'may have been settled or not', pending),
  serverCheck('EXT-OFFER-002/private', 'a receipt leaves the transaction out', async (stage) => {
    const { transaction = '' } = (await buy(stage)).receipt.payload
    expectSame('transaction', '', transaction)
  }),
  serverCheck('EXT-OFFER-004/kept', 'offers are not signed anew for every request', async (stage) => {
    const seen = []
    // A new one may be due between two of them, and not between all.
    for (let time = 0; time < 3; time++)
      seen.push(
        artifactsIn(await needExtension(stage, route, key))
          .map(({ signature }) => signature)
          .join(),
      )
    expectThat(new Set(seen).size < seen.length, 'three challenges have three signatures', 'fewer', seen)
  }),
  serverCheck(
    'EXT-OFFER-006/host',
    'what is signed is for the configured origin, whatever a request says',
    async (stage) => {
      const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
      for (const { payload } of artifactsIn(await needExtension(stage, route, key, { headers })))
        expectThat(
          String(payload.resourceUrl).startsWith(`${origin}/`),
          'resourceUrl',
          `of ${origin}`,
          payload.resourceUrl,
        )
    },
  ),
]

const sorted = (value: object) => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
const offerFields = ['amount', 'asset', 'network', 'payTo', 'resourceUrl', 'scheme', 'validUntil', 'version']
const receiptFields = ['issuedAt', 'network', 'payer', 'resourceUrl', 'transaction', 'version']
