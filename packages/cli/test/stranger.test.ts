import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodePayment, encodeChallenge, network, type PaymentRequirements } from '@groat/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sandboxNodes } from '../src/commands/wallet.js'
import { runCli } from '../src/program.js'
import { createStyle, painted, plain, plainLines } from '../src/terminal/io.js'
import { recordedIo } from './io.js'

// What a server, a header or a file says must not command the terminal, the purse or the program.

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-stranger-'))
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await rm(folder, { recursive: true, force: true })
})

async function run(args: readonly string[], ask?: (question: string) => Promise<boolean>) {
  const environment = { GROAT_HOME: folder, GROAT_EVM_KEY: `0x${'7'.repeat(64)}` }
  const io = recordedIo({ environment, ask })
  return { exitCode: await runCli(args, io), out: io.written(), said: io.said() }
}

const offerOf = (terms: Partial<PaymentRequirements> = {}): PaymentRequirements => ({
  scheme: 'exact',
  network: network('base'),
  amount: 1_000n,
  asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
  payTo: `0x${'11'.repeat(20)}`,
  maxTimeoutSeconds: 300,
  extra: { name: 'USD Coin', version: '2' },
  ...terms,
})

let sellers = 0
/** The one that sells: each seller is somewhere else. A test that is run again after it took too long is not paid by the run before. */
const url = () => `https://93.184.215.14/${sellers}`

/** A seller whose every challenge is another one. */
function seller(...challenges: readonly PaymentRequirements[]) {
  const paid: unknown[] = []
  let asked = 0
  sellers += 1
  const own = url()
  vi.stubGlobal('fetch', async (input: unknown, init?: RequestInit) => {
    if (String(input) !== own) throw new TypeError('somebody else sells here')
    const headers = new Headers(init?.headers)
    const payment = decodePayment((name) => headers.get(name))
    if (payment?.ok) {
      paid.push(payment.value.payload)
      return new Response('thanks')
    }
    const offer = challenges[Math.min(asked, challenges.length - 1)] ?? offerOf()
    asked += 1
    return new Response('{}', { status: 402, headers: encodeChallenge({ accepts: [offer] }).headers })
  })
  return paid
}

test('CLI-005 what is signed is what was shown, whatever the server asks for afterwards', async () => {
  const paid = seller(offerOf(), offerOf({ amount: 100_000n, payTo: `0x${'66'.repeat(20)}` }))
  const asked: string[] = []
  const { exitCode } = await run(['pay', url()], async (question) => {
    asked.push(question)
    return true
  })
  expect({ exitCode, asked, paid }).toMatchObject({
    exitCode: 0,
    asked: ['  Pay 0.001 USDC?'],
    paid: [{ authorization: { value: '1000', to: `0x${'11'.repeat(20)}` } }],
  })
})

test('CLI-005 what was bought before is used, and what is paid beside it is what was shown', async () => {
  let asked = 0
  const paid: unknown[] = []
  const shown: (string | null)[] = []
  let isUsedUp = false
  vi.stubGlobal('fetch', async (_: unknown, init?: RequestInit) => {
    const headers = new Headers(init?.headers)
    const payment = decodePayment((name) => headers.get(name))
    if (payment?.ok) paid.push(payment.value.payload)
    if (payment?.ok) return new Response('paid', { headers: { 'payment-entitlement': 'token; left=9' } })
    if (headers.has('payment-entitlement')) shown.push(headers.get('payment-entitlement'))
    if (headers.has('payment-entitlement') && !isUsedUp) return new Response('owned')
    // Dearer each time.
    asked += 1
    const amount = BigInt(900 + 100 * asked)
    return new Response('{}', { status: 402, headers: encodeChallenge({ accepts: [offerOf({ amount })] }).headers })
  })
  const pay = () => run(['pay', 'https://93.184.215.14/bundle', '--yes'])
  expect([(await pay()).out, (await pay()).out, shown, paid.length]).toEqual(['paid\n', 'owned\n', ['token'], 1])
  isUsedUp = true
  asked = 0
  expect((await pay()).out).toBe('paid\n')
  expect(paid[1]).toMatchObject({ authorization: { value: '1000' } })
})

