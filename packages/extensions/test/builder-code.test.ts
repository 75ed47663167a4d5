import type { Json, JsonObject, PaymentPayload } from '@groat/core'
import { namedServices } from '@groat/extensions/builder-code/client'
import { codesOf, decodeSuffix, encodeSuffix } from '@groat/extensions/builder-code/facilitator'
import { builderCodes } from '@groat/extensions/builder-code/server'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { codeOf, openShop, type TestShop } from './shop.js'

const KEY = 'builder-code'
const open: TestShop[] = []
afterEach(() => Promise.all(open.splice(0).map((shop) => shop.close())))

async function shopWith(declared: Json = { a: 'shop_app', s: ['srv_sdk'] }): Promise<TestShop> {
  const shop = await openShop({ price: '$0.001', extensions: { [KEY]: declared } }, { extensions: [builderCodes()] })
  open.push(shop)
  return shop
}
const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `s${i}`)

describe('a seller with codes', () => {
  test('EXT-CODE-001 announces its app and its services', async () => {
    expect((await (await shopWith()).challenge()).extensions?.[KEY]).toMatchObject({
      info: { a: 'shop_app', s: ['srv_sdk'] },
    })
  })

  const present = async (shop: TestShop, info: Json) =>
    shop.present(await shop.sign({ extensions: { [KEY]: { info } } }))

  test('EXT-CODE-002 takes services that a payer adds, and the app as it is', async () => {
    const shop = await shopWith()
    expect((await present(shop, { a: 'shop_app', s: ['agent', 'srv_sdk'] })).status).toBe(200)
    for (const info of [{ a: 'other_app', s: ['srv_sdk'] }, { s: ['srv_sdk'] }, { a: 'shop_app', s: ['agent'] }]) {
      expect(await codeOf(await present(shop, info))).toBe('extension_echo_mismatch')
    }
    expect(await codeOf(await present(await shopWith({}), { a: 'invented' }))).toBe('extension_echo_mismatch')
  })

  test('EXT-CODE-003 D20 refuses more than ten services, and what is no code, whatever it announced', async () => {
    for (const declared of [{ a: 'shop_app' }, { a: 'shop_app', s: ['srv_sdk'] }]) {
      const shop = await shopWith(declared)
      const own = 's' in declared ? ['srv_sdk'] : []
      expect((await present(shop, { a: 'shop_app', s: [...many(10 - own.length), ...own] })).status).toBe(200)
      for (const s of [
        [...many(11 - own.length), ...own],
        ['BAD CODE', ...own],
        [1, ...own],
        ['x'.repeat(33), ...own],
      ] as Json[]) {
        const answer = await present(shop, { a: 'shop_app', s })
        expect([
          answer.status,
          ['extension_echo_mismatch', 'extension_invalid'].includes(String(await codeOf(answer))),
        ]).toEqual([402, true])
      }
    }
  })

  test.each([null, 'shop', { a: 'BAD' }, { a: 'x', s: 'y' }, { s: many(6) }, { b: 'x' }] as Json[])(
    'EXT-CODE-001 declared as %j it stops the start',
    async (declared) => {
      await expect(shopWith(declared)).rejects.toMatchObject({ code: 'invalid_config' })
    },
  )
})

describe('a payer with services', () => {
  test('EXT-CODE-004 names its own before the seller’s, each once, and keeps the app', async () => {
    const announced: JsonObject = { info: { a: 'shop_app', s: ['srv_sdk', 'agent'] }, schema: {} }
    expect(await namedServices(['agent', 'mine']).attach?.(announced, {} as never)).toEqual({
      info: { a: 'shop_app', s: ['agent', 'mine', 'srv_sdk'] },
      schema: {},
    })
    expect(await namedServices([]).attach?.({ info: {} }, {} as never)).toEqual({ info: {} })
    expect(() => namedServices(many(6))).toThrow(expect.objectContaining({ code: 'invalid_config' }))
    expect(() => namedServices(['Bad'])).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  })
})

describe('suffixes', () => {
  const MARK = '80218021802180218021802180218021'
  test.each([
    [{ a: 'shop_app' }, 'a161616873686f705f617070000c02'],
    [{ a: 'shop_app', w: 'fac_one' }, 'a261616873686f705f6170706177676661635f6f6e65001602'],
    [
      { a: 'shop_app', w: 'fac_one', s: ['agent_sdk', 'srv_sdk'] },
      'a361616873686f705f6170706177676661635f6f6e65617382696167656e745f73646b677372765f73646b002b02',
    ],
    [{ s: ['solo'] }, 'a161738164736f6c6f000902'],
  ])('EXT-CODE-005 of %j is that of the vector', (codes, hex) => {
    expect(encodeSuffix(codes)).toBe(`0x${hex}${MARK}`)
    expect(decodeSuffix(`0xdeadbeef${hex}${MARK}`)).toEqual(codes)
  })

  test('EXT-CODE-005 is 469 bytes at the most', () => {
    const code = 'x'.repeat(32)
    const suffix = encodeSuffix({
      a: code,
      w: code,
      s: Array.from({ length: 11 }, (_, i) => code.slice(2) + String(i).padStart(2, '0')),
    })
    expect(((suffix?.length ?? 0) - 2) / 2).toBe(469)
    expect(encodeSuffix({})).toBeUndefined()
  })

  test('EXT-CODE-005 are read back whatever the codes are, and nothing is read from other bytes', () => {
    const code = fc.stringMatching(/^[a-z0-9_]{1,32}$/)
    fc.assert(
      fc.property(
        fc.record({
          a: fc.option(code, { nil: undefined }),
          w: fc.option(code, { nil: undefined }),
          s: fc.array(code, { maxLength: 11 }),
        }),
        fc.uint8Array({ maxLength: 80 }),
        ({ a, w, s }, noise) => {
          const codes = { ...(a && { a }), ...(w && { w }), ...(s.length > 0 && { s }) }
          const suffix = encodeSuffix(codes)
          if (suffix === undefined) return
          const call = Buffer.from(noise).toString('hex')
          expect(decodeSuffix(`0x${call}${suffix.slice(2)}`)).toEqual(codes)
          expect(decodeSuffix(`0x${call}`)).toBeUndefined()
          // Cut anywhere, it is none.
          expect(decodeSuffix(`0x${suffix.slice(4)}`)).toBeUndefined()
        },
      ),
    )
  })

  test('EXT-CODE-006 leave out what is no code, and add the facilitator’s', () => {
    const payment = {
      x402Version: 2,
      extensions: { [KEY]: { info: { a: 'shop_app', s: ['agent_sdk', 'srv_sdk', 'BAD CODE'] } } },
    } as unknown as PaymentPayload
    const codes = codesOf(payment, { wallet: 'fac_one', service: 'fac_svc' })
    expect(codes).toEqual({ a: 'shop_app', w: 'fac_one', s: ['agent_sdk', 'srv_sdk', 'fac_svc'] })
    expect(encodeSuffix(codes)?.slice(-38, -34)).toBe('0033')
    expect(codesOf({ ...payment, x402Version: 1 })).toEqual({})
  })
})
