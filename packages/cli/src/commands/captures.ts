import { isJsonObject, type JsonObject } from '@groat/core'
import { exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'
import { askAdmin } from './ask-admin.js'

/** Options of `groat captures`. */
export type CapturesCommand = { readonly admin: string; readonly amount?: string; readonly json?: boolean }

/** `groat captures list`: what is held in escrow, the hold that ends first foremost. */
export async function listCaptures(options: CapturesCommand, io: Io): Promise<number> {
  const { json } = await askAdmin('GET', '/api/captures', options, io)
  const all = Array.isArray(json) ? json.filter(isJsonObject) : []
  if (options.json) for (const hold of all) io.out(`${JSON.stringify(hold)}\n`)
  else for (const line of columns(all.map(rowOf))) io.out(`${plain(line)}\n`)
  return exitCodes.ok
}

/** `groat captures capture|void|refund PAYMENT`: pays out what is held, lets go of it, or gives back what was paid out. */
export async function actOnCapture(
  verb: 'capture' | 'void' | 'refund',
  payment: string,
  { amount, ...options }: CapturesCommand,
  io: Io,
): Promise<number> {
  const wish = amount === undefined ? {} : { amount }
  const path = `/api/captures/${encodeURIComponent(payment)}/${verb}`
  const { ok, json } = await askAdmin('POST', path, options, io, wish)
  const said = isJsonObject(json) ? json : {}
  if (options.json) io.out(`${JSON.stringify(said)}\n`)
  else if (ok) for (const line of columns([rowOf(said)])) io.out(`${plain(line)}\n`)
  else io.say(plain(`${said.code ?? 'failed'}: ${said.title ?? said.error ?? ''}`))
  if (ok && said.answer === 'unknown')
    io.say('  It is not known yet whether that happened. Run the same command again.')
  return ok && said.answer !== 'unknown' ? exitCodes.ok : exitCodes.no
}

function rowOf({ pid, state, amount, capturable, refundable, captureUntil, payer, transaction }: JsonObject) {
  const parts = [state, `${capturable} of ${amount} held`, `${refundable} paid out`, `until ${captureUntil}`]
  return [...parts, payer, pid, transaction ?? ''].map(String)
}
