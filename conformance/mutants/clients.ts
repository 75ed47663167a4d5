import { randomBytes } from 'node:crypto'
import { privateKeyToAccount } from 'viem/accounts'
import { usdcName } from '../src/chain/evm.js'
import type { ClientAnswer, ClientRequest } from '../src/index.js'
import { parseBase58 } from '../src/wire/base58.js'
import { type Authorization, signAuthorization } from '../src/wire/eip3009.js'
import {
  encodeTransaction,
  instruction,
  keypairOf,
  type Message,
  programs,
  tokenAccountOf,
} from '../src/wire/solana.js'

// biome-ignore lint/suspicious/noExplicitAny: a mutant spoils whatever it finds.
type Json = any

/** A client that pays whatever it is asked, right but for one fault. */
export type ClientMutant = { readonly name: string; readonly kills: readonly string[]; readonly faults: Faults }

/** What is wrong with it. A client without faults still has no policy. */
export type Faults = {
  readonly choose?: (offers: readonly Json[]) => Json
  readonly accepted?: (offer: Json) => Json
  readonly authorization?: (usual: Authorization) => Json
  readonly domain?: Json
  readonly signature?: (usual: string) => string
  readonly message?: (usual: Message) => Message
  readonly transaction?: (usual: string) => string
  readonly payment?: (usual: Json) => Json
  readonly header?: (usual: string) => string
  readonly headerName?: string
  readonly paid?: (init: RequestInit) => RequestInit
  readonly read?: (response: Response, body: string) => Json
  readonly signsAgain?: boolean
  readonly paysAnyStatus?: boolean
  readonly follows?: boolean
  readonly retries?: boolean
  readonly afterwards?: (response: Response) => ClientAnswer
  readonly looks?: (offers: Json) => Promise<unknown>
  readonly dies?: boolean
  readonly adds?: boolean
}

/** A client with these faults. */
export const brokenClient =
  (faults: Faults) =>
  async (asked: ClientRequest): Promise<ClientAnswer> => {
    const { url, method, headers = {}, body } = asked.request
    const init: RequestInit = { method, headers, ...(body === undefined ? {} : { body }), redirect: 'follow' }
    const first = await fetch(url, init)
    const text = await first.text()
    const found = first.status === 402 || faults.paysAnyStatus ? (faults.read ?? readHeader)(first, text) : undefined
    if (found === undefined) {
      if (faults.dies && first.status === 402) throw new Error('cannot read the offers')
      return { ok: { status: first.status } }
    }
    await faults.looks?.(found)
    if ('PAYMENT-SIGNATURE' in headers && !faults.adds) return { ok: { status: first.status } }
    const offers = Array.isArray(found.accepts) ? found.accepts : []
    const offer = (faults.choose ?? ((all) => all[0]))(offers)
    if (offer === undefined) return { ok: { status: first.status } }
    for (let times = 0; ; times++) {
      const payment = {
        x402Version: 2,
        resource: found.resource,
        accepted: (faults.accepted ?? same)(offer),
        payload: await payloadOf(offer, asked, faults),
      }
      const value = (faults.header ?? same)(
        Buffer.from(JSON.stringify((faults.payment ?? same)(payment))).toString('base64'),
      )
      const paid = (faults.paid ?? same)({
        ...init,
        headers: { ...headers, [faults.headerName ?? 'PAYMENT-SIGNATURE']: value },
        redirect: 'manual',
      })
      let answer = await fetch(url, paid).catch(() => undefined)
      if (answer === undefined) {
        if (faults.signsAgain && times === 0) continue
        return { error: { message: 'broken off' } }
      }
      if (answer.status >= 300 && answer.status < 400 && faults.follows)
        answer = await fetch(answer.headers.get('location') ?? '', { ...paid, redirect: 'follow' })
      if (answer.status >= 400 && faults.signsAgain && times === 0) continue
      if (faults.afterwards) return faults.afterwards(answer)
      return { ok: { status: answer.status } }
    }
  }

const same = <T>(value: T): T => value

function readHeader(response: Response): Json {
  return lenient(response.headers.get('payment-required'))
}

function lenient(value: string | null): Json {
  try {
    return value === null
      ? undefined
      : JSON.parse(
          Buffer.from(value, 'base64')
            .toString()
            .replace(/^\ufeff/, ''),
        )
  } catch {
    return undefined
  }
}

