import {
  type Clock,
  canonicalAddress,
  check,
  decodeJsonObject,
  type ErrorCode,
  type ExtensionServer,
  errorInfo,
  isJsonObject,
  type Json,
  type Pid,
  readBounded,
  sameAddress,
  systemClock,
  X402Error,
} from '@groat/core'
import { accountSigned, type VerifyTools } from '../account-signature.js'
import { boundedWallets, TooManyQuestions, type WalletQuestions } from '../wallet-questions.js'
import { type RefundRequest, refundBytes, refundDigest, refundExtension, WIRE_SCHEMA } from './refund.js'
import * as shapes from './schema.shapes.js'

export type { WalletVerifier } from '../account-signature.js'
export type { WalletQuestions } from '../wallet-questions.js'
export { type RefundMessage, type RefundRequest, type RefundTerms, refundBytes, refundDigest } from './refund.js'

/** A payment as the seller's books have it. */
export type BookedPayment = {
  readonly pid: Pid
  /** Milliseconds since 1970. */
  readonly at: number
  readonly network: string
  readonly asset: string
  /** Atomic units. */
  readonly amount: bigint
  readonly from: string
  readonly to: string
  readonly resource: string
  readonly transaction: string
}

/** A refund, as far as its payer is told of it. */
export type BookedRefund = {
  readonly state: 'asked' | 'approved' | 'signed' | 'settled' | 'rejected'
  readonly amount: bigint
  readonly askedBy: string
  readonly transaction?: string
}

/** What pays refunds, at most once for a payment and to nobody but its payer: `createRefunds` of `@groat/server/refunds` is one. */
export interface RefundDesk {
  /** Payments that a transaction settled. */
  payments(of: { readonly network: string; readonly transaction: string }): Promise<readonly BookedPayment[]>
  ask(wish: {
    readonly pid: Pid
    readonly amount: bigint
    readonly reason: string
    readonly by: string
    readonly byPayer: true
  }): Promise<
    | { readonly ok: true; readonly refund: BookedRefund }
    | {
        readonly ok: false
        readonly code: ErrorCode
        /** Atomic units that may be asked for instead. */
        readonly unused?: bigint
      }
  >
  get(pid: Pid): Promise<BookedRefund | undefined>
}

/** What a seller needs to be asked for refunds. */
export type RefundOptions = {
  readonly refunds: RefundDesk
  /** Where payers reach this server; the endpoint is below it. */
  readonly origin: string
  /** The path of the endpoint: `/.well-known/x402-refund` unless told. */
  readonly path?: string
  /** Seconds after the payment for which it may be asked back. */
  readonly windowSeconds: number
  /** Whether a part may be asked back. Default true. */
  readonly partial?: boolean
  /** What people can read about it. */
  readonly policyUrl?: string
  /** The seller's own word on a request that is in order; `false` denies it. One that throws refuses. Without it whatever is in order is asked for, and `approveAbove` of the refunds decides. */
  readonly allow?: (request: RefundRequest, payment: BookedPayment) => boolean | Promise<boolean>
  /** Seconds by which the time in a request may differ from ours. Default 300. */
  readonly skewSeconds?: number
  readonly clock?: Clock
  /** How often `wallets` may be asked for nothing: beyond that requests of contracts are answered 429 (EXT-REFUND-015). */
  readonly walletQuestions?: WalletQuestions
} & VerifyTools

/** Both parts of the seller's half. */
export type RefundRequests = {
  /** Announces the terms, and puts them into receipts. Register it; a route declares it as `true`. */
  readonly extension: ExtensionServer
  /** Answers requests to the endpoint; `undefined` for any other. */
  readonly answer: (request: Request) => Promise<Response | undefined>
  /** Answers the body of a request, for servers without web requests. Never throws. */
  readonly decide: (body: string) => Promise<RefundDecision>
}

/** What is answered, and with which status. */
export type RefundDecision = {
  readonly status: number
  readonly body: { readonly [name: string]: Json }
  /** Seconds after which the same request may be sent again, for `Retry-After`. */
  readonly retryAfter?: number
}

/**
 * The seller's half of `groat-refund`. A request has to be signed by the payer, for this origin, now, and for money back to the payer itself; what it asks for has to stand in the
 * books. The refund is the desk's to pay: once for a payment, and never above what of it was not used. A request that is sent again is answered by what became of it.
 * Throws `X402Error` `invalid_config`.
 *
 * @example
 * const asked = refundRequests({ refunds, origin: 'https://shop.example', windowSeconds: 7 * 86_400 })
 * const paid = paywall({ ...shop, extensions: [asked.extension] })
 * const serve = async (request: Request) => (await asked.answer(request)) ?? route(request)
 */
