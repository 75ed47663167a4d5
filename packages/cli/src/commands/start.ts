import { assetByAddress, formatUnits, network } from '@groat/core'
import type { Purchase } from '../sandbox/buyer.js'
import { type Family, startSandbox } from '../sandbox/sandbox.js'
import { exitCodes } from '../terminal/exit.js'
import { formatDuration, type Io } from '../terminal/io.js'
import { DEFAULT_PORT, describe } from './sandbox.js'

/** Options of `groat start`. */
export type StartCommand = {
  readonly once?: boolean
  readonly json?: boolean
  readonly port?: number
  readonly only?: Family
}

/** `groat start`: a sandbox and one real payment on each of its chains. Stays up unless told to do it once. */
export async function start(
  { once = false, json = false, port = once ? 0 : DEFAULT_PORT, only }: StartCommand,
  io: Io,
): Promise<number> {
  const onProgress = (what: string) => io.say(io.style.quiet(`  starting ${what}`))
  const sandbox = await startSandbox({ port, onProgress, ...(only === undefined ? {} : { only }) })
  try {
    const path = sandbox.ready.api?.routes[0]?.path ?? '/'
    for (const network of sandbox.networks) {
      const purchase = await sandbox.buy(path, network)
      if (json) io.out(`${JSON.stringify(purchase.receipt)}\n`)
      else tell(path, purchase, io)
    }
    if (once) return exitCodes.ok
    if (!json) describe(sandbox.ready, io)
    if (!json) io.say(io.style.quiet('  Ctrl-C stops it.'))
    await io.stopped
    return exitCodes.ok
  } finally {
    await sandbox.stop()
  }
}

function tell(path: string, { receipt, answer }: Purchase, { say, style }: Io): void {
  const asset = assetByAddress(network(receipt.network), receipt.asset)
  const amount = asset ? `${formatUnits(BigInt(receipt.amount), asset.decimals)} ${asset.symbol}` : receipt.amount
  say('')
  say(`  GET ${path}  ${style.quiet('402 Payment Required')}`)
  say(`  ${style.good('paid')} ${style.bold(amount)} on ${receipt.network} in ${formatDuration(receipt.ms)}`)
  say(`       from ${receipt.payer} to ${receipt.payTo}`)
  say(`       transaction ${receipt.transaction}`)
  say(`  ${style.quiet('200')} ${JSON.stringify(answer)}`)
}
