import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fixture } from './fixture.mjs'
import { isLocked, withLock } from './lock.mjs'

let folder
let file
beforeEach(() => {
  folder = fixture({ 'here/kept': '' })
  file = join(folder.dir, 'here/build.lock')
})
afterEach(() => folder.remove())

const tickets = () => readdirSync(join(folder.dir, 'here')).filter((name) => name !== 'kept')

test('who comes later waits, says so once, and nothing stays behind', async () => {
  const seen = []
  let finish
  const first = withLock(file, () => new Promise((resolve) => (finish = resolve)))
  const second = withLock(file, async () => seen.push('second'), { everyMs: 1, onWait: () => seen.push('waits') })
  await expect.poll(() => seen).toEqual(['waits'])
  expect(isLocked(file)).toBe(true)
  finish()
  await Promise.all([first, second])
  expect([seen, isLocked(file), tickets()]).toEqual([['waits', 'second'], false, []])
})

test('work that fails gives the lock back', async () => {
  await expect(withLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(tickets()).toEqual([])
})

test('tickets of dead processes are taken over, also of one that had the number of this process, and what is no ticket is left', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  writeFileSync(`${file}.1`, String(child.pid))
  writeFileSync(`${file}.2`, String(process.pid))
  writeFileSync(`${file}.3`, '')
  writeFileSync(`${file}.old`, '')
  expect(isLocked(file)).toBe(false)
  expect(await withLock(file, async () => 'done')).toBe('done')
  expect(tickets()).toEqual(['build.lock.old'])
})

test('processes that come together work one after another, though each finds one that died', async () => {
  writeFileSync(`${file}.1`, '999999999')
  const counter = join(folder.dir, 'counter')
  writeFileSync(counter, '0')
  const program = `
    import { readFileSync, writeFileSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { withLock } from ${JSON.stringify(new URL('lock.mjs', import.meta.url).href)}
    for (let i = 0; i < 5; i++) {
      await withLock(${JSON.stringify(file)}, async () => {
        const count = Number(readFileSync(${JSON.stringify(counter)}, 'utf8'))
        await sleep(3)
        writeFileSync(${JSON.stringify(counter)}, String(count + 1))
      }, { everyMs: 1 })
    }`
  const runs = Array.from({ length: 4 }, () => spawn(process.execPath, ['--input-type=module', '-e', program]))
  const codes = await Promise.all(runs.map(async (run) => (await once(run, 'exit'))[0]))
  expect([codes, readFileSync(counter, 'utf8')]).toEqual([[0, 0, 0, 0], '20'])
  expect([existsSync(`${file}.1`), tickets()]).toEqual([false, []])
})
