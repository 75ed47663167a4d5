import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const child = (name: string) => fileURLToPath(new URL(`./child/${name}`, import.meta.url))

test('a program that calls by our HTTP client keeps the fetch of its platform', async () => {
  const args = ['--conditions=source', '--import', child('register.mjs'), child('platform-fetch.ts')]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  expect(stdout).toBe('ok')
})
