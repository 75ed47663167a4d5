import { createPayer } from '@groat/client'
import { decodeReceipt, extensionInfo, type JsonObject } from '@groat/core'
import { type HttpCall, NoAnswer, publicCall } from '@groat/core/http'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm as sellsExactEvm } from '@groat/evm/exact/server'
import {
  didWebKeys,
  jwkOfDidKey,
  keptKeys,
  type ReceivedArtifact,
  signedReceipts,
  verifiedOffer,
  verifyOffer,
  verifySignedReceipt,
} from '@groat/extensions/offer-receipt/client'
import {
  type ArtifactIssuer,
  jwsIssuer,
  type OfferPayload,
  signedOffers,
  typedDataIssuer,
} from '@groat/extensions/offer-receipt/server'
import { createMemoryClaims, paywall, type RouteOptions } from '@groat/server'
import { privateKeyToAccount } from 'viem/accounts'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { refusedSettle, settled, thenDrop } from '../../server/test/facilitator-stub.js'
import { payer, payTo, testScheme } from '../../server/test/test-scheme.js'
import { ORIGIN, openShop, type TestShop } from './shop.js'

const KEY = 'offer-receipt'
const A = privateKeyAccount(`0x${'11'.repeat(32)}`)
const B = privateKeyAccount(`0x${'22'.repeat(32)}`)
const issuer = typedDataIssuer(A)
const open: TestShop[] = []
afterEach(() => Promise.all(open.splice(0).map((shop) => shop.close())))

const URL_V = 'https://api.example.test/v1/quote'
const offer: OfferPayload = {
  version: 1,
  resourceUrl: URL_V,
  scheme: 'exact',
  network: 'eip155:8453',
  asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
  payTo: '0x1563915e194D8CfBA1943570603F7606A3115508',
  amount: '10000',
  validUntil: 1_800_000_300,
}
const receipt = {
  version: 1,
  network: 'eip155:8453',
  resourceUrl: URL_V,
  payer: '0x1563915e194D8CfBA1943570603F7606A3115508',
  issuedAt: 1_800_000_010,
} as const
const NOW = 1_800_000_020
const trusted = [A.address]

async function shopWith(
  by: ArtifactIssuer = issuer,
  route: Partial<RouteOptions> = {},
  handler?: Parameters<typeof openShop>[2],
) {
  const shop = await openShop(
    { price: '$0.001', extensions: { [KEY]: true }, ...route },
    { extensions: [signedOffers({ issuer: by })] },
    handler,
  )
  open.push(shop)
  return shop
}

const artifactIn = (response: Response): ReceivedArtifact | undefined => {
  const read = decodeReceipt((name) => response.headers.get(name))
  const extensions = read?.ok && read.value.status === 'settled' ? read.value.receipt.extensions : undefined
  return extensionInfo(extensions, KEY)?.receipt as never
}