test.each([
  ['scheme', { scheme: 'x\u001b[2J\u001b[1;1H\nAll fine' }],
  ['asset', { asset: '\u001b]0;name\u0007\u202e' }],
])('control characters in the %s of an offer do not reach the terminal', async (_, terms) => {
  seller(offerOf(terms))
  const { exitCode, said } = await run(['pay', url()])
  expect(exitCode).toBe(1)
  expect(said.split('\n').map(plain).join('\n')).toBe(said)
  expect(said).not.toMatch(/^All fine/m)
})

test('CL-1 G08 whoever sells on this machine names no node of a chain with money: what is signed along hangs on what a node says', async () => {
  const [evm, svm] = [network('base'), network('solana')]
  const says = (ready: object) => vi.stubGlobal('fetch', async () => Response.json(ready))
  const [rpcUrl, target] = ['http://127.0.0.1:1/', new URL('http://127.0.0.1:2/x')]
  says({ evm: { network: evm, rpcUrl }, svm: { network: svm, rpcUrl } })
  expect(await sandboxNodes(target)).toEqual(new Map())
  const [base, devnet] = [network('base-sepolia'), network('solana-devnet')]
  says({ evm: { network: base, rpcUrl }, svm: { network: devnet, rpcUrl } })
  expect([...(await sandboxNodes(target)).keys()]).toEqual([base, devnet])
})

test('an answer on a terminal keeps its lines and nothing else', () => {
  expect(plainLines('a\tb\n\u001b[2Jc\r\u009b1m\u202ed')).toBe('a\tb\n[2Jc1md')
})

test('what is said on a terminal keeps our colours and no other command', () => {
  const { good, bold } = createStyle(true)
  expect(painted(`${good('paid')} \u001b[2J${bold('0x1')}\u0007\n`)).toBe(`${good('paid')} [2J${bold('0x1')}\n`)
})

test.each([
  [['-H', 'bad name: x']],
  [['-H', 'a: \u0100']],
  [['-X', 'GE T']],
  [['-X', 'TRACE']],
  [['-X', 'GET', '-d', 'body']],
])('%j is a mistake in the command, told without a stack', async (options) => {
  const { exitCode, said } = await run(['pay', 'http://127.0.0.1:1/x', ...options])
  expect(exitCode).toBe(2)
  expect(said).toMatch(/^groat: .* is not a (header|method)/)
  expect(said).not.toContain(' at ')
})

const letters = [...'abcdefghi']
const bomb = letters.map((name, at) => {
  const inner = at === 0 ? '"x"' : `*${letters[at - 1]}`
  return `${name}: &${name} [${Array(9).fill(inner).join(', ')}]`
})

test.each([
  ['a bomb of aliases', bomb.join('\n')],
  ['a cycle', 'a: &a [*a]\n'],
  ['an alias of nothing', 'a: *nope\n'],
  ['a merge of nothing', '<<: *x\n'],
])('%s in a file is a mistake in the file, told without a stack', async (_, text) => {
  const file = join(folder, 'pay.yaml')
  await writeFile(file, text)
  const { exitCode, said } = await run(['facilitator', file, '--check'])
  expect(exitCode).toBe(2)
  expect(said).toContain(`groat: ${file}`)
  expect(said).not.toContain(' at ')
})

test('a price that has risen says what it was and what it is, and which word of the policy lets it', async () => {
  const paid = seller(offerOf(), offerOf({ amount: 3_000n }))
  expect((await run(['pay', url(), '--yes'])).exitCode).toBe(0)
  const { exitCode, said } = await run(['pay', url(), '--yes'])
  expect([exitCode, paid.length]).toEqual([1, 1])
  expect(said).toContain('$0.003 is asked, and $0.001 was paid before (price_rise_over_limit)')
  expect(said).toContain('price_rise: 200%')
})
