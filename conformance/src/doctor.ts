import { createHttp, isObject, jsonIn } from './http/exchange.js'
import { show } from './model/finding.js'
import { messageProblem } from './spec/messages.js'
import { decodeHeader } from './wire/messages.js'

/** One thing that was looked at, and what to do if it is wrong. */
export type Diagnosis = {
  readonly what: string
  readonly status: 'ok' | 'wrong' | 'note'
  readonly saw?: string
  readonly hint?: string
  readonly requirement?: string
}

/**
 * Looks at a paid URL as a client would, and says why its 402 is not understood. It asks once and pays nothing.
 *
 * @example
 * ```ts
 * for (const { status, what, hint } of await examine('https://api.example/report')) console.log(status, what, hint)
 * ```
 */
export async function examine(url: string): Promise<readonly Diagnosis[]> {
  const http = createHttp({ note: () => {}, limits: { timeoutMs: 15_000 } })
  const answer = await http.attempt({ url, headers: { accept: 'application/json' } })
  if ('silent' in answer) return [wrong('the URL answers', answer.silent, hintOn(answer.silent))]
  const found: Diagnosis[] = [ok('the URL answers', `${answer.status}`)]
  const add = (...more: readonly Diagnosis[]) => found.push(...more)

  if (answer.status !== 402) {
    const hint =
      answer.status < 300
        ? 'This URL costs nothing as it was asked for. Is the route behind the gate, for GET too?'
        : answer.status < 400
          ? `It redirects to ${answer.headers.location ?? 'nowhere'}. Ask that URL.`
          : 'Only a 402 is an offer; no client pays because of another status.'
    return [...found, wrong('the status is 402', `${answer.status}`, hint, 'HTTP-001')]
  }
  add(ok('the status is 402', '402'))

  const value = answer.headers['payment-required']
  const body = jsonIn(answer)
  const isOld = isObject(body) && Array.isArray(body.accepts)
  if (value === undefined) {
    if (!isOld)
      return [
        ...found,
        wrong(
          'there are offers',
          'none',
          'Send PAYMENT-REQUIRED with base64 of JSON. A proxy may have dropped the header.',
          'HTTP-002',
        ),
      ]
    const isTwo = isObject(body) && body.x402Version === 2
    add(
      isTwo
        ? wrong(
            'offers of version 2 are in the header',
            'in the body',
            'Clients of version 2 read PAYMENT-REQUIRED only.',
            'HTTP-002',
          )
        : {
            what: 'only version 1 is spoken',
            status: 'note',
            hint: 'Clients of version 2 alone cannot pay here: send PAYMENT-REQUIRED as well.',
          },
    )
    return [...found, ...examineOffers(body, isTwo ? 2 : 1)]
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(value) || value.length % 4 !== 0) {
    const hint = /[-_]/.test(value)
      ? 'It has - or _: that is the alphabet of URLs; use the standard one.'
      : 'Use base64 of RFC 4648 section 4, with padding.'
    add(wrong('PAYMENT-REQUIRED is standard base64', value.slice(0, 60), hint, 'HTTP-020'))
  }
  const message = decodeHeader(value)
  if (message === undefined)
    return [
      ...found,
      wrong(
        'PAYMENT-REQUIRED is JSON',
        Buffer.from(value, 'base64').toString('utf8').slice(0, 80),
        'What is encoded has to be one JSON object.',
        'CORE-010',
      ),
    ]
  add(ok('PAYMENT-REQUIRED can be decoded', `${value.length} characters`), ...examineOffers(message, 2))
  if (value.length > 8_192)
    add({
      what: 'the header is long',
      status: 'note',
      saw: `${value.length}`,
      hint: 'Many proxies stop at 8 kB.',
      requirement: 'HTTP-028',
    })
  if (!/\bno-store\b/.test(answer.headers['cache-control'] ?? '')) {
    add(
      wrong(
        'the 402 is not stored',
        answer.headers['cache-control'] ?? 'no Cache-Control',
        'Send Cache-Control: no-store, or a cache answers paid requests with it.',
        'HTTP-060',
      ),
    )
  }
  const exposes = answer.headers['access-control-expose-headers']
  if (answer.headers['access-control-allow-origin'] !== undefined && !/payment-required/i.test(exposes ?? '')) {
    add({
      what: 'browsers of other origins cannot read the offers',
      status: 'note',
      hint: 'Add PAYMENT-REQUIRED and PAYMENT-RESPONSE to Access-Control-Expose-Headers.',
      requirement: 'HTTP-063',
    })
  }
  return found
}