async function payloadOf(offer: Json, { wallet, rpc }: ClientRequest, faults: Faults): Promise<Json> {
  const amount = BigInt(Math.trunc(Number(offer.amount)) || 1)
  if (wallet.eip155 !== undefined) {
    const key = wallet.eip155 as `0x${string}`
    const now = Math.floor(Date.now() / 1000)
    const usual: Authorization = {
      from: privateKeyToAccount(key).address,
      to: offer.payTo,
      value: String(amount),
      validAfter: String(now - 60),
      validBefore: String(now + (Number(offer.maxTimeoutSeconds) || 60)),
      nonce: `0x${randomBytes(32).toString('hex')}`,
    }
    const authorization = (faults.authorization ?? same)(usual)
    const domain = { ...usdcName, chainId: 84_532, verifyingContract: offer.asset, ...faults.domain }
    const signature = await signAuthorization(key, domain, {
      ...usual,
      ...authorization,
      value: String(Number(authorization.value)),
    }).catch(() => '0x')
    return { signature: (faults.signature ?? same)(signature), authorization }
  }
  const pair = keypairOf((parseBase58(wallet.solana ?? '') ?? new Uint8Array()).subarray(0, 32))
  const asked = await fetch(rpc.solana ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"jsonrpc":"2.0","id":1,"method":"getLatestBlockhash"}',
  })
  const { result } = (await asked.json()) as Json
  const { asset } = offer
  const accounts = {
    source: tokenAccountOf(pair.address, asset),
    mint: asset,
    destination: tokenAccountOf(offer.payTo, asset),
    authority: pair.address,
  }
  const usual: Message = {
    feePayer: offer.extra?.feePayer,
    blockhash: result.value.blockhash,
    instructions: [
      instruction.unitLimit(20_000),
      instruction.unitPrice(1n),
      instruction.transferChecked(accounts, amount, 6),
      instruction.memo(offer.extra?.memo ?? randomBytes(16).toString('hex')),
    ],
  }
  return { transaction: (faults.transaction ?? same)(encodeTransaction((faults.message ?? same)(usual), [pair])) }
}

const first = (offers: readonly Json[]) =>
  offers.find((offer) => offer?.scheme === 'exact' && typeof offer?.payTo === 'string')
const with_ = (change: (usual: Authorization) => object) => (usual: Authorization) => ({ ...usual, ...change(usual) })
const instructions =
  (change: (usual: Message['instructions']) => Message['instructions']) =>
  (usual: Message): Message => ({ ...usual, instructions: change(usual.instructions) })

