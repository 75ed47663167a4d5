import { asSaid, type Passing, type Said } from './middle.js'
import {
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
} from './server-faults.js'

const nameIn = (passing: Passing): unknown =>
  decode(headerOf(passing) ?? '')?.extensions?.['payment-identifier']?.info?.id

const proofIn = ({ headers }: Passing): Json => {
  const header = headers['sign-in-with-x']
  return typeof header === 'string' ? decode(header) : undefined
}

/** Changes what is announced under a key, or takes it away. */
const announces = (name: string, kills: readonly string[], key: string, change: (extension: Json) => Json) =>
  offers(name, kills, (message) => {
    const found = message.extensions?.[key]
    return found === undefined ? message : { ...message, extensions: { ...message.extensions, [key]: change(found) } }
  })

const withInfo = (change: (info: Json) => Json) => (extension: Json) => ({ ...extension, info: change(extension.info) })

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
