import { expect, test } from 'vitest'
import { useSvm } from '../../../test/svm-kit.js'

const on = useSvm()
const ask = (id: unknown, method = 'getHealth', params: unknown = []) => ({ jsonrpc: '2.0', id, method, params })
const ok = (id: unknown) => ({ jsonrpc: '2.0', result: 'ok', id })
const failed = (id: unknown, code: number, message = expect.any(String)) => ({
  jsonrpc: '2.0',
  error: { code, message },
  id,
})

test.each([
  ['"0"', '0'],
  ['7', 7],
  ['null', null],
])('echoes the id %s', async (_, id) => {
  expect(await on.post(ask(id))).toEqual({ status: 200, body: ok(id) })
})

test('answers a batch in its order', async () => {
  const { body } = await on.post([ask('a'), ask('b', 'nothing'), ask(3)])
  expect(body).toEqual([ok('a'), failed('b', -32601, 'Method not found'), ok(3)])
})

test('does not answer notifications', async () => {
  const { id: _, ...notification } = ask(1)
  expect(await on.post(notification)).toEqual({ status: 200, body: '' })
  expect(await on.post([notification, ask(2)])).toEqual({ status: 200, body: [ok(2)] })
})

test.each([
  ['text that is no JSON', '{', -32700],
  ['a number', '7', -32600],
  ['another JSON-RPC', '{"jsonrpc":"1.0","id":1,"method":"getHealth"}', -32600],
  ['no method', '{"jsonrpc":"2.0","id":1}', -32600],
])('%s', async (_, text, code) => {
  expect((await on.post(text)).body).toMatchObject({ error: { code }, id: null })
})

test('parameters are by position', async () => {
  expect((await on.post(ask(1, 'getSlot', { commitment: 'processed' }))).body).toEqual(failed(1, -32602))
  expect((await on.post('{"jsonrpc":"2.0","id":1,"method":"getHealth"}')).body).toEqual(ok(1))
})

test('wants POST and JSON, and not too much of it', async () => {
  expect((await fetch(on.chain.rpcUrl)).status).toBe(405)
  expect((await on.post(ask(1), { 'content-type': 'text/plain' })).status).toBe(415)
  expect((await on.post(ask(1), { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200)
  expect((await on.post(ask(1, 'getHealth', ['x'.repeat(60_000)]))).status).toBe(413)
})

test('pages of any origin may ask', async () => {
  const preflight = await fetch(on.chain.rpcUrl, {
    method: 'OPTIONS',
    headers: {
      origin: 'http://shop.test',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    },
  })
  expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
})

test('numbers are bare integers, however long', async () => {
  const response = await fetch(on.chain.rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ask(1, 'getAccountInfo', [on.chain.usdc, { encoding: 'base64' }])),
  })
  expect(await response.text()).toContain('"rentEpoch":18446744073709551615')
})
