import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { assetByAddress, formatUnits, type Network } from '@groat/core'
import { type ArchiveAudit, auditJournal, type JournalAudit, verifyArchives } from '@groat/facilitator'
import { readFacilitatorConfig, readJournalPlace } from '../config/facilitator-config.js'
import { counted } from '../terminal/counted.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { openJournal } from './open-store.js'
import { nameOf } from './refusal.js'
import { schemesOf } from './schemes.js'

/** `groat facilitator audit FILE`: whether a journal is whole, and the chains say the same. It needs no keys. Exits 1 on a difference, 3 when a chain could not be asked. */
export async function runAudit(
  file: string,
  {
    offline = false,
    json = false,
    archives: named,
  }: { readonly offline?: boolean; readonly json?: boolean; readonly archives?: readonly string[] | true },
  io: Io,
): Promise<number> {
  // What no chain is asked about takes no chain.
  const books = offline ? undefined : await readFacilitatorConfig(file, io.environment, { only: 'books' })
  const store = await openJournal(books?.store ?? (await readJournalPlace(file, io.environment)))
  try {
    // Before anything is asked: a name is what is wrong most often.
    const archives = named && (await readArchives(named === true ? [] : named))
    const found = await auditJournal({ store, ...(books && { schemes: await schemesOf(books.networks, store) }) })
    const audit = archives === undefined ? found : withArchives(found, archives)
    if (json) io.out(`${JSON.stringify(audit, (_, value) => (typeof value === 'bigint' ? value.toString() : value))}\n`)
    else tell(audit, { offline, archives }, io)
    if (audit.differences.length > 0) return exitCodes.no
    return audit.chain.unreachable > 0 ? exitCodes.unreachable : exitCodes.ok
  } finally {
    await store.close()
  }
}

/** What was moved away has to end where the journal begins. */
function withArchives(audit: JournalAudit, { broken, ends }: ArchiveAudit): JournalAudit {
  const flaws = broken.map(({ writer, seq }) => `archive: ${writer} entry ${seq}`)
  const heads = audit.events.ok ? audit.events.heads : []
  for (const { writer, from } of heads) {
    const end = ends.get(writer)
    if (from !== undefined && (end?.seq !== from.seq || end.hash !== from.hash)) {
      flaws.push(`archive: ${writer} ends at ${end?.seq ?? 0}, and the journal begins at ${from.seq}`)
    }
  }
  const differences = [...audit.differences, ...flaws.map((detail) => ({ kind: 'events', detail }) as const)]
  return { ...audit, ok: audit.ok && flaws.length === 0, differences }
}

type Archives = ArchiveAudit & { readonly files: number }

async function readArchives(paths: readonly string[]): Promise<Archives> {
  for (const path of paths) await assertFile(path)
  const audit = await verifyArchives(linesOf(paths)).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : ''
    throw new CliError('usage', `an archive cannot be read: ${reason}`, undefined, { cause })
  })
  return { ...audit, files: paths.length }
}

async function assertFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) {
    throw new CliError('usage', `${path} is not there`, 'Where there is nothing to move, `archive` makes no file.')
  }
  if (found.isDirectory()) {
    throw new CliError('usage', `${path} is a folder`, 'Name the files in it, the oldest first.')
  }
}

async function* linesOf(paths: readonly string[]): AsyncIterable<string> {
  for (const path of paths)
    yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
}

function tell(
  { events, sums, settlements, chain, differences }: JournalAudit,
  { offline, archives }: { readonly offline: boolean; readonly archives: Archives | undefined },
  { out, style }: Io,
): void {
  if (events.ok) {
    out(`events   ${events.events} in ${counted(events.heads.length, 'chain')}, each whole\n`)
    for (const { writer, seq, hash, from } of events.heads) {
      if (from !== undefined) out(`         ${writer} begins at ${from.seq} after ${from.hash}, in an archive\n`)
      out(`         ${writer} ends at ${seq} with ${hash}\n`)
    }
  } else out(`events   ${style.bad(`those of ${events.writer} are not whole at entry ${events.seq}`)}\n`)
  if (archives !== undefined) out(`archive  ${heldIn(archives)}\n`)
  out(`ledger   ${counted(settlements, 'payment')}\n`)
  for (const { network, asset, payTo, payments, amount } of sums) {
    // A codec: the journal holds nothing else.
    const known = assetByAddress(network as Network, asset)
    const price =
      known === undefined ? `${amount} of ${asset}` : `${formatUnits(amount, known.decimals)} ${known.symbol}`
    out(`         ${price} to ${payTo} on ${nameOf(network as Network)}, ${counted(payments, 'payment')}\n`)
  }
  out(offline ? 'chain    not asked\n' : `chain    ${chain.compared} compared\n`)
  if (chain.unreachable > 0) out(`         ${style.bad(`${chain.unreachable} could not be asked`)}\n`)
  for (const { kind, pid, detail } of differences) {
    out(`${style.bad('differs')}  ${kind}${pid === undefined ? '' : `  ${pid}`}  ${detail}\n`)
  }
  if (differences.length === 0) out(`${summaryOf(chain)}\n`)
}

function heldIn({ payments, events, files }: Archives): string {
  if (files === 0) return 'none named'
  return `${counted(payments, 'payment')} and ${counted(events, 'event')} in ${counted(files, 'file')}`
}

/** What was not compared is not known to be the same. */
function summaryOf({ compared, unreachable }: JournalAudit['chain']): string {
  if (unreachable === 0) return 'no difference'
  return compared === 0
    ? 'nothing could be compared with the chain; the journal by itself is whole'
    : `no difference in what was compared; ${unreachable} were not`
}
