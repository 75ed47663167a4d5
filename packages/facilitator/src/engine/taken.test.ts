import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTaken } from './taken.js'

/** A chain whose numbers go up to `mined`; it does not answer where that is `undefined`. */
function signer(mined = 7n) {
  const world: { now: number; mined: bigint | undefined; questions: number } = { now: 1000, mined, questions: 0 }
  const minedNonce = async () => {
    world.questions += 1
    if (world.mined === undefined) throw new Error('no answer')
    return world.mined
  }
  const taken = createTaken({ chain: { minedNonce }, signer: '0xf1', clock: () => world.now, lag: 5000 })
  const isGone = (nonce = 7n) => taken.isGone({ nonce })
  /** What is said of number 7 when so much time has passed, and the chain stands there. */
  const after = (milliseconds: number, stands = world.mined) => {
    world.now += milliseconds
    world.mined = stands
    return isGone()
  }
  return { world, isGone, after, saw: taken.saw }
}

test('INV-8 a number is gone when that was seen for as long as every node needs to show what it went to', async () => {
  const { isGone, after } = signer(7n)
  expect(await after(0)).toBe(false)
  expect(await after(1000, 8n)).toBe(false)
  expect(await after(4999)).toBe(false)
  expect(await after(1000)).toBe(true)
  expect(await isGone(8n)).toBe(false)
})

test('what somebody else was answered counts too: of blocks that were undone in between it begins anew', async () => {
  const { world, after, saw } = signer(8n)
  expect(await after(0)).toBe(false)
  world.now += 6000
  saw(7n)
  expect(await after(1000)).toBe(false)
  expect(await after(5000)).toBe(true)
})

test('one answer that is too high takes nothing', async () => {
  const { isGone, after } = signer(800n)
  expect(await after(0)).toBe(false)
  expect(await after(6000, 7n)).toBe(false)
  expect(await after(1000, 8n)).toBe(false)
  expect(await isGone(70n)).toBe(false)
})

test('a number that was free in between was not gone, and one below it was', async () => {
  const { isGone, after } = signer(8n)
  expect(await after(0)).toBe(false)
  expect(await after(3000, 7n)).toBe(false)
  expect(await after(3000, 8n)).toBe(false)
  expect(await isGone(6n)).toBe(true)
})

test('a node that does not answer says nothing, and neither does a chain without such numbers', async () => {
  const { world, after } = signer(8n)
  expect(await after(0)).toBe(false)
  world.mined = undefined
  expect(await after(6000)).toBe(false)
  expect(await after(1000, 8n)).toBe(true)
  const without = createTaken({ chain: {}, signer: '0xf1', clock: () => 0, lag: 5000 })
  expect(await without.isGone({ nonce: 0n })).toBe(false)
  expect(await without.isGone({})).toBe(false)
})

test('many that ask share an answer', async () => {
  const { world, isGone } = signer(8n)
  await Promise.all(Array.from({ length: 50 }, (_, nonce) => isGone(BigInt(nonce))))
  world.now += 999
  await isGone()
  expect(world.questions).toBe(1)
})

test('INV-8 gone is what every answer of at least five seconds has said, whatever is answered', async () => {
  const answer = fc.record({
    mined: fc.option(fc.bigInt({ min: 0n, max: 12n }), { nil: undefined, freq: 10 }),
    after: fc.integer({ min: 1000, max: 4000 }),
  })
  const rises = fc.array(answer, { minLength: 3, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(rises, fc.boolean(), async (answers, isSorted) => {
      const { world, isGone } = signer()
      const said: { readonly mined: bigint; readonly at: number }[] = []
      for (const [place, { mined, after }] of answers.entries()) {
        world.now += after
        world.mined = isSorted && mined !== undefined ? BigInt(place) : mined
        for (let nonce = 0n; nonce < 12n; nonce++) {
          const gone = await isGone(nonce)
          if (nonce === 0n && world.mined !== undefined) said.push({ mined: world.mined, at: world.now })
          const last = said.findLastIndex((each) => each.mined <= nonce)
          const since = said[last + 1]?.at ?? Number.POSITIVE_INFINITY
          expect(gone).toBe(world.mined !== undefined && world.now - since >= 5000)
        }
      }
    }),
  )
})
