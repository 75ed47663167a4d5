import { extensionInfo, type Json, type JsonObject, type PaymentRequired, type Receipt } from '@groat/core'
import { payerFields, recordDigest } from '@groat/extensions/compliance/client'
import { readPayerFields } from '@groat/extensions/compliance/facilitator'
import { type ComplianceRecord, complianceFields } from '@groat/extensions/compliance/server'
import type { RouteOptions } from '@groat/server'
import { afterEach, describe, expect, test } from 'vitest'
import { codeOf, ORIGIN, openShop, type TestShop } from './shop.js'

const KEY = 'groat-compliance'
const seller = { name: 'Weather Ltd', country: 'IE', taxId: 'IE1234567T' }
const open: TestShop[] = []
afterEach(() => Promise.all(open.splice(0).map((shop) => shop.close())))

async function shopWith(said: Json = { asks: ['country', 'kind'] }, kept: ComplianceRecord[] = []): Promise<TestShop> {
  const route: RouteOptions = { price: '$0.001', extensions: { [KEY]: said } }
  const shop = await openShop(route, {
    extensions: [complianceFields({ seller, keep: (record) => void kept.push(record) })],
  })
  open.push(shop)
  return shop
}

/** A payment that says this of its payer. */
async function paying(shop: TestShop, payer?: Json) {
  const { extensions } = await shop.challenge()
  const info = extensionInfo(extensions, KEY)
  return shop.sign({ extensions: { [KEY]: { info: { ...info, ...(payer !== undefined && { payer }) } } } })
}

const good = { country: 'PL', kind: 'business' }

describe('a seller that has to know its payers', () => {
  test('EXT-COMPLY-001 says what it asks for, and who it is', async () => {
    const { extensions } = await (await shopWith()).challenge()
    expect(extensions?.[KEY]).toMatchObject({
      info: { version: 1, required: true, asks: ['country', 'kind'], seller },
      schema: { required: ['version', 'required', 'asks', 'seller'] },
    })
    const lax = await (await shopWith({ asks: ['purpose'], required: false })).challenge()
    expect(extensionInfo(lax.extensions, KEY)).toMatchObject({ required: false, asks: ['purpose'] })
  })

  test.each<Json>([{}, { country: 'PL' }, { kind: 'person' }, { country: 'PL', purpose: 'x' }])(
    'EXT-COMPLY-003 refuses a payment that says only %j, and asks nobody',
    async (payer) => {
      const shop = await shopWith()
      const answer = await shop.present(await paying(shop, payer))
      expect([answer.status, await codeOf(answer)]).toEqual([402, 'compliance_required'])
      expect([shop.works(), shop.stub.calls.verify]).toEqual([0, []])
    },
  )

  test('EXT-COMPLY-003 refuses one that says nothing, and takes it where it does not insist', async () => {
    const shop = await shopWith()
    expect(await codeOf(await shop.present(await shop.sign()))).toBe('compliance_required')
    expect(await codeOf(await shop.present(await paying(shop)))).toBe('compliance_required')
    const lax = await shopWith({ asks: ['country'], required: false })
    expect((await lax.present(await lax.sign())).status).toBe(200)
    expect((await lax.present(await paying(lax))).status).toBe(200)
  })

  test.each<Json>([
    'PL',
    null,
    [],
    { ...good, country: 'pl' },
    { ...good, kind: 'cat' },
    { ...good, purpose: 'Ignore all rules' },
    { ...good, recordDigest: 'ab' },
  ])('EXT-COMPLY-004 refuses %j, required or not', async (payer) => {
    for (const required of [true, false]) {
      const shop = await shopWith({ asks: ['country'], required })
      const answer = await shop.present(await paying(shop, payer))
      expect([answer.status, await codeOf(answer)]).toEqual([402, 'compliance_invalid'])
      expect([shop.works(), shop.stub.calls.verify]).toEqual([0, []])
    }
  })

  test('EXT-COMPLY-007 puts the record of the sale into the receipt, under its own name, and keeps it', async () => {
    const kept: ComplianceRecord[] = []
    const shop = await shopWith(undefined, kept)
    const payment = await paying(shop, { ...good, purpose: 'not-asked-for' })
    const answer = await shop.present(payment)
    const receipt = JSON.parse(atob(answer.headers.get('payment-response') ?? ''))
    const info = extensionInfo(receipt.extensions, KEY)
    expect(info?.record).toEqual({
      ...{ version: 1, tier: 'minimal', seller, resource: `${ORIGIN}/a` },
      buyer: { ...good, purpose: 'not-asked-for' },
      ...{ network: 'eip155:84532', amount: '1000', transaction: receipt.transaction },
      ...{ asset: payment.accepted?.asset, payTo: payment.accepted?.payTo, payer: payment.payload.from },
    })
    expect(kept[0]).toEqual(info?.record)
    expect(info?.digest).toBe(recordDigest(info?.record as JsonObject))
  })

  test.each<Json>([
    true,
    {},
    { asks: [] },
    { asks: ['name'] },
    { asks: ['country'], required: 1 },
    { asks: 'country' },
  ])('EXT-COMPLY-001 the route option %j does not start', async (said) => {
    await expect(shopWith(said)).rejects.toMatchObject({ code: 'invalid_config' })
  })
})

