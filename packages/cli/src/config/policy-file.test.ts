import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readPolicy } from './policy-file.js'

let file: string
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'groat-policy-')), 'policy.yaml')
})
afterEach(() => rm(join(file, '..'), { recursive: true, force: true }))

async function read(text: string) {
  await writeFile(file, text)
  return readPolicy(file, {})
}

test('G08 what may be approved is said in the words that programs use', async () => {
  expect([
    await read('allowance: exact'),
    await read('allowance: unlimited'),
    await read('allowance: $5'),
    await read('allowance: 0.5'),
  ]).toEqual([{ allowance: 'exact' }, { allowance: 'unlimited' }, { allowance: '$5' }, { allowance: '0.5' }])
})

test.each(['allowance: everything', 'allowance: [exact]', 'alowance: exact', 'each_origin: { allowance: $5 }'])(
  '%s is no policy',
  async (text) => {
    await expect(read(text)).rejects.toThrow(/allowance|alowance|price/)
  },
)
