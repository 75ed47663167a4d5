// An agent that spends within "$10 a day" and shows its receipts: npm start (after `npm run build` in the root).
// The model is left out: its tool calls are a script. Everything else is real: a chain, a facilitator, a paid API, a purse on disk.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { createBuyer, exportReceipt, verifyReceipt } from '@groat/client/buyer'
import { sqlIntents } from '@groat/client/sql'
import { formatUnits } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm as exactEvmSeller } from '@groat/evm/exact/server'
import { openStore } from '@groat/store'

const policy = {
  perPayment: '$0.10',
  perDay: '$10',
  perTask: '$0.12',
  payments: { perTask: 20 },
}
// What a model would have asked for: more of everything than the policy likes.
const calls = [
  ...Array.from({ length: 5 }, () => ({ task: 'forecast', path: '/weather' })),
  ...Array.from({ length: 4 }, () => ({ task: 'market study', path: '/report' })),
  { task: 'forecast', path: '/weather' },
]

const folder = await mkdtemp(join(tmpdir(), 'groat-agent-'))
const { ready, stop } = await startSandbox()
const store = await openStore(join(folder, 'purse.db'))
try {
  const payer = ready.accounts.find(({ role }) => role === 'payer')
  const purse = await sqlIntents(store)
  const buyer = createBuyer({
    schemes: [exactEvm({ account: privateKeyAccount(payer.evm.privateKey) })],
    policy,
    purse,
    metadata: { principal: 'alice@example.com' },
  })

  for (const [nth, { task, path }] of calls.entries()) {
    const response = await buyer.fetch(`${ready.api.url}${path}?call=${nth}`, { metadata: { task } })
    const outcome = buyer.outcome(response)
    const refusal = outcome?.status === 'unpaid' ? `${outcome.code}, decided by ${outcome.refusals[0]?.rule}` : ''
    console.log(`${task.padEnd(12)} ${path.padEnd(9)} ${outcome?.status ?? response.status} ${refusal}`)
    await response.arrayBuffer()
  }
  await buyer.idle()

  for (const { rule, spent, limit } of await buyer.budgets('market study')) console.log(`${rule}: ${spent} of ${limit}`)
  for (const record of await purse.records()) {
    const checks = await verifyReceipt(exportReceipt(record), { schemes: [exactEvmSeller] })
    const { intent, metadata } = record
    const good = checks.every(({ ok }) => ok) ? 'good' : 'bad'
    const price = `${formatUnits(intent.amount, 6)} USDC`
    console.log(
      `${good} receipt: ${price} for ${metadata.task}, on behalf of ${metadata.principal}, ${intent.transaction}`,
    )
  }
} finally {
  await store.close()
  await stop()
  await rm(folder, { recursive: true, force: true })
}

async function startSandbox() {
  const bin = join(dirname(createRequire(import.meta.url).resolve('@groat/cli/package.json')), 'dist/bin.js')
  const child = spawn(process.execPath, [bin, 'sandbox', '--json', '--port', '0', '--only', 'evm'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const gone = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGTERM')
    await gone
  }
  return { ready: JSON.parse(line).ready, stop }
}
