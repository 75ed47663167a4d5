import { setTimeout as sleep } from 'node:timers/promises'
import { network, paymentId } from '@groat/core'
import { openMemoryStore } from '@groat/store'
import { describe, expect, onTestFinished, test } from 'vitest'
import { stores } from '../test/support/stores.js'
import { claimUnresolved, whileClaimed } from './claim.js'
import { type Intent, type Intents, memoryIntents } from './intents.js'
import { sqlIntents } from './sql.js'
import { systemSleep } from './time.js'

const payment = { name: 'PAYMENT-SIGNATURE', value: 'e30=' }

describe.each(stores)('%s intents', (_, open) => {
  test('an intent is open, is signed, and is claimed by one call at a time', async () => {
    const intents = await open()
    const wanted = intent()
    expect(await intents.take(wanted.key, 'b')).toEqual({ claims: [] })
    expect(await intents.create(wanted, 'a')).toBe(true)
    expect(await intents.sign(wanted.id, 'b', payment, wanted.pid)).toBe(false)
    expect(await intents.sign(wanted.id, 'a', payment, wanted.pid)).toBe(true)
    expect(await intents.take(wanted.key, 'b')).toEqual({ claims: [{ owner: 'a', until: expect.any(Number) }] })
    await intents.release(wanted.id, 'b')
    expect((await intents.take(wanted.key, 'b')).intent).toBeUndefined()

    await intents.release(wanted.id, 'a')
    const taken = await intents.take(wanted.key, 'b')
    expect(taken).toEqual({ intent: { ...wanted, state: 'signed', payment }, claims: [] })
  })

  test.each(['settled', 'answered', 'disputed', 'dead', 'unsent'] as const)(
    'what is %s is not presented again',
    async (end) => {
      const intents = await open()
      const wanted = await signed(intents)
      await intents.release(wanted.id, 'a', end, '0x1')
      expect(await intents.take(wanted.key, 'b')).toEqual({ claims: [] })
    },
  )

  test.each([
    ['settled', true],
    ['answered', true],
    ['disputed', true],
    ['dead', false],
    ['unsent', false],
  ] as const)('under an idempotency key, what is %s keeps its payment: %s', async (end, kept) => {
    const intents = await open()
    const wanted = await signed(intents, { exclusive: true })
    await intents.release(wanted.id, 'a', end)
    expect((await intents.take(wanted.key, 'b')).intent?.state).toBe(kept ? end : undefined)
    expect(await intents.create(intent({ exclusive: true, key: wanted.key }), 'c')).toBe(!kept)
  })

  test('an exclusive key has one living intent, others any number', async () => {
    const intents = await open()
    const creations = Array.from({ length: 5 }, (_, i) => [
      intents.create(intent({ exclusive: true, key: 'exclusive' }), `a${i}`),
      intents.create(intent({ key: 'shared' }), `b${i}`),
    ])
    const created = await Promise.all(creations.flat())
    expect(created.filter((_, i) => i % 2 === 0).filter(Boolean).length).toBe(1)
    expect(created.filter((_, i) => i % 2 === 1).every(Boolean)).toBe(true)
    expect((await intents.take('shared', 'z')).claims.length).toBe(5)
  })

  test('one free intent goes to one of many that want it', async () => {
    const intents = await open()
    const { id, key } = await signed(intents)
    await intents.release(id, 'a')
    const taken = await Promise.all(Array.from({ length: 8 }, (_, i) => intents.take(key, `t${i}`)))
    expect(taken.filter((each) => each.intent !== undefined).length).toBe(1)
  })

  test('the oldest unresolved payment comes first', async () => {
    const intents = await open()
    const ids: string[] = []
    for (const createdAt of [1, 2]) {
      const { id } = await signed(intents, { key: 'k', createdAt })
      ids.push(id)
      await intents.release(id, 'a')
    }
    expect([(await intents.take('k', 'x')).intent?.id, (await intents.take('k', 'y')).intent?.id]).toEqual(ids)
  })

  test('amounts, times and identities survive', async () => {
    const intents = await open()
    const wanted = await signed(intents, { amount: 2n ** 256n - 1n, x402Version: 1, exclusive: true })
    await intents.release(wanted.id, 'a', 'settled', '0xabc')
    expect((await intents.take(wanted.key, 'b')).intent).toEqual({
      ...wanted,
      state: 'settled',
      payment,
      transaction: '0xabc',
    })
  })
})