describe('a seller that signs', () => {
  test('EXT-OFFER-001 signs each of its offers, for its own URL and with an end', async () => {
    const shop = await shopWith()
    const challenge = await shop.challenge()
    const [first] = challenge.accepts
    const verdict = await verifiedOffer(challenge, first!, { trusted, now: shop.now() / 1000 })
    expect(verdict).toMatchObject({
      ok: true,
      signer: A.address,
      authority: 'trusted',
      payload: { resourceUrl: `${ORIGIN}/a`, amount: '1000', payTo },
    })
    expect(await verifiedOffer(challenge, first!, { trusted, now: shop.now() / 1000 + 1000 })).toMatchObject({
      code: 'offer_expired',
    })
  })

  test('EXT-OFFER-002 signs a receipt for a payment that was settled and delivered', async () => {
    const shop = await shopWith()
    const signed = artifactIn(await shop.present(await shop.sign()))
    expect(await verifySignedReceipt(signed!, { trusted, now: shop.now() / 1000 })).toMatchObject({
      ok: true,
      payload: { payer, network: 'eip155:84532', resourceUrl: `${ORIGIN}/a` },
    })
    expect(signed?.payload).toMatchObject({ transaction: '' })
    const open = await shopWith(issuer, { extensions: { [KEY]: { transaction: true } } })
    expect(artifactIn(await open.present(await open.sign()))?.payload).toMatchObject({
      transaction: expect.stringMatching(/^0x/),
    })
  })

  test.each(['strict', 'upfront'] as const)(
    'EXT-OFFER-003 D5 signs no receipt in mode %s where nothing was settled or delivered',
    async (mode) => {
      const signs = vi.fn(issuer.sign)
      const refusing = await shopWith({ sign: signs }, { mode })
      refusing.stub.does.settle = [refusedSettle()]
      expect(artifactIn(await refusing.present(await refusing.sign()))).toBeUndefined()
      refusing.stub.does.settle = [thenDrop(settled)]
      expect(artifactIn(await refusing.present(await refusing.sign()))).toBeUndefined()
      expect(signs.mock.calls.filter(([{ kind }]) => kind === 'receipt')).toEqual([])
      const failing = await shopWith(issuer, { mode }, () => new Response('no', { status: 500 }))
      expect(artifactIn(await failing.present(await failing.sign()))).toBeUndefined()
    },
  )

  test('EXT-OFFER-004 signs offers once a minute, and none for a request with a payment', async () => {
    const sign = vi.fn(issuer.sign)
    const shop = await shopWith({ sign })
    await Promise.all(Array.from({ length: 20 }, () => shop.ask()))
    expect(sign.mock.calls.length).toBeLessThanOrEqual(2)
    const before = sign.mock.calls.length
    await shop.present({ ...(await shop.sign()), payload: { from: payer } })
    expect(sign.mock.calls.filter(([{ kind }]) => kind === 'offer').length).toBeLessThanOrEqual(before + 1)
  })

  test('EXT-OFFER-004 D18 a flood over many paths keeps no key busy: above a thousand in a minute offers go out unsigned', async () => {
    const sign = vi.fn(async () => ({ format: 'eip712', signature: '0x00' }) as const)
    let now = 1_800_000_000_000
    const shop = await openShop(
      { price: '$0.001', extensions: { [KEY]: true } },
      { extensions: [signedOffers({ issuer: { sign } })], clock: () => now },
    )
    open.push(shop)
    for (let n = 0; n < 1_100; n++) expect((await shop.ask({}, `/b/${n}`)).status).toBe(402)
    expect(sign.mock.calls.length).toBe(1_024)
    expect((await shop.challenge('/b/1')).extensions).toHaveProperty(KEY)
    expect((await shop.challenge('/b/1099')).extensions).toBeUndefined()
    now += 60_000
    expect((await shop.challenge('/b/1099')).extensions).toHaveProperty(KEY)
  })

  test('EXT-OFFER-005 sells all the same while its key cannot be asked', async () => {
    const shop = await shopWith({ sign: () => Promise.reject(new Error('kms')) })
    expect((await shop.challenge()).extensions).toBeUndefined()
    expect((await shop.present(await shop.sign())).status).toBe(200)
  })

  test.each([{ transactions: true }, { validSeconds: 0 }, { validSeconds: '5' }, null, 7] as never[])(
    'EXT-OFFER-006 declared as %j, or without an origin, it stops the start',
    (declared) => {
      const paid = (origin?: string) =>
        paywall({
          facilitator: 'https://pay.example',
          payTo: { base: payTo },
          schemes: [testScheme],
          store: createMemoryClaims({ singleProcess: true }),
          extensions: [signedOffers({ issuer })],
          ...(origin && { origin }),
        })
      const wrong = expect.objectContaining({ code: 'invalid_config' })
      expect(() => paid(ORIGIN)({ price: '$1', extensions: { [KEY]: declared } }, () => new Response())).toThrow(wrong)
      expect(() => paid()({ price: '$1', extensions: { [KEY]: true } }, () => new Response())).toThrow(wrong)
    },
  )
})

