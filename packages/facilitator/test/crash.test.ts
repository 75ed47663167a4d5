import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { encodeFacilitatorRequest, type FacilitatorRequest } from '@groat/core'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { SELF_BATCH } from '@groat/evm/self-batch'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { checkHistory } from '@groat/sandbox'
import { afterEach, expect, test } from 'vitest'
import { settleToEnd, settlingChain, until, useFacilitator } from './chain-kit.js'
import { recordHistory } from './record-history.js'

const on = useFacilitator()
const GWEI = 10n ** 9n
/** Each block that is mined on demand makes the chain a second older. */
const LONG = { maxTimeoutSeconds: 3600 }
const children = new Set<ChildProcess>()

afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

/** Starts a facilitator in its own process, on this test's chain and journal. */
async function startChild(
  crash = '',
  mode = 'test',
  more: Readonly<Record<string, string>> = {},
): Promise<{ child: ChildProcess; url: string; ended: Promise<unknown[]> }> {
  const file = (name: string) => fileURLToPath(new URL(`./child/${name}`, import.meta.url))
  const signer = on.chain.account('facilitator').privateKey
  const child = spawn(
    process.execPath,
    [
      '--conditions=source',
      '--import',
      file('register.mjs'),
      file('facilitator.ts'),
      on.chain.rpcUrl,
      on.storePath,
      signer,
    ],
    {
      env: { ...process.env, NODE_ENV: mode, GROAT_CRASH: crash, ...more },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.add(child)
  const ended = once(child, 'exit')
  const [url] = await Promise.race([once(createInterface(child.stdout), 'line'), ended])
  return { child, url: String(url), ended }
}

function settleOver(url: string, request: FacilitatorRequest) {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(encodeFacilitatorRequest(request))
  return fetch(`${url}/settle`, { method: 'POST', headers, body })
}

/** Block after block, as dear as told, until something has happened; not too fast, for they make the chain older. */
async function mineUntil(event: Promise<unknown>, baseFee?: bigint) {
  let happened = false
  void event.then(() => {
    happened = true
  })
  await until(async () => {
    if (baseFee !== undefined) await on.chain.setNextBaseFee(baseFee)
    await on.chain.mine()
    await sleep(50)
    return happened
  })
}

/** What was left keeps every invariant that it speaks of. */
async function expectLawful() {
  expect(checkHistory(await recordHistory(on)).filter(({ status }) => status === 'broken')).toEqual([])
}

const points = ['FP-01', 'FP-02', 'FP-03', 'FP-04', 'FP-05', 'FP-06', 'FP-07', 'FP-08', 'FP-09', 'FP-10']

test.each(points)(
  'FAC-034 FAC-035 C01, INV-7, FAC-048 killed at %s, the next one settles exactly once',
  async (point) => {
    // An acknowledgement is written down only where the block does not come before it.
    if (point === 'FP-08') await on.chain.setAutomine(false)
    const request = await on.pay()
    const { url, ended } = await startChild(point)
    await expect(settleOver(url, request)).rejects.toThrow('fetch failed')
    expect(await ended).toEqual([null, 'SIGKILL'])
    if (point === 'FP-08') await on.chain.mine()
    await on.chain.setAutomine(true)

    const service = await on.serve()
    const claimed = await on.tables().selectFrom('settlement').select('pid').execute()
    expect(claimed).toHaveLength(point < 'FP-03' ? 0 : 1)
    // What was claimed goes on by itself; what was not is nobody's until it is presented again.
    if (claimed.length === 1) {
      await until(async () => (await on.tables().selectFrom('evidence').select('settlement').execute()).length === 1)
    }
    expect(await settleToEnd(service, request)).toMatchObject({ status: 'settled' })
    const attempts = await on.tables().selectFrom('attempt').select(['hash', 'nonce', 'status']).execute()
    const evidence = await on.tables().selectFrom('evidence').select('transaction').execute()
    expect(attempts).toMatchObject([{ hash: evidence[0]?.transaction, status: 'landed' }])
    await on.expectMoved(1)
    await expectLawful()
  },
)

test('C09, FP-11 killed when the receiver has taken a webhook, before that is written down: it is told again, with the same id', async () => {
  const ids: string[] = []
  const receiver = createServer((request, response) => {
    ids.push(String(request.headers['webhook-id']))
    response.end()
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const { port } = receiver.address() as AddressInfo
  const endpoint = `http://127.0.0.1:${port}/`
  const request = await on.pay()
  const { url, ended } = await startChild('FP-11', 'test', { GROAT_TEST_WEBHOOK: endpoint })
  await settleOver(url, request).catch(() => undefined)
  expect(await ended).toEqual([null, 'SIGKILL'])
  const waiting = () => on.tables().selectFrom('delivery').select('message').execute()
  expect(await waiting()).toEqual([{ message: ids[0] }])

  await startChild('', 'test', { GROAT_TEST_WEBHOOK: endpoint })
  await until(async () => (await waiting()).length === 0)
  expect([ids.length >= 2, new Set(ids).size]).toEqual([true, 1])
  receiver.closeAllConnections()
  receiver.close()
  await on.expectMoved(1)
}, 60_000)

test('C11, FP-13 killed at the start, while what is open is looked up: the one after that settles each exactly once', async () => {
  const requests = await Promise.all(Array.from({ length: 6 }, () => on.pay()))
  await on.chain.setAutomine(false)
  const first = await startChild('FP-07')
  await Promise.allSettled(requests.map((request) => settleOver(first.url, request)))
  expect(await first.ended).toEqual([null, 'SIGKILL'])
  await on.chain.mine()
  await on.chain.setAutomine(true)
  const second = await startChild('FP-13')
  expect(await second.ended).toEqual([null, 'SIGKILL'])

  const service = await on.serve()
  const outcomes = await Promise.all(requests.map((request) => settleToEnd(service, request)))
  expect(outcomes.map(({ status }) => status)).toEqual(requests.map(() => 'settled'))
  await on.expectMoved(6)
}, 60_000)

test('C11, ENG-12 killed while payments wait for their turn, and no block comes: the next one is ready all the same', async () => {
  const requests = await Promise.all([on.pay('payer', LONG), on.pay('payer2', LONG), on.pay('payer3', LONG)])
  await on.chain.setAutomine(false)
  const { child, url, ended } = await startChild('', 'test', { GROAT_TEST_DEPTH: '1' })
  const states = async () =>
    (await on.tables().selectFrom('settlement').select('state').execute()).map((row) => row.state)
  const present = (request: FacilitatorRequest) => settleOver(url, request).catch(() => undefined)
  const answers = [present(requests[0]!)]
  await until(async () => (await states()).includes('sent'))
  answers.push(...requests.slice(1).map(present))
  await until(async () => (await states()).filter((state) => state === 'claimed').length === 2)
  child.kill('SIGKILL')
  await ended
  await Promise.all(answers)

  const service = await on.serve()
  expect(await service.health()).toMatchObject({ ready: true })
  await on.chain.setAutomine(true)
  await on.chain.mine()
  const outcomes = await Promise.all(requests.map((request) => settleToEnd(service, request)))
  expect(outcomes.map(({ status }) => status)).toEqual(requests.map(() => 'settled'))
  await on.expectMoved(3)
}, 60_000)

test('C01 killed with 10 payments under way, the next one settles each exactly once', async () => {
  const requests = await Promise.all(Array.from({ length: 10 }, () => on.pay()))
  const { url, ended } = await startChild('FP-07:4')
  await Promise.allSettled(requests.map((request) => settleOver(url, request)))
  expect(await ended).toEqual([null, 'SIGKILL'])

  const service = await on.serve()
  const outcomes = await Promise.all(requests.map((request) => settleToEnd(service, request)))
  expect(outcomes.map(({ status }) => status)).toEqual(requests.map(() => 'settled'))
  await on.expectMoved(10)
  await expectLawful()
})

const ridesNow = () => on.tables().selectFrom('ride').select(['slot', 'settlement']).execute()

/** The bytes were in the journal at the kill, so what rode together then lands together; who was ready too late for it comes after. */
async function expectTogether(rides: Awaited<ReturnType<typeof ridesNow>>) {
  const evidence = await on.tables().selectFrom('evidence').select(['settlement', 'transaction']).execute()
  const landed = new Map(evidence.map(({ settlement, transaction }) => [settlement, transaction]))
  const together = new Set(rides.map(({ slot, settlement }) => `${slot} ${landed.get(settlement)}`))
  expect(together.size).toBe(new Set(rides.map(({ slot }) => slot)).size)
}

test.each(['FP-06:2', 'FP-07:2', 'FP-10:2'])(
  'C01, INV-7 killed at %s with a group under way, by EIP-3009 and by Permit2: the next one settles each exactly once',
  async (point) => {
    await on.approvePermit2('payer2')
    await on.approvePermit2('payer3')
    const [first, ...others] = await Promise.all([
      on.pay('payer', LONG),
      on.payByPermit2('payer2', LONG),
      on.payByPermit2('payer3', LONG),
      on.pay('payer4', LONG),
    ])
    await on.chain.setAutomine(false)
    const { url, ended } = await startChild(point, 'test', { GROAT_TEST_DEPTH: '1' })
    const rows = async (table: 'attempt' | 'settlement') =>
      (await on.tables().selectFrom(table).selectAll().execute()).length
    const present = (request: FacilitatorRequest) => settleOver(url, request).catch(() => undefined)
    const answers = [present(first!)]
    await until(async () => (await rows('attempt')) === 1)
    answers.push(...others.map(present))
    await until(async () => (await rows('settlement')) === 4)
    await mineUntil(ended)
    expect(await ended).toEqual([null, 'SIGKILL'])
    await Promise.all(answers)
    const rides = await ridesNow()
    await on.chain.setAutomine(true)
    await on.chain.mine()

    const service = await on.serve()
    const requests = [first!, ...others]
    const outcomes = await Promise.all(requests.map((request) => settleToEnd(service, request)))
    expect(outcomes.map(({ status }) => status)).toEqual(requests.map(() => 'settled'))
    await expectTogether(rides)
    await on.expectMoved(4)
    await expectLawful()
  },
  60_000,
)

test('A11, FP-12 killed when a dearer transaction is signed and not yet written down: one of that nonce lands, once', async () => {
  const request = await on.pay('payer', LONG)
  await on.chain.setAutomine(false)
  const { url, ended } = await startChild('FP-12')
  const answer = settleOver(url, request).catch(() => undefined)
  const attempts = () => on.tables().selectFrom('attempt').select(['nonce', 'status']).execute()
  await until(async () => (await attempts()).length === 1)
  await mineUntil(ended, 20n * GWEI)
  expect(await ended).toEqual([null, 'SIGKILL'])
  await answer
  expect(await attempts()).toHaveLength(1)

  const service = await on.serve()
  const outcome = settleToEnd(service, request)
  await mineUntil(outcome, 20n * GWEI)
  expect(await outcome).toMatchObject({ status: 'settled' })
  const signed = await attempts()
  expect([
    new Set(signed.map(({ nonce }) => nonce)).size,
    signed.filter(({ status }) => status === 'landed').length,
  ]).toEqual([1, 1])
  await on.expectMoved(1)
  await expectLawful()
}, 60_000)

/** Settled by the signer itself, in a group behind one that went alone. */
async function payUptoTogether(point: string) {
  await on.delegate()
  const keys = [1, 2, 3, 4].map((at) => `0x${at.toString(16).padStart(64, '0')}`)
  const [first, ...others] = await Promise.all(keys.map((key) => on.payUpto(key, 3600)))
  await on.chain.setAutomine(false)
  const batch = { GROAT_TEST_DEPTH: '1', GROAT_TEST_BATCH: SELF_BATCH }
  const { url, ended } = await startChild(point, 'test', batch)
  const rows = async (table: 'attempt' | 'settlement') =>
    (await on.tables().selectFrom(table).selectAll().execute()).length
  const present = (request: FacilitatorRequest) => settleOver(url, request).catch(() => undefined)
  const answers = [present(first!)]
  await until(async () => (await rows('attempt')) === 1)
  answers.push(...others.map(present))
  await until(async () => (await rows('settlement')) === 4)
  return { requests: [first!, ...others], ended, rows, answers: Promise.all(answers) }
}

const serveUpto = async () => {
  const chains = [await settlingChain(on.chain.rpcUrl, ['facilitator'])]
  return on.serve({ schemes: [exactEvm({ chains }), uptoEvm({ chains })] })
}

test.each(['FP-05:2', 'FP-06:2', 'FP-07:2'])(
  'C01, INV-7 killed at %s with a group of the signer to itself under way: the next one settles each exactly once',
  async (point) => {
    const { requests, ended, answers } = await payUptoTogether(point)
    await mineUntil(ended)
    expect(await ended).toEqual([null, 'SIGKILL'])
    await answers
    const rides = await ridesNow()
    await on.chain.setAutomine(true)
    await on.chain.mine()

    const service = await serveUpto()
    const outcomes = await Promise.all(requests.map((request) => settleToEnd(service, request)))
    expect(outcomes.map(({ status }) => status)).toEqual(requests.map(() => 'settled'))
    await expectTogether(rides)
    await on.expectMoved(4)
    await expectLawful()
  },
  60_000,
)

test('A11, FP-12 killed when a dearer group of the signer to itself is signed and not yet written down: one of that nonce lands, once', async () => {
  const { requests, ended, rows, answers } = await payUptoTogether('FP-12')
  const { address } = on.chain.account('facilitator')
  const numbers = (blockTag: 'latest' | 'pending') => on.chain.client.getTransactionCount({ address, blockTag })
  await until(async () => (await numbers('pending')) > (await numbers('latest')))
  // The first lands; the others are signed for what a block costs now, and no block comes until they are out.
  await on.chain.mine()
  await until(async () => (await rows('attempt')) === 2 && (await numbers('pending')) > (await numbers('latest')))
  await mineUntil(ended, 20n * GWEI)
  expect(await ended).toEqual([null, 'SIGKILL'])
  await answers
  const before = await rows('attempt')

  const service = await serveUpto()
  const evidence = () => on.tables().selectFrom('evidence').selectAll().execute()
  await mineUntil(
    until(async () => (await evidence()).length === 4),
    20n * GWEI,
  )
  const outcomes = await Promise.all(requests.map((request) => settleToEnd(service, request)))
  expect(outcomes.map(({ status }) => status)).toEqual(requests.map(() => 'settled'))
  expect(await rows('attempt')).toBeGreaterThan(before)
  await on.expectMoved(4)
  await expectLawful()
}, 60_000)

test('C12, ENG-17 SIGTERM with payments under way: who waits gets an answer, and it ends by itself', async () => {
  await on.chain.setIntervalMining(1)
  const requests = await Promise.all(Array.from({ length: 5 }, () => on.pay()))
  const { child, url, ended } = await startChild()
  const answers = requests.map((request) => settleOver(url, request).then((response) => response.json()))
  const sent = () =>
    on.tables().selectFrom('settlement').select('pid').where('state', 'in', ['sent', 'settled']).execute()
  await until(async () => (await sent()).length === 5)
  child.kill('SIGTERM')
  expect((await Promise.all(answers)).map(({ success }) => success)).toEqual(requests.map(() => true))
  expect(await ended).toEqual([0, null])
  await on.expectMoved(5)
})

test('a crash point does nothing outside tests', async () => {
  const { url } = await startChild('FP-01', 'production')
  expect((await settleOver(url, await on.pay())).status).toBe(200)
})
