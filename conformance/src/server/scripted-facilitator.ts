import { randomBytes } from 'node:crypto'
import { isObject } from '../http/exchange.js'
import { bodyOf, type Listening, listen, type Reply, reply } from '../http/listen.js'
import { parseJson } from '../model/json.js'
import type { Exchange, Family } from '../model/result.js'
import { formatBase58 } from '../wire/base58.js'
import { decodeTransaction } from '../wire/solana.js'

/** A question that a server asked. */
export type Asked = {
  readonly path: string
  readonly contentType: string
  /** Keys in `EXTENSION-VOUCHED`: extensions whose words the server has written itself. */
  readonly vouched: readonly string[]
  readonly body: Readonly<Record<string, unknown>>
  /** By `performance.now`. */
  readonly at: number
  /** When the answer was on its way; 0 until then. */
  readonly answeredAt: number
}

/** What the facilitator says to the nth question of a kind, counted from 1. `usual` is what an honest one says. */
export type Act = (usual: Readonly<Record<string, unknown>>, nth: number) => Reply | Promise<Reply>

/** A facilitator that says what it is told to say. */
export interface ScriptedFacilitator extends Listening {
  /** What was asked since the script began. */
  asked(path?: string): readonly Asked[]
  /** Begins a new script: honest, but for what is named. */
  play(script?: { readonly verify?: Act; readonly settle?: Act }): void
}

/** Says that a payment is no good. */
export const invalid: Act = () => ({ json: { isValid: false, invalidReason: 'payment_expired', payer: '' } })

/** Says that a payment was not settled, and will not be. */
export const refused: Act = ({ network, payer }) => ({
  json: { success: false, errorReason: 'payment_expired', transaction: '', network, payer },
})

/** Says that nobody knows yet whether a payment was settled. */
export const pending: Act = ({ network, payer, transaction }) => ({
  json: { success: false, errorReason: 'settlement_pending', transaction, network, payer },
})

/** Starts one. It claims to serve `exact` on one network. */
export async function startScriptedFacilitator(
  family: Family,
  network: string,
  v1Network: string,
  note: (exchange: Omit<Exchange, 'at'>) => void,
): Promise<ScriptedFacilitator> {
  let script: { readonly verify?: Act; readonly settle?: Act } = {}
  let asked: Asked[] = []
  const extra = family === 'svm' ? { extra: { feePayer } } : {}
  const kinds = [
    { x402Version: 2, scheme: 'exact', network, ...extra },
    { x402Version: 1, scheme: 'exact', network: v1Network, ...extra },
  ]
  const signers = { [`${network.split(':')[0]}:*`]: [family === 'svm' ? feePayer : evmSender] }

  const listening = await listen(async (request, response) => {
    const path = (request.url ?? '').replace(/\?.*/, '')
    if (path === '/supported') return reply(response, { json: { kinds, extensions: [], signers } })
    const text = await bodyOf(request)
    const body = parse(text)
    const question = {
      path,
      contentType: request.headers['content-type'] ?? '',
      vouched: String(request.headers['extension-vouched'] ?? '').split(/[\s,]+/),
      body,
      at: performance.now(),
      answeredAt: 0,
    }
    asked = [...asked, question]
    const usual = usualAnswer(path, body, family)
    const nth = asked.filter((each) => each.path === path).length
    const act = path === '/verify' ? script.verify : path === '/settle' ? script.settle : undefined
    const with_ = usual === undefined ? { status: 404 } : ((await act?.(usual, nth)) ?? { json: usual })
    note({
      who: 'target → facilitator of the kit',
      method: request.method ?? '',
      url: path,
      requestBody: text.slice(0, 4_000),
      ...(typeof with_ === 'string'
        ? { failure: `the facilitator of the kit does this on purpose: ${with_}` }
        : {
            status: with_.status ?? 200,
            responseBody: (with_.text ?? JSON.stringify(with_.json) ?? '').slice(0, 4_000),
          }),
    })
    await reply(response, with_)
    asked = asked.map((each) => (each === question ? { ...each, answeredAt: performance.now() } : each))
  })
  return {
    ...listening,
    asked: (path) => (path === undefined ? asked : asked.filter((each) => each.path === path)),
    play(next = {}) {
      script = next
      asked = []
    },
  }
}

/** The account that pays fees on Solana, as every sandbox chain has it. */
export const feePayer = 'AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9'
const evmSender = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC'

function usualAnswer(path: string, body: Readonly<Record<string, unknown>>, family: Family) {
  const payer = payerOf(body.paymentPayload, family)
  if (path === '/verify') return { isValid: true, payer }
  if (path !== '/settle') return undefined
  const requirements = isObject(body.paymentRequirements) ? body.paymentRequirements : {}
  const transaction = family === 'evm' ? `0x${randomBytes(32).toString('hex')}` : formatBase58(randomBytes(64))
  return { success: true, transaction, network: requirements.network, payer }
}

function payerOf(payment: unknown, family: Family): string {
  const payload = isObject(payment) && isObject(payment.payload) ? payment.payload : {}
  if (family === 'evm') return isObject(payload.authorization) ? String(payload.authorization.from) : ''
  const decoded = decodeTransaction(String(payload.transaction))
  return decoded?.accounts[1] ?? ''
}

function parse(text: string): Readonly<Record<string, unknown>> {
  const value = parseJson(text)
  return isObject(value) ? value : {}
}
