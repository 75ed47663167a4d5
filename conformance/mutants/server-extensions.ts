import { asSaid, type Passing, type Said } from './middle.js'
import {
  announces,
  answers,
  decode,
  deliver,
  encode,
  headerOf,
  hears,
  type Json,
  offers,
  type ServerMutant,
  withHeader,
  withInfo,
} from './server-faults.js'

const nameIn = (passing: Passing): unknown =>
  decode(headerOf(passing) ?? '')?.extensions?.['payment-identifier']?.info?.id

const proofIn = ({ headers }: Passing): Json => {
  const header = headers['sign-in-with-x']
  return typeof header === 'string' ? decode(header) : undefined
}

/** Changes names of payments before they are looked at. */
const renames = (
  name: string,
  kills: readonly string[],
  change: (id: unknown, header: string) => unknown,
): ServerMutant => ({
  name,
  kills,
  fault: () => async (passing, forward) => {
    const header = headerOf(passing) ?? ''
    const id = nameIn(passing)
    const payment = decode(header)
    const key = 'payment-identifier'
    if (payment?.extensions?.[key] === undefined) return asSaid(await forward())
    const info = { ...payment.extensions[key].info, id: change(id, header) }
    const extensions = { ...payment.extensions, [key]: { ...payment.extensions[key], info } }
    return asSaid(
      await forward({ headers: { ...passing.headers, 'payment-signature': encode({ ...payment, extensions }) } }),
    )
  },
})

/** Delivers to whoever shows a proof like this. */
const takes = (
  name: string,
  kills: readonly string[],
  fits: (proof: Json, passing: Passing) => boolean,
): ServerMutant => ({
  name,
  kills,
  fault: () => async (passing, forward) => {
    if (passing.headers['sign-in-with-x'] === undefined || !fits(proofIn(passing), passing))
      return asSaid(await forward())
    return deliver
  },
})

/** Changes the signed receipt. */
const receipts = (name: string, kills: readonly string[], change: (receipt: Json) => Json): ServerMutant =>
  answers(name, kills, (said) => {
    const found = decode(said.headers['payment-response'])
    const signed = found?.extensions?.['offer-receipt']?.info?.receipt
    if (signed === undefined) return said
    const extensions = { 'offer-receipt': { info: { receipt: change(signed) } } }
    return withHeader(said, 'payment-response', encode({ ...found, extensions }))
  })

/** Changes a compact JWS, part by part. */
const eachJws = (change: (head: Json, body: Json) => readonly [Json, Json]) =>
  eachSigned((artifact) => {
    if (artifact.format !== 'jws') return artifact
    const [head, body, signature] = artifact.signature.split('.')
    const [newHead, newBody] = change(readPart(head), readPart(body))
    return { ...artifact, signature: [part(newHead), part(newBody), signature].join('.') }
  })

const readPart = (text: string): Json => JSON.parse(Buffer.from(text, 'base64url').toString())
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Asks the honest server at another path. */
const moves = (
  name: string,
  kills: readonly string[],
  change: (path: string, passing: Passing) => string,
): ServerMutant => ({
  name,
  kills,
  fault: () => async (passing, forward) => asSaid(await forward({ path: change(passing.path, passing) })),
})

const eachSigned = (change: (offer: Json, at: number) => Json) =>
  withInfo((info) => ({ ...info, offers: info.offers.map(change) }))

const withPayload = (more: object) => (artifact: Json) => ({ ...artifact, payload: { ...artifact.payload, ...more } })

const signedByNobody = (artifact: Json) => ({ ...artifact, signature: `0x${'11'.repeat(64)}1b` })

