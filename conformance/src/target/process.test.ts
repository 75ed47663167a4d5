import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { startCommand } from './process.js'

const sleeper = `node -e "console.log(process.pid);setInterval(()=>{},1000)"`

test('what a command leaves behind when it ends is ended with it', async () => {
  const started = startCommand(`${sleeper} & read _; exit 0`, {})
  const left = Number(await started.line(30_000))
  expect(isThere(left)).toBe(true)
  started.write('')
  await ended(left)
  await started.stop()
}, 60_000)

test('a kit that is killed leaves no target behind', async () => {
  const module = fileURLToPath(new URL('./process.ts', import.meta.url))
  const program = `const { startCommand } = await import(${JSON.stringify(module)})
    console.log(await startCommand(${JSON.stringify(sleeper)}, {}).line(30_000))`
  const typescript = new URL('../../../packages/facilitator/test/child/register.mjs', import.meta.url).href
  const flags = ['--conditions=source', '--import', typescript, '--input-type=module', '-e', program]
  const kit = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface({ input: kit.stdout }), 'line')
  expect(isThere(Number(line))).toBe(true)
  kit.kill('SIGKILL')
  await ended(Number(line))
}, 60_000)

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function ended(pid: number): Promise<void> {
  while (isThere(pid)) await new Promise((resolve) => setTimeout(resolve, 20))
}
