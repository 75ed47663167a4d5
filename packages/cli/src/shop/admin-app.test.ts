import { network, type Pid, paymentId } from '@groat/core'
import { createApiKey } from '@groat/facilitator'
import { createLedger } from '@groat/server/ledger'
import type { RefundAnswer, Refunds } from '@groat/server/refunds'
import { openMemoryStore } from '@groat/store'
import { expect, test } from 'vitest'
import { createShopAdmin } from './admin-app.js'

const pid = paymentId(['eip155:84532', '0xtoken', '0xpayer', '1', 'exact'])

test('a part of a payment in a token that nobody can count is not given back as another amount', async () => {
  const store = await openMemoryStore()
  const ledger = await createLedger(store)
  const sale = {
    ...{ pid, route: 'GET /a', resource: 'https://shop.example/a', scheme: 'exact', network: network('base-sepolia') },
    ...{ asset: `0x${'77'.repeat(20)}`, payer: '0xpayer', payTo: '0xseller', amount: 5_000_000n, at: Date.now() },
  }
  const receipt = { payer: '0xpayer', network: sale.network, transaction: '0xt' }
  await store.transaction((trx) => ledger.book.settled(trx as never, sale, receipt))
  const asked: { pid: Pid; amount?: bigint }[] = []
  const ask = async (wish: (typeof asked)[number]): Promise<RefundAnswer> => {
    asked.push(wish)
    return { ok: false, code: 'refund_not_found' }
  }
  const ann = createApiKey()
  const config = { tokens: { ann: ann.hash } }
  const app = createShopAdmin({ config: () => config as never, ledger, refunds: () => ({ ask }) as unknown as Refunds })
  const post = async (payment: string) => {
    const headers = { authorization: `Bearer ${ann.key}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ payment, amount: '5', reason: 'broken' })
    return (await app.request('/api/refunds', { method: 'POST', headers, body })).status
  }
  expect([await post(pid), asked]).toEqual([400, []])
  expect(await post(paymentId(['none', '0xtoken', '0xpayer', '2', 'exact']))).toBe(404)
  await store.close()
})

test('a token that is taken out of the file opens nothing any more', async () => {
  const store = await openMemoryStore()
  const ledger = await createLedger(store)
  const [ann, bob] = [createApiKey(), createApiKey()]
  let config: object | undefined = { tokens: { ann: ann.hash, bob: bob.hash } }
  const app = createShopAdmin({ config: () => config as never, ledger, refunds: () => undefined })
  const status = async (key: string) =>
    (await app.request('/api/refunds', { headers: { authorization: `Bearer ${key}` } })).status
  expect([await status(ann.key), await status(bob.key)]).toEqual([200, 200])
  config = { tokens: { bob: bob.hash } }
  expect([await status(ann.key), await status(bob.key)]).toEqual([401, 200])
  config = undefined
  expect(await status(bob.key)).toBe(403)
  await store.close()
})
