import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat } from '../model/finding.js'
import { decodeHeader } from '../wire/messages.js'
import { isSignedBy } from '../wire/sign-in.js'
import { clientCheck } from './choosing.js'
import { type ClientStage, expectGot, expectNoPayment, type ScriptedServer, type Seen, thePayment } from './stage.js'

type Members = Readonly<Record<string, unknown>>

const key = 'sign-in-with-x'
const header = 'sign-in-with-x'

const typeOf = ({ rail }: ClientStage) => (rail.family === 'evm' ? 'eip191' : 'ed25519')

/** A challenge for whoever asks at a URL, with something else about it. */
function challengeFor(
  stage: ClientStage,
  url: string,
  change: { readonly info?: Members; readonly chains?: unknown } = {},
) {
  const now = Date.now()
  const info = {
    domain: new URL(url).host,
    uri: url,
    version: '1',
    nonce: 'a1b2c3d4e5f60718293a4b5c6d7e8f90',
    issuedAt: new Date(now).toISOString(),
    expirationTime: new Date(now + 300_000).toISOString(),
    resources: [url],
    ...change.info,
  }
  const supportedChains = change.chains ?? [{ chainId: stage.rail.network, type: typeOf(stage) }]
  return { [key]: { info, supportedChains, schema: {} } }
}

/** A check of a client that signs in. */
const signsIn = (id: string, title: string, run: Check<ClientStage>['run']): Check<ClientStage> =>
  clientCheck(id, title, async (stage) => {
    stage.needExtension(key)
    await run(stage)
  })

const proofsAt = (server: ScriptedServer): readonly Seen[] => server.seen().filter(({ headers }) => header in headers)

/** A shop that knows whoever signs in, and sells to others. */
const openShop = (stage: ClientStage, change: Parameters<typeof challengeFor>[2] = {}, known = true) =>
  stage.serve((seen, { url }) => {
    if (known && header in seen.headers) return { json: { known: true }, headers: { 'cache-control': 'private' } }
    if (seen.header !== undefined) return stage.delivered(seen)
    return stage.challenge(url, [stage.offer()], { extensions: challengeFor(stage, url, change) })
  })

/** A challenge that must not be signed. */
const unsigned = (
  id: string,
  because: string,
  change: (stage: ClientStage) => Parameters<typeof challengeFor>[2],
): Check<ClientStage> =>
  signsIn(id, `no proof is signed when ${because}`, async (stage) => {
    const server = await openShop(stage, change(stage))
    await stage.fetch(`${server.url}/paid`)
    expectSame(`proofs that were sent although ${because}`, 0, proofsAt(server).length)
  })

/** How a client signs in (`sign-in-with-x`). */
export const signingInChecks: readonly Check<ClientStage>[] = [
  signsIn('EXT-SIGN-020/text', 'the proof is signed over the text of the specification', async (stage) => {
    const server = await openShop(stage, { info: { statement: 'Come in.', requestId: 'r-1' } })
    const answer = await stage.fetch(`${server.url}/paid`)
    const [first] = proofsAt(server)
    expectThat(first !== undefined, 'the client does not sign in', 'a header SIGN-IN-WITH-X', answer)
    const proof = decodeHeader(first.headers[header])
    expectThat(isObject(proof), 'the proof cannot be decoded', 'base64 of JSON', first.headers[header])
    expectSame('address', stage.wallet.address.toLowerCase(), String(proof.address).toLowerCase())
    expectThat(await isSignedBy(proof, stage.wallet), 'the signature is not that of the text', undefined, proof)
    expectGot(answer)
    expectNoPayment(server, 'it was let in')
  }),
  signsIn(
    'EXT-SIGN-020/plain',
    'a challenge without a statement is signed as the specification says',
    async (stage) => {
      const server = await openShop(stage)
      await stage.fetch(`${server.url}/paid`)
      const proof = decodeHeader(proofsAt(server)[0]?.headers[header])
      expectThat(
        isObject(proof) && (await isSignedBy(proof, stage.wallet)),
        'the signature is not that of the text',
        undefined,
        proof,
      )
    },
  ),
  unsigned('EXT-SIGN-021/domain', 'the domain is that of another server', () => ({
    info: { domain: 'elsewhere.example' },
  })),
  unsigned('EXT-SIGN-021/origin', 'the origin is that of another server', () => ({
    info: { uri: 'https://elsewhere.example/paid' },
  })),
  unsigned('EXT-SIGN-022/type', 'accounts are to sign in a way that nobody knows', ({ rail }) => ({
    chains: [{ chainId: rail.network, type: 'nosuch' }],
  })),
  signsIn('EXT-SIGN-022/chain', 'the proof names a chain and a type that are listed', async (stage) => {
    const type = typeOf(stage)
    const other = stage.rail.family === 'evm' ? 'eip155:1' : 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp'
    const chains = [other, stage.rail.network].map((chainId) => ({ chainId, type }))
    const server = await openShop(stage, { chains })
    await stage.fetch(`${server.url}/paid`)
    const { chainId, type: said } = decodeHeader(proofsAt(server)[0]?.headers[header]) ?? {}
    const isListed = chains.some((chain) => chain.chainId === chainId && chain.type === said)
    expectThat(isListed, 'chainId and type of the proof', chains, [chainId, said])
  }),
  unsigned('EXT-SIGN-013/statement', 'a member of the challenge has two lines', () => ({
    info: { statement: 'Come in.\nURI: https://elsewhere.example' },
  })),
  signsIn('EXT-SIGN-023/echo', 'the challenge is not echoed in payments', async (stage) => {
    const server = await openShop(stage, {}, false)
    const { extensions } = thePayment(server, await stage.fetch(`${server.url}/paid`))
    expectSame('the echo', undefined, isObject(extensions) ? extensions[key] : undefined)
  }),
  signsIn('EXT-021/redirect', 'a proof does not follow a redirect to another origin', async (stage) => {
    const other = await stage.serve(() => ({ json: { elsewhere: true } }))
    const server = await stage.serve((seen, { url }) =>
      header in seen.headers
        ? { status: 307, headers: { location: `${other.url}/paid` } }
        : stage.challenge(url, [stage.offer()], { extensions: challengeFor(stage, url) }),
    )
    await stage.fetch(`${server.url}/paid`)
    expectSame('proofs that reached the other origin', 0, proofsAt(other).length)
  }),
  signsIn('EXT-SIGN-025/once', 'a challenge without offers is answered once', async (stage) => {
    const server = await stage.serve((_, { url }) => ({
      ...stage.challenge(url, [], { extensions: challengeFor(stage, url) }),
      status: 401,
    }))
    await stage.fetch(`${server.url}/members`)
    expectThat(proofsAt(server).length === 1, 'proofs that were sent', 'one', proofsAt(server).length)
  }),
]
