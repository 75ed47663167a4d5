import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json, JsonObject, X402Event } from '@groat/core'
import type { PayerField } from '@groat/extensions/compliance/facilitator'
import { openMemoryStore, type Store } from '@groat/store'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  createFacilitator,
  createFacilitatorApp,
  createLocalList,
  type FacilitatorService,
  type Fault,
  type ScreeningProvider,
  type ScreeningSubject,
  withScreening,
} from '../src/index.js'
import { createFakeScheme, FakeChain, makePayment, NETWORK, PAYER } from './fake-chain.js'

let chain: FakeChain
let store: Store
let folder: string
let faults: Fault[]
let events: X402Event[]
let now: number
let services: FacilitatorService[]

beforeEach(async () => {
  chain = new FakeChain()
  store = await openMemoryStore()
  folder = await mkdtemp(join(tmpdir(), 'groat-screening-'))
  faults = []
  events = []
  services = []
  now = Date.parse('2026-11-21T00:00:00Z')
})
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop()))
  await store.close()
  await rm(folder, { recursive: true })
})

async function serve(provider: ScreeningProvider, timeout = 2_000, requires: readonly PayerField[] = []) {
  const onFault = (fault: Fault) => void faults.push(fault)
  const facilitator = createFacilitator({ schemes: [createFakeScheme(chain)], store, stopTimeout: 1, onFault })
  const onEvent = (event: X402Event) => void events.push(event)
  const service = withScreening({ provider, store, timeout, requires, onFault, onEvent })(facilitator)
  services.push(service)
  await service.start()
  return service
}

const decisions = () =>
  store
    .withTables<{
      screening: { during: string; allowed: number; version: string; reason: string | null; at: number }
    }>()
    .db.selectFrom('screening')
    .select(['during', 'allowed', 'reason'])
    .orderBy('at')
    .execute()

const list = async (...lines: string[]) => {
  const file = join(folder, 'list.txt')
  await writeFile(file, lines.join('\n'))
  return createLocalList({ file, clock: () => now })
}

test('FAC-104 whoever is on the list neither verifies nor settles, and it is written down', async () => {
  const service = await serve(
    await list('# date: 2026-11-20', `${PAYER.toUpperCase().replace('0X', '0x')}   # a payer`),
  )
  expect(await service.verify(makePayment())).toEqual({ ok: false, code: 'payment_screened', payer: PAYER })
  expect(await service.settle(makePayment())).toEqual({ status: 'refused', code: 'payment_screened', payer: PAYER })
  expect(chain.seen).toEqual([])
  expect(await decisions()).toEqual([
    { during: 'verify', allowed: 0, reason: 'payer is on the list' },
    { during: 'settle', allowed: 0, reason: 'payer is on the list' },
  ])
  const told = { type: 'payment_refused', code: 'payment_screened', network: 'eip155:84532', payer: PAYER }
  expect(events).toMatchObject([
    { ...told, during: 'verify' },
    { ...told, during: 'settle' },
  ])
})

test('FAC-104 a list that changes between verify and settle counts at settle; what was begun is told to its end', async () => {
  const provider = await list('# date: 2026-11-20')
  const service = await serve(provider)
  const [first, second] = [makePayment(), makePayment()]
  expect(await service.verify(second)).toMatchObject({ ok: true })
  expect(await service.settle(first)).toMatchObject({ status: 'settled' })
  await list('# date: 2026-11-21', PAYER)
  now += 60_000
  expect(await service.settle(second)).toMatchObject({ status: 'refused', code: 'payment_screened' })
  expect(await service.settle(first)).toMatchObject({ status: 'settled' })
  expect(chain.seen).toHaveLength(1)
})

test('FAC-104 nobody gets past the list behind a copy of the payment that is under way', async () => {
  const listed = '0x00000000000000000000000000000000000000cc'
  const service = await serve(await list('# date: 2026-11-20', listed))
  let asked = () => {}
  let answer = () => {}
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  const isAnswered = new Promise<void>((resolve) => {
    answer = resolve
  })
  chain.disturb = async (method) => {
    if (method !== 'verify') return
    asked()
    await isAnswered
  }
  // Who is paid is not part of what a payment is known by, and this copy is worth nothing.
  const { nonce } = makePayment().payment.payload as { nonce: string }
  const first = service.settle(makePayment({ nonce, signature: 'bad' }))
  await isAsked
  const presented = makePayment({ nonce, to: listed }, { payTo: listed })
  const second = service.settle(presented)
  await new Promise((resolve) => setTimeout(resolve, 50))
  answer()
  expect(await first).toMatchObject({ status: 'refused', code: 'invalid_exact_evm_signature' })
  expect(await second).toMatchObject({ status: 'refused', code: 'payment_in_flight' })
  expect(await service.settle(presented)).toMatchObject({ status: 'refused', code: 'payment_screened' })
  expect(chain.seen).toEqual([])
})

