import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBuyer, verifyReceipt } from '@groat/client/buyer'
import { sqlIntents } from '@groat/client/sql'
import { canonicalAddress, encodeChallenge, encodeReceipt, network } from '@groat/core'
import type { HttpCall } from '@groat/core/http'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { didWebKeys, type KeyFinder } from '@groat/extensions/offer-receipt/client'
import { type ArtifactIssuer, jwsIssuer, typedDataIssuer } from '@groat/extensions/offer-receipt/server'
import { openStore } from '@groat/store'
import { expect, onTestFinished, test } from 'vitest'
import { sellerKeys } from '../src/commands/seller-keys.js'
import { runCli } from '../src/program.js'
import { recordedIo } from './io.js'

const PAYER = `0x${'46'.repeat(32)}`
const OTHER = `0x${'47'.repeat(32)}`
const SELLER = `0x${'48'.repeat(32)}`
const URL_PAID = 'https://api.shop.test/quote'

test('CL-6 an export is signed, and whoever checks it hears what was changed since', async () => {
  const { run, exported, verify } = await paidOnce(PAYER)
  const receipt = JSON.parse(await exported())
  expect(receipt.attestation).toMatchObject({ account: `eip155:${privateKeyAccount(PAYER).address}` })
  expect(await verify([receipt], '--signed')).toEqual([[]])

  const changes: Record<string, unknown> = {
    metadata: { ...receipt.metadata, task: 'another' },
    answer: { ...receipt.answer, sha256: '0'.repeat(64) },
    chain: { status: 'settled', at: 1 },
    httpStatus: 500,
    amount: '1',
    terms: `${receipt.terms.slice(0, -4)}AAAA`,
  }
  for (const [name, value] of Object.entries(changes)) {
    const [bad] = await verify([{ ...receipt, [name]: value }])
    expect(bad).toContain(`exporter.${name}`)
  }
  const { metadata: _, ...without } = receipt
  const { attestation: __, ...unsigned } = receipt
  const { parts } = receipt.attestation
  const resealed = {
    ...receipt,
    httpStatus: 500,
    attestation: { ...receipt.attestation, parts: { ...parts, httpStatus: '00' } },
  }
  expect(await verify([without, unsigned, resealed])).toEqual([
    ['exporter.metadata'],
    [],
    ['exporter', 'exporter.httpStatus'],
  ])
  expect(await verify([unsigned, { ...receipt, attestation: 'mine' }], '--signed')).toEqual([
    ['exporter'],
    ['exporter'],
  ])
  // The signature of somebody else is somebody else's word.
  const others = JSON.parse(await exported(OTHER))
  expect(await verify([others])).toEqual([['exporter']])
  expect(await verify([others], '--by', privateKeyAccount(OTHER).address)).toEqual([[]])
  expect((await run(['receipts', 'export'], {})).said).toContain('1 without a signature of yours')
})

test('CL-6 what nobody has signed, and what the payment and its receipt do not bear out, is not good', async () => {
  const { exported, verify } = await paidOnce(PAYER)
  const whole = JSON.parse(await exported())
  const { attestation: _, ...receipt } = whole
  const { name, value } = receipt.payment
  const payment = JSON.parse(Buffer.from(value, 'base64').toString())
  // As a contract wallet signs: bytes that no key alone can be read from.
  payment.payload.signature = `0x${'ee'.repeat(66)}`
  const unreadable = { name, value: Buffer.from(JSON.stringify(payment)).toString('base64') }
  const lines = [
    { ...receipt, payment: unreadable },
    { ...receipt, transaction: `0x${'ab'.repeat(32)}` },
    { ...receipt, scheme: 'upto' },
    { ...receipt, receipt: undefined, transaction: undefined },
    receipt,
  ]
  expect(await verify(lines)).toEqual([['signature'], ['transaction'], ['terms'], ['transaction'], []])
})

