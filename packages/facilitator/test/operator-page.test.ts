import { existsSync } from 'node:fs'
import { openMemoryStore } from '@groat/store'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createAdminApp, createOverview } from '../src/admin.js'
import { createAccess, createApiKey, type FacilitatorOptions, type ServedFacilitator, serveApp } from '../src/index.js'
import { processHost } from '../src/journal/process-host.js'
import { createMetrics } from '../src/observe.js'
import { useFacilitator } from './chain-kit.js'

/** Debian’s browser, or any other that is named. Where there is none, the page is not looked at. */
const executablePath = [process.env.GROAT_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
)

const on = useFacilitator()
let browser: Browser
let admin: ServedFacilitator | undefined
beforeAll(async () => {
  if (executablePath) browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
})
afterEach(async () => {
  await admin?.close()
  admin = undefined
})
afterAll(() => browser?.close())

async function open({ more = {}, ...options }: { tokenHash?: string; more?: Partial<FacilitatorOptions> } = {}) {
  const metrics = createMetrics()
  const service = await on.serve({ onEvent: metrics.onEvent, signers: ['facilitator', 'facilitator2'], ...more })
  const { pressure } = createAccess(service, {})
  const overview = createOverview({ service, store: on.store, pressure })
  const app = createAdminApp({ store: on.store, overview, metrics, ...options })
  admin = await serveApp(app.fetch, { host: '127.0.0.1', port: 0 })
  return { service, url: admin.url }
}

