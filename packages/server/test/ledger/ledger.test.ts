import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assetByTicker, network, type Pid, paymentId, type Receipt } from '@groat/core'
import { verifyWebhook } from '@groat/core/webhook'
import {
  balances,
  CSV_HEAD,
  createLedger,
  csvLine,
  type Entry,
  exportEntry,
  fixedRates,
  type Ledger,
  type LedgerEvent,
  type LedgerOptions,
  type Sale,
} from '@groat/server/ledger'
import { createRefunds } from '@groat/server/refunds'
import { sqlClaims } from '@groat/server/sql'
import { openStore, type Store } from '@groat/store'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../../store/test/embedded-postgres.js'
import { listen } from '../listen.js'

const start = 1_800_000_000_000
const usdc = assetByTicker(network('base-sepolia'), 'USDC')?.address ?? ''
let postgres: EmbeddedPostgres
let folder: string
const opened: Store[] = []

beforeAll(async () => {
  postgres = await startPostgres()
  folder = await mkdtemp(join(tmpdir(), 'groat-ledger-'))
}, 60_000)
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})
afterAll(async () => {
  await postgres?.remove()
  await rm(folder, { recursive: true, force: true })
})

let count = 0
const newPid = (): Pid => paymentId(['eip155:84532', usdc, '0xpayer', String(++count), 'exact'])
const saleOf = (pid: Pid, more: Partial<Sale> = {}): Sale => ({
  pid,
  route: 'GET /weather',
  resource: 'https://shop.example/weather',
  scheme: 'exact',
  network: network('base-sepolia'),
  asset: usdc,
  payer: '0xpayer',
  payTo: '0xseller',
  amount: 1_000n,
  at: start,
  ...more,
})
const receiptOf = (transaction: string): Receipt => ({
  payer: '0xpayer',
  network: network('base-sepolia'),
  transaction,
})
const all = async <T>(of: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = []
  for await (const each of of) list.push(each)
  return list
}

