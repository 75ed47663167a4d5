import { X402Error } from '../errors/x402-error.js'
import { isJsonObject, type Json, type JsonObject } from '../model/json.js'
import type { Fetch } from '../ports.js'
import { callOver, NoAnswer } from './call.js'

/** A signer that is asked over HTTP. */
export type RemoteSigner = {
  /** Where it answers, such as `https://signer.internal`. Plain http is for loopback. */
  readonly url: string
  /** Shown as a bearer token. */
  readonly token: string
  readonly fetch?: Fetch
  /** Milliseconds. Default 10 000. */
  readonly timeoutMs?: number
}

/** An account that a signer signs for. */
export type SignerAccount = { readonly family: string; readonly address: string }

const MAX_BYTES = 65_536

/**
 * Has a remote signer sign a message. Throws `X402Error` `signer_refused`, with the signer's own `reason` and `rule`, when its limits say no, and
 * `signer_failed` when it does not answer; then nothing was signed that anybody could use.
 *
 * @example
 * const signature = await askSigner(signer, { family: 'eip155', address, message: typedData })
 */
export async function askSigner(signer: RemoteSigner, request: SignerAccount & { message: Json }): Promise<string> {
  const answer = await exchange(signer, 'sign', request)
  const { signature } = answer
  if (typeof signature !== 'string')
    throw new X402Error('signer_failed', { reason: 'the signer answered no signature' })
  return signature
}

/**
 * The accounts that a remote signer signs for. Throws `X402Error` `signer_failed`.
 *
 * @example
 * const [{ address }] = await signerAccounts({ url: 'http://127.0.0.1:4410', token })
 */
export async function signerAccounts(signer: RemoteSigner): Promise<readonly SignerAccount[]> {
  const { accounts } = await exchange(signer, 'accounts')
  return (Array.isArray(accounts) ? accounts : []).flatMap((each) =>
    isJsonObject(each) && typeof each.family === 'string' && typeof each.address === 'string'
      ? [{ family: each.family, address: each.address }]
      : [],
  )
}

async function exchange(signer: RemoteSigner, path: string, body?: JsonObject): Promise<JsonObject> {
  const { url, token, timeoutMs = 10_000, fetch = globalThis.fetch } = signer
  const base = new URL(url.endsWith('/') ? url : `${url}/`)
  if (base.protocol !== 'https:' && !isLoopback(base)) {
    throw new X402Error('invalid_config', { field: 'signer.url', problem: 'is neither https nor on this machine' })
  }
  const answer = await callOver((input, init) => fetch(input, init))({
    url: new URL(path, base).href,
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
    timeoutMs,
    maxBytes: MAX_BYTES,
  }).catch((cause: unknown) => {
    throw new X402Error('signer_failed', { reason: cause instanceof NoAnswer ? 'no answer' : 'not asked' }, { cause })
  })
  const read = parse(answer.text)
  if (answer.status === 200) return read
  const said = (name: string) => (typeof read[name] === 'string' ? String(read[name]).slice(0, 200) : undefined)
  if (answer.status === 403) {
    throw new X402Error('signer_refused', { reason: said('code'), rule: said('rule'), detail: said('detail') })
  }
  throw new X402Error('signer_failed', { status: answer.status, reason: said('code') })
}

function parse(text: string | undefined): JsonObject {
  try {
    const read: unknown = JSON.parse(text ?? '')
    // Parsed text is JSON; every member is looked at before it is used.
    return isJsonObject(read as Json) ? (read as JsonObject) : {}
  } catch {
    return {}
  }
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}