/** The page asks every two seconds. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 })

describe('the operator’s listener', () => {
  test('answers the machine’s own names only, unless it has a token', async () => {
    const { url } = await open()
    const { port } = new URL(url)
    const status = async (headers: Record<string, string>) => (await appOf(headers)).status
    const { request } = await import('node:http')
    const appOf = (headers: Record<string, string>) =>
      new Promise<{ status: number }>((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port, path: '/api/overview', headers }, (response) => {
          response.resume()
          resolve({ status: response.statusCode ?? 0 })
        })
        sent.on('error', reject)
        sent.end()
      })
    expect([await status({ host: `127.0.0.1:${port}` }), await status({ host: 'evil.example' })]).toEqual([200, 403])
  })

  test('asks for its token, as a bearer or as a browser’s password', async () => {
    const { key, hash } = createApiKey()
    const { url } = await open({ tokenHash: hash })
    const status = async (authorization?: string) =>
      (await fetch(`${url}/metrics`, authorization === undefined ? {} : { headers: { authorization } })).status
    const basic = (password: string) => `Basic ${Buffer.from(`operator:${password}`).toString('base64')}`
    expect([await status(), await status('Bearer no'), await status(basic('no'))]).toEqual([401, 401, 401])
    expect([await status(`Bearer ${key}`), await status(basic(key))]).toEqual([200, 200])
  })

  test('tells how the facilitator stands, as JSON and as metrics', async () => {
    const { service, url } = await open()
    expect(await service.settle(await on.pay())).toMatchObject({ status: 'settled' })
    expect(await (await fetch(`${url}/api/overview`)).json()).toMatchObject({
      health: { ready: true, reasons: [] },
      settledLately: 1,
      chains: [
        {
          network: 'eip155:84532',
          name: 'base-sepolia',
          schemes: ['exact'],
          nodes: [{ state: 'up', failures: 0, lag: '0' }],
          lanes: [
            {
              signer: on.chain.account('facilitator').address,
              owner: service.replica,
              balance: expect.stringMatching(/^\d+\.\d{6}$/),
            },
            { signer: on.chain.account('facilitator2').address, owner: service.replica },
          ],
        },
      ],
      replica: service.replica,
      replicas: [{ id: service.replica, host: processHost(), process: process.pid, alive: true, lanes: 2 }],
    })
    const text = await (await fetch(`${url}/metrics`)).text()
    for (const line of [
      'groat_payments_total{event="payment_settled",network="eip155:84532",scheme="exact"} 1',
      'groat_network_ready{network="eip155:84532"} 1',
      'groat_oldest_open_seconds 0',
    ]) {
      expect(text).toContain(line)
    }
    expect(text).toMatch(/groat_gas_runway_settlements\{network="eip155:84532",signer="0x[0-9a-fA-F]{40}"\} [1-9]/)
    expect(text.toLowerCase()).not.toContain(on.chain.account('payer').address.toLowerCase())
  })

  test('says while the database is down that it is, and what to do, on the page as well', async () => {
    const store = await openMemoryStore()
    const service = await on.serve({ store })
    const overview = createOverview({ service, store })
    const app = createAdminApp({ store, overview, health: () => service.health() })
    admin = await serveApp(app.fetch, { host: '127.0.0.1', port: 0 })
    await service.stop()
    await store.close()
    const response = await fetch(`${admin.url}/api/overview`)
    const hint = 'Check the database; nothing was accepted meanwhile.'
    expect([response.status, await response.json()]).toMatchObject([
      503,
      { health: { ready: false, reasons: [{ part: 'service' }, { part: 'store', code: 'store_unavailable', hint }] } },
    ])
    if (executablePath === undefined) return
    const page = await browser.newPage()
    await page.goto(admin.url)
    await eventually(() => page.locator('#reasons').textContent()).toContain(`store: store_unavailable. ${hint}`)
    expect(await page.locator('#health').textContent()).toBe('takes no payments')
    await page.close()
  })

  test('says who has still to be told what, on the page as well', async () => {
    // Nobody listens on the port of discard.
    const endpoint = { id: 'shop', url: 'http://127.0.0.1:9/', secrets: ['a secret of 16 and more'] } as const
    const { service, url } = await open({ more: { webhooks: { endpoints: [endpoint], allowPrivate: true } } })
    expect((await (await fetch(`${url}/api/overview`)).json()).webhooks).toEqual([])
    expect(await service.settle(await on.pay())).toMatchObject({ status: 'settled' })
    const waiting = async () => (await (await fetch(`${url}/api/overview`)).json()).webhooks[0]
    await eventually(waiting).toMatchObject({ endpoint: 'shop', waiting: expect.any(Number), dead: 0 })
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/groat_webhooks_waiting\{endpoint="shop"\} [1-9]/)
    if (executablePath === undefined) return
    const page = await browser.newPage()
    await page.goto(url)
    const row = page.locator('#webhooks tr')
    await row.waitFor()
    expect(await row.textContent()).toMatch(/^shop\s*[1-9]/)
    await eventually(() => row.textContent()).toMatch(/ECONNREFUSED \((1 try|[2-9] tries)\)\d\d:\d\d:\d\d$/)
    await page.close()
  })
})

describe.skipIf(executablePath === undefined)('the operator’s page', () => {
  test('goes on with the payment that was chosen when newer ones have pushed it off the list', async () => {
    const { service, url } = await open()
    expect(await service.settle(await on.pay())).toMatchObject({ status: 'settled' })
    const page = await browser.newPage()
    let asked = 0
    // What a busy facilitator lists: the payment while it is new, and others after that.
    await page.route('**/api/payments?q=', async (route) => {
      const [{ transaction: _, ...newest }] = await (await route.fetch()).json()
      await route.fulfill({ json: asked++ === 0 ? [{ ...newest, state: 'sent' }] : [] })
    })
    await page.goto(url)
    await page.locator('#payments tr').click()
    const facts = page.locator('#facts')
    expect(await facts.textContent()).toMatch(/statesent/)
    await eventually(() => facts.textContent()).toMatch(/state(settled|final).*transaction0x/)
    await page.close()
  })

  test('shows payments as they come, lanes, gas and nodes, and finds a payment by payer, pid and transaction', async () => {
    const { service, url } = await open()
    const problems: string[] = []
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, timezoneId: 'Pacific/Auckland' })
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    await page.goto(url)
    await page.getByText('takes payments').waitFor()
    await page.getByText('No payment yet.').waitFor()

    const first = await on.pay('payer')
    expect(await service.settle(first)).toMatchObject({ status: 'settled' })
    const rows = page.locator('#payments tr')
    await rows.first().waitFor()
    await rows.filter({ hasText: '0.001 USDC' }).waitFor()
    const request = await on.pay('payer2')
    const second = await service.settle(request)
    if (second.status !== 'settled') throw new Error(second.status)
    await eventually(() => rows.count()).toBe(2)
    await eventually(() => page.locator('#lanes tr').allInnerTexts()).toContainEqual(expect.stringMatching(/\d[KM]?$/))
    expect(await page.locator('#nodes tr').allInnerTexts()).toEqual([
      expect.stringMatching(/127\.0\.0\.1:\d+\s+base-sepolia\s+up/),
    ])

    const found = async (text: string, pids: readonly string[]) => {
      await page.getByRole('searchbox').fill(text)
      await eventually(() => rows.evaluateAll((all) => all.map((row) => row.getAttribute('data-pid')))).toEqual(pids)
    }
    const [one, two] = [first, request].map((each) => {
      const inspected = service.inspect(each)
      return inspected.ok ? inspected.pid : ''
    }) as [string, string]
    await found(on.chain.account('payer2').address, [two])
    await found(one, [one])
    await found(second.receipt.transaction, [two])
    await found('', [two, one])
    await found(one, [one])
    await rows.first().click()
    await page.locator('#history li').first().waitFor()
    expect(await page.locator('#history').allInnerTexts()).toEqual([
      expect.stringMatching(/claimed[\s\S]*signed[\s\S]*settled/),
    ])
    const [when] = await rows.first().locator('td').allInnerTexts()
    expect(await page.locator('#history li').allInnerTexts()).toContainEqual(
      expect.stringContaining(`claimed ${when}.`),
    )
    await found('0xnobody', [])
    await page.getByText('Nothing is known of 0xnobody.').waitFor()
    const shot = process.env.GROAT_SCREENSHOT
    if (shot !== undefined) {
      await found('', [two, one])
      await page.screenshot({ path: shot, fullPage: true })
    }
    await page.close()
    expect(problems).toEqual([])
  }, 60_000)

  test('says which network takes no payments while others do, and what the operator can do', async () => {
    const { url } = await open()
    const page = await browser.newPage()
    const away = { part: 'chain', network: 'eip155:8453', code: 'rpc_unreachable', hint: 'Look at the nodes.' }
    let others = true
    await page.route('**/api/overview', async (route) => {
      const overview = await (await route.fetch()).json()
      const gone = { network: 'eip155:8453', name: 'base', coin: 'ETH', schemes: ['exact'], nodes: [], lanes: [] }
      const chains = [...(others ? overview.chains : []), gone]
      await route.fulfill({ json: { ...overview, chains, health: { ready: false, reasons: [away] } } })
    })
    await page.goto(url)
    const health = page.locator('#health')
    await eventually(() => health.textContent()).toBe('takes none on base')
    expect(await health.getAttribute('class')).toBe('pill wait')
    expect(await page.locator('#reasons').textContent()).toBe('base: rpc_unreachable. Look at the nodes.')
    expect(await page.locator('#lanes tr').first().textContent()).toMatch(/\d ETH/)
    const shot = process.env.GROAT_SCREENSHOT
    if (shot !== undefined) await page.screenshot({ path: `${shot}.away.png`, fullPage: true })
    others = false
    await eventually(() => health.textContent()).toBe('takes no payments')
    await page.close()
  }, 60_000)

  test('leaves of all tables the rows that have the words of a filter, and keeps it in the address', async () => {
    const { service, url } = await open()
    expect(await service.settle(await on.pay())).toMatchObject({ status: 'settled' })
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } })
    await page.goto(url)
    const shown = (id: string) => page.locator(`#${id} tr:visible`).count()
    const tables = async () => Promise.all(['payments', 'lanes', 'replicas', 'nodes'].map(shown))
    await eventually(tables).toEqual([1, 2, 1, 1])
    const filter = page.getByRole('textbox', { name: 'Show only rows' })
    const [first, second] = (['facilitator', 'facilitator2'] as const).map((role) => on.chain.account(role).address)
    await filter.fill(`BASE-sepolia ${first}`)
    expect(await tables()).toEqual([0, 1, 0, 0])
    await eventually(() => page.locator('#fits').textContent()).toBe('1 of the 5 rows shown')
    // A look later, and on a page that is opened by its address.
    await page.waitForResponse('**/api/overview')
    expect(await tables()).toEqual([0, 1, 0, 0])
    await page.goto(page.url())
    await eventually(tables).toEqual([0, 1, 0, 0])
    await filter.fill('eip155:84532')
    expect(await tables()).toEqual([1, 2, 0, 1])
    await filter.fill(`${second} base-sepolia nothing`)
    expect(await tables()).toEqual([0, 0, 0, 0])
    expect(await page.locator('#fits').textContent()).toBe('nothing matches in the 5 rows shown')
    await filter.fill('')
    expect([await tables(), new URL(page.url()).search]).toEqual([[1, 2, 1, 1], ''])
    const shot = process.env.GROAT_SCREENSHOT
    if (shot !== undefined) {
      await filter.fill('base-sepolia')
      await page.screenshot({ path: `${shot}.filter.png`, fullPage: true })
    }
    await page.close()
  }, 60_000)

  test('shades the edge of a table that goes on where a narrow page ends', async () => {
    const { url } = await open()
    const page = await browser.newPage({ viewport: { width: 420, height: 800 } })
    await page.goto(url)
    await page.locator('#lanes tr').first().waitFor()
    const lanes = page.locator('.scroll', { has: page.locator('#lanes') })
    const edges = async () => {
      const { x = 0, y = 0, width = 0, height = 0 } = (await lanes.boundingBox()) ?? {}
      // Between two lines of text, where nothing but the edge is drawn.
      const strip = (at: number) => page.screenshot({ clip: { x: at, y: y + height - 3, width: 3, height: 2 } })
      const plain = await strip(x + width / 2)
      return [await strip(x), await strip(x + width - 4)].map((edge) => !edge.equals(plain))
    }
    await lanes.scrollIntoViewIfNeeded()
    expect(await edges()).toEqual([false, true])
    await lanes.evaluate((element) => element.scrollTo({ left: element.scrollWidth }))
    expect(await edges()).toEqual([true, false])
    await page.close()
  })

  test('shows who shares the journal, and who signs in each lane', async () => {
    const { service, url } = await open()
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } })
    await page.goto(url)
    const texts = async (id: string) =>
      (await page.locator(`#${id} tr`).allInnerTexts()).map((text) => text.replace(/\s+/g, ' '))
    const here = page.locator('#replicas tr').first().locator('td').last().locator('code')
    await eventually(() => texts('replicas')).toEqual([
      expect.stringMatching(new RegExp(`^${service.replica} this one alive \\d+ s left 2 \\S.*$`)),
    ])
    expect(await here.getAttribute('title')).toBe(`${processHost()}, process ${process.pid}`)
    const other = await on.serve({ signers: ['facilitator', 'facilitator2'] })
    await eventually(async () =>
      (await texts('lanes')).map((text) => / ([0-9a-f]{16}( this one)?) /.exec(text)?.[1]).sort(),
    ).toEqual([`${service.replica} this one`, other.replica].sort())
    // In the same order, whoever of them was heard of last.
    const alive = (id: string) => expect.stringMatching(new RegExp(`^${id}( this one)? alive \\d+ s left 1 `))
    await eventually(() => texts('replicas')).toEqual([service.replica, other.replica].sort().map(alive))
    // Who is gone is said to be gone, and its lane is nobody's to rely on until another takes it.
    await page.route('**/api/overview', async (route) => {
      const overview = await (await route.fetch()).json()
      const [{ lanes }] = overview.chains
      const [first, second] = lanes
      const { owner: _, ...nobodys } = first
      overview.chains[0].lanes = [
        nobodys,
        { ...second, owner: 'f'.repeat(16), lapsed: true },
        { ...nobodys, shared: true },
      ]
      overview.replicas.push({
        id: 'f'.repeat(16),
        host: 'elsewhere',
        process: 7,
        alive: false,
        seconds: 190,
        lanes: 1,
      })
      await route.fulfill({ json: overview })
    })
    await eventually(async () => (await texts('replicas')).at(-1)).toBe(`${'f'.repeat(16)} gone for 3 min 1 elsewhere`)
    expect(await texts('lanes')).toEqual([
      expect.stringContaining(' nobody '),
      expect.stringContaining(` ${'f'.repeat(16)} gone `),
      expect.stringContaining(' every replica '),
    ])
    await page.close()
  }, 60_000)

  test('shows the transaction of a payment that waits for its block, as not paid yet, and finds the payment by it', async () => {
    await on.chain.setAutomine(false)
    const { service, url } = await open()
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } })
    try {
      const settling = service.settle(await on.pay())
      await page.goto(url)
      const row = page.locator('#payments tr')
      const shown = row.locator('td').last()
      await eventually(() => row.locator('.pill').textContent()).toBe('sent')
      const hash = (await shown.locator('code').getAttribute('title')) ?? ''
      expect(hash).toMatch(/^0x[0-9a-f]{64}$/)
      expect(await shown.getAttribute('class')).toBe('quiet')
      await page.getByRole('searchbox').fill(hash)
      await page.waitForURL(`**/?q=${hash}`)
      await eventually(() => row.count()).toBe(1)
      await row.click()
      expect(await page.locator('#facts').textContent()).toContain(`attempt${hash} (sent)`)
      await on.chain.setAutomine(true)
      await on.chain.mine()
      expect(await settling).toMatchObject({ status: 'settled', receipt: { transaction: hash } })
      await eventually(() => page.locator('#facts').textContent()).toContain(`transaction${hash}`)
      expect(await page.locator('#facts').textContent()).not.toContain('attempt')
      await eventually(() => shown.getAttribute('class')).not.toBe('quiet')
    } finally {
      await on.chain.setAutomine(true)
      await page.close()
    }
  }, 60_000)

  test('a payment that is chosen out of a long list is in sight, and so is what the gas still pays for', async () => {
    const { service, url } = await open()
    const settled = await Promise.all(Array.from({ length: 30 }, async () => service.settle(await on.pay())))
    expect(new Set(settled.map(({ status }) => status))).toEqual(new Set(['settled']))
    for (const width of [1280, 1024, 390]) {
      const page = await browser.newPage({ viewport: { width, height: 720 } })
      await page.goto(url)
      await page.locator('#payments tr').nth(2).click()
      const isInSight = (selector: string) =>
        page.locator(selector).evaluate((node) => {
          const { left, right, top } = node.getBoundingClientRect()
          const frame = node.closest('section')?.getBoundingClientRect()
          return top >= 0 && top < innerHeight && right <= (frame?.right ?? 0) && left >= 0
        })
      await eventually(() => isInSight('#history li:first-child')).toBe(true)
      if (width > 1000) {
        await page.locator('#lanes-title').scrollIntoViewIfNeeded()
        expect(await isInSight('#lanes tr:first-child td:last-child')).toBe(true)
      }
      await page.close()
    }
  }, 60_000)
})
