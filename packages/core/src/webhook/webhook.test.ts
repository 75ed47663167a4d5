import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { publicAddresses, publicCall } from '../http/index.js'
import { checkWebhookTarget, createWebhookSender, signWebhook, verifyWebhook, webhookDelay } from './index.js'

const secret = 'a secret of 16 and more'
const now = 1_800_000_000_500

describe('signed messages', () => {
  test('are what everybody else who speaks Standard Webhooks makes', async () => {
    const mac = createHmac('sha256', secret).update('evt_1.1800000000.{"a":"ä"}').digest('base64')
    expect(await signWebhook({ id: 'evt_1', body: '{"a":"ä"}' }, [secret], now)).toEqual({
      'webhook-id': 'evt_1',
      'webhook-timestamp': '1800000000',
      'webhook-signature': `v1,${mac}`,
    })
  })

  test('count while they are fresh, by any of their signatures, and unchanged', async () => {
    const headers: Record<string, string> = await signWebhook(
      { id: 'evt_1', body: '{}' },
      ['another secret of mine', secret],
      now,
    )
    const check = (body: string, at: number, changed: Record<string, string> = {}, by = secret) =>
      verifyWebhook((name) => ({ ...headers, ...changed })[name], body, { secret: by, now: at })
    expect(
      await Promise.all([check('{}', now), check('{}', now + 299_000), check('{}', now, {}, 'another secret of mine')]),
    ).toEqual([true, true, true])
    expect(
      await Promise.all([
        check('{ }', now),
        check('{}', now + 302_000),
        check('{}', now - 302_000),
        check('{}', now, { 'webhook-id': 'evt_2' }),
        check('{}', now, { 'webhook-timestamp': '1800000001' }),
        check('{}', now, { 'webhook-signature': 'v1,' }),
        check('{}', now, {}, 'not the secret at all'),
      ]),
    ).toEqual(Array(7).fill(false))
  })

  test('are sent twelve times at the most, ever later', () => {
    const delays = Array.from({ length: 12 }, (_, i) => webhookDelay(i + 1, 0))
    expect(delays.slice(0, 3)).toEqual([5_000, 30_000, 120_000])
    expect(delays[11]).toBeUndefined()
    expect(webhookDelay(1, 1)).toBe(5_500)
  })
})

describe('targets', () => {
  test('are https without credentials, and their secret is long enough', () => {
    const bad = ['nonsense', 'ftp://x.example', 'https://user:pass@x.example', 'http://x.example']
    for (const url of bad) expect(() => checkWebhookTarget({ url, secrets: [secret] })).toThrow('invalid_config')
    expect(() => checkWebhookTarget({ url: 'https://x.example', secrets: ['short'] })).toThrow('invalid_config')
    checkWebhookTarget({ url: 'https://x.example/hook', secrets: [secret] })
    checkWebhookTarget({ url: 'http://127.0.0.1:1/hook', secrets: [secret] }, { allowPrivate: true })
  })

  const { isPublic } = publicAddresses(process.getBuiltinModule('node:net'), process.getBuiltinModule('node:dns'))

  test('that are private are told from public ones in every spelling', () => {
    const inside =
      '127.0.0.1 10.1.2.3 172.31.0.1 192.168.0.9 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255'
    const inside6 =
      '::1 :: ::ffff:127.0.0.1 ::ffff:8.8.8.8 fe80::1 fc00::1 64:ff9b::7f00:1 2002:7f00:1:: ff02::1 ::127.0.0.1'
    for (const address of [...inside.split(' '), ...inside6.split(' '), 'example.org', '']) {
      expect([address, isPublic(address)]).toEqual([address, false])
    }
    for (const address of ['8.8.8.8', '172.32.0.1', '2606:4700:4700::1111']) expect(isPublic(address)).toBe(true)
  })

  test('no address of a private network is public', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.constantFrom(10, 127), (ip, first) => {
        expect(isPublic([first, ...ip.split('.').slice(1)].join('.'))).toBe(false)
      }),
    )
  })

  test('on this machine get nothing unless that is allowed: by address, by a number, by name', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      asked += 1
      response.writeHead(asked === 2 ? 500 : asked === 3 ? 410 : 204).end()
    }).listen(0)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const call = publicCall()
    const request = { method: 'POST', headers: {}, body: '{}', timeoutMs: 5_000, maxBytes: 100 } as const
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost']) {
      await expect(call?.({ ...request, url: `http://${host}:${port}/` })).rejects.toThrow('no answer')
    }
    const target = { url: `http://127.0.0.1:${port}/`, secrets: [secret] } as const
    expect(await createWebhookSender().send(target, { id: 'e', body: '{}' })).toBe('failed')
    expect(asked).toBe(0)
    const sender = createWebhookSender({ allowPrivate: true })
    const send = () => sender.send(target, { id: 'e', body: '{}' })
    expect([await send(), await send(), await send()]).toEqual(['delivered', 'failed', 'gone'])
    server.closeAllConnections()
    server.close()
  })
})
