import { createCatalogue } from '@groat/facilitator/bazaar'
import { readJournalPlace } from '../config/facilitator-config.js'
import { counted } from '../terminal/counted.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { openNamedStore } from './open-store.js'

/** Options of `groat facilitator hide`. */
export type HideCommand = {
  readonly reason?: string
  readonly payTo?: string
  readonly undo?: boolean
  readonly json?: boolean
}

/** `groat facilitator hide FILE URL`: takes a place off the catalogue, also what is listed there later, or puts it back. It may be done while the facilitator runs. */
export async function runHide(
  file: string,
  url: string,
  { reason, payTo, undo = false, json = false }: HideCommand,
  io: Io,
): Promise<number> {
  if (!URL.canParse(url)) throw new CliError('usage', `${url} is not a URL`)
  if (undo === (reason !== undefined)) {
    throw new CliError(
      'usage',
      undo ? '--undo needs no --reason' : 'Why? Whoever asks is told.',
      'Say it with --reason, or --undo.',
    )
  }
  const target = await readJournalPlace(file, io.environment)
  const store = await openNamedStore(target)
  const catalogue = createCatalogue({ store })
  try {
    await catalogue.start()
    const listings = await catalogue.hide({ url, ...(payTo !== undefined && { payTo }) }, reason)
    if (json) io.out(`${JSON.stringify({ url, hidden: !undo, listings })}\n`)
    else io.out(`${url} ${undo ? 'may be listed again' : 'is taken off'}: ${saidOf(listings, undo)}\n`)
    return exitCodes.ok
  } finally {
    await catalogue.stop()
    await store.close()
  }
}

/** How many it was about: none is an answer too, for what is listed there later is kept off as well. */
function saidOf(listings: number, undo: boolean): string {
  if (listings === 0)
    return undo ? 'nothing was there to put back' : 'nothing was listed there yet, and nothing will be'
  return `${counted(listings, 'listing')} ${undo ? 'put back' : 'taken off'}`
}
