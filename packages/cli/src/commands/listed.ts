import { isJsonObject } from '@groat/core'
import { callOver, NoAnswer } from '@groat/core/http'
import { CliError, exitCodes } from '../terminal/exit.js'
import { type Io, plain } from '../terminal/io.js'

/** Options of `groat listed`. */
export type ListedCommand = {
  readonly catalogue?: string
  readonly method?: string
  readonly tool?: string
  readonly json?: boolean
}

/** `groat listed URL`: whether a catalogue lists a service, and if not, why. Exits 1 where it does not. */
export async function listed(resource: string, options: ListedCommand, io: Io): Promise<number> {
  const base = options.catalogue ?? io.environment.GROAT_CATALOGUE
  if (base === undefined) throw new CliError('usage', 'Which catalogue?', 'Name a facilitator with --catalogue.')
  for (const url of [resource, base]) if (!URL.canParse(url)) throw new CliError('usage', `${url} is not a URL`)
  const { method, tool } = options
  const asked = new URLSearchParams({ resource, ...(method && { method }), ...(tool && { tool }) })
  const answer = await ask(new URL(`discovery/why?${asked}`, base.endsWith('/') ? base : `${base}/`).href)
  const { listed: isListed, checks } = answer
  if (options.json) io.out(`${JSON.stringify(answer)}\n`)
  else {
    for (const check of checks) {
      const { ok, name, detail } = isJsonObject(check) ? check : {}
      const mark = ok === true ? io.style.good('yes') : ok === false ? io.style.bad('NO ') : io.style.quiet('?  ')
      io.out(`${mark}  ${plain(String(name))}: ${plain(String(detail))}\n`)
    }
    io.say(isListed ? 'It is listed.' : 'It is not listed.')
  }
  return isListed ? exitCodes.ok : exitCodes.no
}

async function ask(url: string): Promise<{ readonly listed: boolean; readonly checks: readonly unknown[] }> {
  const limits = { timeoutMs: 10_000, maxBytes: 262_144 }
  const answer = await callOver(fetch)({
    url,
    method: 'GET',
    headers: { accept: 'application/json' },
    ...limits,
  }).catch((error: unknown) => {
    if (error instanceof NoAnswer) throw new CliError('unreachable', `${new URL(url).origin} does not answer`)
    throw error
  })
  const said = jsonOf(answer.text)
  if (answer.status === 200 && isJsonObject(said) && typeof said.listed === 'boolean' && Array.isArray(said.checks)) {
    return { ...said, listed: said.listed, checks: said.checks }
  }
  throw new CliError(
    'unreachable',
    `${new URL(url).origin} has no catalogue that can say why`,
    'A facilitator keeps one with `bazaar: true` in its file.',
  )
}

function jsonOf(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
