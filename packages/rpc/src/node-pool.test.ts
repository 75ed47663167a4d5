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