/** Broken in what they make of extensions. */
export const extensionMutants: readonly ServerMutant[] = [
  announces(
    'does not say whether names are required',
    ['EXT-ID-001/announced/evm', 'EXT-ID-002/required/evm'],
    'payment-identifier',
    withInfo(({ required: _, ...info }) => info),
  ),
  renames(
    'gives every payment a name of its own',
    ['EXT-ID-002/required/evm'],
    () => 'a'.repeat(16) + Math.random().toString(36).slice(2),
  ),
  renames(
    'takes names of any form',
    ['EXT-ID-003/short/evm', 'EXT-ID-003/long/evm', 'EXT-ID-003/characters/evm', 'EXT-ID-003/number/evm'],
    (id) => Buffer.from(String(id)).toString('hex').slice(0, 100).padEnd(16, '0'),
  ),
  renames(
    'does not look at names',
    ['EXT-ID-004/signed-anew/evm', 'EXT-ID-005/other-request/evm', 'EXT-ID-010/unknown/evm', 'EXT-ID-012/at-once/evm'],
    () => undefined,
  ),
  {
    name: 'answers whoever knows a name',
    kills: ['EXT-ID-005/other-request/evm', 'EXT-ID-006/verified/evm'],
    fault: () => {
      const given = new Map<unknown, Said>()
      return async (passing, forward) => {
        const id = nameIn(passing)
        const known = id === undefined ? undefined : given.get(id)
        if (known !== undefined) return asSaid(known)
        const said = await forward()
        if (said.status === 200) given.set(id, said)
        return asSaid(said)
      }
    },
  },
  {
    name: 'lets a payer take a name from all others',
    kills: ['EXT-ID-008/payers/evm'],
    fault: () => {
      const owners = new Map<unknown, unknown>()
      return async (passing, forward) => {
        const id = nameIn(passing)
        const from = decode(headerOf(passing) ?? '')?.payload?.authorization?.from
        if (id === undefined) return asSaid(await forward())
        const owner = owners.get(id) ?? from
        owners.set(id, owner)
        return owner === from ? asSaid(await forward()) : { status: 409, json: {} }
      }
    },
  },
  {
    name: 'works again for a payment that is presented again',
    kills: ['EXT-ID-004/again/evm'],
    fault: () => {
      const seen = new Set<string>()
      return async (passing, forward) => {
        const header = headerOf(passing) ?? ''
        const said = await forward()
        if (header === '' || said.status !== 200) return asSaid(said)
        const isCopy = seen.has(header)
        seen.add(header)
        return isCopy ? asSaid({ ...said, text: said.text.replace('"work":', '"work":1') }) : asSaid(said)
      }
    },
  },

  moves('holds requests for the same whatever their query', ['EXT-ID-007/url/evm'], (path) => path.replace(/\?.*/, '')),
  moves('takes headers for a part of a request', ['EXT-ID-007/headers/evm'], (path, { headers }) =>
    headers['x-request-id'] === undefined ? path : `${path}?${headers['x-request-id']}`,
  ),
  {
    name: 'loses names to payments that failed',
    kills: ['EXT-ID-009/refused-first/evm'],
    fault: () => {
      const lost = new Set<unknown>()
      return async (passing, forward) => {
        const id = nameIn(passing)
        if (id !== undefined && lost.has(id)) return { status: 409, json: {} }
        const said = await forward()
        if (said.status !== 200) lost.add(id)
        return asSaid(said)
      }
    },
  },
  offers('announces without schemas', ['CORE-080/form/evm'], (message) => ({
    ...message,
    extensions: Object.fromEntries(
      Object.entries(message.extensions ?? {}).map(([key, { schema: _, ...rest }]: Json) => [key, rest]),
    ),
  })),
  hears('wants its announcement back', ['CORE-083/no-echo/evm'], (header, { path }) => {
    const { extensions = {} } = decode(header) ?? {}
    return path.endsWith('/named') && Object.keys(extensions).length === 0 ? '?' : undefined
  }),
  hears('does not look at what is echoed', ['CORE-084/changed/evm'], (header) => {
    const payment = decode(header)
    const found = payment?.extensions?.['payment-identifier']
    if (found === undefined) return undefined
    const echo = { ...found, info: { ...found.info, required: false } }
    return encode({ ...payment, extensions: { ...payment.extensions, 'payment-identifier': echo } })
  }),
  hears('wants the newest nonce back', ['EXT-013/nonce/evm'], (header) =>
    decode(header)?.extensions?.['sign-in-with-x']?.info?.nonce === undefined ? undefined : '?',
  ),

  announces(
    'asks for sign-ins for whatever a request names',
    ['EXT-SIGN-001/challenge/evm', 'EXT-SIGN-015/host/evm'],
    'sign-in-with-x',
    withInfo((info) => ({ ...info, domain: 'evil.example' })),
  ),
  announces(
    'asks for sign-ins without an end',
    ['EXT-SIGN-001/challenge/evm', 'EXT-SIGN-002/admits/evm'],
    'sign-in-with-x',
    withInfo(({ expirationTime: _, ...info }) => info),
  ),
  announces(
    'asks with one nonce',
    ['EXT-SIGN-001/challenge/evm', 'EXT-SIGN-011/asks-again/evm'],
    'sign-in-with-x',
    withInfo((info) => ({ ...info, nonce: '1'.repeat(48) })),
  ),
  takes(
    'takes sign-ins of whoever has bought nothing',
    ['EXT-SIGN-002/stranger/evm', 'EXT-SIGN-011/asks-again/evm'],
    () => true,
  ),
  takes('takes the nonces of others', ['EXT-SIGN-006/nonce/evm'], (proof) => proof?.nonce?.length === 32),
  takes(
    'takes proofs for other domains',
    ['EXT-SIGN-007/domain/evm'],
    (proof) => proof?.domain === 'elsewhere.example',
  ),
  takes('takes proofs for other origins', ['EXT-SIGN-007/origin/evm'], (proof) =>
    String(proof?.uri).startsWith('https://elsewhere'),
  ),
  takes(
    'takes proofs that are over',
    ['EXT-SIGN-008/over/evm'],
    (proof) => Date.parse(proof?.expirationTime) < Date.now(),
  ),
  takes(
    'takes proofs before their time',
    ['EXT-SIGN-008/not-yet/evm'],
    (proof) => Date.parse(proof?.notBefore) > Date.now(),
  ),
  takes('takes proofs by any chain', ['EXT-SIGN-009/chain/evm'], (proof) => proof?.chainId === 'eip155:1'),
  takes(
    'does not look at signatures',
    [
      'EXT-SIGN-010/other-key/evm',
      'EXT-SIGN-010/no-signature/evm',
      'EXT-SIGN-005/at-once/evm',
      'EXT-SIGN-005/replayed/evm',
    ],
    (proof) => typeof proof?.signature === 'string',
  ),
  takes(
    'takes anything for a proof',
    ['EXT-SIGN-012/no-proof/evm'],
    (proof) => typeof proof?.signature !== 'string' || Array.isArray(proof),
  ),
  takes('takes line breaks in proofs', ['EXT-SIGN-013/line-break/evm'], (proof) =>
    String(proof?.statement).includes('\n'),
  ),
  {
    name: 'opens what payments name',
    kills: ['EXT-SIGN-003/resource/evm'],
    fault: () => {
      const opened = new Set<unknown>()
      return async (passing, forward) => {
        const { resource, payload } = decode(headerOf(passing) ?? '') ?? {}
        if (String(resource?.url).endsWith('/pass')) opened.add(payload?.authorization?.from)
        const proof = passing.headers['sign-in-with-x'] === undefined ? undefined : proofIn(passing)
        return proof !== undefined && opened.has(proof.address) ? deliver : asSaid(await forward())
      }
    },
  },
  takes('takes proofs for other routes', ['EXT-SIGN-004/scope/evm'], (proof) =>
    String(proof?.uri).endsWith('/other-pass'),
  ),
  answers('asks for money where it wants none', ['EXT-SIGN-024/asks/evm'], (said, { path }) =>
    path.endsWith('/members') && said.status === 401 ? { ...said, status: 402 } : said,
  ),
  answers(
    'lets caches have what is for members',
    ['EXT-SIGN-024/asks/evm', 'EXT-SIGN-024/once/evm'],
    (said, { path }) => (path.endsWith('/members') ? withHeader(said, 'cache-control', 'public, max-age=60') : said),
  ),
  takes('lets members in again and again', ['EXT-SIGN-024/once/evm'], (_, { path }) => path.endsWith('/members')),

  announces(
    'names its key by a word',
    ['EXT-OFFER-017/jws/evm'],
    'offer-receipt',
    eachJws((head, body) => [{ ...head, kid: 'key-1' }, body]),
  ),
  announces(
    'signs JSON as it comes',
    ['EXT-OFFER-017/jws/evm'],
    'offer-receipt',
    eachJws((head, body) => [head, Object.fromEntries(Object.entries(body).reverse())]),
  ),
  announces(
    'signs by JWS with another key',
    ['EXT-OFFER-017/jws/evm'],
    'offer-receipt',
    eachSigned((artifact) =>
      artifact.format === 'jws'
        ? { ...artifact, signature: artifact.signature.replace(/\.[^.]*$/, `.${'A'.repeat(86)}`) }
        : artifact,
    ),
  ),
  offers('announces what it cannot sign', ['EXT-006/left-out/evm'], (message) => ({
    ...message,
    extensions: { 'offer-receipt': { info: { offers: [] }, schema: {} }, ...message.extensions },
  })),
  answers('signs receipts for work that failed', ['EXT-008/failing/evm'], (said, { path }) => {
    const found = decode(said.headers['payment-response'])
    if (!path.endsWith('/signed-failing') || found === undefined) return said
    const receipt = { format: 'eip712', payload: { version: 1 }, signature: '0x00' }
    const extensions = { 'offer-receipt': { info: { receipt } } }
    return withHeader(said, 'payment-response', encode({ ...found, extensions }))
  }),
  answers('is closed while its key is of no use', ['EXT-OFFER-005/fails/evm', 'EXT-015/hangs/evm'], (said, { path }) =>
    /\/key-/.test(path) ? { ...said, status: 503 } : said,
  ),

  announces(
    'signs fewer offers than it makes',
    ['EXT-OFFER-001/offers/evm'],
    'offer-receipt',
    withInfo((info) => ({ ...info, offers: [] })),
  ),
  announces(
    'signs another price',
    ['EXT-OFFER-001/offers/evm', 'EXT-OFFER-010/offer/evm'],
    'offer-receipt',
    eachSigned(withPayload({ amount: '1' })),
  ),
  announces(
    'signs offers without an end',
    ['EXT-OFFER-001/offers/evm'],
    'offer-receipt',
    eachSigned(withPayload({ validUntil: 0 })),
  ),
  announces('signs offers with another key', ['EXT-OFFER-010/offer/evm'], 'offer-receipt', eachSigned(signedByNobody)),
  announces(
    'signs for whatever a request names',
    ['EXT-OFFER-006/host/evm', 'EXT-OFFER-001/offers/evm'],
    'offer-receipt',
    eachSigned(withPayload({ resourceUrl: 'https://evil.example/conformance/signed' })),
  ),
  announces(
    'leaves fields out of what it signs',
    ['EXT-OFFER-019/fields/evm'],
    'offer-receipt',
    eachSigned(({ payload: { validUntil: _, ...payload }, ...offer }) => ({ ...offer, payload })),
  ),
  announces(
    'signs for every request',
    ['EXT-OFFER-004/kept/evm'],
    'offer-receipt',
    eachSigned((offer) => ({
      ...offer,
      signature: `0x${Math.random().toString(16).slice(2).padEnd(128, '0')}1b`,
    })),
  ),
  receipts('signs receipts with another key', ['EXT-OFFER-010/receipt/evm'], signedByNobody),
  receipts(
    'names another payer in receipts',
    ['EXT-OFFER-022/names/evm'],
    withPayload({ payer: `0x${'1'.repeat(40)}` }),
  ),
  receipts('names the transaction in receipts', ['EXT-OFFER-002/private/evm'], withPayload({ transaction: '0x1' })),
  answers(
    'signs receipts for what was not settled',
    ['EXT-OFFER-003/refused/evm', 'EXT-OFFER-003/unknown/evm'],
    (said, { path }) => {
      const found = decode(said.headers['payment-response'])
      if (!path.endsWith('signed') || found === undefined) return said
      const artifact = { format: 'eip712', payload: { version: 1 }, signature: '0x00' }
      return withHeader(
        said,
        'payment-response',
        encode({ ...found, extensions: { 'offer-receipt': { info: { receipt: artifact } } } }),
      )
    },
  ),

  announces(
    'announces sentences as codes',
    ['EXT-CODE-001/announced/evm'],
    'builder-code',
    withInfo((info) => ({ ...info, a: 'A Shop With Spaces' })),
  ),
  announces(
    'announces six services',
    ['EXT-CODE-001/announced/evm'],
    'builder-code',
    withInfo((info) => ({ ...info, s: ['a', 'b', 'c', 'd', 'e', 'f'] })),
  ),
  hears(
    'does not look at codes',
    ['EXT-CODE-002/app/evm', 'EXT-CODE-002/services/evm', 'EXT-CODE-003/many/evm', 'EXT-CODE-003/form/evm'],
    (header) => {
      const payment = decode(header)
      if (payment?.extensions?.['builder-code'] === undefined) return undefined
      return encode({ ...payment, extensions: {} })
    },
  ),
]
