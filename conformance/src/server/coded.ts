import type { Check } from '../model/check.js'
import { expectThat } from '../model/finding.js'
import { expectNoFault, expectSales, needExtension, payExtended } from './extended.js'
import { serverCheck } from './offers.js'
import { expectWithheld, type ServerStage } from './stage.js'

const key = 'builder-code'
const route = 'coded'

const isCode = (value: unknown) => typeof value === 'string' && /^[a-z0-9_]{1,32}$/.test(value)
const servicesIn = (info: Readonly<Record<string, unknown>>): readonly unknown[] =>
  Array.isArray(info.s) ? info.s : []

/** A payment whose codes have to be refused. */
const miscoded = (
  id: string,
  what: string,
  change: (info: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
): Check<ServerStage> =>
  serverCheck(id, `a payment that ${what} is refused`, async (stage) => {
    const found = await needExtension(stage, route, key)
    const payer = await stage.rail.payer(1_000_000n)
    const before = await stage.hits(route)
    const echo = { ...found.announced, info: change(found.info) }
    const header = await payExtended(stage, found, payer, { [key]: echo })
    const answer = await stage.ask(route, { 'PAYMENT-SIGNATURE': header })
    expectWithheld(answer, `the payment ${what}`)
    expectNoFault(answer, `a payment that ${what}`)
    await expectSales(stage, route, { before, work: 0, payments: 0 })
  })

/** What a server makes of codes of those who had a part in a payment (`builder-code`). */
export const codeChecks: readonly Check<ServerStage>[] = [
  serverCheck(
    'EXT-CODE-001/announced',
    'one app at most and five services at most are announced, as codes',
    async (stage) => {
      const { info } = await needExtension(stage, route, key)
      expectThat(info.a === undefined || isCode(info.a), 'the app', 'a code', info.a)
      expectThat(info.s === undefined || Array.isArray(info.s), 'the services', 'a list', info.s)
      const services = servicesIn(info)
      expectThat(services.length <= 5 && services.every(isCode), 'the services', 'at most five codes', services)
    },
  ),
  miscoded('EXT-CODE-002/app', 'names another app', (info) => ({ ...info, a: 'another_app' })),
  miscoded('EXT-CODE-002/services', 'takes services away, or the app', ({ a: _, s: __, ...info }) => ({
    ...info,
    s: [],
  })),
  miscoded('EXT-CODE-003/many', 'names eleven services', (info) => ({
    ...info,
    s: [...servicesIn(info), ...Array.from({ length: 11 }, (_, at) => `service_${at}`)].slice(0, 11),
  })),
  miscoded('EXT-CODE-003/form', 'names a service by what is no code', (info) => ({
    ...info,
    s: [...servicesIn(info), 'No Code\n'],
  })),
]
