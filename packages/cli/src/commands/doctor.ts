import { type Diagnosis, examine, oneLine } from '@groat/conformance'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'

/** `groat doctor URL`: says why a 402 is not understood. Pays nothing. */
export async function doctor(url: string, { json = false }: { readonly json?: boolean }, io: Io): Promise<number> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new CliError('usage', `${url} is no http(s) URL`)
  const found = await examine(url)
  for (const each of found) io.out(json ? `${JSON.stringify(each)}\n` : line(each, io))
  const isWrong = found.some(({ status }) => status === 'wrong')
  if (!json && !isWrong) io.out('nothing wrong that can be seen without paying\n')
  if (found.length === 1 && isWrong) return exitCodes.unreachable
  return isWrong ? exitCodes.no : exitCodes.ok
}

function line({ what, status, saw, hint, requirement }: Diagnosis, { style }: Io): string {
  const mark = status === 'ok' ? style.good('ok   ') : status === 'wrong' ? style.bad('WRONG') : style.quiet('note ')
  const seen = saw === undefined ? '' : `: ${oneLine(saw)}`
  const more =
    hint === undefined ? '' : `\n        ${oneLine(hint)}${requirement === undefined ? '' : ` (${requirement})`}`
  return `${mark} ${oneLine(what)}${seen}${more}\n`
}
