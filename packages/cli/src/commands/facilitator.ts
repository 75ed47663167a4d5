import { type Asset, assetByAddress, assetByTicker, X402Error, type X402Event } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { openStore } from '@groat/store'
import { type NetworkConfig, readFacilitatorConfig } from '../config/facilitator-config.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'

/** Options of `groat facilitator`. */
export type FacilitatorCommand = { readonly check?: boolean; readonly json?: boolean }

/** `groat facilitator FILE`: verifies and settles until it is told to stop. Prints one JSON line when it serves. */
export async function runFacilitator(
  file: string,
  { check = false, json = false }: FacilitatorCommand,
  io: Io,
): Promise<number> {
  const config = await readFacilitatorConfig(file, io.environment)
  const assets = config.networks.map(assetsOf)
  if (check) {
    io.say(`${file} is valid`)
    return exitCodes.ok
  }
  const chains = await Promise.all(
    config.networks.map(({ network, rpc: [first, ...others], signers }, at) => {
      if (first === undefined) throw new CliError('usage', `networks.${network}: no rpc is given`)
      return createEvmChain({ network, rpc: [first, ...others], signers, assets: assets[at] ?? [] })
    }),
  )
  const store = await openStore(config.store)
  const log = logger(json, io)
  const service = createFacilitator({
    schemes: [exactEvm({ chains })],
    store,
    onEvent: log,
    onFault: ({ reference, error }) => io.say(`fault ${reference}: ${faultText(error)}`),
  })
  try {
    await service.start()
    const { host, port } = config
    const served = await serveFacilitator(service, { host, port })
    io.out(`${JSON.stringify({ ready: { url: served.url } })}\n`)
    await io.stopped
    await served.close()
  } finally {
    await service.stop()
    await store.close()
  }
  return exitCodes.ok
}

function assetsOf({ network, assets }: NetworkConfig): readonly Asset[] | undefined {
  if (assets.length === 0) return undefined
  return assets.map((name) => {
    const asset = assetByTicker(network, name) ?? assetByAddress(network, name)
    if (asset !== undefined) return asset
    throw new CliError(
      'usage',
      `networks.${network}.assets: ${name} is not known on ${network}`,
      'Name a default asset of the network.',
    )
  })
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
