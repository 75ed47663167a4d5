import { open, rm } from 'node:fs/promises'
import { archiveJournal } from '@groat/facilitator'
import { readJournalPlace } from '../config/facilitator-config.js'
import { counted } from '../terminal/counted.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { openJournal } from './open-store.js'

const DAY = 86_400_000

/** `groat facilitator archive FILE OUT`: moves payments that ended so many days ago into a new file. */
export async function runArchive(
  file: string,
  to: string,
  { days: said = '90', json = false }: { readonly days?: string; readonly json?: boolean },
  io: Io,
): Promise<number> {
  const days = Number(said)
  if (!/^[1-9][0-9]{0,4}$/.test(said)) throw new CliError('usage', `--days ${said}: a whole number of days, at least 1`)
  const target = await readJournalPlace(file, io.environment)
  const store = await openJournal(target)
  try {
    const archive = await create(to)
    let isEmpty = true
    const append = async (lines: string) => {
      isEmpty = false
      await archive.appendFile(lines)
      await archive.sync()
    }
    const moved = await archiveJournal({ store, before: Date.now() - days * DAY, append }).finally(async () => {
      await archive.close()
      if (isEmpty) await rm(to)
    })
    if (json) io.out(`${JSON.stringify({ ...moved, ...(moved.events > 0 && { archive: to }) })}\n`)
    else if (moved.events === 0) io.out(`nothing that ended more than ${counted(days, 'day')} ago\n`)
    else io.out(`${counted(moved.payments, 'payment')} and ${counted(moved.events, 'event')} moved to ${to}\n`)
    return exitCodes.ok
  } finally {
    await store.close()
  }
}

/** A new file that nobody else reads: it holds what payers signed. */
async function create(path: string) {
  return open(path, 'wx', 0o600).catch((cause: unknown) => {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    const hint = isThere ? 'Every archive is a file of its own.' : undefined
    throw new CliError('usage', `${path} ${isThere ? 'is there already' : 'cannot be written'}`, hint, { cause })
  })
}