test('CL-6 a receipt that nests without an end is signed by nobody, and stops nobody from checking the next', async () => {
  const { exported } = await paidOnce(PAYER)
  const receipt = JSON.parse(await exported())
  const metadata = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
  const checks = await verifyReceipt({ ...receipt, metadata }, { schemes: [], isSignedBy: async () => true })
  expect(checks.find(({ check }) => check === 'exporter')?.ok).toBe(false)
})

test('CL-6 EXT-OFFER-024 what the seller has signed by offer-receipt is checked too', async () => {
  const { exported, verify } = await paidOnce(PAYER, { signedBy: SELLER })
  const receipt = JSON.parse(await exported())
  expect(await verify([receipt])).toEqual([[]])
  const other = await paidOnce(PAYER, { signedBy: OTHER })
  const check = other.verify
  const line = JSON.parse(await other.exported())
  const original = line.receipt
  // Whose key that is nobody here knows: that is no proof against it.
  const { run, file, verdicts } = other
  expect(await verdicts([line])).toEqual([['unknown', 'seller’s offer', 'seller’s receipt']])
  expect((await run(['receipts', 'verify', file], {})).exitCode).toBe(0)
  // What no key can have signed is another matter.
  const nobody = Buffer.from(original, 'base64')
    .toString()
    .replace(/("signature":"0x)[0-9a-f]+/, `$1${'00'.repeat(65)}`)
  line.receipt = Buffer.from(nobody).toString('base64')
  expect(await check([line])).toEqual([['exporter.receipt', 'seller’s receipt']])
  line.receipt = original
  expect(await check([line], '--trust', privateKeyAccount(OTHER).address)).toEqual([[]])
})

test('CL-6 EXT-OFFER-025 D22 a payment is verified by the keys that its site published when it was paid', async () => {
  const jwk = {
    kty: 'OKP',
    crv: 'Ed25519',
    x: 'A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg',
    d: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8',
  }
  const did = 'did:web:api.shop.test'
  const { d: _, ...publicKeyJwk } = jwk
  const method = { id: `${did}#key-1`, type: 'JsonWebKey2020', controller: did, publicKeyJwk }
  const document = JSON.stringify({ id: did, verificationMethod: [method], assertionMethod: [`${did}#key-1`] })
  const asked: string[] = []
  const call: HttpCall = async ({ url }) => {
    asked.push(url)
    return { status: 200, retryAfter: undefined, header: () => undefined, text: document }
  }
  const site = await jwsIssuer({ kid: `${did}#key-1`, alg: 'EdDSA', jwk })
  const verdictOf = async (keys: KeyFinder | undefined, times = 1) => {
    const { run } = await paidOnce(PAYER, { issuer: site, times, ...(keys && { keys }) })
    const { out } = await run(['receipts', 'verify', '--json'], {})
    const line = (await run(['receipts', 'export'], { GROAT_EVM_KEY: PAYER })).out.split('\n')[0] ?? ''
    return {
      verdicts: out
        .trim()
        .split('\n')
        .map((each) => JSON.parse(each).verdict),
      line: JSON.parse(line),
    }
  }
  expect((await verdictOf(undefined)).verdicts).toEqual(['unknown'])
  const kept = await verdictOf(didWebKeys({ call }), 2)
  expect([kept.verdicts, asked]).toEqual([['good', 'good'], ['https://api.shop.test/.well-known/did.json']])
  // In the hands of others it would be the exporter's word.
  const { verdicts } = await paidOnce(PAYER)
  expect((await verdicts([kept.line]))[0]?.[0]).toBe('unknown')
  // A site that is silent, or is another, costs nothing but that.
  const down = async () => {
    throw new Error('down')
  }
  expect((await verdictOf(down)).verdicts).toEqual(['unknown'])
})

/** A purse with one payment in it, and the command line over it. */
async function paidOnce(
  key: string,
  {
    signedBy,
    issuer = signedBy === undefined ? undefined : typedDataIssuer(privateKeyAccount(signedBy)),
    keys,
    times = 1,
  }: {
    readonly signedBy?: string
    readonly issuer?: ArtifactIssuer
    /** Keeps what the site says of its keys. */
    readonly keys?: KeyFinder
    readonly times?: number
  } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'groat-receipts-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const store = await openStore(join(folder, 'purse.db'))
  const account = privateKeyAccount(key)
  const purse = await sqlIntents(store)
  const buyer = createBuyer({
    schemes: [exactEvm({ account })],
    purse,
    metadata: { task: 'forecast' },
    fetch: await sellerSignedBy(issuer, account.address),
  })
  for (let n = 0; n < times; n++) await (await buyer.fetch(URL_PAID)).text()
  await buyer.idle()
  if (keys !== undefined) await sellerKeys(keys).keep(purse, 0)
  await store.close()

  const run = async (args: readonly string[], environment: Record<string, string>) => {
    const io = recordedIo({ environment: { GROAT_HOME: folder, ...environment } })
    return { exitCode: await runCli(args, io), out: io.written(), said: io.said() }
  }
  const file = join(folder, 'receipts.ndjson')
  return {
    run,
    file,
    /** The verdict of each line, and what nobody here knows of it. */
    async verdicts(lines: readonly unknown[]): Promise<readonly string[][]> {
      await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'))
      const { out } = await run(['receipts', 'verify', file, '--json'], {})
      return out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ verdict, checks }) => [
          verdict,
          ...checks.filter(({ ok }: { ok: unknown }) => ok === 'unknown').map(({ check }: { check: string }) => check),
        ])
    },
    exported: async (by = key) => (await run(['receipts', 'export'], { GROAT_EVM_KEY: by })).out,
    /** Names of what failed, for each line. */
    async verify(lines: readonly unknown[], ...more: readonly string[]): Promise<readonly string[][]> {
      await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'))
      const { out } = await run(['receipts', 'verify', file, '--json', ...more], {})
      return out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).checks.filter(({ ok }: { ok: boolean }) => !ok))
        .map((failed) => failed.map(({ check }: { check: string }) => check))
    },
  }
}

