import { errorInfo, isErrorCode, isJsonObject, type JsonObject, network as networkNamed } from '@groat/core'
import { exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'
import { type AdminAnswer, askAdmin as call } from './ask-admin.js'
import { nameOf } from './refusal.js'

/** Options of `groat refund`. */
export type RefundCommand = {
  readonly admin: string
  readonly amount?: string
  readonly part?: string
  readonly reason?: string
  readonly json?: boolean
}

/** `groat refund ask PAYMENT`: asks the shop to give a payment back. Above its limit somebody else has to approve. */
export async function askRefund(
  payment: string,
  { amount, reason, part, ...options }: RefundCommand,
  io: Io,
): Promise<number> {
  const wish = { payment, reason, ...(amount === undefined ? {} : { amount }), ...(part === undefined ? {} : { part }) }
  return told(await call('POST', '/api/refunds', options, io, wish), options, io)
}

/** `groat refund approve|reject PAYMENT`: the second person's word. */
export async function decideRefund(
  verb: 'approve' | 'reject',
  payment: string,
  options: RefundCommand,
  io: Io,
): Promise<number> {
  return told(await call('POST', `/api/refunds/${encodeURIComponent(payment)}/${verb}`, options, io, {}), options, io)
}

/** `groat refund list`: refunds, the newest first. */
export async function listRefunds(options: RefundCommand, io: Io): Promise<number> {
  const { json } = await call('GET', '/api/refunds', options, io)
  const all = Array.isArray(json) ? json.filter(isJsonObject) : []
  if (options.json) for (const refund of all) io.out(`${JSON.stringify(refund)}\n`)
  else for (const line of columns(all.map(rowOf))) io.out(`${plain(line)}\n`)
  if (all.length === 0 && !options.json) io.say('There are no refunds.')
  return exitCodes.ok
}

function told({ ok, json }: AdminAnswer, options: Pick<RefundCommand, 'json'>, io: Io): number {
  const said = isJsonObject(json) ? json : {}
  if (options.json) io.out(`${JSON.stringify(said)}\n`)
  else if (ok) for (const line of columns([rowOf(said)])) io.out(`${plain(line)}\n`)
  else io.say(plain(`${said.code ?? 'failed'}: ${said.title ?? said.error ?? ''}`))
  return ok ? exitCodes.ok : exitCodes.no
}

function rowOf(refund: JsonObject): readonly string[] {
  const { id, state, amount, paid, tokens, payer, reason, transaction } = refund
  const now = transaction ?? waitsFor(refund)
  return [state, tokens ?? `${amount} of ${paid} atomic units`, payer, id, reason, now].map(String)
}

/** Why one that is agreed on is not paid yet, as far as the last try said so: it is tried again by itself. */
function waitsFor({ state, code, network }: JsonObject): string {
  if (typeof code !== 'string' || !isErrorCode(code) || (state !== 'approved' && state !== 'signed')) return ''
  if (!/(^|_)insufficient_(balance|funds)$/.test(code)) return `waits: ${errorInfo(code).title} (${code})`
  return `waits: the refund key has too few tokens on ${typeof network === 'string' ? nameOf(networkNamed(network)) : 'its network'} (${code})`
}
