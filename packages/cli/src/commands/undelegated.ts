import type { Network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import type { NetworkConfig } from '../config/facilitator-config.js'
import type { Io } from '../terminal/io.js'
import { nameOf } from './refusal.js'

/** A signer that is to send groups to itself, and runs no code that could. */
export type Undelegated = { readonly network: Network; readonly signer: string; readonly delegate: string }

/**
 * Signers whose file says `self_batch`, and for whom `groat signer delegate` was not run: their payments travel alone. Of a node that does not
 * answer, nothing is said.
 *
 * @example
 * for (const one of await undelegated(config.networks)) warnOf(one, json, io)
 */
export async function undelegated(networks: readonly NetworkConfig[]): Promise<readonly Undelegated[]> {
  const asked = networks.map((config) => withoutBatch(config).catch(() => undefined))
  return (await Promise.all(asked)).flatMap((one) => one ?? [])
}

/** It is the first signer through whom such payments go. */
async function withoutBatch(config: NetworkConfig): Promise<Undelegated | undefined> {
  const { network, rpc, schemes, selfBatch } = config
  const [key] = config.signers
  const [first, ...others] = rpc
  const isUsed = schemes.some((scheme) => scheme === 'upto' || scheme === 'auth-capture')
  if (selfBatch === undefined || !isUsed || first === undefined || !key?.startsWith('0x')) return undefined
  const signers = [key as `0x${string}`]
  const chain = await createEvmChain({ network, rpc: [first, ...others], signers, assets: [] })
  const [signer = ''] = chain.signers
  const code = await chain.rpc.code(signer.toLowerCase() as Parameters<typeof chain.rpc.code>[0])
  const runs = `0xef0100${selfBatch.slice(2)}`.toLowerCase()
  return code.toLowerCase() === runs ? undefined : { network, signer, delegate: selfBatch }
}

/** Says it, with what to do. */
export function warnOf({ network, signer, delegate }: Undelegated, json: boolean, { say, style }: Io): void {
  if (json) {
    say(JSON.stringify({ type: 'self_batch_undelegated', network, signer, delegate }))
    return
  }
  const name = nameOf(network)
  say(`${style.bad('self_batch')}  ${name}: ${signer} does not run the batch, so upto and auth-capture go one by one`)
  say(
    `  Run \`groat signer delegate --network ${name} --rpc URL --deploy\` with its key, while no facilitator sends from it.`,
  )
}
