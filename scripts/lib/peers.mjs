import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cli, conform, summaryIn } from './conform.mjs'
import { root } from './root.mjs'
import { run } from './run.mjs'

const folder = join(root, 'interop/targets')
const reports = join(root, '.peers')

/** The peers there are: every manifest is one. */
export const peerNames = () =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))

/** What the command line asks for, or `{ wrong }`. */
export function readPeersCommand(args, known) {
  const names = []
  const command = { writes: false, resumes: false, minutes: 15 }
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at]
    if (word === '--write') command.writes = true
    else if (word === '--resume') command.resumes = true
    else if (word === '--minutes') {
      at += 1
      command.minutes = Number(args[at])
      if (!(command.minutes > 0)) return { wrong: 'groat: --minutes needs a number' }
    } else if (word.startsWith('--')) return { wrong: `groat: ${word} is no option of npm run peers` }
    else if (known.includes(word)) names.push(word)
    else return { wrong: `groat: there is no peer ${word}; there are ${known.join(', ')}` }
  }
  return { ...command, names: names.length > 0 ? names : known }
}

/** Runs the kit against one peer, and says what came of it. */
export async function runPeer(name, { writes, resumes, minutes }) {
  const report = join(reports, name)
  const known = join(folder, 'known', `${name}.json`)
  const began = Date.now()
  const seconds = () => Math.round((Date.now() - began) / 1000)
  if (!(resumes && isFinished(report))) {
    rmSync(report, { recursive: true, force: true })
    const args = [
      '--target',
      join(folder, `${name}.json`),
      '--profile',
      'hardening',
      '--runs',
      '20',
      '--report',
      report,
    ]
    const baseline = existsSync(known) && !writes ? ['--baseline', known] : []
    const { code, late } = await conform([...args, ...baseline], { minutes })
    if (late) return { name, code: 3, what: `did not end within ${minutes} minutes`, seconds: seconds() }
    if (!isFinished(report)) return { name, code: Math.max(1, code), what: 'broke off', seconds: seconds() }
    // What is known of a run that was meant to be written down is written below.
    if (!writes) return { name, code, what: scoreIn(report), seconds: seconds() }
  }
  const action = writes ? ['write', known, '--classes'] : ['check', known]
  mkdirSync(join(folder, 'known'), { recursive: true })
  const { code, output } = await run(process.execPath, [cli, 'conform', 'baseline', ...action, '--report', report])
  if (code !== 0) process.stdout.write(output)
  return { name, code, what: scoreIn(report), written: writes && code === 0, seconds: seconds() }
}

/** One line for each peer, aligned. */
export function summaryOf(rows) {
  const wide = Math.max(...rows.map(({ name }) => name.length))
  const words = ['as known', 'unexpected failures', 'the baseline is stale', 'not reached']
  return rows
    .map(
      ({ name, code, what, seconds, written }) =>
        `${name.padEnd(wide)}  ${written ? 'written down' : (words[code] ?? 'wrong')}  ${what}  ${seconds} s`,
    )
    .join('\n')
}

/** A run has come to its end when its last line says so. */
const isFinished = (report) => summaryIn(report) !== undefined

function scoreIn(report) {
  const counts = summaryIn(report)?.counts ?? {}
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ')
}