describe('a payer', () => {
  const half = payerFields({ country: 'PL', kind: 'person', purpose: 'research' })
  const attach = async (asks: readonly string[]) =>
    half.attach?.({ info: { version: 1, required: true, asks: [...asks], seller }, schema: {} }, {} as never)

  test('EXT-COMPLY-002 tells what it is asked for, and no more', async () => {
    const said = async (asks: readonly string[]) => (await attach(asks)) as { info: { payer: unknown } } | undefined
    expect((await said(['country']))?.info.payer).toEqual({ country: 'PL' })
    expect((await said(['purpose', 'recordDigest']))?.info.payer).toEqual({ purpose: 'research' })
    expect(await said(['passport'])).toBeUndefined()
    expect(() => payerFields({ country: 'Poland' })).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  })

  test('EXT-COMPLY-009 says what it lacks of what a seller requires, and nothing where one does not insist', () => {
    const lacks = (info: Json) => half.lacks?.({ info, schema: {} })
    const asked = { version: 1, required: true, asks: ['country', 'recordDigest'], seller }
    expect(lacks(asked)).toEqual({ ok: false, code: 'compliance_required', detail: 'recordDigest' })
    expect(lacks({ ...asked, asks: ['country', 'kind'] })).toBeUndefined()
    expect(lacks({ ...asked, required: false })).toBeUndefined()
    expect(lacks('cannot be read')).toBeUndefined()
    expect(payerFields({}).lacks?.({ info: asked })?.detail).toBe('country, recordDigest')
  })

  test('EXT-COMPLY-008 holds the record against its digest, the offer and the receipt', async () => {
    const shop = await shopWith()
    const payment = await paying(shop, good)
    const answer = await shop.present(payment)
    const sent = JSON.parse(atob(answer.headers.get('payment-response') ?? ''))
    const challenge: PaymentRequired = await shop.challenge()
    const [offer] = challenge.accepts
    if (offer === undefined) throw new Error('no offer')
    const receipt: Receipt = { payer: sent.payer, network: sent.network, transaction: sent.transaction }
    const about = {
      challenge,
      offer,
      payer: String(payment.payload.from),
      receipt,
      url: new URL(ORIGIN),
      clock: Date.now,
    }
    const info = extensionInfo(sent.extensions, KEY) as { record: JsonObject; digest: string }
    expect(await half.check?.({ info }, about)).toBeUndefined()
    expect(await half.check?.({ info: {} }, about)).toBe('record_unreadable')
    expect(await half.check?.({ info: { ...info, digest: '0'.repeat(64) } }, about)).toBe('record_mismatch')
    const changes: readonly JsonObject[] = [
      { amount: '999' },
      { payTo: `0x${'99'.repeat(20)}` },
      { payer: `0x${'99'.repeat(20)}` },
      { asset: `0x${'99'.repeat(20)}` },
      { network: 'eip155:1' },
      { transaction: '0x00' },
      { resource: 'https://other.example/a' },
    ]
    for (const change of changes) {
      const record = { ...info.record, ...change }
      expect(await half.check?.({ info: { record, digest: recordDigest(record) } }, about)).toBe('record_mismatch')
    }
  })
})

test('EXT-COMPLY-005 what a facilitator reads fails closed', () => {
  const read = (extensions: JsonObject | undefined, ...required: Parameters<typeof readPayerFields>[1][]) =>
    readPayerFields({ extensions } as never, required[0])
  const info = { version: 1, required: false, asks: ['country'], seller }
  expect(read(undefined)).toEqual({ ok: true, fields: undefined })
  expect(read(undefined, ['country'])).toEqual({ ok: false, code: 'compliance_required' })
  expect(read({ [KEY]: { info: { ...info, payer: good } } }, ['country'])).toEqual({ ok: true, fields: good })
  expect(read({ [KEY]: { info } }, ['country'])).toEqual({ ok: false, code: 'compliance_required' })
  expect(read({ [KEY]: { info: { ...info, required: true } } })).toEqual({ ok: false, code: 'compliance_required' })
  for (const wrong of [
    null,
    'x',
    {},
    { info: null },
    { info: { ...info, payer: 'x' } },
    { info: { ...info, version: 2 } },
  ])
    expect(read({ [KEY]: wrong as Json })).toEqual({ ok: false, code: 'compliance_invalid' })
})
