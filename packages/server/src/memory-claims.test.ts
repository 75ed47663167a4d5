import { network, type Pid, paymentId, type Receipt, X402Error } from '@groat/core'
import { expect, test } from 'vitest'
import type { ClaimRequest, ClaimStore, ClaimToken } from './claims.js'
import { createMemoryClaims } from './memory-claims.js'

const pidOf = (n: number): Pid => paymentId(['test', String(n)])
const request = (n: number): ClaimRequest => ({ pid: pidOf(n), binding: 'b', expiresAt: 2_000_000_000, leaseMs: 1_000 })
const receipt: Receipt = { payer: '0x1', network: network('base'), transaction: '0x2' }
const KIB = 1024

async function claim(claims: ClaimStore, n: number): Promise<ClaimToken> {
  const outcome = await claims.claim(request(n))
  if (outcome.status !== 'claimed') throw new Error(outcome.status)
  return outcome.token
}

async function deliver(claims: ClaimStore, n: number, bytes: number): Promise<void> {
  const token = await claim(claims, n)
  await claims.settling(token, { status: 200, headers: {}, body: new Uint8Array(bytes) }, 1_000)
  await claims.settled(token, receipt, `e${n}`)
}

test('answers that are settled give way, the oldest first, and their payments stay used', async () => {
  const claims = createMemoryClaims({ singleProcess: true, maxBytes: 64 * KIB })
  for (let n = 0; n < 10; n++) await deliver(claims, n, 10 * KIB)
  const kept = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => 'answer' in (await claims.claim(request(n)))),
  )
  expect(kept).toEqual([false, false, false, false, false, true, true, true, true, true])
  expect(await claims.claim(request(0))).toEqual({ status: 'settled', receipt })
})

test('what is not settled never gives way: new claims are refused instead', async () => {
  const claims = createMemoryClaims({ singleProcess: true, maxBytes: 32 * KIB })
  const tokens: ClaimToken[] = []
  for (let n = 0; n < 32; n++) tokens.push(await claim(claims, n))
  const full = await claims.claim(request(99)).catch((error: unknown) => error)
  expect(X402Error.is(full) && full.code).toBe('store_unavailable')
  const [first] = tokens
  await expect(claims.settling(first!, { status: 200, headers: {}, body: 'x' }, 1_000)).rejects.toThrow()
  await claims.release(tokens[1]!)
  await claim(claims, 99)
})

test('answers that nobody has come for since their payment expired give way too, and are made again if somebody comes', async () => {
  let now = 2_000_000_000_000 - 60_000
  const claims = createMemoryClaims({ singleProcess: true, maxBytes: 60 * KIB, clock: () => now })
  const big = { status: 200, headers: {}, body: new Uint8Array(20 * KIB) }
  for (let n = 0; n < 2; n++) await claims.settling(await claim(claims, n), big, 1_000)
  const more = async (): Promise<boolean> => {
    const token = await claim(claims, 9)
    const kept = await claims.settling(token, big, 1_000).catch(() => false)
    await claims.release(token)
    return kept
  }
  expect(await more()).toBe(false)
  now += 60_000 + 14 * 60_000
  expect(await more()).toBe(false)
  now += 60_000
  expect(await more()).toBe(true)
  const found = await claims.claim(request(0))
  expect(found).toEqual({ status: 'settling', token: expect.anything() })
  if (found.status === 'settling') await claims.settled(found.token, receipt, 'e')
  now += 1_000
  expect(await claims.claim(request(0))).toMatchObject({ status: 'open', receipt })
})

test('a program that does not say that it is alone does not compile, and does not run', () => {
  // @ts-expect-error: memory must be asked for by name.
  expect(() => createMemoryClaims({ maxBytes: 1 })).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  // @ts-expect-error: a map is no claim store.
  const store: ClaimStore = new Map()
  expect(store).toBeDefined()
})
