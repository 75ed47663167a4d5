// npm run peers [-- NAME… --write --resume --minutes N]: the conformance kit against the published x402 packages, one after the
// other. Reports stay in .peers, on this machine; what is committed of them, in interop/targets/known, is how many checks are
// red in each area and not which. --resume leaves out peers whose last run came to its end; no peer takes longer than N minutes.
import './lib/require-node.mjs'
import { ensureRunnable } from './lib/build.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { peerNames, readPeersCommand, runPeer, summaryOf } from './lib/peers.mjs'
import { Failure, main } from './lib/progress.mjs'

await main(async () => {
  const command = readPeersCommand(process.argv.slice(2), peerNames())
  if ('wrong' in command) throw new Failure(command.wrong)
  await ensureInstalled(fullScope)
  await ensureRunnable('@groat/cli')
  const rows = []
  for (const [at, name] of command.names.entries()) {
    process.stderr.write(`groat: peer ${at + 1} of ${command.names.length}: ${name}\n`)
    rows.push(await runPeer(name, command))
  }
  process.stdout.write(`${summaryOf(rows)}\n`)
  process.exitCode = Math.max(0, ...rows.map(({ code }) => code))
})
