import { encodeFacilitatorRequest, type FacilitatorRequest, type Pid } from '@groat/core'
import { openMemoryStore, type Store } from '@groat/store'
import fc from 'fast-check'
import type { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createPayerQuota } from '../src/access/payer-quota.js'
import { createPressure } from '../src/access/pressure.js'
import { createQuota } from '../src/access/quota.js'
import {
  type AccessOptions,
  createAccess,
  createApiKey,
  createFacilitator,
  createFacilitatorApp,
  createTenants,
  type Denial,
  type FacilitatorService,
  hashApiKey,
  type Tenant,
} from '../src/index.js'
import { ASSET, createFakeScheme, FakeChain, makePayment, NETWORK, SELLER, unreachable } from './fake-chain.js'

let chain: FakeChain
let store: Store
let service: FacilitatorService
let denials: Denial[]
let now: number
const [shop, other] = [createApiKey(), createApiKey()]

beforeEach(async () => {
  chain = new FakeChain()
  store = await openMemoryStore()
  denials = []
  now = Date.now()
  service = createFacilitator({ schemes: [createFakeScheme(chain)], store, stopTimeout: 1, clock: () => now })
  await service.start()
})
afterEach(async () => {
  await service.stop()
  await store.close()
})

function door(options: AccessOptions = {}): Hono {
  const onDenied = (denial: Denial) => void denials.push(denial)
  return createFacilitatorApp(service, { access: createAccess(service, { onDenied, clock: () => now, ...options }) })
}

const tenant = (more: Partial<Tenant> = {}): Tenant => ({
  id: 'shop',
  keyHashes: [shop.hash],
  scopes: ['verify', 'settle', 'read'],
  ...more,
})

function post(app: Hono, path: string, request: FacilitatorRequest, key?: string) {
  return app.request(path, {
    method: 'POST',
    body: JSON.stringify(encodeFacilitatorRequest(request)),
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
  })
}

const told = async (response: Response) => {
  const body = (await response.json()) as Record<string, unknown>
  const { code, detail, isValid, invalidReason, success, errorReason } = body
  const wait = response.headers.get('retry-after')
  return [response.status, code ?? invalidReason ?? errorReason ?? isValid ?? success, detail ?? null, wait]
}

describe('tenants', () => {
  test('FAC-100 a key is asked for, known by its hash only, and has its scopes', async () => {
    const app = door({ tenants: [tenant({ scopes: ['verify'] })] })
    const ask = async (path: string, key?: string) => told(await post(app, path, makePayment(), key))
    expect([
      await ask('/verify'),
      await ask('/verify', other.key),
      await ask('/verify', shop.hash),
      await ask('/settle', shop.key),
      await ask('/verify', shop.key),
    ]).toEqual([
      [401, 'api_key_missing', null, null],
      [401, 'api_key_unknown', null, null],
      [401, 'api_key_unknown', null, null],
      [403, 'scope_missing', 'settle', null],
      [200, true, null, null],
    ])
    expect(denials).toEqual([
      { code: 'api_key_missing', during: 'verify' },
      { code: 'api_key_unknown', during: 'verify' },
      { code: 'api_key_unknown', during: 'verify' },
      { code: 'scope_missing', during: 'settle', tenant: 'shop' },
    ])
    expect((await app.request('/supported')).status).toBe(200)
  })

  test('FAC-101 settles only for its recipients, in its assets, on its networks, by its schemes', async () => {
    const ask = async (terms: Partial<Tenant>, path = '/settle') =>
      (await told(await post(door({ tenants: [tenant(terms)] }), path, makePayment(), shop.key)))[1]
    expect([
      await ask({ recipients: [`0x${'11'.repeat(20)}`] }),
      await ask({ assets: [`0x${'11'.repeat(20)}`] }),
      await ask({ networks: [] }),
      await ask({ schemes: ['upto'] }),
      await ask({ recipients: [] }, '/verify'),
      await ask({
        recipients: [SELLER.toUpperCase().replace('0X', '0x')],
        assets: [ASSET],
        networks: [NETWORK],
        schemes: ['exact'],
      }),
    ]).toEqual([
      'recipient_not_allowed',
      'asset_not_allowed',
      'invalid_network',
      'unsupported_scheme',
      'recipient_not_allowed',
      true,
    ])
    const barred = post(door({ tenants: [tenant({ recipients: [] })] }), '/verify', makePayment(), shop.key)
    expect(await (await barred).json()).toMatchObject({ invalidMessage: 'the API key does not allow this payTo' })
    expect(denials.map(({ code, during }) => `${during} ${code}`).slice(0, 5)).toEqual([
      'settle recipient_not_allowed',
      'settle asset_not_allowed',
      'settle invalid_network',
      'settle unsupported_scheme',
      'verify recipient_not_allowed',
    ])
    expect(chain.seen).toHaveLength(1)
  })

  test('is told of settlements that could have been its own', async () => {
    const request = makePayment()
    await service.settle(request)
    const inspected = service.inspect(request)
    const path = `/settlements/${inspected.ok ? inspected.pid : ''}`
    const read = async (terms: Partial<Tenant>) => {
      const headers = { authorization: `Bearer ${shop.key}` }
      return (await door({ tenants: [tenant(terms)] }).request(path, { headers })).status
    }
    expect([await read({}), await read({ recipients: [] }), await read({ scopes: ['settle'] })]).toEqual([
      200, 404, 403,
    ])
  })

  test('a configuration that cannot be meant is refused', () => {
    const twice = [tenant(), tenant({ id: 'b' })]
    for (const wrong of [
      [tenant({ keyHashes: ['secret'] })],
      twice,
      [tenant(), tenant({ keyHashes: [] })],
      [tenant({ id: 'A b' })],
    ]) {
      expect(() => createTenants(wrong)).toThrow(expect.objectContaining({ code: 'invalid_config' }))
    }
    expect(hashApiKey(shop.key)).toBe(shop.hash)
    expect(shop.key).not.toBe(other.key)
  })
})

