import { isJsonObject, type JsonObject } from '@groat/core'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'

/** Options of `groat refund`. */
export type RefundCommand = {
  readonly admin: string
  readonly amount?: string
  readonly reason?: string
  readonly json?: boolean
}

/** `groat refund ask PAYMENT`: asks the shop to give a payment back. Above its limit somebody else has to approve. */
export async function askRefund(
  payment: string,
  { amount, reason, ...options }: RefundCommand,
  io: Io,
): Promise<number> {
  const wish = { payment, reason, ...(amount === undefined ? {} : { amount }) }
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
  return exitCodes.ok
}

type Answer = { readonly ok: boolean; readonly json: unknown }

async function call(method: string, path: string, { admin }: RefundCommand, io: Io, body?: object): Promise<Answer> {
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

function told({ ok, json }: Answer, options: Pick<RefundCommand, 'json'>, io: Io): number {
  const said = isJsonObject(json) ? json : {}
  if (options.json) io.out(`${JSON.stringify(said)}\n`)
  else if (ok) for (const line of columns([rowOf(said)])) io.out(`${plain(line)}\n`)
  else io.say(plain(`${said.code ?? 'failed'}: ${said.title ?? said.error ?? ''}`))
  return ok ? exitCodes.ok : exitCodes.no
}

function rowOf({ pid, state, amount, paid, payer, reason, transaction }: JsonObject): readonly string[] {
  return [state, `${amount} of ${paid}`, payer, pid, reason, transaction ?? ''].map(String)
}
