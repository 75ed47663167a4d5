import { errorInfo, networkFamily, type SchemeFacilitator, X402Error, type X402Event } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { createFacilitator, type HealthReason, serveFacilitator } from '@groat/facilitator'
import { createSvmChain } from '@groat/svm/chain'
import { exactSvm } from '@groat/svm/exact/facilitator'
import { type NetworkConfig, readFacilitatorConfig } from '../config/facilitator-config.js'
import { exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { openNamedStore, withoutSecrets } from './open-store.js'
import { nameOf } from './refusal.js'

/** Options of `groat facilitator`. */
export type FacilitatorCommand = { readonly check?: boolean; readonly json?: boolean }

/** `groat facilitator FILE`: verifies and settles until it is told to stop. Prints one JSON line when it serves. */
export async function runFacilitator(
  file: string,
  { check = false, json = false }: FacilitatorCommand,
  io: Io,
): Promise<number> {
  const config = await readFacilitatorConfig(file, io.environment)
  if (check) {
    io.say(`${file} is valid`)
    return exitCodes.ok
  }
  const schemes = await schemesOf(config.networks)
  const store = await openNamedStore(config.store)
  const log = logger(json, io)
  const service = createFacilitator({
    schemes,
    store,
    onEvent: log,
    onFault: ({ reference, error }) => io.say(`fault ${reference}: ${faultText(error)}`),
  })
  try {
    await service.start()
    const { host, port } = config
    const served = await serveFacilitator(service, { host, port })
    io.out(`${JSON.stringify({ ready: { url: served.url, store: withoutSecrets(config.store) } })}\n`)
    for (const reason of (await service.health()).reasons) warn(reason, json, io)
    await io.stopped
    await served.close()
  } finally {
    await service.stop()
    await store.close()
  }
  return exitCodes.ok
}

/** One half per family, over all of its networks. */
async function schemesOf(networks: readonly NetworkConfig[]): Promise<readonly SchemeFacilitator[]> {
  const of = (family: string) => networks.filter(({ network }) => networkFamily(network) === family)
  const [evm, svm] = [of('eip155'), of('solana')]
  const chains = await Promise.all(
    evm.map(({ network, rpc, signers, assets }) =>
      createEvmChain({ network, rpc: urlsOf(rpc), signers: signers.filter(isHexKey), assets }),
    ),
  )
  const clusters = svm.map(({ network, rpc, signers, assets }) =>
    createSvmChain({ network, rpc: urlsOf(rpc), signers, assets }),
  )
  return [
    ...(chains.length > 0 ? [exactEvm({ chains })] : []),
    ...(clusters.length > 0 ? [exactSvm({ chains: clusters })] : []),
  ]
}

/** The configuration has been read: there is a first one. */
function urlsOf([first = '', ...others]: readonly string[]): readonly [string, ...string[]] {
  return [first, ...others]
}

function isHexKey(key: string): key is `0x${string}` {
  return key.startsWith('0x')
}

/** What stands in the way of payments before there is one. */
function warn(reason: HealthReason, json: boolean, { say, style }: Io): void {
  const where = reason.part === 'chain' ? nameOf(reason.network) : reason.part
  const what = reason.part === 'service' ? reason.state : `${errorInfo(reason.code).title} (${reason.code})`
  say(json ? JSON.stringify({ type: 'not_ready', ...reason }) : `${style.bad('not ready')}  ${where}: ${what}`)
}

/** One line per event. Amounts and addresses are on the chain anyway; signatures and URLs are never part of an event. */
function logger(json: boolean, { say }: Io): (event: X402Event) => void {
  return (event) => {
    const { type, at, amount, ...rest } = event
    const fields = { ...rest, ...(amount === undefined ? {} : { amount: amount.toString() }) }
    const time = new Date(at).toISOString()
    if (json) return say(JSON.stringify({ at: time, type, ...fields }))
    say(
      `${time} ${type} ${Object.entries(fields)
        .map(([key, value]) => `${key}=${value}`)
        .join(' ')}`,
    )
  }
}

/** The registry's words only: causes may hold URLs with keys. */
function faultText(error: unknown): string {
  return X402Error.is(error) ? error.code : error instanceof Error ? error.name : 'unknown'
}
