import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createWebhookDesk } from '@groat/facilitator'
import { openStore } from '@groat/store'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recordedIo } from '../../test/io.js'
import { runWebhooks } from './webhooks.js'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-webhooks-'))
  file = join(folder, 'pay.yaml')
  await writeFile(
    file,
    `store: pay.db
networks: {}
tenants:
  shop: { webhook: { url: "https://hooks.example/path?key=secret", secrets: ["\${NOT_SET}"] } }
  other: { webhook: { url: "\${NOT_SET}" } }
webhooks: { operator: { url: "https://me.example/" } }
`,
  )
})
afterEach(() => rm(folder, { recursive: true }))

test('says of each endpoint where it is, what waits, what it answered last and when it is tried next', async () => {
  const store = await openStore(join(folder, 'pay.db'))
  await createWebhookDesk(store)
  const at = Date.UTC(2026, 0, 31)
  const idle = recordedIo()
  expect(await runWebhooks(file, {}, idle)).toBe(0)
  expect(idle.written()).toContain('nothing waits to be told\n')
  const delivery = {
    ...{ id: '1', message: '1', endpoint: 'tenant.shop', pid: 'p', turn: 0, status: 'waiting', tries: 1, due_at: at },
    ...{ owner: null, lease_until: 0, said: '503', created_at: 0 },
  }
  const message = { id: '1', topic: 'settled', pid: 'p', payload: '{}', turn: 0, created_at: 0, published_at: null }
  const tables = store.withTables<{ delivery: typeof delivery; outbox: typeof message }>()
  await tables.transaction(async (trx) => {
    await trx.insertInto('outbox').values(message).execute()
    await trx.insertInto('delivery').values(delivery).execute()
  })
  await store.close()
  const io = recordedIo()
  expect(await runWebhooks(file, {}, io)).toBe(0)
  expect(io.written().split('\n').toSorted()).toEqual(
    [
      'tenant.shop  hooks.example  1 waiting  last answer 503 (1 try), next try 2026-01-31T00:00:00.000Z',
      'operator  me.example  0 waiting',
      '',
    ].toSorted(),
  )
  const asJson = recordedIo()
  await runWebhooks(file, { json: true }, asJson)
  expect(JSON.parse(asJson.written()).endpoints).toContainEqual({
    ...{ endpoint: 'tenant.shop', host: 'hooks.example', waiting: 1, dead: 0 },
    next: { tries: 1, said: '503', at },
  })
})