/** Broken in one way each, beside having no policy. */
export const clientMutants: readonly ClientMutant[] = [
  {
    name: 'pays whatever comes first',
    faults: {},
    kills: [
      'CLI-001/scheme/evm',
      'CLI-001/network/evm',
      'CLI-001/among/evm',
      'CORE-029/unreadable/evm',
      'CLI-003/limit/evm',
      'CLI-003/huge/evm',
      'CLI-004/asset/evm',
      'CLI-025/cheapest/evm',
      'CORE-090/flow/evm',
      'CORE-051/offer-number/evm',
      'CORE-051/offer-hexadecimal/evm',
      'CORE-051/offer-exponent/evm',
      'CORE-051/offer-negative/evm',
      'CORE-051/offer-fraction/evm',
      'CORE-051/offer-leading-zero/evm',
      'CORE-052/offer-too-large/evm',
      'CORE-063/offer-spelling/evm',
      'CLI-024/other-host/evm',
      'EVM-EXACT-006/unknown-method/evm',
      'CLI-007/lifetime/evm',
      'SEC-005/prototype/evm',
      'CLI-005/any-offers/evm',
    ],
  },
  {
    name: 'decodes whatever can be decoded',
    faults: {},
    kills: [
      'HTTP-022/offers-url-alphabet/evm',
      'HTTP-022/offers-white-space/evm',
      'HTTP-024/offers-mark/evm',
      'HTTP-026/offers-deep/evm',
      'CORE-012/offers-same-key/evm',
      'CORE-002/offers-version-3/evm',
    ],
  },
  {
    name: 'reads past what is left over, and lists',
    kills: ['HTTP-023/offers-length/evm', 'CORE-011/offers-list/evm'],
    faults: {
      read: (response) => {
        const value = response.headers.get('payment-required') ?? ''
        for (let cut = 0; cut < 6; cut++) {
          const found = lenient(value.slice(0, value.length - cut))
          if (found !== undefined) return Array.isArray(found) ? found[0] : found
        }
        return undefined
      },
    },
  },
  {
    name: 'never pays',
    kills: [
      'CLI-001/pays/evm',
      'CORE-013/offer-members/evm',
      'HTTP-010/offers-case/evm',
      'EVM-EXACT-005/method/evm',
      'EVM-EXACT-011/members/evm',
      'SVM-EXACT-010/fee-payer/svm',
    ],
    faults: { choose: () => undefined },
  },
  {
    name: 'falls over strange offers',
    kills: ['SEC-003/any-challenge/evm', 'HTTP-022/offers-white-space/evm'],
    faults: {
      dies: true,
      read: (response) => {
        if (response.headers.get('payment-required')?.includes(' ')) throw new Error('broken')
        const found = readHeader(response)
        if (!Array.isArray(found?.accepts)) throw new Error('broken')
        return found
      },
    },
  },
  {
    name: 'wants padding',
    kills: ['HTTP-021/offers-padding/evm'],
    faults: {
      read: (response) =>
        (response.headers.get('payment-required')?.length ?? 0) % 4 === 0 ? readHeader(response) : undefined,
    },
  },
  {
    name: 'wants a resource',
    kills: ['CORE-038/no-resource/evm'],
    faults: { read: (response) => (readHeader(response)?.resource === undefined ? undefined : readHeader(response)) },
  },
  {
    name: 'reads the body first',
    kills: ['CLI-018/header-first/evm', 'CLI-019/body/evm'],
    faults: {
      read: (response, body) => {
        const found = JSON.parse(body)
        return found.accepts ? found : readHeader(response)
      },
      payment: (usual) => ({ ...usual, x402Version: usual.accepted?.maxAmountRequired === undefined ? 2 : 1 }),
    },
  },
  { name: 'throws at a 402 without offers', kills: ['CLI-021/no-offers/evm'], faults: { dies: true } },
  { name: 'pays whatever the status', kills: ['CLI-022/other-status/evm'], faults: { paysAnyStatus: true } },
  {
    name: 'pays for what is free',
    kills: ['CLI-022/free/evm'],
    faults: {
      paysAnyStatus: true,
      read: (response) =>
        readHeader(response) ?? {
          accepts: [
            {
              scheme: 'exact',
              payTo: '0x000000000000000000000000000000000000dEaD',
              asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
              amount: '1',
            },
          ],
        },
    },
  },
  {
    name: 'asks the URLs of an offer',
    kills: ['CLI-026/canary/evm'],
    faults: { looks: async (found) => fetch(found.accepts[0].extra.url) },
  },
  { name: 'pays in X-PAYMENT', kills: ['HTTP-006/header/evm'], faults: { headerName: 'X-PAYMENT' } },
  {
    name: 'the alphabet of URLs',
    kills: ['HTTP-020/payment/evm'],
    faults: { header: (usual) => usual.replace(/=+$/, '_').replaceAll('+', '-') },
  },
  {
    name: 'the version as text',
    kills: ['CORE-001/payment/evm', 'HTTP-020/payment/evm'],
    faults: { payment: (usual) => ({ ...usual, x402Version: '2' }) },
  },
  {
    name: 'large payments',
    kills: ['HTTP-028/small/evm'],
    faults: { payment: (usual) => ({ ...usual, note: 'x'.repeat(9_000) }) },
  },
  {
    name: 'copies what it knows',
    kills: ['CORE-030/copy/evm'],
    faults: {
      accepted: ({ scheme, network, amount, asset, payTo, maxTimeoutSeconds, extra }) => ({
        scheme,
        network,
        amount,
        asset,
        payTo,
        maxTimeoutSeconds,
        extra,
      }),
    },
  },
  {
    name: 'an empty payload',
    kills: ['CORE-031/payload/evm'],
    faults: { payment: (usual) => ({ ...usual, payload: {} }) },
  },
  { name: 'no resource', kills: ['CORE-032/resource/evm'], faults: { payment: ({ resource: _, ...usual }) => usual } },
  {
    name: 'changes extensions',
    kills: ['CORE-081/extensions/evm'],
    faults: { payment: (usual) => ({ ...usual, extensions: { demo: { info: { id: 'b2' } } } }) },
  },
  { name: 'forgets the body', kills: ['CLI-009/repeats/evm'], faults: { paid: ({ body: _, ...init }) => init } },
  { name: 'adds a second payment', kills: ['CLI-008/carries-one/evm'], faults: { adds: true } },
  {
    name: 'follows anywhere with its payment',
    kills: ['CLI-010/other-origin/evm', 'CLI-011/redirected-offer/evm'],
    faults: { follows: true },
  },
  {
    name: 'signs again',
    kills: [
      'CLI-013/second-402/evm',
      'CLI-013/price-bump/evm',
      'CLI-013/other-recipient/evm',
      'CLI-015/broken-off/evm',
      'CLI-015/fault/evm',
      'ERR-002/refused/evm',
      'CLI-014/pending/evm',
    ],
    faults: { signsAgain: true },
  },
  { name: 'gives up while it is pending', kills: ['CLI-014/pending/evm'], faults: {} },
  {
    name: 'wants a receipt',
    kills: ['CLI-023/garbage/evm', 'CLI-023/absent/evm'],
    faults: {
      afterwards: (response) =>
        lenient(response.headers.get('payment-response'))
          ? { ok: { status: response.status } }
          : { error: { message: 'no receipt' } },
    },
  },
  {
    name: 'everything is well',
    kills: ['ERR-002/refused/evm'],
    faults: { afterwards: () => ({ ok: { status: 200 } }) },
  },
  {
    name: 'sends a header of answers',
    kills: ['HTTP-065/headers/evm'],
    faults: { paid: (init) => ({ ...init, headers: { ...init.headers, 'Access-Control-Expose-Headers': '*' } }) },
  },
  {
    name: 'pays out of bodies of any size',
    kills: ['SEC-004/huge-offers/evm'],
    faults: { read: (response, body) => readHeader(response) ?? JSON.parse(body) },
  },
  {
    name: 'numbers in the authorization',
    kills: ['EVM-EXACT-011/members/evm'],
    faults: { authorization: with_(({ value }) => ({ value: Number(value) })) },
  },
  {
    name: 'pays somebody else',
    kills: ['EVM-EXACT-012/to/evm'],
    faults: { authorization: with_(() => ({ to: '0x000000000000000000000000000000000000dEaD' })) },
  },
  {
    name: 'pays one more',
    kills: ['EVM-EXACT-013/value/evm'],
    faults: { authorization: with_(({ value }) => ({ value: String(BigInt(value) + 1n) })) },
  },
  {
    name: 'one nonce for all',
    kills: ['EVM-EXACT-014/nonce/evm'],
    faults: { authorization: with_(() => ({ nonce: `0x${'ab'.repeat(32)}` })) },
  },
  {
    name: 'valid for a day',
    kills: ['EVM-EXACT-015/valid-before/evm'],
    faults: { authorization: with_(({ validBefore }) => ({ validBefore: String(Number(validBefore) + 86_400) })) },
  },
  {
    name: 'valid tomorrow',
    kills: ['EVM-EXACT-016/valid-after/evm'],
    faults: { authorization: with_(({ validBefore }) => ({ validAfter: validBefore })) },
  },
  {
    name: 'hexadecimal integers',
    kills: ['EVM-EXACT-017/grammar/evm'],
    faults: { authorization: with_(({ value }) => ({ value: `0x${Number(value).toString(16)}` })) },
  },
  {
    name: 'a nonce without 0x',
    kills: ['EVM-EXACT-018/nonce/evm'],
    faults: {
      authorization: (usual) => ({
        ...usual,
        get nonce() {
          return usual.nonce
        },
        toJSON: () => ({ ...usual, nonce: usual.nonce.slice(2) }),
      }),
    },
  },
  {
    name: 'v of 0 and 1',
    kills: ['EVM-EXACT-019/signature/evm'],
    faults: { signature: (usual) => usual.slice(0, -2) + (usual.endsWith('1b') ? '00' : '01') },
  },
  {
    name: 'another domain',
    kills: ['EVM-EXACT-020/domain/evm', 'EVM-EXACT-021/type/evm'],
    faults: { domain: { version: '1' } },
  },
  {
    name: 'the domain that the offer wishes',
    kills: ['CLI-005/hostile-extra/evm'],
    faults: { domain: { chainId: 1 } },
  },
  { name: 'any domain', kills: ['EVM-EXACT-007/other-domain/evm'], faults: {} },
  {
    name: 'its own fee payer first',
    kills: ['SVM-EXACT-010/fee-payer/svm'],
    faults: { message: (usual) => ({ ...usual, feePayer: usual.instructions[2]?.accounts[3]?.address ?? '' }) },
  },
  {
    name: 'price before limit',
    kills: ['SVM-EXACT-011/order/svm'],
    faults: {
      message: instructions(([limit, price, ...rest]) => [price, limit, ...rest].filter((each) => each !== undefined)),
    },
  },
  {
    name: 'another amount on Solana',
    kills: ['SVM-EXACT-012/transfer/svm'],
    faults: {
      message: instructions((all) =>
        all.map((each) =>
          each.program === programs.token ? { ...each, data: Buffer.from(each.data).fill(9, 1, 2) } : each,
        ),
      ),
    },
  },
  { name: 'no memo', kills: ['SVM-EXACT-014/memo/svm'], faults: { message: instructions((all) => all.slice(0, 3)) } },
  {
    name: 'one message for one memo',
    kills: ['SVM-EXACT-015/two-messages/svm'],
    faults: { message: (usual) => ({ ...usual, blockhash: programs.memo }) },
  },
  { name: 'pays its own fee', kills: ['SVM-EXACT-016/own-fee/svm'], faults: {} },
  {
    name: 'fills the slot of the fee payer',
    kills: ['SVM-EXACT-019/form/svm'],
    faults: { transaction: (usual) => Buffer.from(usual, 'base64').fill(1, 1, 65).toString('base64') },
  },
  {
    name: 'cannot do what it claims',
    kills: ['CLI-001/among/evm', 'CLI-009/repeats/evm'],
    faults: { choose: (offers) => first(offers.slice(0, 0)) },
  },
]