describe('signatures by EIP-712', () => {
  test.each([
    [
      offer,
      '0x4046d8a805506377c34894b8b11a2b56355a6eb84260df932a99fced4dba495d0cf005db55b4c73eaa83d33b9187421af055e26962f0a9defa2e92f7e40b58d51c',
    ],
    [
      (({ validUntil: _, ...rest }) => rest)(offer),
      '0xf5b513e11d2da37f5ba4eca9fbfe0e02926169384dd022d5b410f345f9a53d383afb7c1160d36972c3ea4e6ece16f4fbacac80d00e02717d357c71a3d47263de1b',
    ],
  ])('EXT-OFFER-010 of offers are those of the vectors', async (payload, signature) => {
    expect(await issuer.sign({ kind: 'offer', payload })).toEqual({
      format: 'eip712',
      payload: { validUntil: 0, ...payload },
      signature,
    })
    expect(
      (await typedDataIssuer(privateKeyToAccount(`0x${'11'.repeat(32)}`)).sign({ kind: 'offer', payload })).signature,
    ).toBe(signature)
    expect(await verifyOffer({ format: 'eip712', payload, signature }, { trusted, now: NOW })).toMatchObject({
      ok: true,
    })
  })

  test.each([
    [
      receipt,
      '0xf630f5759ebef76ff69b3f92b60f9971e31431b424bdab8a4e901e167973b13c7c4e34608b861e3439f38e79ddecc92296163e6ccede0203422ab7845515effb1c',
    ],
    [
      { ...receipt, transaction: `0x${'ab'.repeat(32)}` },
      '0xb3fdc534af5fe538a4f737c1e93ac8a265ea12e6a212ab3bbaaeb726d167440b0df079c3ac1559bf3b38186aa0493479e54d4ec961df6c211df804d04c5800551b',
    ],
  ])('EXT-OFFER-010 of receipts are those of the vectors', async (payload, signature) => {
    expect((await issuer.sign({ kind: 'receipt', payload })).signature).toBe(signature)
    expect(
      (await typedDataIssuer(privateKeyToAccount(`0x${'11'.repeat(32)}`)).sign({ kind: 'receipt', payload })).signature,
    ).toBe(signature)
  })

  test('EXT-OFFER-011 are refused for whatever was not signed, or says more', async () => {
    const { signature } = await issuer.sign({ kind: 'offer', payload: offer })
    const forged: unknown[] = [
      { ...offer, amount: '1' },
      { ...offer, payTo: B.address },
      { ...offer, more: 1 },
      { ...offer, version: 2 },
      { ...offer, validUntil: 1.5 },
      { ...offer, validUntil: -1 },
      { ...offer, amount: '1e4' },
      {},
      null,
      'x',
    ]
    for (const payload of forged) {
      expect((await verifyOffer({ format: 'eip712', payload, signature }, { trusted, now: NOW })).ok).toBe(false)
    }
    for (const bad of ['0x', '0x00', 'x', `0x${'ff'.repeat(65)}`, `0x${'00'.repeat(5000)}`]) {
      expect(
        await verifyOffer({ format: 'eip712', payload: offer, signature: bad }, { trusted, now: NOW }),
      ).toMatchObject({ code: 'offer_signature_invalid' })
    }
    // An offer is no receipt.
    expect((await verifySignedReceipt({ format: 'eip712', payload: offer, signature }, { trusted, now: NOW })).ok).toBe(
      false,
    )
  })

  test('EXT-OFFER-012 D11 by anybody else are none: a good signature is no right to speak', async () => {
    const forged = await typedDataIssuer(B).sign({ kind: 'receipt', payload: receipt })
    expect(await verifySignedReceipt(forged, { trusted, now: NOW })).toMatchObject({
      code: 'receipt_signer_not_authorized',
    })
    expect(
      await verifyOffer(await typedDataIssuer(A).sign({ kind: 'offer', payload: offer }), { now: NOW }),
    ).toMatchObject({ code: 'offer_signer_not_authorized' })
    expect(
      await verifyOffer(await typedDataIssuer(B).sign({ kind: 'offer', payload: offer }), {
        now: NOW,
        payTo: B.address,
      }),
    ).toMatchObject({ ok: true, authority: 'payee' })
  })

  test('EXT-OFFER-013 of the future are none', async () => {
    const signed = await issuer.sign({ kind: 'receipt', payload: { ...receipt, issuedAt: NOW + 100 } })
    expect(await verifySignedReceipt(signed, { trusted, now: NOW })).toMatchObject({ code: 'receipt_mismatch' })
  })
})

