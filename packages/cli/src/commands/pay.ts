import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { createPayer, type Payer, type PaymentOutcome, type Quote } from '@groat/client'
import { sqlIntents } from '@groat/client/sql'
import { type Asset, errorInfo, formatUnits } from '@groat/core'
import type { ReceiptLine } from '../sandbox/buyer.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import { formatDuration, type Io, plain, type Style } from '../terminal/io.js'
import { askOnce } from './ask-once.js'
import { openNamedStore } from './open-store.js'
import { checkOutput, writeOutput } from './output.js'
import { explainRefusal, nameOf, type RefusedQuote } from './refusal.js'
import { isLoopback, openWallet, type WalletOptions } from './wallet.js'

/** Options of `groat pay`. */
export type PayCommand = WalletOptions & {
  readonly method?: string
  readonly header?: readonly string[]
  readonly data?: string
  readonly output?: string
  readonly max: string
  readonly network?: readonly string[]
  readonly v1?: boolean
  readonly store?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

/** `groat pay URL`: requests, shows the price, pays within limits, prints the answer. The receipt goes to standard error. */
export async function pay(url: string, options: PayCommand, io: Io): Promise<number> {
  const target = parseTarget(url)
  const init = requestInit(target, options)
  if (options.output !== undefined && !options.dryRun) await checkOutput(options.output)
  const file = options.store ?? join(io.environment.GROAT_HOME ?? join(homedir(), '.groat'), 'purse.db')
  await mkdir(dirname(file), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new CliError('usage', `${dirname(file)} cannot be made`, 'Say with --store where to keep payments.', {
      cause,
    })
  })
  const schemes = await openWallet(target, options, io)
  const store = await openNamedStore(file)
  try {
    const payer = createPayer({
      schemes,
      policy: {
        perPayment: options.max,
        versions: options.v1 ? [2, 1] : [2],
        ...(options.network === undefined ? {} : { networks: options.network }),
      },
      store: await sqlIntents(store),
      fetch: askOnce(),
    })
    const quote = await reach(target, () => payer.quote(target, init))
    if (quote.status === 'refused') return refuse(quote, { ...options, schemes }, io)
    if (quote.status === 'payable') showPrice(target, quote, io)
    if (options.dryRun) return dryRun(quote, options, io)
    if (quote.status === 'payable') await confirm(target, quote, options, io)
    return await send(payer, target, init, options, io)
  } finally {
    await store.close()
  }
}

async function send(payer: Payer, target: URL, init: RequestInit, options: PayCommand, io: Io): Promise<number> {
  const start = performance.now()
  const response = await reach(target, () => payer.fetch(target, init))
  const body = new Uint8Array(await response.arrayBuffer())
  const ms = Math.round(performance.now() - start)
  const outcome = payer.outcome(response)

  const failure = options.output === undefined ? undefined : await writeOutput(options.output, body)
  // What was paid for is not lost with the file: it is printed instead.
  const shown = failure === undefined ? options : { ...options, output: undefined }
  if (options.json) io.out(`${JSON.stringify(report(response, body, outcome, ms, shown))}\n`)
  else tell(outcome, ms, io)
  if (failure !== undefined) io.say(`  ${io.style.bad(`${failure}; the answer follows`)}`)
  const isWanted = failure !== undefined || (options.output === undefined && !isChallenge(response, outcome))
  if (!options.json && isWanted) printBody(body, io)
  if (failure !== undefined) return exitCodes.no
  return response.ok ? exitCodes.ok : exitCodes.no
}

function parseTarget(url: string): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined
  if (target && /^https?:$/.test(target.protocol)) return target
  throw new CliError(
    'usage',
    `${url} is not an http or https URL`,
    'Write it in full, such as https://api.example/weather',
  )
}

function requestInit(target: URL, { method, header = [], data }: PayCommand): RequestInit {
  const headers = new Headers()
  for (const line of header) {
    const colon = line.indexOf(':')
    if (colon < 1) throw new CliError('usage', `${line} is not a header`, 'Write it as "Name: value".')
    try {
      headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim())
    } catch (cause) {
      throw new CliError(
        'usage',
        `${plain(line)} is not a header`,
        'Names are of letters, digits and -, values of Latin-1.',
        {
          cause,
        },
      )
    }
  }
  const init = {
    method: method?.toUpperCase() ?? (data === undefined ? 'GET' : 'POST'),
    headers,
    ...(data === undefined ? {} : { body: data }),
  }
  try {
    new Request(target, init)
  } catch (cause) {
    throw new CliError('usage', `${init.method} is not a method for this`, 'GET and HEAD have no body.', { cause })
  }
  return init
}

