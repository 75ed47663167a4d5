import { defineExtension, type ExtensionFacilitator, encodeFacilitatorRequest, type JsonObject } from '@groat/core'
import { describe, expect, test } from 'vitest'
import { createFacilitatorApp } from '../src/index.js'
import { makePayment } from './fake-chain.js'

const extension = defineExtension({ key: 'test', info: {}, fresh: ['at'] })
const announce: JsonObject = { info: { a: 1 }, schema: {} }

describe('a facilitator with extensions', () => {
  const service = {
    verify: async () => ({ ok: true, payer: '0x1' }),
    settle: async () => ({ status: 'settled', receipt: { payer: '0x1', network: 'eip155:84532', transaction: '0x2' } }),
    supported: async () => ({ kinds: [], extensions: ['known'], signers: {} }),
    inspect: () => ({ ok: false, code: 'invalid_payload' }),
    schemes: [],
  } as never
  const ask = async (observe: ExtensionFacilitator['observe'], path: string, extensions: JsonObject) => {
    const faults: unknown[] = []
    const app = createFacilitatorApp(service, {
      extensions: [{ extension, observe }],
      onFault: (fault) => faults.push(fault),
    })
    const { payment, requirements } = makePayment()
    const body = encodeFacilitatorRequest({ payment: { ...payment, extensions }, requirements })
    const answer = await app.fetch(
      new Request(`http://f/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
    const header = answer.headers.get('extension-responses')
    return { answer: await answer.json(), said: header && JSON.parse(Buffer.from(header, 'base64').toString()), faults }
  }

  test('EXT-007 hears what they say of payments that name them, and of no others', async () => {
    const seen: string[] = []
    const observe: ExtensionFacilitator['observe'] = ({ during }) => {
      seen.push(during)
      return { status: 'processing' }
    }
    for (const path of ['verify', 'settle'])
      expect((await ask(observe, path, { test: announce })).said).toEqual({ test: { status: 'processing' } })
    expect((await ask(observe, 'verify', { other: announce })).said).toBeNull()
    expect(seen).toEqual(['verify', 'settle'])
  })

  test('EXT-007 settles all the same when one of them fails', async () => {
    const { answer, said, faults } = await ask(() => Promise.reject(new Error('index')), 'settle', { test: announce })
    expect([answer, said, faults.length]).toEqual([expect.objectContaining({ success: true }), null, 1])
  })

  test('EXT-007 names them among what it supports', async () => {
    const app = createFacilitatorApp(service, { extensions: [{ extension, observe: () => undefined }] })
    expect(await (await app.fetch(new Request('http://f/supported'))).json()).toMatchObject({
      extensions: ['known', 'test'],
    })
  })
})
