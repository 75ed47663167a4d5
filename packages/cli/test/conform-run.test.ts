import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/index.js'
import { recordedIo } from './io.js'

// A library needs no chain, and its run goes through all that a run of any target does.
const plain = fileURLToPath(new URL('../../../conformance/targets/plain/', import.meta.url))

let folder: string
let broken: string
let mended: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-conform-run-'))
  const source = await readFile(join(plain, 'library.mjs'), 'utf8')
  const target = async (name: string, text: string) => {
    await writeFile(join(folder, `${name}.mjs`), text)
    const file = join(folder, `${name}.json`)
    await writeFile(file, JSON.stringify({ name, roles: { library: { start: `node ${name}.mjs` } } }))
    return file
  }
  mended = await target('mended', source)
  broken = await target('broken', source.replace('/^(0|[1-9][0-9]{0,77})$/', '/^[0-9]{1,78}$/'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('0 as expected, 1 unexpected, 2 a stale baseline: the same target before and after its repair', async () => {
  const [report, baseline] = [join(folder, 'report'), join(folder, 'baseline.json')]
  const conform = async (...args: string[]) => {
    const io = recordedIo()
    return {
      exitCode: await runCli(['conform', ...args, '--profile', 'hardening'], io),
      out: io.written(),
      said: io.said(),
    }
  }
  const first = await conform('--target', broken, '--report', report)
  expect(first.exitCode).toBe(1)
  expect(first.out).toMatch(
    /^FAIL {2}CORE-051\/parseAtomic {2}the error of .*: expected invalid_payload, saw nothing$/m,
  )
  expect(first.out).toMatch(/^ {6}replay: groat conform replay CORE-051\/parseAtomic:1 --target \S+broken\.json$/m)
  expect(first.out).toMatch(/\n\d+ passed, 1 failed, \d+ skipped\n$/)
  expect(await conform('baseline', 'write', baseline, '--report', report)).toMatchObject({ exitCode: 0 })
  expect(await conform('--target', broken, '--baseline', baseline)).toMatchObject({ exitCode: 0 })
  expect(await conform('baseline', 'check', baseline, '--report', report)).toMatchObject({ exitCode: 0 })
  const after = await conform('--target', mended, '--baseline', baseline)
  expect(after.exitCode).toBe(2)
  expect(after.out).toContain('STALE CORE-051/parseAtomic  it passes now; take it out of the baseline')
  expect(await conform('--target', mended)).toMatchObject({ exitCode: 0, said: '' })
  expect(await conform('replay', 'CORE-051/parseAtomic:1', '--target', broken)).toMatchObject({ exitCode: 1 })
  const page = join(folder, 'matrix.html')
  expect(await conform('report', '--in', report, '--html', page)).toMatchObject({ exitCode: 0 })
  expect(await readFile(page, 'utf8')).toContain('CORE-051/parseAtomic')
}, 60_000)

test('64 for a mistake, 3 for what is not there', async () => {
  const exit = (...args: string[]) => runCli(['conform', ...args], recordedIo())
  const dead = join(folder, 'dead.json')
  await writeFile(dead, JSON.stringify({ name: 'dead', roles: { library: { start: 'node -e "process.exit(1)"' } } }))
  const nobody = join(folder, 'nobody.json')
  await writeFile(nobody, JSON.stringify({ name: 'nobody', roles: {} }))
  expect([
    await exit('--target', dead),
    await exit('--target', nobody),
    await exit('--target', join(folder, 'nowhere.json')),
    await exit('--target', mended, '--only', 'FAC-999'),
    await exit('--target', mended, '--facilitator', 'http://127.0.0.1:9'),
    await exit('--target', mended, '--seed', 'seven'),
    await exit('replay', 'nonsense', '--target', mended),
    await exit('baseline', 'hold', 'x.json', '--report', folder),
  ]).toEqual([3, 64, 64, 64, 64, 64, 64, 64])
}, 60_000)

test('who looks on sees how far it is, and whoever breaks it off is told where', async () => {
  const lines: string[] = []
  const io = recordedIo({
    progress: (line) => {
      lines.push(line)
      if (lines.length === 3) io.stop()
    },
  })
  expect(await runCli(['conform', '--target', mended, '--report', join(folder, 'half')], io)).toBe(130)
  expect(lines[0]).toMatch(/^mended: \d+ checks, seed 1$/)
  expect(lines[1]).toMatch(/^mended: 1 of \d+ {2}\S+$/)
  expect(io.said()).toMatch(/broken off after \d+ of \d+ checks/)
  expect(await readFile(join(folder, 'half', 'report.html'), 'utf8')).toContain('not finished')
}, 60_000)
