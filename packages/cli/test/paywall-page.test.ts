import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { secretKeyAccount } from '@groat/svm/exact/client'
import { decodeTransaction, encodeTransaction } from '@groat/svm/wire'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

/** Chromium as this machine has it; without one the page itself is not tested. */
const executablePath = [process.env.GROAT_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
)

let sandbox: Sandbox
let folder: string
let upstream: Server
let browser: Browser | undefined
let shop: { readonly url: string; stop(): Promise<void> }

beforeAll(async () => {
  sandbox = await startSandbox({ demo: false })
  folder = await mkdtemp(join(tmpdir(), 'groat-page-'))
  upstream = createServer((request, response) => {
    const type = request.url === '/story' ? 'text/html' : 'application/json'
    response
      .writeHead(200, { 'content-type': type })
      .end(type === 'text/html' ? '<h1>Once</h1><script>parent.evil=1</script>' : '{"temperature":11}')
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const file = join(folder, 'shop.yaml')
  const { evm, svm } = sandbox.ready
  const of = (role: string) => sandbox.ready.accounts.find((each) => each.role === role)
  await writeFile(
    file,
    `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${(upstream.address() as AddressInfo).port}/
facilitator: ${sandbox.ready.facilitator.url}
payTo: { base-sepolia: "${of('seller')?.evm?.address}", solana-devnet: "${of('seller')?.svm?.address}" }
page: { title: "Weather & <Sons>", solana_rpc: { solana-devnet: "${svm?.rpcUrl}" } }
routes:
  GET /weather: { price: $0.001, description: "Today's weather </script><b>in Rome" }
  GET /story: { price: $0.002, description: A story }
`,
  )
  expect(evm).toBeDefined()
  const io = recordedIo()
  const end = runCli(['serve', file], io)
  const { url } = JSON.parse(await Promise.race([io.firstLine, end.then(() => io.said())])).ready
  shop = {
    url,
    stop: async () => {
      io.stop()
      await end
    },
  }
  if (executablePath) browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
}, 90_000)
afterAll(async () => {
  await browser?.close()
  await shop?.stop()
  upstream?.close()
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
})

const asBrowser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'sec-fetch-mode': 'navigate' }

/** `fetch` says of itself what it is. */
async function get(path: string, headers: Record<string, string>) {
  const asked = request(`${shop.url}${path}`, { headers }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, headers: new Headers(response.headers as Record<string, string>), text }
}

test('SRV-070 SEC-023 a person gets a page and a program the JSON, with one status and one challenge', async () => {
  const page = await get('/weather', asBrowser)
  const plain = await fetch(`${shop.url}/weather`)
  const { text } = page
  const problem = await plain.json()
  expect([page.status, plain.status, problem.accepts.length]).toEqual([402, 402, 2])
  expect(page.headers.get('payment-required')).toBe(plain.headers.get('payment-required'))
  for (const each of [page, plain])
    expect([each.headers.get('cache-control'), each.headers.get('vary')]).toEqual(['no-store', 'Accept'])
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  // What the seller wrote is text, wherever it stands.
  expect(text).not.toContain('</script><b>')
  expect(text).toContain('Weather &amp; &lt;Sons&gt;')
  expect(text.match(/<script/g)).toHaveLength(2)
  expect(gzipSync(text).length).toBeLessThan(60_000)
  const policy = page.headers.get('content-security-policy') ?? ''
  expect(policy).toMatch(
    /^default-src 'none'; script-src 'sha256-[A-Za-z0-9+/=]+'; style-src 'sha256-[A-Za-z0-9+/=]+'; connect-src 'self' http:\/\/127\.0\.0\.1:\d+;/,
  )
  expect(policy).not.toContain('unsafe')
  const api = await get('/weather', { accept: 'application/json, text/html' })
  expect(api.headers.get('content-type')).toBe('application/json')
  const posted = await get('/weather', { ...asBrowser, 'sec-fetch-mode': 'cors' })
  expect(posted.headers.get('content-type')).toBe('application/json')
})

describe.skipIf(executablePath === undefined)('the page in Chromium', () => {
  const of = (role: string) => sandbox.ready.accounts.find((each) => each.role === role)

  async function open(path: string, options: { readonly refuses?: boolean; readonly scheme?: 'dark' | 'light' } = {}) {
    if (browser === undefined) throw new Error('no browser')
    const page = await browser.newPage({
      viewport: { width: 900, height: 1000 },
      colorScheme: options.scheme ?? 'light',
    })
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on(
      'console',
      (message) => message.type() === 'error' && !/status of 402/.test(message.text()) && problems.push(message.text()),
    )
    await injectWallets(page, options.refuses ?? false)
    await page.goto(`${shop.url}${path}`)
    return { page, problems }
  }

  /** Wallets as extensions are: one of each family, whose keys are the sandbox's payer. */
  async function injectWallets(page: Page, refuses: boolean): Promise<void> {
    const [evm, svm] = [of('payer')?.evm, of('payer')?.svm]
    const account = secretKeyAccount(svm?.secretKey ?? '')
    await page.exposeFunction('evmWallet', async (method: string, params: unknown) => {
      if (method === 'eth_requestAccounts') return [evm?.address]
      if (method === 'wallet_switchEthereumChain') return null
      if (refuses && method === 'eth_signTypedData_v4') throw new Error('User rejected the request.')
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
      const answer = await fetch(sandbox.ready.evm?.rpcUrl ?? '', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      const { result, error } = await answer.json()
      if (error) throw new Error(error.message)
      return result
    })
    await page.exposeFunction('svmWallet', async (bytes: number[]) => {
      const transaction = decodeTransaction(Uint8Array.from(bytes))
      if (typeof transaction === 'string') throw new Error(transaction)
      const signature = await account.sign(transaction.message.bytes)
      return [...encodeTransaction([undefined, signature], transaction.message.bytes)]
    })
    await page.addInitScript(
      ({ address }) => {
        const ask = window as unknown as {
          evmWallet(method: string, params: unknown): unknown
          svmWallet(bytes: number[]): Promise<number[]>
        }
        const icon =
          'data:image/svg+xml;utf8,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="orange"/></svg>'
        const info = { uuid: '1', name: 'Test EVM', icon, rdns: 'example.evm' }
        const provider = {
          request: ({ method, params = [] }: { method: string; params?: unknown }) => ask.evmWallet(method, params),
        }
        const announce = () =>
          window.dispatchEvent(
            new CustomEvent('eip6963:announceProvider', { detail: Object.freeze({ info, provider }) }),
          )
        window.addEventListener('eip6963:requestProvider', announce)
        const own = { address }
        const wallet = {
          ...{ version: '1.0.0', name: 'Test Solana', icon, chains: ['solana:devnet'], accounts: [own] },
          features: {
            'standard:connect': { connect: async () => ({ accounts: [own] }) },
            'solana:signTransaction': {
              signTransaction: async ({ transaction }: { transaction: Uint8Array }) => [
                { signedTransaction: Uint8Array.from(await ask.svmWallet([...transaction])) },
              ],
            },
          },
        }
        const register = (api: { register(wallet: unknown): void }) => api.register(wallet)
        window.addEventListener('wallet-standard:app-ready', (event) => register((event as CustomEvent).detail))
        window.dispatchEvent(new CustomEvent('wallet-standard:register-wallet', { detail: register }))
      },
      { address: svm?.address },
    )
  }

  const shoot = async (page: Page, name: string): Promise<void> => {
    const to = process.env.GROAT_SCREENSHOT
    if (to !== undefined) await page.screenshot({ path: `${to}-${name}.png`, fullPage: true })
  }

  test('SRV-070 shows what is bought and pays on an EVM chain', async () => {
    const { page, problems } = await open('/weather')
    await page.getByRole('heading', { name: "Today's weather </script><b>in Rome" }).waitFor()
    await page.getByText('by Weather & <Sons>').waitFor()
    const button = page.getByRole('button', { name: /Pay with Test EVM.*0\.001 USDC on base-sepolia/ })
    await button.waitFor()
    await page.getByRole('button', { name: /Pay with Test Solana/ }).waitFor()
    await shoot(page, 'page')
    await page.keyboard.press('Tab')
    await button.press('Enter')
    await page.getByText('"temperature": 11').waitFor({ timeout: 30_000 })
    expect(await page.getByRole('status').textContent()).toBe('Paid 0.001 USDC.')
    await shoot(page, 'paid')
    expect(problems).toEqual([])
    await page.close()
  }, 60_000)

  test('SRV-070 pays on Solana, and runs no script of what it bought', async () => {
    const { page, problems } = await open('/story', { scheme: 'dark' })
    await page.getByRole('button', { name: /Pay with Test Solana.*0\.002 USDC on solana-devnet/ }).click()
    await page.frameLocator('iframe').getByRole('heading', { name: 'Once' }).waitFor({ timeout: 30_000 })
    await page.getByText('Paid 0.002 USDC.').waitFor()
    expect(await page.evaluate(() => 'evil' in window)).toBe(false)
    await shoot(page, 'solana')
    // The browser says that it kept a script from running, and that is all it says.
    expect(problems.filter((text) => !/sandboxed|Content Security Policy/i.test(text))).toEqual([])
    await page.close()
  }, 60_000)

  test('a person who refuses has paid nothing and can try again', async () => {
    const { page } = await open('/weather', { refuses: true })
    const button = page.getByRole('button', { name: /Pay with Test EVM/ })
    await button.click()
    await page.getByText('Nothing was paid: the wallet did not sign.').waitFor()
    expect(await button.isEnabled()).toBe(true)
    await page.close()
  }, 60_000)
})