test('FAC-104 SEC-033 what is not decided is not settled: no list, an old list, one without a date, a provider that fails or hangs', async () => {
  const broken: readonly (readonly [string, ScreeningProvider])[] = [
    ['missing', createLocalList({ file: join(folder, 'nowhere'), clock: () => now })],
    ['old', await list('# date: 2026-11-18')],
    ['hanging', { name: 'x', screen: () => new Promise(() => {}) }],
    ['failing', { name: 'x', screen: () => Promise.reject(new Error('down')) }],
  ]
  for (const [name, provider] of broken) {
    const service = await serve(provider, 50)
    for (const ask of [service.verify(makePayment()), service.settle(makePayment())]) {
      const error = await ask.then(
        () => undefined,
        (reason) => reason,
      )
      expect([name, error?.code, typeof error?.context.reference]).toEqual([name, 'screening_unavailable', 'string'])
    }
  }
  expect(chain.seen).toEqual([])
  expect(faults).toHaveLength(8)
  const undated = await serve(await list(PAYER))
  await expect(undated.settle(makePayment())).rejects.toMatchObject({ code: 'screening_unavailable' })
  expect(await undated.health()).toMatchObject({
    ready: false,
    reasons: [{ part: 'screening', code: 'screening_unavailable' }],
  })
})

test.each([
  ['old', ['# date: 2026-11-18'], 'the list is dated 2026-11-18, more than 48 hours ago; put a newer one in its place'],
  ['to come', ['# date: 2027-11-20'], 'the list is dated 2027-11-20, which is to come; mend its date'],
  ['undated', [PAYER], 'the list names no date; give it a line such as "# date: 2026-11-20"'],
  ['missing', undefined, 'the list cannot be read; look at its path and its permissions'],
  [
    'holding a line of a table',
    ['# date: 2026-11-20', '', `${PAYER},Evil Corp`],
    'line 3 of the list is no address; write one address a line, # begins a comment',
  ],
] as const)('FAC-091 FAC-104 readiness says that the list is %s, and what to do', async (_name, lines, detail) => {
  const provider =
    lines === undefined ? createLocalList({ file: join(folder, 'nowhere'), clock: () => now }) : await list(...lines)
  const service = await serve(provider)
  const told = { part: 'screening', code: 'screening_unavailable', detail }
  expect(await service.health()).toEqual({ ready: false, reasons: [told] })
  const app = createFacilitatorApp(service)
  for (const path of ['/readyz', `/readyz/${NETWORK}/exact`]) {
    const response = await app.request(path)
    expect([response.status, await response.json()]).toEqual([503, { ready: false, reasons: [told] }])
  }
})

const SOLANA = 'JEKNVnkbo3jma5nREBBJCDoXFVeKkD56V3xKrvRmWxFG'

test.each([
  `${PAYER},Evil Corp`,
  `${PAYER} Evil Corp`,
  `ethereum:${PAYER}`,
  `eip155:1:${PAYER}`,
  `"${PAYER}"`,
  'hello',
  PAYER.slice(0, -2),
  PAYER.slice(2),
  `${PAYER}00`,
  SOLANA.slice(2),
  `${SOLANA}2`,
  `${SOLANA.slice(0, -1)}0`,
])('FAC-104 a list with the line %s, which is no address, decides nothing', async (line) => {
  const service = await serve(await list('# date: 2026-11-20', SOLANA, line))
  await expect(service.verify(makePayment())).rejects.toMatchObject({ code: 'screening_unavailable' })
  await expect(service.settle(makePayment())).rejects.toMatchObject({ code: 'screening_unavailable' })
  expect(chain.seen).toEqual([])
  expect(JSON.stringify(await service.health())).not.toContain(line)
})

test.each([
  ['\n', PAYER],
  ['\r\n', PAYER],
  ['\r\n', `\t${PAYER}\t# a payer`],
  ['\n', `${PAYER.replace('0x', '0X')}#a payer`],
])('FAC-104 lines end in %j, and about an address stand blanks and comments: %j', async (end, line) => {
  const service = await serve(await list(['# date: 2026-11-20', '', '  # all', SOLANA, line, ''].join(end)))
  expect(await service.settle(makePayment())).toMatchObject({ status: 'refused', code: 'payment_screened' })
})

