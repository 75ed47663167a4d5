import { errorInfo, isJsonObject, type Json, readBounded, sha256Hex, X402Error } from '@groat/core'
import type { Signer, SignRequest } from './signer.js'

/** Who may ask a signer. */
export type SignerHandlerOptions = {
  /** Bearer tokens that are let in, of at least 16 characters. */
  readonly tokens: readonly string[]
}

/**
 * A signer as a fetch handler: `GET /accounts` and `POST /sign`, for whoever shows a token. A refusal is 403 with `code` and `rule`; its words are
 * those of the policy. Throws `X402Error` `invalid_config` when there is no token, or one that can be guessed.
 *
 * @example
 * const handle = signerHandler(createSigner({ halves: [evmSigner({ account })] }), { tokens: [token] })
 */
export function signerHandler(
  signer: Signer,
  { tokens }: SignerHandlerOptions,
): (request: Request) => Promise<Response> {
  if (tokens.length === 0 || tokens.some((token) => token.length < 16)) {
    throw new X402Error('invalid_config', { field: 'tokens', problem: 'are at least one, of at least 16 characters' })
  }
  // Compared as digests: how long that takes says nothing of a token.
  const allowed = new Set(tokens.map((token) => sha256Hex(token)))
  return async (request) => {
    const [, token = ''] = /^Bearer (\S+)$/.exec(request.headers.get('authorization') ?? '') ?? []
    if (!allowed.has(sha256Hex(token))) return say(401, { code: token === '' ? 'api_key_missing' : 'api_key_unknown' })
    const path = new URL(request.url).pathname.replace(/^.*\//, '')
    if (request.method === 'GET' && path === 'accounts')
      return say(200, { accounts: signer.accounts.map((each) => ({ ...each })) })
    if (request.method !== 'POST' || path !== 'sign') return say(404, { code: 'not_found' })
    const asked = await readRequest(request)
    if (asked === undefined) return say(400, { code: 'invalid_payload' })
    try {
      const answer = await signer.sign(asked)
      if (answer.ok) return say(200, { signature: answer.signature })
      const { code, rule, detail = '' } = answer
      return say(403, { code, rule, detail, title: errorInfo(code).title })
    } catch (error) {
      return say(503, { code: X402Error.is(error) ? error.code : 'signer_failed' })
    }
  }
}

const MAX_BYTES = 16_384
const MAX_MS = 10_000

async function readRequest(request: Request): Promise<SignRequest | undefined> {
  const bytes = await readBounded(request.body, { maxBytes: MAX_BYTES, ms: MAX_MS }).catch(() => undefined)
  try {
    const read: unknown = JSON.parse(new TextDecoder().decode(bytes))
    // Parsed text is JSON.
    if (bytes === undefined || !isJsonObject(read as Json)) return undefined
    const { family, address, message } = read as { readonly [member: string]: Json | undefined }
    if (typeof family !== 'string' || typeof address !== 'string' || message === undefined) return undefined
    return { family, address, message }
  } catch {
    return undefined
  }
}

function say(status: number, body: Json): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  })
}
