import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle, type Program } from './support/bundle.js'
import { challenge, offer, paid, type Script, startSeller } from './support/seller.js'
import { temporaryFile } from './support/stores.js'

let program: Program

beforeAll(async () => {
  program = await bundle(await readFile(new URL('./support/paying-process.ts', import.meta.url), 'utf8'))
})

afterAll(() => program.remove())

const seller: Script = ({ payment }) => (payment === undefined ? challenge({ accepts: [offer()] }) : paid(payment))

test.each([
  // Nothing was sent before the crash: the payment of the second run is the only one that ever left.
  ['after-intent', 'wallet', 1],
  ['after-signature', 'wallet', 1],
  ['after-signature', 'local', 1],
  // The payment of the first run is the payment of the second.
  ['after-kept', 'wallet', 1],
  ['after-kept', 'local', 1],
  ['before-end', 'wallet', 2],
  ['before-end', 'local', 2],
])(
  'CLI-016 INV-7 CL-3 killed %s of a %s signer, the next run presents one payment',
  async (crash, signer, presentations) => {
    const { url, presented } = await startSeller(seller)
    const purse = await temporaryFile('purse.db')
    expect(await run({ url, purse, crash, signer })).toEqual({ signal: 'SIGKILL', output: '' })
    expect(await run({ url, purse, signer })).toEqual({ signal: null, output: '{"status":200,"outcome":"settled"}' })
    expect([presented().length, new Set(presented()).size]).toEqual([presentations, 1])
  },
)

test('INV-8 killed while the seller works, the next run presents the same payment', async () => {
  let victim: ChildProcess | undefined
  const { url, presented } = await startSeller((seen, nth) => {
    if (nth !== 2) return seller(seen, nth)
    victim?.kill('SIGKILL')
    return () => {}
  })
  const purse = await temporaryFile('purse.db')
  const onStart = (child: ChildProcess) => {
    victim = child
  }
  const first = await run({ url, purse, onStart })
  expect(first.signal).toBe('SIGKILL')
  expect(await run({ url, purse })).toMatchObject({ output: '{"status":200,"outcome":"settled"}' })
  expect([presented().length, new Set(presented()).size]).toEqual([2, 1])
})

test('two processes that make the same request at the same time pay for two requests', async () => {
  let answer: (() => void) | undefined
  const { url, presented } = await startSeller((seen, nth) => {
    if (seen.payment === undefined || answer !== undefined) return seller(seen, nth)
    return new Promise((resolve) => {
      answer = () => resolve(paid(seen.payment!))
    })
  })
  const purse = await temporaryFile('purse.db')
  const slow = run({ url, purse })
  while (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await run({ url, purse })).toMatchObject({ output: '{"status":200,"outcome":"settled"}' })
  answer()
  expect(await slow).toMatchObject({ output: '{"status":200,"outcome":"settled"}' })
  expect(new Set(presented()).size).toBe(2)
})

type Run = {
  readonly url: string
  readonly purse: string
  readonly crash?: string
  readonly signer?: string
  readonly onStart?: (child: ChildProcess) => void
}

function run({
  url,
  purse,
  crash = '',
  signer = '',
  onStart,
}: Run): Promise<{ signal: string | null; output: string }> {
  const child = spawn(process.execPath, [program.file], {
    env: { ...process.env, URL: url, PURSE: purse, CRASH: crash, SIGNER: signer },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onStart?.(child)
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (_, signal) => resolve({ signal, output }))
  })
}