test('FAC-104 a payer on Solana is listed by its address', async () => {
  const provider = await list('# date: 2026-11-20', PAYER, SOLANA)
  const signal = AbortSignal.timeout(1_000)
  const subject = {
    network: 'solana:x' as never,
    payer: SOLANA,
    payTo: PAYER.replace('bb', 'cc'),
    during: 'settle',
  } as const
  expect(await provider.screen(subject, { signal })).toMatchObject({ allowed: false, reason: 'payer is on the list' })
})

test('what a provider throws besides is for the operator, and not told to whoever asks for readiness', async () => {
  const ready = () => Promise.reject(new Error('https://user:secret@list.example is down'))
  const service = await serve({ name: 'x', screen: () => Promise.reject(new Error('down')), ready })
  const reasons = [{ part: 'screening', code: 'screening_unavailable' }]
  expect(await service.health()).toEqual({ ready: false, reasons })
})

const saying = (payer: Json | undefined, required = false): JsonObject => ({
  'groat-compliance': {
    info: {
      version: 1,
      required,
      asks: ['country'],
      seller: { name: 'S', country: 'IE' },
      ...(payer !== undefined && { payer }),
    },
  },
})
const paying = (extensions?: JsonObject) => {
  const { payment, requirements } = makePayment()
  return { payment: { ...payment, ...(extensions && { extensions }) }, requirements }
}

test('EXT-COMPLY-005 whoever screens lists the extension whose fields it reads', async () => {
  const service = await serve(await list('# date: 2026-11-20'))
  expect((await service.supported()).extensions).toEqual(['groat-compliance'])
})

test('EXT-COMPLY-005 screening sees what a payment says of its payer, and it is written down', async () => {
  const seen: ScreeningSubject[] = []
  const provider: ScreeningProvider = {
    name: 'countries',
    screen: async (subject) => {
      seen.push(subject)
      return { allowed: subject.fields?.country !== 'XX', version: '1' }
    },
  }
  const service = await serve(provider)
  expect(await service.settle(paying(saying({ country: 'PL', name: 'Ann' })))).toMatchObject({ status: 'settled' })
  expect(await service.settle(paying(saying({ country: 'XX' })))).toMatchObject({ code: 'payment_screened' })
  expect(await service.settle(paying())).toMatchObject({ status: 'settled' })
  expect(seen.map(({ fields }) => fields)).toEqual([{ country: 'PL' }, { country: 'XX' }, undefined])
  const rows = store.withTables<{ screening: { fields: string | null; allowed: number } }>().db.selectFrom('screening')
  expect((await rows.select(['fields', 'allowed']).execute()).map((row) => JSON.stringify(row)).sort()).toEqual(
    [
      { fields: '{"country":"PL"}', allowed: 1 },
      { fields: '{"country":"XX"}', allowed: 0 },
      { fields: null, allowed: 1 },
    ]
      .map((row) => JSON.stringify(row))
      .sort(),
  )
})

test.each<readonly [string, JsonObject | undefined, string]>([
  ['nothing', undefined, 'compliance_required'],
  ['not what is required', saying({ kind: 'person' }), 'compliance_required'],
  ['no payer', saying(undefined), 'compliance_required'],
  ['what cannot be read', saying({ country: 'Poland' }), 'compliance_invalid'],
  ['no object', { 'groat-compliance': 'PL' }, 'compliance_invalid'],
])('EXT-COMPLY-005 a payment that says %s is not let through, at verify or at settle', async (_, extensions, code) => {
  const provider: ScreeningProvider = { name: 'all', screen: async () => ({ allowed: true, version: '1' }) }
  const service = await serve(provider, 2_000, ['country'])
  expect(await service.verify(paying(extensions))).toMatchObject({ ok: false, code })
  expect(await service.settle(paying(extensions))).toMatchObject({ status: 'refused', code })
  expect(chain.seen).toEqual([])
})

test('EXT-COMPLY-006 a provider that throws or is late over the fields has not decided, and nothing moves', async () => {
  const broken: ScreeningProvider = {
    name: 'broken',
    screen: async ({ fields }) => {
      if (fields?.country === 'PL') throw new Error('no such table')
      return new Promise(() => {})
    },
  }
  const service = await serve(broken, 20)
  for (const country of ['PL', 'DE']) {
    const request = paying(saying({ country }))
    await expect(service.verify(request)).rejects.toMatchObject({ code: 'screening_unavailable' })
    await expect(service.settle(request)).rejects.toMatchObject({ code: 'screening_unavailable' })
  }
  expect(chain.seen).toEqual([])
})
