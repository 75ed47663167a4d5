import { existsSync } from 'node:fs'
import { X402Error } from '@groat/core'
import { openStore, type Store } from '@groat/store'
import { CliError } from '../terminal/exit.js'

/** Opens the store that an option or a file names; when that cannot be opened, says which it is, and why. */
export async function openNamedStore(target: string): Promise<Store> {
  return openStore(target).catch((cause: unknown) => {
    if (!X402Error.is(cause)) throw cause
    const inner = cause.cause instanceof Error && 'code' in cause.cause ? cause.cause.code : undefined
    const reason = [cause.context.reason, inner].filter((part) => part !== undefined).join(', ')
    const hint = hintFor(target, cause.context.reason, String(inner))
    throw new CliError('unreachable', `${withoutSecrets(target)} cannot be opened: ${reason}`, hint, { cause })
  })
}

function hintFor(target: string, reason: unknown, sqlstate: string): string {
  if (reason === 'driver_missing') {
    return 'PostgreSQL is reached by the package pg: `npm install pg` beside the command, or, in a clone, everything by `npx pnpm@10.34.9 install`.'
  }
  if (!URL.canParse(target)) return 'A file needs a folder that is there and can be written.'
  if (sqlstate.startsWith('28')) return 'The database does not take the user and the password of the URL.'
  if (sqlstate === '3D000') return 'The server has no database of that name: `createdb` makes one.'
  return 'A database has to run there: look at the host and the port of the URL, and at the server.'
}

/** Opens the store of a facilitator that has run: one that is not there is a mistake in the file, and none is made. */
export async function openJournal(target: string): Promise<Store> {
  if (!URL.canParse(target) && !existsSync(target)) {
    throw new CliError(
      'usage',
      `${target} is not there`,
      'The journal is made when `groat facilitator FILE` starts first.',
    )
  }
  return openNamedStore(target)
}

/** A path as it is; of a database only where it is. */
export function withoutSecrets(target: string): string {
  if (!URL.canParse(target)) return target
  const { protocol, host, pathname } = new URL(target)
  return `${protocol}//${host}${pathname}`
}