describe.each(['SQLite', 'PostgreSQL'])('the books in %s', (kind) => {
  let now = start
  const clock = () => now

  /** Each test has its own file; in PostgreSQL the tables are emptied. */
  async function open(options: LedgerOptions = {}) {
    const target = kind === 'SQLite' ? join(folder, `books-${++count}.db`) : postgres.url
    const store = await openStore(target, { clock })
    opened.push(store)
    const ledger = await createLedger(store, { clock, ...options })
    const claims = await sqlClaims(store, { ledger })
    const tables = store.withTables<Record<'ledger_entry' | 'ledger_event' | 'server_claim', object>>()
    await tables.transaction(async (trx) => {
      for (const table of ['ledger_entry', 'ledger_event', 'server_claim'] as const)
        await trx.deleteFrom(table).execute()
    })
    now = start
    return { ledger, claims, target }
  }

  async function sell(
    { ledger, claims }: Awaited<ReturnType<typeof open>>,
    more: Partial<Sale> = {},
    evidence?: string,
  ) {
    const pid = newPid()
    const sale = saleOf(pid, more)
    const claim = await claims.claim({ pid, binding: 'b', expiresAt: start / 1000 + 300, leaseMs: 10_000 })
    if (claim.status !== 'claimed') throw new Error(claim.status)
    await claims.settling(claim.token, undefined, 10_000, sale)
    const ended = await claims.settled(claim.token, receiptOf(`0x${pid}`), evidence ?? `e${pid}`, sale)
    return { pid, sale, token: claim.token, ended, ledger }
  }

  test('SRV-060 a payment, what it cost, and its events stand there when its claim ends, once', async () => {
    const market = await open({ fee: ({ amount }) => amount / 100n })
    const { pid, sale, token } = await sell(market, { group: 'research', description: 'Weather' })
    await market.claims.settled(token, receiptOf('0xother'), 'other', sale)
    const common = {
      pid,
      at: start,
      network: 'eip155:84532',
      asset: usdc,
      resource: sale.resource,
      route: sale.route,
      scheme: 'exact',
    }
    const words = { group: 'research', description: 'Weather', transaction: `0x${pid}` }
    expect(await all(market.ledger.entries())).toEqual([
      {
        ...common,
        ...words,
        id: `fee:${pid}`,
        kind: 'fee',
        debit: 'fees',
        credit: 'payable',
        amount: 10n,
        from: '0xseller',
        to: '',
      },
      {
        ...common,
        ...words,
        id: `payment:${pid}`,
        kind: 'payment',
        debit: 'wallet',
        credit: 'revenue',
        amount: 1_000n,
        from: '0xpayer',
        to: '0xseller',
      },
    ])
    const events = await all(market.ledger.events({ follow: false }))
    expect(events.map((event) => `${event.seq} ${event.type}`)).toEqual(['1 payment_verified', '2 payment_settled'])
  })

  test('SRV-060 where the claim does not end there is no entry: evidence that stands for another', async () => {
    const market = await open()
    expect((await sell(market, {}, 'same')).ended).toBe(true)
    expect((await sell(market, {}, 'same')).ended).toBe(false)
    expect(await all(market.ledger.entries())).toHaveLength(1)
  })

  test('SRV-063 what is held is earned when it is captured, and nobody gives it back out of the shop’s own money', async () => {
    const market = await open()
    const { ledger } = market
    const { pid } = await sell(market, { held: true, scheme: 'auth-capture', uses: 3 })
    const of = async () => {
      const sums = balances(await all(ledger.entries()))
      return ['escrow', 'wallet', 'revenue', 'fees', 'refunds'].map(
        (name) => sums.get(`${name} eip155:84532 ${usdc}`) ?? 0n,
      )
    }
    expect(await of()).toEqual([1_000n, 0n, 0n, 0n, 0n])
    const unreachable = async () => Promise.reject(new Error('no'))
    const supported = async () => ({ kinds: [], extensions: [], signers: {} })
    const facilitator = { verify: unreachable, settle: unreachable, supported }
    const refunds = await createRefunds({ ledger, facilitator, pays: [], sells: [] })
    expect(await refunds.ask({ pid, reason: 'r', by: 'ann' })).toEqual({ ok: false, code: 'refund_not_found' })
    const captured = { pid, kind: 'capture', amount: 600n, fee: 6n, transaction: '0xcapture' } as const
    for (let again = 0; again < 2; again++) await ledger.moved(captured)
    expect(await of()).toEqual([400n, 594n, -600n, 6n, 0n])
    expect(await refunds.ask({ pid, reason: 'r', by: 'ann' })).toEqual({ ok: false, code: 'refund_not_found' })
    await ledger.moved({ pid, kind: 'void', amount: 400n, transaction: '0xvoid' })
    await ledger.moved({ pid, kind: 'refund', amount: 100n, transaction: '0xrefund' })
    expect(await of()).toEqual([0n, 594n, -600n, 6n, 100n])
    await ledger.moved({ pid: newPid(), kind: 'void', amount: 1n, transaction: '0xnone' })
    expect(await of()).toEqual([0n, 594n, -600n, 6n, 100n])
  })

  test('uses of a bundle are earned one by one, and those that are given back are owed again', async () => {
    const market = await open()
    const { pid } = await sell(market, { uses: 3, amount: 1_000n })
    const { entitlements } = market.claims
    await entitlements.grant({ pid, scope: 's', uses: 2, proof: '{}' })
    const of = async (account: string) =>
      balances(await all(market.ledger.entries())).get(`${account} eip155:84532 ${usdc}`) ?? 0n
    expect([await of('prepaid'), await of('revenue')]).toEqual([-667n, -333n])
    await entitlements.redeem(pid, 's', { route: 'GET /search', resource: 'r' })
    expect(await of('revenue')).toBe(-666n)
    await entitlements.giveBack(pid)
    expect(await of('revenue')).toBe(-333n)
    const taken = await Promise.all(Array.from({ length: 10 }, () => entitlements.redeem(pid, 's')))
    expect(taken.filter((each) => each !== undefined)).toHaveLength(2)
    expect([await of('prepaid'), await of('revenue'), await of('wallet')]).toEqual([0n, -1_000n, 1_000n])
  })

  test('entries are found by group, route, payer, kind and time, page by page', async () => {
    const market = await open()
    for (let i = 0; i < 12; i++) {
      const group = i % 2 === 0 ? { group: 'even' } : {}
      await sell(market, {
        at: start + i,
        route: i < 3 ? 'GET /a' : 'GET /b',
        payer: i === 5 ? '0xfive' : '0xpayer',
        ...group,
      })
    }
    const found = async (filter: Parameters<Ledger['entries']>[0]) =>
      (await all(market.ledger.entries(filter))).map(({ at }) => at - start)
    expect(await found({ group: 'even' })).toEqual([0, 2, 4, 6, 8, 10])
    expect(await found({ route: 'GET /a' })).toEqual([0, 1, 2])
    expect(await found({ payer: '0xfive' })).toEqual([5])
    expect(await found({ kinds: ['fee', 'refund'] })).toEqual([])
    expect(await found({ since: start + 3, until: start + 6 })).toEqual([3, 4, 5])
    expect((await market.ledger.list({}, 2)).map(({ at }) => at - start)).toEqual([11, 10])
  })

  test('SRV-061 events come in one order for all, also those that are written while they are read', async () => {
    const market = await open()
    const stop = new AbortController()
    const seen: LedgerEvent[] = []
    const reading = (async () => {
      for await (const event of market.ledger.events({
        signal: stop.signal,
        intervalMs: 5,
        types: ['payment_settled'],
      })) {
        seen.push(event)
        if (seen.length === 20) stop.abort()
      }
    })()
    const pids = await Promise.all(Array.from({ length: 20 }, async () => (await sell(market)).pid))
    await reading
    expect(new Set(seen.map(({ pid }) => pid))).toEqual(new Set(pids))
    expect(seen.every(({ seq }, i) => i === 0 || seq > (seen[i - 1]?.seq ?? 0))).toBe(true)
    const middle = seen[9]?.seq ?? 0
    const rest = await all(market.ledger.events({ follow: false, after: middle, types: ['payment_settled'] }))
    expect(rest).toEqual(seen.slice(10))
    expect(await all(market.ledger.events({ follow: false }))).toHaveLength(40)
  })

  test('what is paid for and not delivered, and what comes to nothing, is told', async () => {
    const market = await open()
    const { pid, token } = await sell(market)
    await market.claims.pause(token, true)
    const lost = newPid()
    const claim = await market.claims.claim({ pid: lost, binding: 'b', expiresAt: start / 1000 + 300, leaseMs: 10_000 })
    if (claim.status !== 'claimed') throw new Error(claim.status)
    await market.claims.settling(claim.token, undefined, 10_000, saleOf(lost))
    await market.claims.release(claim.token)
    const told = (await all(market.ledger.events({ follow: false }))).map((event) => `${event.type} ${event.pid}`)
    expect(told.sort()).toEqual(
      [
        `payment_verified ${pid}`,
        `payment_settled ${pid}`,
        `delivery_failed ${pid}`,
        `payment_verified ${lost}`,
        `payment_failed ${lost}`,
      ].sort(),
    )
  })

  test('SRV-061 signed events reach the webhook once each, also when it is down for a while and two processes send', async () => {
    const secret = 'a secret of 16 and more'
    const got: string[] = []
    let down = true
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', async () => {
        const header = (name: string) => String(request.headers[name] ?? '')
        if (down || !(await verifyWebhook(header, body, { secret, now: Date.now() }))) response.writeHead(503).end()
        else {
          got.push(`${JSON.parse(body).type} ${header('webhook-id')}`)
          response.writeHead(204).end()
        }
      })
    })
    const { url, close } = await listen(server)
    const webhook = { url, secrets: [secret], allowPrivate: true } as const
    const market = await open({ webhook, clock: Date.now })
    const other = await createLedger(opened.at(-1)!, { webhook, clock: Date.now })
    const { pid } = await sell(market)
    expect(await market.ledger.deliver()).toEqual({ delivered: 0, failed: 2, dead: 0 })
    down = false
    expect(await market.ledger.deliver()).toEqual({ delivered: 0, failed: 0, dead: 0 })
    now += 6_000
    const ends = await Promise.all([market.ledger.deliver(), other.deliver()])
    expect(ends.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(2)
    now += 7 * 24 * 3_600_000
    await market.ledger.deliver()
    expect(got.sort()).toEqual([`payment_settled payment_settled:${pid}`, `payment_verified payment_verified:${pid}`])
    await close()
  })

  test('entries are valued at the rate of their time, and those nobody knows the worth of wait', async () => {
    const rates = { rate: async ({ at }: { at: number }) => (at === start ? '0.99' : undefined) }
    const market = await open({ fiat: { currency: 'USD', rates } })
    await sell(market)
    await sell(market, { at: start + 1 })
    expect(await market.ledger.value()).toBe(1)
    const fiat = async () => (await all(market.ledger.entries())).map((entry) => entry.fiat)
    expect(await fiat()).toEqual([{ currency: 'USD', value: '0.00099' }, undefined])
    const later = await createLedger(opened.at(-1)!, { fiat: { currency: 'USD', rates: fixedRates({ USDC: '1' }) } })
    expect(await later.value()).toBe(1)
    expect(await fiat()).toEqual([
      { currency: 'USD', value: '0.00099' },
      { currency: 'USD', value: '0.001' },
    ])
  })

  test('what a use earns, and what is captured, is valued by itself once its payment was', async () => {
    const market = await open({ fiat: { currency: 'USD', rates: fixedRates({ USDC: '1' }) } })
    const { pid } = await sell(market, { uses: 4, amount: 1_000n })
    const { entitlements } = market.claims
    await entitlements.grant({ pid, scope: 's', uses: 3, proof: '{}' })
    const held = await sell(market, { amount: 500n, held: true })
    await market.ledger.value()
    await entitlements.redeem(pid, 's')
    await market.ledger.moved({ pid: held.pid, kind: 'capture', amount: 300n, transaction: '0xcapture' })
    await market.ledger.value()
    const entries = await all(market.ledger.entries({ kinds: ['usage', 'payment', 'hold'] }))
    const said = entries.map(({ kind, amount, fiat }) => `${kind} ${amount} ${fiat?.value}`)
    expect(said.sort()).toEqual([
      ...['hold 300 0.0003', 'hold 500 0.0005', 'payment 1000 0.001', 'payment 300 0.0003'],
      ...['usage 250 0.00025', 'usage 250 0.00025'],
    ])
  })
})

test('an export is exact, and runs no formula', () => {
  const entry: Entry = {
    ...{ id: 'payment:x', kind: 'payment', pid: 'x' as Pid, at: start, debit: 'wallet', credit: 'revenue' },
    ...{ network: 'eip155:84532', asset: usdc, amount: 1_234n, from: '0xa', to: '0xb', transaction: '0xc' },
    ...{ resource: 'https://shop.example/w', route: 'GET /w', scheme: 'exact', group: '=1+1', description: 'a, "b"' },
  }
  const line = csvLine(exportEntry(entry, assetByTicker(network('base-sepolia'), 'USDC')))
  expect(line).toBe(
    `2027-01-15T08:00:00.000Z,payment,0xa,0xb,0.001234,USDC,1234,${usdc},eip155:84532,0xc,"a, ""b""",https://shop.example/w,GET /w,'=1+1,exact,wallet,revenue,,,x,payment:x\r\n`,
  )
  expect(CSV_HEAD.split(',')).toHaveLength(21)
})
