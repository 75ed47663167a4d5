import { assetByAddress, formatUnits, type Network } from '@groat/core'
import { auditJournal, type JournalAudit } from '@groat/facilitator'
import { readFacilitatorConfig } from '../config/facilitator-config.js'
import { exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { openNamedStore } from './open-store.js'
import { nameOf } from './refusal.js'
import { schemesOf } from './schemes.js'

/** `groat facilitator audit FILE`: whether a journal is whole, and the chains say the same. Exits 1 on a difference, 3 when a chain could not be asked. */
export async function runAudit(
  file: string,
  { offline = false, json = false }: { readonly offline?: boolean; readonly json?: boolean },
  io: Io,
): Promise<number> {
  const { store: target, networks } = await readFacilitatorConfig(file, io.environment)
  const store = await openNamedStore(target)
  try {
    const audit = await auditJournal({ store, ...(offline ? {} : { schemes: await schemesOf(networks, store) }) })
    if (json) io.out(`${JSON.stringify(audit, (_, value) => (typeof value === 'bigint' ? value.toString() : value))}\n`)
    else tell(audit, offline, io)
    if (audit.differences.length > 0) return exitCodes.no
    return audit.chain.unreachable > 0 ? exitCodes.unreachable : exitCodes.ok
  } finally {
    await store.close()
  }
}

function tell(
  { events, sums, settlements, chain, differences }: JournalAudit,
  offline: boolean,
  { out, style }: Io,
): void {
  if (events.ok) {
    out(`events   ${events.events} in ${events.heads.length} chains, each whole\n`)
    for (const { writer, seq, hash } of events.heads) out(`         ${writer} ends at ${seq} with ${hash}\n`)
  }
  out(`ledger   ${settlements} payments\n`)
  for (const { network, asset, payTo, payments, amount } of sums) {
    // A codec: the journal holds nothing else.
    const known = assetByAddress(network as Network, asset)
    const price =
      known === undefined ? `${amount} of ${asset}` : `${formatUnits(amount, known.decimals)} ${known.symbol}`
    out(`         ${price} to ${payTo} on ${nameOf(network as Network)}, ${payments} payments\n`)
  }
  out(offline ? 'chain    not asked\n' : `chain    ${chain.compared} compared\n`)
  if (chain.unreachable > 0) out(`         ${style.bad(`${chain.unreachable} could not be asked`)}\n`)
  for (const { kind, pid, detail } of differences) {
    out(`${style.bad('differs')}  ${kind}${pid === undefined ? '' : `  ${pid}`}  ${detail}\n`)
  }
  if (differences.length === 0) out('no difference\n')
}