export function refundRequests(options: RefundOptions): RefundRequests {
  const { path = '/.well-known/x402-refund', windowSeconds, partial = true, policyUrl } = options
  const { origin } = new URL(options.origin)
  const terms = {
    version: 1 as const,
    endpoint: `${options.origin.replace(/\/+$/, '')}${path}`,
    windowSeconds,
    partial,
    ...(policyUrl === undefined ? {} : { policyUrl }),
  }
  const fitting = check(shapes.RefundTerms, terms)
  if (!fitting.ok || !Number.isSafeInteger(windowSeconds)) {
    throw new X402Error('invalid_config', {
      field: refundExtension.key,
      reason: fitting.ok ? 'windowSeconds' : fitting.detail,
    })
  }
  const announce = { info: terms, schema: WIRE_SCHEMA }
  const endpoint = new URL(terms.endpoint).pathname

  const { clock = systemClock, walletQuestions = {} } = options
  const wallets = options.wallets && boundedWallets(options.wallets, walletQuestions, clock)
  const decide = async (body: string): Promise<RefundDecision> => {
    try {
      return await decideOn(body, { ...options, ...(wallets && { wallets }), origin, partial, clock })
    } catch (error) {
      if (error instanceof TooManyQuestions) {
        const { code, retryAfter = 1 } = error.refusal
        return { ...denied(code), retryAfter }
      }
      // Nothing was decided; the same request may be sent again.
      return denied('extension_unavailable')
    }
  }
  return {
    decide,
    extension: {
      extension: refundExtension,
      declare: (said) => {
        if (said !== true && !(isJsonObject(said) && Object.keys(said).length === 0)) {
          throw new X402Error('invalid_config', { field: `extensions.${refundExtension.key}`, reason: 'true' })
        }
        // The buyer needs them with the receipt, when the challenge is long gone.
        return { announce, settled: () => ({ info: terms }) }
      },
    },
    async answer(request) {
      if (new URL(request.url).pathname !== endpoint) return undefined
      if (request.method !== 'POST') return new Response(null, { status: 405, headers: { allow: 'POST' } })
      const bytes = await readBounded(request.body, { maxBytes: MAX_BYTES })
      const { status, body, retryAfter } =
        bytes === undefined ? denied('request_too_large') : await decide(new TextDecoder().decode(bytes))
      const headers = {
        ...{ 'content-type': 'application/json', 'cache-control': 'no-store' },
        ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      }
      return new Response(JSON.stringify(body), { status, headers })
    },
  }
}

/** Bytes of a request at the most. */
const MAX_BYTES = 16_384

type Deciding = RefundOptions & { readonly origin: string; readonly partial: boolean; readonly clock: Clock }

async function decideOn(body: string, options: Deciding): Promise<RefundDecision> {
  const { refunds, origin, partial, windowSeconds, allow, skewSeconds = 300, clock } = options
  const json = decodeJsonObject(body)
  const read = json.ok ? check(shapes.RefundRequest, json.value) : json
  if (!read.ok || !Number.isSafeInteger(read.value.issuedAt)) return denied('refund_request_invalid')
  const request: RefundRequest = read.value
  const { network, transaction, payer, refundTo, asset, payTo, audience, issuedAt, signature } = request
  const now = clock()
  if (audience !== origin || Math.abs(now / 1000 - issuedAt) > skewSeconds) return denied('refund_request_foreign')
  // Whoever stole the key of a payer gets nothing elsewhere.
  if (!sameAddress(refundTo, payer)) return denied('refund_request_invalid')
  const signed = {
    ...{ network, address: payer, signature },
    digest: (engine: Parameters<typeof refundDigest>[0]) => refundDigest(engine, request),
    bytes: () => refundBytes(request),
  }
  // The books first: nobody's chain is asked for what was not sold here.
  const booked = await refunds.payments({ network, transaction })
  const own = booked.filter(
    (each) => sameAddress(each.from, payer) && sameAddress(each.to, payTo) && sameAddress(each.asset, asset),
  )
  if (own.length === 0) return denied('refund_not_found')
  if ((await accountSigned(signed, options)) === undefined) return denied('refund_request_invalid')
  const by = `payer ${canonicalAddress(payer)} ${request.idempotencyKey}`
  for (const { pid } of own) {
    const known = await refunds.get(pid)
    if (known?.askedBy === by) return told(known, request)
  }
  const amount = BigInt(request.amount)
  const timely = own.filter(({ at }) => now <= at + windowSeconds * 1000)
  if (timely.length === 0) return denied('refund_too_late')
  // One transaction may settle several payments of one payer.
  let code: ErrorCode = 'refund_above_paid'
  let unused: bigint | undefined
  for (const payment of timely) {
    if (amount > payment.amount || (!partial && amount !== payment.amount)) continue
    if (allow !== undefined && !(await allow(request, payment))) return denied('refund_denied')
    const asked = await refunds.ask({ pid: payment.pid, amount, reason: request.reason, by, byPayer: true })
    if (asked.ok) return told(asked.refund, request)
    code = asked.code
    unused = asked.unused
    if (code !== 'refund_exists') continue
    // Somebody was faster: perhaps this very request.
    const known = await refunds.get(payment.pid)
    if (known?.askedBy === by) return told(known, request)
  }
  return denied(code, unused)
}

function told({ state, amount, transaction }: BookedRefund, request: RefundRequest): RefundDecision {
  const about = { refundOf: request.transaction, amount: amount.toString() }
  if (state === 'rejected') return denied('refund_denied')
  if (state !== 'settled') return { status: 202, body: { status: 'pending', ...about } }
  return { status: 200, body: { status: 'executed', ...about, ...(transaction && { transaction }) } }
}

function denied(code: ErrorCode, unused?: bigint): RefundDecision {
  const { status, title, hint } = errorInfo(code)
  const instead = unused === undefined || unused === 0n ? {} : { amount: unused.toString() }
  return { status, body: { status: 'denied', code, title, hint, ...instead } }
}
