import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { allChecks, type CheckResult, readTarget, run, type Target, type VectorAnswer } from '../src/index.js'

const ids = allChecks()
  .filter(({ role }) => role === 'library')
  .map(({ id }) => id)

async function played(target: Target): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = []
  for await (const event of run({ target, profile: 'hardening' })) if (event.type === 'result') results.push(event)
  return results
}

const says = (answer: VectorAnswer): Target => ({ name: 'broken', roles: { library: { vector: async () => answer } } })

test('a library in plain Node answers the vectors of the operations that it has', async () => {
  const target = await readTarget(fileURLToPath(new URL('../targets/plain/x402-library.json', import.meta.url)))
  const results = await played(target)
  expect(results.filter(({ status }) => status !== 'pass' && status !== 'not-applicable')).toEqual([])
  const ops = new Set(results.filter(({ status }) => status === 'pass').map(({ check }) => check.split('/')[1]))
  expect([...ops].sort()).toEqual([
    'canonicalJson',
    'encodeHeaderText',
    'formatUnits',
    'isNetwork',
    'parseAtomic',
    'paymentId',
  ])
}, 60_000)

test('a library that answers nothing, or always refuses, fails: between them every check of a library can fail', async () => {
  const failed = async (target: Target) =>
    (await played(target)).filter(({ status }) => status === 'fail' || status === 'warn').map(({ check }) => check)
  const killed = new Set([
    ...(await failed(says({ ok: {} }))),
    ...(await failed(says({ ok: { error: 'invalid_payload' } }))),
  ])
  expect(ids.filter((id) => !killed.has(id))).toEqual([])
  expect(ids.length).toBeGreaterThan(50)
})

test('a library that ends in the middle, or writes what is no answer, is a finding', async () => {
  const hello = `process.stdout.write('{"seq":1,"ok":{"ops":["parseAtomic"]}}\\n')`
  const ends = { name: 'ends', roles: { library: { start: `node -e "${hello.replaceAll('"', '\\"')}"` } } }
  const found = (await played(ends)).filter(({ status }) => status === 'fail').map(({ finding }) => finding?.what)
  expect(new Set(found)).toEqual(new Set(['the library ended in the middle of a request']))
})
