import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail } from '../model/finding.js'
import { canonical, sha256 } from '../wire/canonical.js'
import {
  type Extended,
  expectNoFault,
  expectSales,
  extensionIn,
  needExtension,
  origin,
  payExtended,
} from './extended.js'
import { serverCheck } from './offers.js'
import { expectDelivered, expectWithheld, receiptIn, type ServerStage } from './stage.js'

const key = 'groat-compliance'
const route = 'fields'
const optional = 'fields-maybe'

type Members = Readonly<Record<string, unknown>>

/** What the kit says of its payers. */
const own: Members = { country: 'PL', kind: 'business', purpose: 'testing', recordDigest: sha256('a record') }

/** The fields that are asked for. */
function asksOf({ info }: Extended): readonly string[] {
  const { asks } = info
  const right = Array.isArray(asks) && asks.length > 0 && asks.every((name) => typeof name === 'string' && name in own)
  if (!right) fail('`info.asks`', `some of ${Object.keys(own).join(', ')}`, asks)
  return asks
}

const pick = (names: readonly string[]): Members => Object.fromEntries(names.map((name) => [name, own[name]]))

const saying = ({ announced, info }: Extended, payer: unknown): object => ({
  [key]: { ...announced, info: { ...info, payer } },
})

/** A payment whose fields have to be refused, before anybody is asked for money. */
const refused = (id: string, what: string, extensions: (found: Extended) => object, name = route): Check<ServerStage> =>
  serverCheck(id, `a payment ${what} is refused before the facilitator is asked`, async (stage) => {
    const found = await needExtension(stage, name, key)
    const before = await stage.hits(name)
    const payer = await stage.rail.payer(1_000_000n)
    const answer = await stage.ask(name, {
      'PAYMENT-SIGNATURE': await payExtended(stage, found, payer, extensions(found)),
    })
    expectWithheld(answer, `the payment is one ${what}`)
    expectNoFault(answer, `a payment ${what}`)
    expectSame('questions to the facilitator', 0, stage.facilitator.asked().length)
    await expectSales(stage, name, { before, work: 0, payments: 0 })
  })

/** What a server makes of what payers say of themselves (`groat-compliance`). */
export const complianceChecks: readonly Check<ServerStage>[] = [
  serverCheck(
    'EXT-COMPLY-001/announced',
    'which fields are asked for, and whether they have to be there',
    async (stage) => {
      const found = await needExtension(stage, route, key)
      asksOf(found)
      const { required, seller } = found.info
      expectThat(typeof required === 'boolean', 'info.required', 'true or false', required)
      expectThat(isObject(seller), 'info.seller', 'who sells', seller)
    },
  ),
  serverCheck('EXT-COMPLY-003/said', 'a payment that says what is asked for is taken', async (stage) => {
    const found = await needExtension(stage, route, key)
    const before = await stage.hits(route)
    const payer = await stage.rail.payer(1_000_000n)
    const header = await payExtended(stage, found, payer, saying(found, pick(asksOf(found))))
    expectDelivered(await stage.ask(route, { 'PAYMENT-SIGNATURE': header }), 'a payment that says what is asked for')
    await expectSales(stage, route, { before, work: 1, payments: 1 })
  }),
  refused('EXT-COMPLY-003/silent', 'that says nothing of its payer', () => ({})),
  refused('EXT-COMPLY-003/some', 'that leaves a field out', (found) => saying(found, pick(asksOf(found).slice(1)))),
  refused('EXT-COMPLY-004/unreadable', 'whose fields cannot be read', (found) =>
    saying(found, { ...pick(asksOf(found)), country: 'Poland', kind: 7 }),
  ),
  refused(
    'EXT-COMPLY-004/optional',
    'whose fields cannot be read where none is required',
    (found) => saying(found, { country: 'Poland' }),
    optional,
  ),
  serverCheck(
    'EXT-COMPLY-007/record',
    'the record of a sale is named by its digest, and is that of the sale',
    async (stage) => {
      const found = await needExtension(stage, route, key)
      const payer = await stage.rail.payer(1_000_000n)
      const fields = pick(asksOf(found))
      const header = await payExtended(stage, found, payer, saying(found, fields))
      const answer = await stage.ask(route, { 'PAYMENT-SIGNATURE': header })
      expectDelivered(answer, 'a payment that says what is asked for')
      const receipt = receiptIn(answer)
      const { info } = extensionIn(receipt, key) ?? {}
      const { record, digest } = isObject(info) ? info : {}
      expectThat(isObject(record), 'the receipt has no record of the sale', '`info.record`', receipt)
      expectSame('the digest of the record', sha256(canonical(record)), digest)
      const { network, asset, amount, payTo } = found.offer
      const sale: Members = {
        buyer: fields,
        ...{ network, asset, amount, payTo, payer: payer.address, transaction: receipt?.transaction },
        resource: `${origin}/conformance/${route}`,
      }
      for (const [name, value] of Object.entries(sale)) {
        expectSame(`${name} of the record`, same(value), same(record[name]))
      }
    },
  ),
]

/** Hex addresses are the same in any case. */
const same = (value: unknown) =>
  typeof value === 'string' && value.startsWith('0x') ? value.toLowerCase() : canonical(value ?? null)