describe('quotas in three rings', () => {
  test('FAC-102 of an address that brings no known key', async () => {
    const access = createAccess(service, { limits: { perIp: { perSecond: 1, burst: 2 } }, clock: () => now })
    const ask = (ip: string) => access.admit('verify', { authorization: undefined, ip })
    expect([ask('a').ok, ask('a').ok, ask('b').ok, ask('a')]).toEqual([
      true,
      true,
      true,
      { ok: false, code: 'quota_exceeded', during: 'verify', ring: 'ip', perSecond: 1, retryAfter: 1 },
    ])
    now += 1000
    expect(ask('a').ok).toBe(true)
  })

  test.each([
    [{ perSecond: 20, burst: 1 }, '20 a second'],
    [{ perSecond: 7 / 60, burst: 1 }, '7 a minute'],
    [{ perSecond: 100 / 60, burst: 1 }, '100 a minute'],
  ])('FAC-102 an address is told how much it has: %o', async (perIp, much) => {
    const app = door({ limits: { perIp } })
    const from = { incoming: { socket: { remoteAddress: '203.0.113.7' } } }
    const ask = async () => (await app.request('/verify', { method: 'POST', body: '{}' }, from)).json()
    await ask()
    expect(await ask()).toMatchObject({ code: 'quota_exceeded', detail: `ip: requests are limited to ${much}` })
  })

  test('FAC-102 of a tenant, verifications and settlements apart', async () => {
    const app = door({ tenants: [tenant({ rates: { settle: { perSecond: 0.1, burst: 1 } } })] })
    const ask = async (path: string) => told(await post(app, path, makePayment(), shop.key))
    expect([await ask('/settle'), await ask('/settle'), await ask('/verify')]).toEqual([
      [200, true, null, null],
      [429, 'quota_exceeded', 'tenant: settle requests are limited to 6 a minute', '10'],
      [200, true, null, null],
    ])
    now += 10_000
    expect((await ask('/settle'))[0]).toBe(200)
  })

  test('FAC-102 of a payer, by rate and by what is open', async () => {
    const app = door({ limits: { perPayer: { perSecond: 1, burst: 2, maxOpen: 1 } } })
    chain.automine = false
    const first = post(app, '/settle', makePayment())
    while (chain.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await told(await post(app, '/settle', makePayment()))).toEqual([
      ...[429, 'quota_exceeded', 'payer: open settlements are limited to 1', '1'],
    ])
    chain.automine = true
    chain.mine()
    expect((await told(await first))[1]).toBe(true)
    expect((await told(await post(app, '/settle', makePayment())))[1]).toBe(true)
    expect(await told(await post(app, '/verify', makePayment()))).toEqual([
      ...[429, 'quota_exceeded', 'payer: requests are limited to 1 a second', '1'],
    ])
  })

  test('FAC-102 a payment is counted once: its settlement takes nothing more, here and in the journal, and is not refused', async () => {
    const app = door({ limits: { perPayer: { perSecond: 1, burst: 3 } } })
    const said: unknown[] = []
    for (let second = 0; second < 6; second++) {
      const request = makePayment()
      for (const path of ['/verify', '/settle']) said.push((await told(await post(app, path, request)))[1])
      now += second < 2 ? 0 : 1000
    }
    expect(said).toEqual(Array.from({ length: 12 }, () => true))
    now -= 1000
    expect((await told(await post(app, '/verify', makePayment())))[1]).toBe('quota_exceeded')
  })

  test('FAC-102 what a replica has verified it settles, also when others have used up what the journal grants the payer', async () => {
    const limits = { perPayer: { perSecond: 1, burst: 2 } }
    const [busy, quiet] = [door({ limits }), door({ limits })]
    const ask = async (app: Hono, path: string, request = makePayment()) =>
      (await told(await post(app, path, request)))[1]
    expect([await ask(busy, '/settle'), await ask(busy, '/settle')]).toEqual([true, true])
    const request = makePayment()
    expect([await ask(quiet, '/verify', request), await ask(quiet, '/settle')]).toEqual([true, 'quota_exceeded'])
    expect(await ask(quiet, '/settle', request)).toBe(true)
  })

  test('FAC-102 what is presented again has a rate of its own, and takes nothing of what is new', async () => {
    const app = door({ limits: { perPayer: { perSecond: 1, burst: 2 } } })
    const request = makePayment()
    const ask = async (path: string, asked = request) => (await told(await post(app, path, asked)))[1]
    expect([await ask('/verify'), await ask('/verify'), await ask('/verify'), await ask('/verify')]).toEqual([
      ...[true, true, true, 'quota_exceeded'],
    ])
    // The settlement of what was verified is not refused, the repetition of it is.
    expect([await ask('/settle'), await ask('/settle'), await ask('/verify', makePayment())]).toEqual([
      ...[true, 'quota_exceeded', true],
    ])
  })

  test('FAC-102 what one tenant repeats takes nothing of what the payer may repeat with another', async () => {
    const tenants = [tenant(), tenant({ id: 'other', keyHashes: [other.hash] })]
    const app = door({ tenants, limits: { perPayer: { perSecond: 1, burst: 3 } } })
    const ask = async (path: string, request: FacilitatorRequest, { key }: { key: string }) =>
      (await told(await post(app, path, request, key)))[1]
    const [theirs, ours] = [makePayment(), makePayment()]
    for (let n = 0; n < 6; n++) await ask('/verify', theirs, other)
    expect(await ask('/verify', theirs, other)).toBe('quota_exceeded')
    for (const path of ['/verify', '/settle', '/settle']) expect(await ask(path, ours, shop)).toBe(true)
  })

  test('FAC-102 what is settled in a payer’s name while no node can tell whether it is its own uses up nothing of it', async () => {
    await service.stop()
    service = createFacilitator({ ...{ schemes: [createFakeScheme(chain)], store, stopTimeout: 1 }, settleTimeout: 50 })
    await service.start()
    const app = door({ limits: { perPayer: { perSecond: 1, burst: 2 } } })
    chain.disturb = () => {
      throw unreachable()
    }
    const forged = await Promise.all([1, 2].map(() => post(app, '/settle', makePayment({ signature: 'bad' }))))
    expect(forged.map(({ headers }) => headers.has('retry-after'))).toEqual([true, true])
    chain.disturb = () => {}
    expect((await told(await post(app, '/verify', makePayment())))[1]).toBe(true)
  })

  test('FAC-102 what is settled in a payer’s name and refused uses up nothing that the journal grants the payer', async () => {
    const limits = { perPayer: { perSecond: 1, burst: 2 } }
    const [one, two] = [door({ limits }), door({ limits })]
    const settle = async (app: Hono, request = makePayment()) => (await told(await post(app, '/settle', request)))[1]
    for (let n = 0; n < 10; n++) {
      expect(await settle(two, makePayment({ signature: 'bad' }))).toBe('invalid_exact_evm_signature')
    }
    expect([await settle(one), await settle(two), await settle(two)]).toEqual([true, true, 'quota_exceeded'])
    // Nothing is given back of what was settled, nor of what was turned away.
    now += 1000
    expect([await settle(two), await settle(two)]).toEqual([true, 'quota_exceeded'])
  })

  test('FAC-102 what anybody can write in a payer’s name uses up nothing of the payer', async () => {
    const app = door({ limits: { perPayer: { perSecond: 1, burst: 2 } } })
    const forged = () => post(app, '/verify', makePayment({ signature: 'bad' }))
    for (let n = 0; n < 20; n++) expect((await told(await forged()))[1]).toBe('invalid_exact_evm_signature')
    expect((await told(await post(app, '/verify', makePayment())))[1]).toBe(true)
  })

  test('FAC-102 a payer has its rate of new payments, as many settlements of these, and its rate of repetitions', () => {
    const arbitraryStep = fc.record({
      kind: fc.constantFrom('verify' as const, 'settle' as const),
      pid: fc.integer({ min: 0, max: 20 }),
      pause: fc.integer({ min: 0, max: 900 }),
      isGood: fc.boolean(),
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(arbitraryStep, { maxLength: 200 }),
        (perSecond, burst, steps) => {
          let at = 0
          const quota = createPayerQuota({ perSecond, burst }, () => at)
          const passed = new Set<number>()
          const done = { fresh: 0, verifiedThenSettled: 0, again: 0 }
          const settled = new Set<number>()
          for (const { kind, pid, pause, isGood } of steps) {
            at += pause
            const payment = { payer: 'x', pid: String(pid) as Pid, expiresAt: 1e9 }
            const isFirst = kind === 'settle' && passed.has(pid) && !settled.has(pid)
            const { wait, isCounted, ended } = quota.present(kind, payment)
            expect(isCounted).toBe(passed.has(pid))
            if (isFirst) expect(wait).toBe(0)
            if (wait > 0) continue
            if (isFirst) done.verifiedThenSettled += 1
            else if (passed.has(pid)) done.again += 1
            if (kind === 'settle' && passed.has(pid)) settled.add(pid)
            ended(isGood)
            if (!isGood) continue
            if (!passed.has(pid)) {
              done.fresh += 1
              passed.add(pid)
              if (kind === 'settle') settled.add(pid)
            }
          }
          const granted = Math.max(1, burst) + (at / 1000) * perSecond + 1e-6
          expect(done.fresh).toBeLessThanOrEqual(granted)
          expect(done.again).toBeLessThanOrEqual(granted)
          expect(done.verifiedThenSettled).toBeLessThanOrEqual(done.fresh)
        },
      ),
    )
  })

  test('what comes at once is counted at once, what did not pass or came twice gives back, and payments are forgotten', () => {
    let at = 0
    const quota = createPayerQuota({ perSecond: 1, burst: 3 }, () => at, 2)
    const payment = (pid: string, expiresAt = 100) => ({ payer: 'x', pid: pid as Pid, expiresAt })
    const verify = (pid: string) => quota.present('verify', payment(pid))
    const looked = ['a', 'b', 'forged'].map(verify)
    expect([...looked, verify('c')].map(({ wait }) => wait)).toEqual([0, 0, 0, 1])
    looked[2]?.ended(false)
    const twice = [verify('c')]
    for (const each of [looked[0], looked[1], ...twice]) each?.ended(true)
    expect(verify('d').wait).toBe(1)
    expect(['a', 'b', 'c'].map((pid) => quota.present('settle', payment(pid)).isCounted)).toEqual([false, true, true])
    at = 100_000
    expect(quota.present('settle', payment('c')).isCounted).toBe(false)
  })

  test('FAC-102 whoever is turned away is told its own limit and nobody else’s, also by the journal of all replicas', async () => {
    const limits = { perPayer: { perSecond: 1000, maxOpen: 1000 } }
    const tenants = [
      tenant({ rates: { settle: { perSecond: 3, burst: 1 } } }),
      { ...tenant({ maxSettling: 1 }), id: 'other', keyHashes: [other.hash] },
    ]
    // Each door counts for itself, and the journal for both: what one lets through, the other's payments have used up.
    const doors = [door({ tenants, limits }), door({ tenants, limits })] as const
    const ask = async (at: 0 | 1, key: string) => told(await post(doors[at], '/settle', makePayment(), key))
    chain.automine = false
    const first = [ask(0, shop.key), ask(0, other.key)]
    while (chain.seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    const said = [await ask(1, shop.key), await ask(1, other.key), await ask(0, other.key)]
    chain.automine = true
    chain.mine()
    await Promise.all(first)
    expect(said).toEqual([
      [429, 'quota_exceeded', 'tenant: settle requests are limited to 3 a second', '1'],
      [429, 'quota_exceeded', 'tenant: open settlements are limited to 1', '1'],
      [429, 'quota_exceeded', 'tenant: open settlements are limited to 1', '1'],
    ])
    expect(denials.slice(-3)).toEqual([
      { ...{ code: 'quota_exceeded', during: 'settle', tenant: 'shop', ring: 'tenant' }, perSecond: 3, retryAfter: 1 },
      { ...{ code: 'quota_exceeded', during: 'settle', tenant: 'other', ring: 'tenant' }, maxOpen: 1, retryAfter: 1 },
      { ...{ code: 'quota_exceeded', during: 'settle', tenant: 'other', ring: 'tenant' }, maxOpen: 1, retryAfter: 1 },
    ])
  })

  test('a bucket gives as many as its rate and its burst in any time, and says rightly when there is one again', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 60 }),
        (perSecond, burst, pauses) => {
          let at = 0
          const quota = createQuota({ perSecond, burst }, () => at)
          let taken = 0
          for (const pause of pauses) {
            at += pause
            const wait = quota.take('x')
            if (wait === 0) taken += 1
            else {
              at += wait * 1000
              expect(quota.take('x')).toBe(0)
              taken += 1
            }
          }
          expect(taken).toBeLessThanOrEqual(burst + (at / 1000) * perSecond + 1e-6)
        },
      ),
    )
  })

  test('a clock that is set back an hour shuts nobody out for an hour', () => {
    let at = 7_200_000
    const quota = createQuota({ perSecond: 5, burst: 10 }, () => at)
    expect(quota.take('x')).toBe(0)
    at -= 3_600_000
    expect(quota.take('x')).toBe(0)
    const pressure = createPressure({}, () => at)
    for (let n = 0; n < 100_000; n++) pressure.began('settle')()
    for (let n = 0; n < 70; n++) pressure.began('settle')
    at -= 3_600_000
    for (let n = 0; n < 1000; n++) pressure.began('settle')()
    expect(pressure.settle(60)).toBe(0)
  })
})

