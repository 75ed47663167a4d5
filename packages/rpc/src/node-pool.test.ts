import { expect, test } from 'vitest'
import { createNodePool } from './node-pool.js'

const options = { clock: () => 0, jitter: () => 0, maxLag: 8n }

test('questions that fail together are one failure, and those that overlap without end are not', () => {
  let now = 0
  const pool = createNodePool({ ...options, urls: ['http://one.example'], clock: () => now })
  const [node] = pool.nodes
  const fail = (began: number, at: number) => {
    now = at
    pool.failed(node!, { code: 'rpc_unreachable', began, restMs: 0 })
  }
  for (let at = 0; at < 5; at++) fail(0, 3000 + at)
  expect(pool.status()).toMatchObject([{ state: 'failing', failures: 1 }])
  // Two that ask anew whenever they have waited for three seconds, half of that apart.
  for (let at = 4500; at <= 30_000; at += 1500) fail(at - 3000, at)
  expect(pool.status()).toMatchObject([{ state: 'down' }])
})

test('a node that hangs is down when it has answered nothing for some seconds, and not before it failed again', () => {
  let now = 0
  const pool = createNodePool({ ...options, urls: ['http://one.example'], clock: () => now })
  const [node] = pool.nodes
  const fail = (began: number, at: number) => {
    now = at
    pool.failed(node!, { code: 'rpc_unreachable', began, restMs: 0 })
    return pool.status()[0]?.state
  }
  expect([fail(0, 3000), fail(3100, 6100), fail(6300, 9300)]).toEqual(['failing', 'failing', 'down'])
  expect(pool.order()).toEqual([])
  pool.succeeded(node!, 1)
  expect([pool.status()[0]?.state, fail(60_000, 63_000)]).toEqual(['up', 'failing'])
})