/** What the platform's fetch throws before anything was paid: the seller is not there. */
async function reach<T>(target: URL, request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new CliError('unreachable', `${target.origin} does not answer`, undefined, { cause })
  }
}

async function confirm(target: URL, quote: Payable, { yes = false }: PayCommand, { ask }: Io): Promise<void> {
  if (yes || isLoopback(target)) return
  if (ask === undefined)
    throw new CliError('usage', 'Nobody is there to be asked', 'Add --yes to pay without asking, up to --max.')
  if (!(await ask(`  Pay ${price(quote)}?`))) throw new CliError('no', 'Not paid')
}

function dryRun(quote: Quote, { json = false }: PayCommand, { out, say }: Io): number {
  if (quote.status === 'free') say('  nothing to pay')
  else if (json) out(`${JSON.stringify(quote, (_, value) => (typeof value === 'bigint' ? value.toString() : value))}\n`)
  else if (quote.status === 'payable') out(`${JSON.stringify(quote.preview, null, 2)}\n`)
  return exitCodes.ok
}

function refuse(quote: RefusedQuote, asked: Parameters<typeof explainRefusal>[1], { say, style }: Io): number {
  const { offers, hint } = explainRefusal(quote, asked)
  say(`  ${style.bad('not paid')}  ${errorInfo(quote.code).title} (${quote.code})`)
  for (const offer of offers) say(`    ${offer}`)
  say(`  ${hint}`)
  return exitCodes.no
}

/** The offers again, after a reason that says it all. */
function isChallenge({ status }: Response, outcome: PaymentOutcome | undefined): boolean {
  return status === 402 && (outcome?.status === 'refused' || outcome?.status === 'unpaid')
}

type Payable = Extract<Quote, { status: 'payable' }>

function showPrice(target: URL, quote: Payable, { say, style }: Io): void {
  const seconds = quote.offer.maxTimeoutSeconds
  say(
    `  ${style.bold('402')}  ${target.host} asks ${style.bold(price(quote))} on ${nameOf(quote.offer.network)}, valid ${seconds} s`,
  )
}

function price({ amount, asset }: { readonly amount: bigint; readonly asset: Asset }): string {
  return `${formatUnits(amount, asset.decimals)} ${asset.symbol}`
}

function tell(outcome: PaymentOutcome | undefined, ms: number, { say, style }: Io): void {
  if (outcome !== undefined) say(`  ${describe(outcome, ms, style)}`)
}

function describe(outcome: PaymentOutcome, ms: number, style: Style): string {
  switch (outcome.status) {
    case 'settled':
      return `${style.good('paid')} ${plain(outcome.receipt.transaction)} in ${formatDuration(ms)}`
    case 'disputed':
      return `${style.bad('paid')} ${plain(outcome.receipt.transaction)}, but the receipt does not fit: ${outcome.receipt.dispute}`
    case 'answered':
      return `${style.good('answered')}, without a receipt`
    case 'unknown':
      return `${style.bad('not known')} whether it was paid. Run the same command again: it presents the same payment.`
    case 'unpaid':
    case 'refused':
      return `${style.bad('refused')}  ${errorInfo(outcome.code).title} (${outcome.code})`
  }
}

function printBody(body: Uint8Array, { out }: Io): void {
  const text = new TextDecoder().decode(body)
  out(text.endsWith('\n') ? text : `${text}\n`)
}

function report(
  response: Response,
  body: Uint8Array,
  outcome: PaymentOutcome | undefined,
  ms: number,
  { output }: { readonly output?: string | undefined },
) {
  const paid = outcome?.status === 'settled' ? receiptLine(outcome, ms) : undefined
  return {
    status: response.status,
    payment: outcome?.status ?? 'free',
    ...paid,
    ...(outcome !== undefined && 'code' in outcome ? { code: outcome.code } : {}),
    ...(output === undefined ? { body: parsed(body) } : { output }),
  }
}

function receiptLine(
  { payment, receipt }: Extract<PaymentOutcome, { status: 'settled' | 'disputed' }>,
  ms: number,
): ReceiptLine {
  const { network, scheme, x402Version, payer, payTo, amount, asset } = payment
  return {
    network,
    scheme,
    x402Version,
    payer,
    payTo,
    amount: amount.toString(),
    asset,
    transaction: receipt.transaction,
    ms,
  }
}

function parsed(body: Uint8Array): unknown {
  const text = new TextDecoder().decode(body)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
