import { network, type Pid, paymentId, type Receipt } from '@groat/core'
import type { Answer, ClaimOutcome, ClaimRequest, ClaimStore, ClaimToken } from '@groat/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** A claim store under test, with a clock that the test moves. */
export type ClaimStoreUnderTest = {
  readonly claims: ClaimStore
  /** The same claims as another process sees them, where there can be one. */
  readonly other: ClaimStore
  later(ms: number): void
  close(): Promise<void>
}

/** What every claim store does. */
export function describeClaims(name: string, open: () => Promise<ClaimStoreUnderTest>): void {
  describe(`claims in ${name}`, () => {
    const start = 1_800_000_000_000
    let store: ClaimStoreUnderTest
    let count = 0

    beforeEach(async () => {
      store = await open()
    })
    afterEach(() => store.close())

    const newPid = (): Pid => paymentId(['eip155:84532', '0xasset', '0xpayer', String(++count), 'exact'])
    const request = (pid: Pid, more: Partial<ClaimRequest> = {}): ClaimRequest => ({
      pid,
      binding: 'GET /weather',
      expiresAt: start / 1000 + 300,
      leaseMs: 10_000,
      ...more,
    })
    const answer: Answer = {
      status: 201,
      headers: { 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] },
      removed: ['x-powered-by'],
      trailers: { 'x-sum': '1' },
      body: new Uint8Array([0, 1, 2, 254, 255]),
    }
    const receipt: Receipt = {
      payer: '0xpayer',
      network: network('base-sepolia'),
      transaction: '0xabc',
      amount: 2n ** 200n,
      extra: { logIndex: 3 },
    }
    const tokenOf = (outcome: ClaimOutcome): ClaimToken => {
      if (!('token' in outcome)) throw new Error(outcome.status)
      return outcome.token
    }
    const claimed = async (pid: Pid, more?: Partial<ClaimRequest>): Promise<ClaimToken> =>
      tokenOf(await store.claims.claim(request(pid, more)))

    test('SRV-003 of many who claim at once, one gets it', async () => {
      const pid = newPid()
      const outcomes = await Promise.all(
        Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? store.claims : store.other).claim(request(pid))),
      )
      expect(outcomes.filter(({ status }) => status === 'claimed')).toHaveLength(1)
      expect(outcomes.filter(({ status }) => status === 'busy')).toHaveLength(29)
    })

    test('from claim to settled, and then the answer as often as it is asked for', async () => {
      const pid = newPid()
      const token = await claimed(pid)
      expect(await store.claims.settling(token, answer, 10_000)).toBe(true)
      expect(await store.other.claim(request(pid))).toEqual({ status: 'busy' })
      expect(await store.claims.settled(token, receipt, 'e1')).toBe(true)
      for (const claims of [store.claims, store.other, store.claims]) {
        expect(await claims.claim(request(pid))).toEqual({ status: 'settled', receipt, answer })
        expect(await claims.claim(request(pid, { binding: 'GET /news' }))).toEqual({ status: 'mismatch' })
      }
      await store.claims.release(token)
      expect(await store.claims.claim(request(pid))).toMatchObject({ status: 'settled' })
    })

    test('what is released is as if it had never been', async () => {
      const pid = newPid()
      await store.claims.release(await claimed(pid))
      const token = await claimed(pid, { binding: 'GET /news' })
      expect(await store.claims.settling(token, answer, 10_000)).toBe(true)
      await store.claims.release(token)
      expect(await store.claims.claim(request(pid))).toMatchObject({ status: 'claimed' })
    })

    test('a claim whose holder died before it settled is taken over when its lease is over, and the dead stay dead', async () => {
      const pid = newPid()
      const dead = await claimed(pid)
      store.later(9_999)
      expect(await store.claims.claim(request(pid))).toEqual({ status: 'busy' })
      expect(await store.claims.claim(request(pid, { binding: 'GET /news' }))).toEqual({ status: 'busy' })
      store.later(1)
      const heir = await claimed(pid, { binding: 'GET /news' })
      expect(await store.claims.settling(dead, answer, 10_000)).toBe(false)
      await store.claims.release(dead)
      await store.claims.pause(dead, false)
      expect(await store.claims.claim(request(pid))).toEqual({ status: 'busy' })
      expect(await store.claims.settling(heir, answer, 10_000)).toBe(true)
      expect(await store.claims.settled(heir, receipt, 'e1')).toBe(true)
      expect(await store.claims.claim(request(pid, { binding: 'GET /news' }))).toMatchObject({ status: 'settled' })
    })

    test('a slow holder that nobody has replaced may still settle', async () => {
      const pid = newPid()
      const slow = await claimed(pid)
      store.later(60_000)
      expect(await store.claims.settling(slow, answer, 10_000)).toBe(true)
      expect(await store.claims.claim(request(pid))).toEqual({ status: 'busy' })
    })

    test('SRV-021 a claim that may have been settled is never worked for again, only settled again', async () => {
      const pid = newPid()
      const dead = await claimed(pid)
      await store.claims.settling(dead, answer, 10_000)
      store.later(10_000)
      expect(await store.claims.claim(request(pid, { binding: 'GET /news' }))).toEqual({ status: 'mismatch' })
      const again = await store.claims.claim(request(pid))
      expect(again).toMatchObject({ status: 'settling', answer })
      expect(await store.claims.claim(request(pid))).toEqual({ status: 'busy' })
      await store.claims.pause(tokenOf(again), false)
      const third = await store.claims.claim(request(pid))
      expect(third).toMatchObject({ status: 'settling', answer })
      // What the one who was taken for dead learns of is true all the same.
      expect(await store.claims.settled(dead, receipt, 'e1')).toBe(true)
      expect(await store.claims.settled(tokenOf(third), receipt, 'e1')).toBe(true)
      expect(await store.claims.claim(request(pid))).toMatchObject({ status: 'settled' })
    })

    test('SRV-025 what is paid for first is owed until it is delivered, to whoever presents the same payment', async () => {
      const pid = newPid()
      const token = await claimed(pid)
      expect(await store.claims.settling(token, undefined, 10_000)).toBe(true)
      store.later(10_000)
      const again = await store.claims.claim(request(pid))
      expect(again).toEqual({ status: 'settling', token: tokenOf(again) })
      const holder = tokenOf(again)
      expect(await store.claims.settled(holder, receipt, 'e1')).toBe(true)
      expect(await store.other.claim(request(pid))).toEqual({ status: 'busy' })
      await store.claims.release(holder)
      await store.claims.pause(holder, false)
      expect(await store.other.claim(request(pid, { binding: 'GET /news' }))).toEqual({ status: 'mismatch' })
      const second = await store.other.claim(request(pid))
      expect(second).toMatchObject({ status: 'open', receipt, partly: 0 })
      // Who was taken for dead closes nothing.
      await store.claims.delivered(holder, answer)
      await store.other.pause(tokenOf(second), true)
      const third = await store.claims.claim(request(pid))
      expect(third).toMatchObject({ status: 'open', partly: 1 })
      await store.claims.delivered(tokenOf(third), answer)
      expect(await store.other.claim(request(pid))).toEqual({ status: 'settled', receipt, answer })
    })

    test('what was delivered and not kept is known, and is not delivered again', async () => {
      const token = await claimed(newPid())
      await store.claims.settling(token, undefined, 10_000)
      await store.claims.settled(token, receipt, 'e1')
      await store.claims.delivered(token, undefined)
      expect(await store.claims.claim(request(token.pid))).toEqual({ status: 'settled', receipt })
    })

    test('SRV-025 what is owed is kept long after its payment has expired', async () => {
      const token = await claimed(newPid())
      await store.claims.settling(token, undefined, 10_000)
      await store.claims.settled(token, receipt, 'e1')
      store.later(7 * 24 * 3_600_000)
      await claimed(newPid(), { expiresAt: start / 1000 + 8 * 24 * 3_600 })
      expect(await store.claims.claim(request(token.pid))).toMatchObject({ status: 'open', receipt })
    })

    test('evidence stands for one payment', async () => {
      const [first, second] = [await claimed(newPid()), await claimed(newPid())]
      await store.claims.settling(first, answer, 10_000)
      await store.claims.settling(second, answer, 10_000)
      expect(await store.claims.settled(first, receipt, 'same')).toBe(true)
      expect(await store.claims.settled(second, receipt, 'same')).toBe(false)
      await store.claims.pause(second, false)
      expect(await store.claims.claim(request(second.pid))).toMatchObject({ status: 'settling' })
      expect(await store.claims.settled(second, receipt, 'other')).toBe(true)
    })

    test('15 minutes after a payment has expired its answer is not kept, and neither is a claim that came to nothing', async () => {
      const token = await claimed(newPid())
      await claimed(newPid())
      await store.claims.settling(token, answer, 10_000)
      await store.claims.settled(token, receipt, 'e1')
      store.later(400_000)
      await claimed(newPid(), { expiresAt: start / 1000 + 2_000 })
      expect(await store.claims.claim(request(token.pid))).toMatchObject({ status: 'settled', answer })
      store.later(900_000)
      await claimed(newPid(), { expiresAt: start / 1000 + 2_000 })
      const late = await store.claims.claim(request(token.pid, { expiresAt: start / 1000 + 2_000 }))
      expect('answer' in late).toBe(false)
    })

    test('an answer that may have been paid for is kept for a day after its payment has expired', async () => {
      const token = await claimed(newPid())
      await store.claims.settling(token, answer, 10_000)
      store.later(23 * 3_600_000)
      await claimed(newPid(), { expiresAt: start / 1000 + 8 * 24 * 3_600 })
      expect(await store.claims.claim(request(token.pid))).toMatchObject({ status: 'settling', answer })
    })

    test('what is charged is kept with what may have been paid for, longer than the answer', async () => {
      const token = await claimed(newPid())
      await store.claims.settling(token, { ...answer, charged: '7' }, 10_000)
      store.later(7 * 24 * 3_600_000)
      await claimed(newPid(), { expiresAt: start / 1000 + 8 * 24 * 3_600 })
      const found = await store.claims.claim(request(token.pid))
      expect(found).toMatchObject({ status: 'settling', charged: '7' })
      expect(await store.claims.settled(tokenOf(found), receipt, 'e1')).toBe(true)
    })

    test('SRV-027 what was claimed is taken up again for the same binding, and nothing is claimed by it', async () => {
      const { pid } = await claimed(newPid())
      const resume = (binding = 'GET /weather', of = pid) => store.other.resume({ pid: of, binding, leaseMs: 10_000 })
      expect(await resume('GET /weather', newPid())).toBeUndefined()
      expect(await resume()).toBeUndefined()
      store.later(10_000)
      expect(await resume()).toBeUndefined()
      const token = await claimed(pid)
      await store.claims.settling(token, answer, 10_000)
      expect(await resume()).toEqual({ status: 'busy' })
      expect(await resume('GET /news')).toBeUndefined()
      await store.claims.pause(token, false)
      const again = await resume()
      expect(again).toMatchObject({ status: 'settling', answer })
      await store.claims.settled(token, receipt, 'e1')
      expect(await resume()).toEqual({ status: 'settled', receipt, answer })
    })

    test('SRV-035 a lease is lengthened while an answer leaves, and what is charged is written down before it is settled', async () => {
      const token = await claimed(newPid())
      expect(await store.claims.renew(token, 10_000)).toBe(false)
      await store.claims.settling(token, undefined, 10_000)
      store.later(8_000)
      expect(await store.claims.renew(token, 10_000, '7')).toBe(true)
      store.later(8_000)
      expect(await store.other.claim(request(token.pid))).toEqual({ status: 'busy' })
      store.later(3_000)
      const found = await store.other.claim(request(token.pid))
      expect(found).toMatchObject({ status: 'settling', charged: '7' })
      expect(await store.claims.renew(token, 10_000)).toBe(false)
      await store.claims.settled(tokenOf(found), receipt, 'e1')
      expect(await store.claims.renew(tokenOf(found), 10_000)).toBe(true)
      await store.claims.delivered(tokenOf(found), answer)
      expect(await store.claims.claim(request(token.pid))).toEqual({ status: 'settled', receipt, answer })
    })

    test('SRV-036 of money that was paid in advance no more is taken than there is, by however many at once', async () => {
      const pid = newPid()
      const credit = 10n ** 30n
      const { entitlements } = store.claims
      expect(await entitlements.grant({ pid, scope: 's', credit, proof: '{}' })).toEqual({ credit })
      const most = credit / 8n + 1n
      const uses = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 === 0 ? store.claims : store.other).entitlements.redeem(pid, 's', { most }),
        ),
      )
      expect(uses.reduce((sum, use) => sum + (use?.taken ?? 0n), 0n)).toBe(credit)
      expect(uses.filter((use) => use !== undefined)).toHaveLength(8)
      await Promise.all(Array.from({ length: 5 }, () => store.other.entitlements.giveBack(pid, { credit: 3n })))
      expect(await entitlements.redeem(pid, 's', { most: 10n })).toEqual({ credit: 5n, taken: 10n, proof: '{}' })
      expect(await entitlements.redeem(pid, 's', { most: 10n })).toEqual({ credit: 0n, taken: 5n, proof: '{}' })
      expect(await entitlements.redeem(pid, 's', { most: 10n })).toBeUndefined()
    })

    test('SRV-028 a store has one name for all who share it', async () => {
      expect(store.claims.audience).toMatch(/^[0-9a-f-]{18}$/)
      expect(store.other.audience).toBe(store.claims.audience)
    })
  })
}