function examineOffers(message: Readonly<Record<string, unknown>>, version: 1 | 2): readonly Diagnosis[] {
  const problem = messageProblem(`v${version}/PaymentRequired`, message)
  const form =
    problem === undefined
      ? ok(`the offers have the form of version ${version}`)
      : wrong(
          `the offers have the form of version ${version}`,
          problem,
          'groat conform explain CORE-025 lists the members.',
          'CORE-025',
        )
  const all = Array.isArray(message.accepts) ? message.accepts.filter(isObject) : []
  const offers = all.slice(0, MOST_OFFERS)
  if (offers.length === 0)
    return [form, wrong('there is an offer', 'none', '`accepts` has to hold at least one.', 'CORE-020')]
  const left = all.length - offers.length
  const more: Diagnosis[] = left === 0 ? [] : [{ what: `${left} more offers were not looked at`, status: 'note' }]
  return [form, ...offers.flatMap((offer, at) => examineOffer(offer, at, version)), ...more]
}

/** Nobody reads on after so many. */
const MOST_OFFERS = 32

/** What to do about a URL without a whole answer. */
const hintOn = (silent: string) =>
  silent.startsWith('sent more')
    ? 'A 402 is small; nobody reads that much of one. Is this its address?'
    : silent.startsWith('began')
      ? 'It answers and never ends: a 402 must be whole before anything is paid.'
      : 'Is the server running, and is this its address?'

function examineOffer(offer: Readonly<Record<string, unknown>>, at: number, version: 1 | 2): readonly Diagnosis[] {
  const name = `offer ${at + 1}`
  const { network, scheme, asset, extra } = offer
  const amount = version === 1 ? offer.maxAmountRequired : offer.amount
  const what = `${name}: ${show(scheme)} on ${show(network)}, ${show(amount)} of ${show(asset)}`
  const found: Diagnosis[] = [{ what, status: 'note' }]
  if (typeof amount !== 'string' || !/^(0|[1-9][0-9]{0,77})$/.test(amount)) {
    found.push(
      wrong(
        `${name}: the amount is decimal text`,
        show(amount),
        'Atomic units as text: $0.01 of USDC is "10000".',
        'CORE-050',
      ),
    )
  }
  const chain = typeof network === 'string' ? network : ''
  const isCaip2 = /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/.test(chain)
  if (isCaip2 !== (version === 2)) {
    found.push(
      wrong(
        `${name}: the network has a name of version ${version}`,
        show(network),
        version === 2 ? 'Base is eip155:8453, Base Sepolia eip155:84532.' : 'Version 1 says base or base-sepolia.',
        'CORE-060',
      ),
    )
  }
  const members = isObject(extra) ? extra : {}
  if (
    chain.startsWith('eip155:') &&
    scheme === 'exact' &&
    members.assetTransferMethod === undefined &&
    typeof members.name !== 'string'
  ) {
    found.push(
      wrong(
        `${name}: the domain of the token is named`,
        show(extra),
        'extra.name and extra.version are those of the EIP-712 domain of the token: for USDC, version 2.',
        'EVM-EXACT-003',
      ),
    )
  }
  if (chain.startsWith('solana:') && scheme === 'exact' && typeof members.feePayer !== 'string') {
    found.push(
      wrong(
        `${name}: the fee payer is named`,
        show(extra),
        'Copy extra.feePayer from /supported of the facilitator.',
        'SVM-EXACT-003',
      ),
    )
  }
  return found
}

const ok = (what: string, saw?: string): Diagnosis => ({ what, status: 'ok', ...(saw === undefined ? {} : { saw }) })
const wrong = (what: string, saw: string, hint: string, requirement?: string): Diagnosis => ({
  what,
  status: 'wrong',
  saw,
  hint,
  ...(requirement === undefined ? {} : { requirement }),
})
