import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type EvmChain, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { bundle, type Program } from '../../client/test/support/bundle.js'

// Buyer, seller and facilitator, each a process of its own, over one chain; each of them is killed once, at a point of its own, in the course of one purchase.

let chain: EvmChain
let buying: Program
let selling: Program
let settling: Program

beforeAll(async () => {
  chain = await startEvmChain()
  buying = await bundle(await readFile(new URL('./support/buying-once.ts', import.meta.url), 'utf8'))
  const shops = new URL('../../server/test/', import.meta.url)
  selling = await bundle(await readFile(new URL('shop-process.ts', shops), 'utf8'), shops)
  const facilitators = new URL('../../facilitator/test/child/', import.meta.url)
  settling = await bundle(await readFile(new URL('facilitator.ts', facilitators), 'utf8'), facilitators)
})
afterAll(async () => {
  await chain?.stop()
  await buying?.remove()
  await selling?.remove()
  await settling?.remove()
})

test.each([
  // Buyer, seller and facilitator: what each of them had done, and not yet done, when it died.
  ['WP-01', 'after-recorded', 'FP-10'],
  ['WP-02', 'after-kept', 'FP-03'],
  ['WP-03', 'after-settled', 'FP-06'],
  ['WP-04', 'in-work', 'FP-07'],
  ['WP-01', 'after-kept', 'FP-02'],
  ['WP-02', 'after-recorded', 'FP-05'],
  ['WP-03', 'in-work', 'FP-04'],
  ['WP-04', 'after-settled', 'FP-09'],
])(
  'INV-7 INV-8 INV-13 buyer killed at %s, seller %s and facilitator at %s, in one purchase: one payment, one answer',
  async (buyerDies, sellerDies, facilitatorDies) => {
    const folder = await mkdtemp(join(tmpdir(), 'groat-joint-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const seller = chain.account('seller').address
    const before = await chain.balance(seller)
    const shopFile = join(folder, 'shop.db')
    await writeFile(`${shopFile}.runs`, '')

    const facilitator = await standing((first) =>
      startServing([settling.file, chain.rpcUrl, join(folder, 'journal.db'), chain.account('facilitator').privateKey], {
        NODE_ENV: 'test',
        GROAT_CRASH: first ? facilitatorDies : '',
      }),
    )
    const shop = await standing((first) =>
      startServing([selling.file], {
        SHOP: shopFile,
        FACILITATOR: facilitator.url,
        SCHEME: 'exact',
        PAY_TO: seller,
        CRASH: first ? sellerDies : '',
      }),
    )
    const buyer = {
      PURSE: join(folder, 'purse.db'),
      URL: `${shop.url}/weather`,
      KEY: chain.account('payer').privateKey,
      PURCHASE: 'the one',
    }
    const crashed = await run(buyer, buyerDies)
    const answers: string[] = []
    // Whoever died is there again; the buyer asks until it has its answer, and then once more.
    for (let attempt = 0; attempt < 20 && answers.length < 2; attempt++) {
      const { output } = await run(buyer)
      if (output.includes('"status":200')) answers.push(output)
    }
    const answer = '{"status":200,"outcome":"settled","body":"sunny"}'
    expect(answers).toEqual([answer, answer])
    expect((await chain.balance(seller)) - before).toBe(1_000n)
    // Every one of them really died, unless the others died so early that it was not asked any more.
    expect([crashed.signal, shop.deaths(), facilitator.deaths()]).toEqual(['SIGKILL', 1, 1])
    // Work that nobody got may be done again, and never for another payment.
    expect((await readFile(`${shopFile}.runs`, 'utf8')).length).toBeLessThanOrEqual(2)
  },
  120_000,
)

/** A server that is started again when it has died, at one address for as long as the test runs. */
async function standing(start: (first: boolean) => Promise<{ readonly child: ChildProcess; readonly url: string }>) {
  let deaths = 0
  let stopping = false
  let current = watch(await start(true))
  function watch(server: { readonly child: ChildProcess; readonly url: string }) {
    server.child.once('exit', () => {
      if (stopping) return
      deaths++
      again = start(false).then((next) => {
        current = watch(next)
      })
    })
    return server
  }
  let again: Promise<void> = Promise.resolve()
  const sockets = new Set<Socket>()
  const door = createServer(async (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    await again
    const { hostname, port } = new URL(current.url)
    const inside = connect(Number(port), hostname)
    inside.on('error', () => socket.destroy()).on('close', () => socket.destroy())
    socket.on('close', () => inside.destroy())
    socket.pipe(inside).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(door, 'listening')
  onTestFinished(async () => {
    stopping = true
    await again.catch(() => {})
    await killed(current.child)
    for (const socket of sockets) socket.destroy()
    door.close()
  })
  // A listening TCP server has an address and a port.
  const { port } = door.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, deaths: () => deaths }
}

async function startServing(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), once(child, 'exit')])
  if (!URL.canParse(String(line))) throw new Error(`it ended with ${line} before it served`)
  return { child, url: String(line) }
}

function run(buyer: Record<string, string>, crash = '') {
  const env = { ...process.env, ...buyer, CRASH: crash }
  const child = spawn(process.execPath, [buying.file], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(() => killed(child))
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  return new Promise<{ signal: string | null; output: string }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (_, signal) => resolve({ signal, output }))
  })
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