describe('claims in a database', () => {
  async function database(claimMs: number) {
    let now = 1_000
    const pass = (ms: number) => {
      now += ms
    }
    const store = await openMemoryStore({ clock: () => now })
    onTestFinished(() => store.close())
    return { intents: await sqlIntents(store, { claimMs }), pass }
  }

  test('lapse: what was signed goes to the next, what was open becomes unsent', async () => {
    const { intents, pass } = await database(100)
    const { id, key } = await signed(intents)
    const open = intent({ key })
    await intents.create(open, 'b')
    pass(99)
    expect((await intents.take(key, 'c')).claims.map(({ owner }) => owner)).toEqual(['a', 'b'])
    pass(1)
    expect(await intents.take(key, 'c')).toMatchObject({ intent: { id }, claims: [] })
    expect(await intents.take(key, 'd')).toEqual({ claims: [{ owner: 'c', until: 1_200 }] })
    expect(await intents.sign(open.id, 'b', payment, open.pid)).toBe(false)
  })

  test('do not lapse while they are renewed', async () => {
    const { intents, pass } = await database(100)
    const { id, key } = await signed(intents)
    for (const _ of [1, 2, 3]) {
      pass(99)
      await intents.renew(id, 'a')
    }
    expect((await intents.take(key, 'b')).intent).toBeUndefined()
  })

  test('an end that the answer proves is kept though the claim was lost; unsent and dead are not', async () => {
    const { intents, pass } = await database(100)
    const { id, key } = await signed(intents)
    pass(100)
    await intents.take(key, 'b')
    await intents.release(id, 'a', 'unsent')
    await intents.release(id, 'a', 'dead')
    pass(100)
    expect((await intents.take(key, 'c')).intent?.id).toBe(id)
    await intents.release(id, 'a', 'settled')
    pass(100)
    expect(await intents.take(key, 'd')).toEqual({ claims: [] })
  })

  test('of another process are watched: one that runs is left alone, one that died is taken over', async () => {
    const store = await openMemoryStore()
    onTestFinished(() => store.close())
    const intents = await sqlIntents(store, { claimMs: 300 })
    const { id, key } = await signed(intents, {}, 'other.1')
    const claimant = {
      intents,
      process: 'mine.',
      owner: 'mine.1',
      sleep: systemSleep,
      signal: undefined,
      patience: 5_000,
    }

    const whileItRuns = await whileClaimed({ id }, { intents, owner: 'other.1' }, () =>
      claimUnresolved(key, false, claimant),
    )
    expect(whileItRuns).toBeUndefined()
    expect((await claimUnresolved(key, false, claimant))?.id).toBe(id)
  })

  test('of this process are known to run, and are not waited for', async () => {
    const { intents } = await database(100)
    const { key } = await signed(intents, {}, 'mine.1')
    const noSleep = () => Promise.reject(new Error('waited'))
    const claimant = { intents, process: 'mine.', owner: 'mine.2', sleep: noSleep, signal: undefined, patience: 5_000 }
    expect(await claimUnresolved(key, false, claimant)).toBeUndefined()
  })

  test('of a request that the caller named are waited for, but not for ever', async () => {
    const intents = memoryIntents()
    const { id, key } = await signed(intents, { exclusive: true })
    const claimant = { intents, process: 'a', owner: 'ab', sleep: systemSleep, signal: undefined, patience: 100 }
    await expect(claimUnresolved(key, true, claimant)).rejects.toMatchObject({ code: 'payment_in_flight' })
    const waiting = claimUnresolved(key, true, { ...claimant, patience: 5_000 })
    await sleep(60)
    await intents.release(id, 'a')
    expect((await waiting)?.id).toBe(id)
  })
})

test('memory forgets what has ended or expired long ago, and nothing that is alive', async () => {
  const intents = memoryIntents()
  const alive = await signed(intents, { expiresAt: 2_000_000 })
  await intents.release(alive.id, 'a')
  const old = await signed(intents, { expiresAt: 100 })
  await intents.release(old.id, 'a')
  for (let i = 0; i < 10_000; i++) {
    const wanted = intent({ exclusive: true, createdAt: 1_000_000_000 })
    await intents.create(wanted, 'a')
    await intents.release(wanted.id, 'a', 'answered')
  }
  expect((await intents.take(old.key, 'b')).intent).toBeUndefined()
  expect((await intents.take(alive.key, 'b')).intent?.id).toBe(alive.id)
})

let serial = 0

function intent(changes: Partial<Intent> = {}): Intent {
  serial++
  return {
    id: `id${serial}`,
    key: `key${serial}`,
    exclusive: false,
    fingerprint: 'f',
    origin: 'https://api.example',
    challenge: 'c',
    pid: paymentId([String(serial)]),
    x402Version: 2,
    scheme: 'exact',
    network: network('base'),
    asset: '0x1',
    payTo: '0x2',
    payer: '0x3',
    amount: 1000n,
    expiresAt: 1_700_000_300,
    createdAt: 1_700_000_000_000 + serial,
    state: 'open',
    ...changes,
  }
}

async function signed(intents: Intents, changes: Partial<Intent> = {}, owner = 'a'): Promise<Intent> {
  const wanted = intent(changes)
  await intents.create(wanted, owner)
  await intents.sign(wanted.id, owner, payment, wanted.pid)
  return wanted
}