describe('a site that publishes its keys', () => {
  const ed = {
    kty: 'OKP',
    crv: 'Ed25519',
    x: 'A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg',
    d: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8',
  }
  const otherEd = {
    kty: 'OKP',
    crv: 'Ed25519',
    x: 'PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw',
    d: 'TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs',
  }
  const HOST = 'api.example.test'
  const DID = `did:web:${HOST}`
  const { d: _, ...publicEd } = ed
  const documentOf = (change: JsonObject = {}): JsonObject => ({
    id: DID,
    verificationMethod: [
      { id: `${DID}#key-1`, type: 'JsonWebKey2020', controller: DID, publicKeyJwk: publicEd },
      {
        id: '#eth',
        type: 'EcdsaSecp256k1RecoveryMethod2020',
        controller: DID,
        blockchainAccountId: `eip155:1:${A.address}`,
      },
      {
        id: '#unused',
        type: 'EcdsaSecp256k1RecoveryMethod2020',
        controller: DID,
        blockchainAccountId: `eip155:1:${B.address}`,
      },
    ],
    assertionMethod: [`${DID}#key-1`, '#eth'],
    ...change,
  })
  const site = (document: unknown, asked: string[] = []): { call: HttpCall } => ({
    call: async ({ url }) => {
      asked.push(url)
      return {
        status: 200,
        retryAfter: undefined,
        header: () => undefined,
        text: typeof document === 'string' ? document : JSON.stringify(document),
      }
    },
  })

  test('EXT-OFFER-014 vouches for its keys and accounts, as far as it names them for assertions', async () => {
    const asked: string[] = []
    const keysOf = didWebKeys(site(documentOf(), asked))
    const jws = await jwsIssuer({ kid: `${DID}#key-1`, alg: 'EdDSA', jwk: ed })
    expect(await verifyOffer(await jws.sign({ kind: 'offer', payload: offer }), { keysOf, now: NOW })).toMatchObject({
      ok: true,
      authority: 'site',
      signer: `${DID}#key-1`,
    })
    expect(
      await verifySignedReceipt(await jws.sign({ kind: 'receipt', payload: receipt }), { keysOf, now: NOW }),
    ).toMatchObject({ ok: true })
    expect(await verifyOffer(await issuer.sign({ kind: 'offer', payload: offer }), { keysOf, now: NOW })).toMatchObject(
      { ok: true, authority: 'site' },
    )
    expect(
      await verifyOffer(await typedDataIssuer(B).sign({ kind: 'offer', payload: offer }), { keysOf, now: NOW }),
    ).toMatchObject({ code: 'offer_signer_not_authorized' })
    expect(asked).toEqual([`https://${HOST}/.well-known/did.json`])
  })

  test('EXT-OFFER-015 D10 is asked only for its own URLs: no name in a signature says where to look', async () => {
    const asked: string[] = []
    const keysOf = didWebKeys(site(documentOf({ assertionMethod: ['#eth'] }), asked))
    const kids = [
      'did:web:evil.example#k',
      'did:web:localhost%3A8500#k',
      'did:web:127.0.0.1#k',
      'did:web:169.254.169.254#k',
      'did:web:a%2F..%2Fb#k',
      'did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd#k',
    ]
    for (const kid of kids) {
      const signed = await (await jwsIssuer({ kid, alg: 'EdDSA', jwk: ed })).sign({ kind: 'offer', payload: offer })
      // A key that is not what its name says is none; whose key the others name nobody here knows.
      const code = kid.startsWith('did:key') ? 'offer_signature_invalid' : 'offer_signer_not_authorized'
      const other = await (await jwsIssuer({ kid, alg: 'EdDSA', jwk: otherEd })).sign({ kind: 'offer', payload: offer })
      expect(await verifyOffer(other, { keysOf, now: NOW })).toMatchObject({ code })
      expect(await verifyOffer(signed, { keysOf, now: NOW })).toMatchObject({ code: 'offer_signer_not_authorized' })
    }
    for (const resourceUrl of [
      'http://api.example.test/',
      'https://u:p@api.example.test/',
      'file:///etc/passwd',
      'x',
    ]) {
      const signed = await typedDataIssuer(B).sign({ kind: 'offer', payload: { ...offer, resourceUrl } })
      expect((await verifyOffer(signed, { keysOf, now: NOW })).ok).toBe(false)
    }
    expect(asked).toEqual([`https://${HOST}/.well-known/did.json`])
  })

  test('EXT-OFFER-012 EXT-OFFER-024 a did:key speaks for a URL only where its site, its payee or the verifier says so', async () => {
    const fragment = 'z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd'
    const kid = `did:key:${fragment}#${fragment}`
    const signed = await (await jwsIssuer({ kid, alg: 'EdDSA', jwk: ed })).sign({ kind: 'receipt', payload: receipt })
    const by = (trust: object) => verifySignedReceipt(signed, { now: NOW, ...trust })
    expect(await by({})).toMatchObject({ code: 'receipt_signer_not_authorized' })
    expect(await by({ trusted: [`did:key:${fragment}`] })).toMatchObject({ ok: true, authority: 'trusted' })
    expect(await by({ payTo: 'FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF' })).toMatchObject({ authority: 'payee' })
    expect(await by({ keysOf: didWebKeys(site(documentOf())) })).toMatchObject({ ok: true, authority: 'site' })
    const unused = documentOf({ assertionMethod: ['#eth'] })
    expect(await by({ keysOf: didWebKeys(site(unused)) })).toMatchObject({ code: 'receipt_signer_not_authorized' })
    const [head, , signature] = signed.signature.split('.')
    const forged = Buffer.from(JSON.stringify({ ...receipt, payer: B.address })).toString('base64url')
    expect(
      await verifySignedReceipt(
        { ...signed, signature: `${head}.${forged}.${signature}` },
        { now: NOW, trusted: [kid] },
      ),
    ).toMatchObject({ code: 'receipt_signature_invalid' })
  })

  test('EXT-OFFER-012 the three keys of did:key are read, and the payee of Ethereum is one of them', async () => {
    expect(jwkOfDidKey('did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd')).toEqual(publicEd)
    const [es256k, es256] = [
      ['did:key:zQ3shjyJXUaRJC2GC43mX8aPrUhoTdoiongXhZjsdTzPKYZUM', 'secp256k1', 'ES256K'],
      ['did:key:zDnaeQa8zprPhHA7Yuxcgc2Uh6XNQgaKjmFZE4EaA9fk5svmJ', 'P-256', 'ES256'],
    ] as const
    const scalar = Buffer.from('11'.repeat(32), 'hex').toString('base64url')
    for (const [did, crv, alg] of [es256k, es256]) {
      const jwk = jwkOfDidKey(did)
      expect(jwk).toMatchObject({ kty: 'EC', crv })
      const kid = `${did}#${did.slice(8)}`
      const jws = await jwsIssuer({ kid, alg, jwk: { ...jwk, d: scalar } as never })
      const signed = await jws.sign({ kind: 'receipt', payload: receipt })
      expect(await verifySignedReceipt(signed, { now: NOW, trusted: [did] })).toMatchObject({ ok: true, signer: did })
      expect(await verifySignedReceipt(signed, { now: NOW, payTo: A.address })).toMatchObject(
        alg === 'ES256K' ? { ok: true, authority: 'payee' } : { code: 'receipt_signer_not_authorized' },
      )
    }
    for (const none of [
      'did:key:',
      'did:key:z',
      'did:key:zQ3sh',
      'did:key:uAAAA',
      `did:key:z${'1'.repeat(48)}`,
      'did:jwk:e30',
    ]) {
      expect(jwkOfDidKey(none)).toBeUndefined()
    }
  })

  test('EXT-OFFER-023 a key that a signature brings is the one that its name stands for, or nobody’s', async () => {
    const kid = `${DID}#key-1`
    const keysOf = didWebKeys(site(documentOf()))
    const signWith = async (key: object, more: object) =>
      (await jwsIssuer({ kid, alg: 'EdDSA', ...key, ...more } as never)).sign({ kind: 'receipt', payload: receipt })
    const good = await signWith({ jwk: ed }, { bringsKey: true })
    const header = JSON.parse(Buffer.from(good.signature.split('.')[0] ?? '', 'base64url').toString())
    expect(header).toEqual({ alg: 'EdDSA', kid, jwk: publicEd })
    expect(await verifySignedReceipt(good, { keysOf, now: NOW })).toMatchObject({ ok: true, authority: 'site' })
    // Without the document nobody knows whose it is; its signature is good all the same, or it is not.
    expect(await verifySignedReceipt(good, { now: NOW })).toMatchObject({ code: 'receipt_signer_not_authorized' })
    const [head, body, signature = ''] = good.signature.split('.')
    const wrong = `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    expect(await verifySignedReceipt({ ...good, signature: wrong }, { now: NOW })).toMatchObject({
      code: 'receipt_signature_invalid',
    })
    // The account that is paid may speak, under no other name than its own: what a header calls its key is not shown.
    const bank = await signWith({ jwk: ed }, { bringsKey: true, kid: 'did:web:bank.example#key-1' })
    for (const named of [bank, good]) {
      const payTo = 'FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF'
      expect(await verifySignedReceipt(named, { payTo, now: NOW })).toMatchObject({
        ...{ ok: true, authority: 'payee', signer: payTo },
      })
    }
    // Another key under the name of the site.
    const swapped = await signWith({ jwk: otherEd }, { bringsKey: true })
    expect(await verifySignedReceipt(swapped, { keysOf, now: NOW })).toMatchObject({
      code: 'receipt_signature_invalid',
    })
    const { CompactSign, importJWK } = await import('jose')
    const leaked = await new CompactSign(new TextEncoder().encode(JSON.stringify(receipt)))
      .setProtectedHeader({ alg: 'EdDSA', kid, jwk: ed as never })
      .sign(await importJWK(ed, 'EdDSA'))
    expect((await verifySignedReceipt({ format: 'jws', signature: leaked }, { keysOf, now: NOW })).ok).toBe(false)
  })

  test('EXT-OFFER-025 D22 a receipt is verified by the document that was kept with it, when the site publishes other keys', async () => {
    const jws = await jwsIssuer({ kid: `${DID}#key-1`, alg: 'EdDSA', jwk: ed })
    const signed = await jws.sign({ kind: 'receipt', payload: receipt })
    const then = await verifySignedReceipt(signed, { keysOf: didWebKeys(site(documentOf())), now: NOW })
    if (!then.ok) throw new Error(then.code)
    const document = then.document ?? ''
    expect(JSON.parse(document)).toEqual(documentOf())
    const rotated = didWebKeys(site(documentOf({ assertionMethod: ['#eth'] })))
    expect(await verifySignedReceipt(signed, { keysOf: rotated, now: NOW })).toMatchObject({
      code: 'receipt_signer_not_authorized',
    })
    const years = { now: NOW + 10 * 31_536_000 }
    expect(await verifySignedReceipt(signed, { keysOf: keptKeys({ [HOST]: document }), ...years })).toMatchObject({
      ok: true,
      authority: 'site',
    })
    for (const other of [
      { 'evil.example': document },
      { [HOST]: 'x' },
      { [HOST]: JSON.stringify(documentOf({ id: 'x' })) },
      {},
    ]) {
      expect((await verifySignedReceipt(signed, { keysOf: keptKeys(other as never), ...years })).ok).toBe(false)
    }
  })

  test('EXT-OFFER-015 is not asked where it is a private address', async () => {
    const call = publicCall()
    for (const host of ['127.0.0.1:9', 'localhost', '169.254.169.254', '[::1]']) {
      expect(await didWebKeys({ ...(call && { call }) })(host)).toBeUndefined()
    }
  })

  test.each<readonly [string, unknown]>([
    ['no JSON', '<html>'],
    ['deep JSON', `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`],
    ['of another site', documentOf({ id: 'did:web:evil.example' })],
    ['without assertions', documentOf({ assertionMethod: [] })],
    ['with odd members', documentOf({ verificationMethod: [null, 1, { id: 7 }], assertionMethod: [null, {}] })],
  ])('EXT-OFFER-016 with a document %s vouches for nothing', async (_, document) => {
    const keysOf = didWebKeys(site(document))
    const jws = await jwsIssuer({ kid: `${DID}#key-1`, alg: 'EdDSA', jwk: ed })
    expect((await verifyOffer(await jws.sign({ kind: 'offer', payload: offer }), { keysOf, now: NOW })).ok).toBe(false)
    expect((await verifyOffer(await issuer.sign({ kind: 'offer', payload: offer }), { keysOf, now: NOW })).ok).toBe(
      false,
    )
  })

  test('EXT-OFFER-016 that cannot be asked vouches for nothing', async () => {
    const keysOf = didWebKeys({ call: () => Promise.reject(new NoAnswer(new Error('down'))) })
    expect(await keysOf(HOST)).toBeUndefined()
  })

  test('EXT-OFFER-017 the JWS is that of the vector', async () => {
    const fragment = 'z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd'
    const signed = await (await jwsIssuer({ kid: `did:key:${fragment}#${fragment}`, alg: 'EdDSA', jwk: ed })).sign({
      kind: 'offer',
      payload: offer,
    })
    expect(signed.signature.split('.')[2]).toBe(
      'gmMjssQIkjncOu9SOdKrWQQRF7Szpl-TMS0X2oueKMzgVQn-q7yOdSvoTYvlj-1elLovNR72wYrfBhvw8P7jBQ',
    )
  })

  test('EXT-OFFER-018 another spelling of the same JSON is another text', async () => {
    const { CompactSign, importJWK } = await import('jose')
    const sign = async (text: string): Promise<ReceivedArtifact> => ({
      format: 'jws',
      signature: await new CompactSign(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: 'EdDSA', kid: `${DID}#key-1` })
        .sign(await importJWK(ed, 'EdDSA')),
    })
    const keysOf = didWebKeys(site(documentOf()))
    expect((await verifyOffer(await sign(JSON.stringify(offer, null, 1)), { keysOf, now: NOW })).ok).toBe(false)
    expect((await verifyOffer({ ...(await sign('{}')), signature: 'a.b.c' }, { keysOf, now: NOW })).ok).toBe(false)
    expect((await verifyOffer({ format: 'none', signature: 'x' }, { keysOf, now: NOW })).ok).toBe(false)
  })
})