describe('too much work', () => {
  test('FAC-103 an idle service takes what comes at once, and judges by how fast it ends once there has been work for a while', () => {
    let at = 1_000_000
    const pressure = createPressure({ maxSettling: 1000 }, () => at)
    const burst = Array.from({ length: 400 }, () => {
      expect(pressure.settle(60)).toBe(0)
      return pressure.began('settle')
    })
    at += 2_000
    for (const end of burst.splice(0, 50)) end()
    // 350 at 25 a second: 14 s, which they are willing to wait.
    expect([pressure.estimate(), pressure.settle(60), pressure.settle(10)]).toEqual([14, 0, 4])
    at += 10_000
    // Nothing ended since: that says as much.
    expect(pressure.settle(60)).toBe(30)
    for (const end of burst) end()
    at += 60_000
    for (let n = 0; n < 1000; n++) {
      expect(pressure.settle(60)).toBe(0)
      pressure.began('settle')
    }
    expect(pressure.settle(60)).toBeGreaterThan(0)
  })

  test('FAC-103 verifications give way, settlements wait their turn elsewhere, and nothing is accepted', async () => {
    const app = door({ limits: { maxSettling: 1, maxVerifying: 10 } })
    chain.automine = false
    const first = post(app, '/settle', makePayment())
    while (chain.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await told(await post(app, '/settle', makePayment()))).toEqual([
      503,
      'facilitator_overloaded',
      'service',
      '1',
    ])
    expect(await told(await post(app, '/verify', makePayment()))).toEqual([
      503,
      'facilitator_overloaded',
      'service',
      '1',
    ])
    expect(chain.seen).toHaveLength(1)
    chain.mine()
    expect((await told(await first))[1]).toBe(true)
    chain.automine = true
    expect((await told(await post(app, '/settle', makePayment())))[1]).toBe(true)
  })
})
