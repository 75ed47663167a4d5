// npm run next: the Next.js example as a project of its own: our packages as tarballs, `next build`, `next start`, and one sale of each of its routes on
// a local chain. It installs Next.js with its compiler, 300 MB that no test needs, so `npm test` leaves it out.
import './lib/require-node.mjs'
import { rmSync } from 'node:fs'
import { ensureRunnable } from './lib/build.mjs'
import { ensureInstalled, fullScope } from './lib/install.mjs'
import { buildNextApp, createNextApp, startNextApp } from './lib/next-app.mjs'
import { Failure, main } from './lib/progress.mjs'

await main(async () => {
  await ensureInstalled(fullScope)
  await ensureRunnable('@groat/cli')
  const { buy, settingsOf, startSandbox } = await import('../examples/sellers/try-out.mjs')
  const folder = await createNextApp()
  const opened = [{ stop: async () => rmSync(folder, { recursive: true, force: true }) }]
  try {
    await buildNextApp(folder)
    const sandbox = await startSandbox({ only: 'evm', port: 0, demo: false })
    opened.push(sandbox)
    const { facilitator, payTo } = settingsOf(sandbox.ready)
    const app = await startNextApp(folder, { FACILITATOR: facilitator, PAY_TO: payTo['base-sepolia'] })
    opened.push(app)
    for (const [path, answer] of Object.entries({ '/weather': '"temperature":11', '/feed': 'data: tock' })) {
      const sale = await buy(app.origin + path, sandbox.ready)
      process.stdout.write(`${JSON.stringify({ path, ...sale })}\n`)
      if (sale.unpaid !== 402 || sale.paid !== 200 || !sale.transaction || !sale.answer.includes(answer)) {
        throw new Failure(`groat: Next.js did not sell ${path}`)
      }
    }
  } finally {
    for (const each of opened.reverse()) await each.stop()
  }
})