async function sellerSignedBy(issuer: ArtifactIssuer | undefined, payer: string): Promise<typeof fetch> {
  const [base, payTo] = [network('base-sepolia'), canonicalAddress(privateKeyAccount(SELLER).address)]
  const offer = {
    scheme: 'exact',
    network: base,
    amount: 1000n,
    asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
    payTo,
    maxTimeoutSeconds: 300,
    extra: { name: 'USDC', version: '2' },
  }
  const { scheme, asset } = offer
  const offered = { version: 1, resourceUrl: URL_PAID, scheme, network: base, asset, payTo, amount: '1000' } as const
  const paid = {
    version: 1,
    resourceUrl: URL_PAID,
    network: base,
    payer,
    issuedAt: Math.floor(Date.now() / 1000),
  } as const
  const extension = (info: object) => ({ extensions: { 'offer-receipt': { info, schema: {} } } }) as object
  const offers = issuer && extension({ offers: [await issuer.sign({ kind: 'offer', payload: offered })] })
  const receipts = issuer && extension({ receipt: await issuer.sign({ kind: 'receipt', payload: paid }) })
  const required = encodeChallenge({ resource: { url: URL_PAID }, accepts: [offer], ...offers })
  const transaction = `0x${'1'.repeat(64)}`
  const settled = encodeReceipt(2, base, {
    status: 'settled',
    receipt: { network: base, payer, transaction, ...receipts },
  })
  return async (_, init) => {
    const isPaid = new Headers(init?.headers).has('payment-signature')
    const headers = isPaid ? { [settled.name]: settled.value } : required.headers
    return new Response('{}', { status: isPaid ? 200 : 402, headers })
  }
}
