import type { DemoRoute } from '../sandbox/demo-api.js'
import { type Family, type ReadyLine, startSandbox } from '../sandbox/sandbox.js'
import { exitCodes } from '../terminal/exit.js'
import { columns, type Io } from '../terminal/io.js'

/** Options of `groat sandbox`. */
export type SandboxCommand = {
  readonly json?: boolean
  readonly port?: number
  readonly demo?: boolean
  readonly only?: Family
}

/** The port of the API when none is asked for. */
export const DEFAULT_PORT = 4402

/** `groat sandbox`: starts, says what is where, stays up until it is told to stop. */
export async function runSandbox(
  { json = false, port = DEFAULT_PORT, demo = true, only }: SandboxCommand,
  io: Io,
): Promise<number> {
  const onProgress = (what: string) => io.say(io.style.quiet(`  starting ${what}`))
  const sandbox = await startSandbox({ port, demo, onProgress, ...(only === undefined ? {} : { only }) })
  if (json) io.out(`${JSON.stringify({ ready: sandbox.ready })}\n`)
  else describe(sandbox.ready, io)
  await io.stopped
  await sandbox.stop()
  return exitCodes.ok
}

/** What is where, and what to try. */
export function describe({ evm, svm, facilitator, api, accounts }: ReadyLine, { say, style }: Io): void {
  const longest = Math.max(0, ...(api?.routes ?? []).map(({ path }) => `${api?.url}${path}`.length))
  const chains = [evm, svm].filter(Boolean).length
  const payer = accounts.find(({ role }) => role === 'payer')
  const rows = [
    ...(api === undefined
      ? []
      : [
          ['Page', `${api.url}/`],
          ...api.routes.map(({ path, price, model, mode, scheme, networks: { length } }, index) => [
            index === 0 ? 'Paid API' : '',
            [
              `${api.url}${path}`.padEnd(longest),
              price.padEnd(6),
              model.padEnd(widest(api.routes, 'model')),
              mode.padEnd(widest(api.routes, 'mode')),
              `${scheme}${length < chains ? ' on EVM' : ''}`,
            ].join('  '),
          ]),
        ]),
    ['Facilitator', facilitator.url],
    ...(evm === undefined ? [] : [['EVM chain', `${evm.rpcUrl} (${evm.network}, USDC at ${evm.usdc})`]]),
    ...(evm === undefined ? [] : [['', `delegation manager at ${evm.delegation.manager}, for session keys`]]),
    ...(svm === undefined ? [] : [['Solana chain', `${svm.rpcUrl} (${svm.network}, USDC at ${svm.usdc})`]]),
    ['Payer', `${[payer?.evm?.address, payer?.svm?.address].filter(Boolean).join('  ')}`],
    ['', 'published test keys; test money only'],
  ]
  say('')
  for (const line of columns(rows)) say(`  ${line}`)
  if (api === undefined) return
  const example = `${api.url}${api.routes[0]?.path ?? ''}`
  say('')
  say(style.quiet('  Try it:'))
  say(`    curl -i ${example}`)
  say(`    npm run groat -- pay ${example}`)
  for (const scheme of ['upto', 'batch-settlement', 'auth-capture']) {
    const route = api.routes.find((each) => each.scheme === scheme)
    if (route !== undefined) say(`    npm run groat -- pay --scheme ${scheme} ${api.url}${route.path}`)
  }
  if (evm !== undefined)
    say(
      `    curl -o contracts.json ${api.url}/sandbox/contracts.json    # for session keys: groat wallet session --help`,
    )
  say(`    npm run groat -- find weather --max 0.01 --site ${api.url}`)
  say('')
}

const widest = (routes: readonly DemoRoute[], of: 'model' | 'mode'): number =>
  Math.max(...routes.map((route) => route[of].length))
