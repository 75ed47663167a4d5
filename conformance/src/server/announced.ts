import { randomBytes } from 'node:crypto'
import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectThat, notApplicable } from '../model/finding.js'
import { decodeHeader } from '../wire/messages.js'
import { expectNoFault, needExtension, payExtended } from './extended.js'
import { serverCheck } from './offers.js'
import { expectDelivered, expectWithheld, type ServerStage } from './stage.js'

const json = { 'content-type': 'application/json' }
const key = 'payment-identifier'
const route = 'named'

/** Routes that may announce something, and how they are asked. */
const routes = [
  ['paid', 'GET'],
  ['named', 'POST'],
  ['must-name', 'POST'],
  ['pass', 'GET'],
  ['signed', 'GET'],
  ['coded', 'GET'],
] as const

/** What holds for extensions of whatever name. */
export const announcedChecks: readonly Check<ServerStage>[] = [
  serverCheck('CORE-080/form', 'whatever is announced has `info` and `schema`', async (stage) => {
    const announced: (readonly [string, unknown])[] = []
    for (const [name, method] of routes) {
      const answer = await stage.ask(name, method === 'POST' ? json : {}, method)
      const { extensions } = decodeHeader(answer.headers['payment-required']) ?? {}
      if (isObject(extensions)) announced.push(...Object.entries(extensions))
    }
    if (announced.length === 0) notApplicable('the target announces no extension')
    for (const [name, extension] of announced) {
      const right = isObject(extension) && isObject(extension.info) && isObject(extension.schema)
      expectThat(right, `the announcement of ${name}`, 'info and schema', extension)
    }
  }),
  serverCheck('CORE-083/no-echo', 'a payment that echoes nothing is taken', async (stage) => {
    const found = await needExtension(stage, route, key, { method: 'POST', headers: json })
    const header = await payExtended(stage, found, await stage.rail.payer(1_000_000n))
    const answer = await stage.ask(route, { ...json, 'PAYMENT-SIGNATURE': header }, 'POST', '{}')
    expectDelivered(answer, 'a payment that echoes no extensions')
  }),
  serverCheck('CORE-084/changed', 'a payment that changes what was announced is refused', async (stage) => {
    const found = await needExtension(stage, route, key, { method: 'POST', headers: json })
    const info = { ...found.info, required: found.info.required !== true, id: randomBytes(16).toString('hex') }
    const echo = { [key]: { ...found.announced, info } }
    const header = await payExtended(stage, found, await stage.rail.payer(1_000_000n), echo)
    const answer = await stage.ask(route, { ...json, 'PAYMENT-SIGNATURE': header }, 'POST', '{}')
    expectWithheld(answer, 'the payment says that names are required, or are not')
    expectNoFault(answer, 'an echo that was changed')
  }),
  serverCheck(
    'EXT-013/nonce',
    'a payment may echo what was announced before, where it is made anew for every answer',
    async (stage) => {
      const found = await needExtension(stage, 'pass', 'sign-in-with-x')
      await needExtension(stage, 'pass', 'sign-in-with-x')
      const echo = { 'sign-in-with-x': found.announced }
      const header = await payExtended(stage, found, await stage.rail.payer(1_000_000n), echo)
      expectDelivered(
        await stage.ask('pass', { 'PAYMENT-SIGNATURE': header }),
        'a payment that echoes a nonce of before',
      )
    },
  ),
]
