import { isJsonObject, type JsonObject } from '@groat/core'
import { counted } from '../terminal/counted.js'
import { exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'
import { askAdmin } from './ask-admin.js'

/** Options of `groat claims`. */
export type ClaimsCommand = { readonly admin: string; readonly amount?: string; readonly json?: boolean }

/** `groat claims list`: what every channel owes the shop. */
export async function listClaims(options: ClaimsCommand, io: Io): Promise<number> {
  const { json } = await askAdmin('GET', '/api/channels', options, io)
  const all = Array.isArray(json) ? json.filter(isJsonObject) : []
  if (options.json) for (const channel of all) io.out(`${JSON.stringify(channel)}\n`)
  else for (const line of columns(all.map(rowOf))) io.out(`${plain(line)}\n`)
  return exitCodes.ok
}

/** `groat claims run`: claims all of it now. */
export async function runClaims(options: ClaimsCommand, io: Io): Promise<number> {
  const { ok, json } = await askAdmin('POST', '/api/channels/claim', options, io, {})
  const said = isJsonObject(json) ? json : {}
  const of = (name: string) => (Array.isArray(said[name]) ? said[name].map(String) : [])
  if (options.json) io.out(`${JSON.stringify(said)}\n`)
  else if (!ok) io.say(failure(said))
  else {
    for (const transaction of of('transactions')) io.out(`${plain(transaction)}\n`)
    io.say(`  claimed from ${counted(of('claimed').length, 'channel')}`)
    for (const channel of of('refused')) io.say(plain(`  ${channel} cannot be claimed: the contract refuses its row`))
  }
  return ok && of('refused').length === 0 ? exitCodes.ok : exitCodes.no
}

/** `groat claims refund CHANNEL`: gives its payer back what it has not spent. */
export async function refundChannel(id: string, { amount, ...options }: ClaimsCommand, io: Io): Promise<number> {
  const path = `/api/channels/${encodeURIComponent(id)}/refund`
  const { ok, json } = await askAdmin('POST', path, options, io, amount === undefined ? {} : { amount })
  const said = isJsonObject(json) ? json : {}
  if (options.json) io.out(`${JSON.stringify(said)}\n`)
  else if (ok) for (const line of columns([rowOf(said)])) io.out(`${plain(line)}\n`)
  else io.say(failure(said))
  if (ok && said.answer === 'unknown')
    io.say('  It is not known yet whether that happened. Run the same command again.')
  return ok && said.answer !== 'unknown' ? exitCodes.ok : exitCodes.no
}

const failure = (said: JsonObject) => plain(`${said.code ?? 'failed'}: ${said.title ?? said.error ?? ''}`)

function rowOf({ channelId, on, owed, charged, balance, payer, leaving, transaction }: JsonObject): string[] {
  const parts = [`${String(channelId).slice(0, 14)}…`, on, `${owed} owed`, `${charged} charged`, `${balance} deposited`]
  return [...parts, payer, leaving === true ? 'its payer is leaving' : '', transaction ?? ''].map(String)
}