describe('a payer that checks receipts', () => {
  const about = async () => {
    const shop = await shopWith(issuer, { extensions: { [KEY]: { transaction: true } } })
    const challenge = await shop.challenge()
    const answer = await shop.present(await shop.sign())
    const read = decodeReceipt((name) => answer.headers.get(name))
    if (!read?.ok || read.value.status !== 'settled') throw new Error('not settled')
    const { receipt } = read.value
    const answered = receipt.extensions?.[KEY] as JsonObject
    return {
      answered,
      about: { challenge, offer: challenge.accepts[0]!, payer, receipt, url: new URL(`${ORIGIN}/a`), clock: shop.now },
    }
  }

  test('EXT-OFFER-020 takes one of its own payment, and says what is wrong with any other', async () => {
    const { answered, about: payment } = await about()
    const { check } = signedReceipts({ trusted })
    expect(await check?.(answered, payment)).toBeUndefined()
    expect(await check?.(answered, { ...payment, payer: B.address })).toBe('receipt_mismatch')
    expect(await check?.(answered, { ...payment, receipt: { ...payment.receipt, transaction: '0x1' } })).toBe(
      'receipt_mismatch',
    )
    expect(
      await check?.(answered, {
        ...payment,
        challenge: { ...payment.challenge, resource: { url: 'https://other.example/' } },
      }),
    ).toBe('receipt_mismatch')
    expect(await check?.(answered, { ...payment, clock: () => payment.clock() + 2 * 86_400_000 })).toBe(
      'receipt_mismatch',
    )
    expect(await signedReceipts().check?.(answered, payment)).toBe('receipt_signer_not_authorized')
    expect(await check?.({ info: { receipt: { format: 'jws', signature: 'x' } } }, payment)).toBe(
      'receipt_signature_invalid',
    )
    expect(await check?.({ info: 7 }, payment)).toBe('receipt_signature_invalid')
  })

  test('EXT-OFFER-021 finds it in the outcome, and echoes no offer', async () => {
    const shop = await openShop(
      { price: '$0.001', extensions: { [KEY]: true } },
      { schemes: [sellsExactEvm], extensions: [signedOffers({ issuer: typedDataIssuer(B) })] },
    )
    open.push(shop)
    shop.stub.does.verify = [
      (call, response) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ isValid: true, payer: A.address, call: call.path })),
    ]
    shop.stub.does.settle = [
      (_, response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(
          JSON.stringify({
            success: true,
            payer: A.address,
            transaction: `0x${'1'.repeat(64)}`,
            network: 'eip155:84532',
          }),
        ),
    ]
    const sent: string[] = []
    const buyer = createPayer({
      schemes: [exactEvm({ account: A })],
      extensions: [signedReceipts({ trusted })],
      fetch: async (input, init) => {
        const request = new Request(input, init)
        sent.push(request.headers.get('payment-signature') ?? '')
        return shop.ask({ headers: request.headers })
      },
    })
    const answer = await buyer.fetch(`${ORIGIN}/a`)
    expect(answer.status).toBe(200)
    expect(buyer.receipt(answer)).toMatchObject({ flaws: { [KEY]: 'receipt_signer_not_authorized' } })
    expect(JSON.parse(atob(sent.at(-1) ?? '')).extensions).toBeUndefined()
  })
})
