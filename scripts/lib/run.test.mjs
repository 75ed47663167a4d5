import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { pooled, run } from './run.mjs'

const node = process.execPath
const become = (script) => [
  '--input-type=module',
  '-e',
  `import { become } from ${JSON.stringify(new URL('./run.mjs', import.meta.url).href)}
   await become(process.execPath, ['-e', ${JSON.stringify(script)}])`,
]

test('run gives the exit code and what was printed', async () => {
  expect(await run(node, ['-e', 'console.log(1); console.error(2); process.exit(3)'])).toEqual({
    code: 3,
    output: expect.stringMatching(/^(1\n2\n|2\n1\n)$/),
  })
})

test('run says why a program cannot start', async () => {
  expect(await run('no-such-program', [])).toEqual({ code: 127, output: expect.stringContaining('ENOENT') })
})

test('become ends with the exit code of the program', async () => {
  expect(await run(node, become('console.log("hi"); process.exitCode = 5'))).toEqual({ code: 5, output: 'hi\n' })
})

test.each(['SIGTERM', 'SIGINT'])('become passes %s on and waits for an orderly stop', async (signal) => {
  const script = `process.on('${signal}', () => { console.log('stopped'); process.exit(7) }); setInterval(() => {}, 1000); console.log('ready')`
  const child = spawn(node, become(script), { stdio: ['ignore', 'pipe', 'inherit'] })
  const [first] = await once(child.stdout, 'data')
  expect(first.toString()).toBe('ready\n')
  child.kill(signal)
  const [[second], [code]] = await Promise.all([once(child.stdout, 'data'), once(child, 'close')])
  expect({ second: second.toString(), code }).toEqual({ second: 'stopped\n', code: 7 })
})

test('a script that is killed outright leaves no program behind', async () => {
  const script = 'console.log(process.pid); setInterval(() => {}, 1000)'
  const child = spawn(node, become(script), { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  // The pipe is open for as long as the program is there.
  await once(child.stdout, 'end')
  expect(child.signalCode).toBe('SIGKILL')
})

test('become ends as the signal would when the program dies of it', async () => {
  expect((await run(node, become("process.kill(process.pid, 'SIGTERM')"))).code).toBe(143)
})

test('a program that is turned into is the same process, with its own arguments and exit code', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'groat run-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'a program.mjs')
  writeFileSync(file, 'console.log(JSON.stringify([process.pid, process.argv.slice(1)])); process.exitCode = await 5')
  const script = `import { turnInto } from ${JSON.stringify(new URL('./run.mjs', import.meta.url).href)}
    await turnInto(${JSON.stringify(file)}, ['a', '--b'])`
  const child = spawn(node, ['--input-type=module', '-e', script, 'lost'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [[said], [code]] = await Promise.all([once(child.stdout, 'data'), once(child, 'close')])
  expect([JSON.parse(said), code]).toEqual([[child.pid, [file, 'a', '--b']], 5])
})

test('pooled keeps the order and the width', async () => {
  let running = 0
  let most = 0
  const results = await pooled([30, 5, 10, 1], 2, async (ms) => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, ms))
    running--
    return ms
  })
  expect({ results, most }).toEqual({ results: [30, 5, 10, 1], most: 2 })
})
