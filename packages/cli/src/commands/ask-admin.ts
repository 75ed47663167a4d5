import { isJsonObject } from '@groat/core'
import { CliError } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'

/** What an admin listener says. */
export type AdminAnswer = { readonly ok: boolean; readonly json: unknown }

/** Asks the admin listener of a shop, as whom GROAT_ADMIN_TOKEN says. Throws `CliError` where it does not answer, or does not know who asks. */
export async function askAdmin(
  method: string,
  path: string,
  { admin }: { readonly admin: string },
  io: Io,
  body?: object,
): Promise<AdminAnswer> {
  const token = io.environment.GROAT_ADMIN_TOKEN
  if (!URL.canParse(path, admin)) throw new CliError('usage', `${admin} is no URL`)
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const init = {
    method,
    headers,
    redirect: 'error',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  } as const
  const response = await fetch(new URL(path, admin), init).catch((cause: unknown) => {
    throw new CliError('unreachable', `${admin} does not answer`, 'It is `admin.listen` in the file of the shop.', {
      cause,
    })
  })
  if (response.status === 401 || response.status === 403) {
    const json: unknown = await response.json().catch(() => undefined)
    if (isJsonObject(json) && typeof json.code === 'string') return { ok: false, json }
    throw new CliError(
      'no',
      'The shop does not know you',
      'Set GROAT_ADMIN_TOKEN to a token whose hash stands in its file.',
    )
  }
  return { ok: response.ok, json: await response.json().catch(() => undefined) }
}
