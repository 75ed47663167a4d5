import { compareValues, type PaymentOutcome, parseLimit, type Quote, type SignedPayment } from '@groat/client'
import { type BudgetState, type Buyer, createBuyer, type SpendingPolicy } from '@groat/client/buyer'
import {
  errorInfo,
  formatUnits,
  isErrorCode,
  isJsonObject,
  network as networkNamed,
  type Receipt,
  type SchemeClient,
} from '@groat/core'
import { payerFields } from '@groat/extensions/compliance/client'
import { identifiedPayments } from '@groat/extensions/payment-identifier/client'
import { boundPayments } from '@groat/extensions/request-binding/client'
import { parseFields } from '../config/payer-fields.js'
import { ruleInFile } from '../config/policy-file.js'
import type { ReceiptLine } from '../sandbox/buyer.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import { formatDuration, type Io, plain, type Style } from '../terminal/io.js'
import { askOnce } from './ask-once.js'
import { checkedNames } from './names.js'
import { checkOutput, writeOutput } from './output.js'
import { loadPolicyWords, type PurseOptions, withPurse } from './purse.js'
import { explainRefusal, nameOf, type RefusedQuote } from './refusal.js'
import { parseTarget, type RequestOptions, requestInit } from './request-options.js'
import { approvalNodes, approvalOf, lacksApproval, type MissingApproval, sayApproval } from './said-of-approval.js'
import { askedFor, movesFor, type Payable, receiptOfStream, takenOf, tokensOf } from './said-of-payment.js'
import { sellerKeys } from './seller-keys.js'
import { type SigningIn, signInAccounts, signingIn } from './sign-in.js'
import { ownNodes } from './simulator.js'
import { tellingWaits } from './waits.js'
import { isLoopback, openWallet, type WalletOptions } from './wallet.js'

/** Options of `groat pay`. */
export type PayCommand = WalletOptions &
  RequestOptions &
  PurseOptions & {
    readonly output?: string
    readonly max?: string
    readonly task?: string
    readonly retry?: string
    readonly network?: readonly string[]
    readonly scheme?: readonly string[]
    readonly v1?: boolean
    /** What the seller may be told of the payer, as `name=value`. */
    readonly field?: readonly string[]
    /** Signs in first, where the seller lets payers come back so. */
    readonly signIn?: boolean
    readonly dryRun?: boolean
    readonly rpc?: readonly string[]
    readonly yes?: boolean
    readonly json?: boolean
  }

/** `groat pay URL`: requests, shows the price, pays within limits, prints the answer. The receipt goes to standard error. */
export async function pay(url: string, options: PayCommand, io: Io): Promise<number> {
  const target = parseTarget(url)
  const init = await requestInit(target, options)
  if (options.output !== undefined && !options.dryRun) await checkOutput(options.output)
  const { policy: own, fields, signIn } = await loadPolicyWords(options, io)
  const policy = limitedTo(options, own)
  const told = payerFields(parseFields(options.field, fields))
  return withPurse(options, io, async (purse, channels) => {
    const schemes = await openWallet(target, { ...options, channels, purse }, io)
    const names = checkedNames()
    const wantsIn = !options.dryRun && (options.signIn === true || signIn.includes(target.origin))
    const known = signingIn(names.fetch, wantsIn ? await signInAccounts(target, options, io) : undefined)
    checkSchemes(options, schemes)
    const buyer = createBuyer({
      schemes,
      policy,
      purse,
      ...(await ownNodes(target, options)),
      ...tellingWaits(askOnce(known.fetch), io),
      // Where a seller asks for a name of the payment, it gets one.
      extensions: [identifiedPayments(), boundPayments(), told],
      resolve: names.resolve,
      // Whoever is asked about every payment is not asked twice.
      ...(io.ask && {
        approve: async () => isAskedAlways(target, options) || (await io.ask?.('  The policy asks you. Pay?')) === true,
      }),
      ...(options.retry !== undefined && { limits: { attempts: attemptsOf(options.retry) } }),
      ...(options.task !== undefined && { metadata: { task: options.task } }),
    })
    const quote = await reach(target, () => buyer.quote(target, init))
    const max = policy.perPayment ?? DEFAULT_MAX
    const asked = { ...options, max, isOfPolicy: own.perPayment === max, schemes }
    if (quote.status === 'refused') {
      const isForApproval = quote.refusals.some(({ code }) => lacksApproval(code))
      const nodes = isForApproval ? { nodes: await approvalNodes(target, options.rpc) } : {}
      return refuse(quote, { ...asked, ...nodes }, io)
    }
    if (quote.status === 'payable') showPrice(target, quote, await buyer.budgets(options.task, target.origin), io)
    if (quote.status === 'payable') showEffect(quote, io)
    if (quote.status === 'payable') tellSignIn(known.found(), io)
    if (options.dryRun) return dryRun(quote, options, io)
    if (quote.status === 'payable') await confirm(target, quote, options, io)
    const began = Date.now()
    try {
      return await send(
        buyer,
        target,
        init,
        { ...options, wasAsked: quote.status === 'payable' || known.found() === 'opened' },
        io,
      )
    } finally {
      await buyer.idle()
      await sellerKeys().keep(purse, began)
    }
  })
}

const DEFAULT_MAX = '$0.10'

/** Who asks for a payment can narrow the policy, and never widen it. */
export function limitedTo(
  { max, network, scheme, v1 }: Pick<PayCommand, 'max' | 'network' | 'scheme' | 'v1'>,
  policy: SpendingPolicy,
): SpendingPolicy {
  const most = [max, policy.perPayment].filter((limit) => limit !== undefined)
  const [perPayment = DEFAULT_MAX] = most.sort((a, b) =>
    compareValues(parseLimit(a, '--max'), parseLimit(b, 'perPayment')),
  )
  const allowed = policy.networks?.map(networkNamed)
  const networks = network?.filter((name) => allowed?.includes(networkNamed(name)) !== false)
  const schemes = scheme?.filter((name) => policy.schemes?.includes(name) !== false)
  return {
    ...policy,
    perPayment,
    versions: policy.versions ?? (v1 ? [2, 1] : [2]),
    ...(networks === undefined ? {} : { networks }),
    ...(schemes === undefined ? {} : { schemes }),
  }
}

/** A scheme that nobody here pays by is a slip of the pen, and no word on the seller. */
function checkSchemes({ scheme = [] }: Pick<PayCommand, 'scheme'>, halves: readonly SchemeClient[]): void {
  const known = [...new Set(halves.map((half) => half.scheme.name))]
  const other = scheme.find((name) => !known.includes(name))
  if (other === undefined || known.length === 0) return
  throw new CliError('usage', `No key here pays by ${other}`, `One of ${known.join(', ')}.`)
}

function attemptsOf(text: string): number {
  if (/^[0-9]{1,3}$/.test(text)) return Number(text) + 1
  throw new CliError('usage', `${text} is not a number of tries`)
}

/** Whether a price was asked for: what is answered without a payment then was bought before. */
type Sent = PayCommand & { readonly wasAsked: boolean }

async function send(payer: Buyer, target: URL, init: RequestInit, options: Sent, io: Io): Promise<number> {
  const start = performance.now()
  const response = await reach(target, () => payer.fetch(target, init))
  const body = new Uint8Array(await response.arrayBuffer())
  const ms = Math.round(performance.now() - start)
  const outcome = payer.outcome(response)
  const missing = outcome?.status === 'refused' && lacksApproval(outcome.code)
  const approve = missing ? approvalOf(outcome.payment, await approvalNodes(target, options.rpc)) : undefined

  const failure = options.output === undefined ? undefined : await writeOutput(options.output, body)
  // What was paid for is not lost with the file: it is printed instead.
  const shown = failure === undefined ? options : { ...options, output: undefined }
  if (options.json) io.out(`${JSON.stringify(report(response, body, outcome, ms, { ...shown, approve }))}\n`)
  else if (outcome === undefined && options.wasAsked) tellOwned(response, io)
  else if (approve !== undefined) tellMissing(approve, io)
  else if (isHeldByChain(outcome) && options.session !== undefined) await tellHeld(options.session, io)
  else
    tell(outcome, ms, outcome?.status === 'answered' ? receiptOfStream(new TextDecoder().decode(body)) : undefined, io)
  if (!options.json && outcome !== undefined && !response.ok && !isChallenge(response, outcome))
    tellStatus(response, body, io)
  if (failure !== undefined) io.say(`  ${io.style.bad(`${failure}; the answer follows`)}`)
  const isWanted = failure !== undefined || (options.output === undefined && !isChallenge(response, outcome))
  if (!options.json && isWanted) printBody(body, io)
  if (failure !== undefined) return exitCodes.no
  return response.ok ? exitCodes.ok : exitCodes.no
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

/** Whether a person is asked about every payment. */
const isAskedAlways = (target: URL, { yes = false }: PayCommand) => !yes && !isLoopback(target)

async function confirm(target: URL, quote: Payable, options: PayCommand, { ask }: Io): Promise<void> {
  if (!isAskedAlways(target, options)) return
  if (ask === undefined)
    throw new CliError('usage', 'Nobody is there to be asked', 'Add --yes to pay without asking, up to --max.')
  if (!(await ask(`  Pay ${askedFor(quote)}?`))) throw new CliError('no', 'Not paid')
}

function dryRun(quote: Quote, { json = false }: PayCommand, { out, say }: Io): number {
  if (quote.status === 'free') say('  nothing to pay')
  else if (json) out(`${JSON.stringify(quote, (_, value) => (typeof value === 'bigint' ? value.toString() : value))}\n`)
  else if (quote.status === 'payable') out(`${JSON.stringify(quote.preview, null, 2)}\n`)
  return exitCodes.ok
}

function refuse(
  quote: RefusedQuote,
  asked: Parameters<typeof explainRefusal>[1] & { readonly json?: boolean },
  { say, out, style }: Io,
): number {
  if (asked.json) {
    const refusals = quote.refusals.map(({ rule, code, detail, offer }) => ({
      ...{ rule, code, network: offer.network, scheme: offer.scheme },
      ...(detail !== undefined && { detail }),
      ...(lacksApproval(code) && { approve: approvalOf({ ...offer, detail }, asked.nodes ?? new Map()) }),
    }))
    out(`${JSON.stringify({ status: 402, payment: 'unpaid', code: quote.code, refusals })}\n`)
  }
  const { offers, hint } = explainRefusal(quote, asked)
  say(`  ${style.bad('not paid')}  ${errorInfo(quote.code).title} (${quote.code})`)
  for (const offer of offers) say(`    ${offer}`)
  say(`  ${hint}`)
  return exitCodes.no
}

/** The offers again, after a reason that says it all. */
function isChallenge({ status }: Response, outcome: PaymentOutcome | undefined): boolean {
  return (status === 402 || status === 412) && (outcome?.status === 'refused' || outcome?.status === 'unpaid')
}

function showPrice(target: URL, quote: Payable, budgets: readonly BudgetState[], { say, style }: Io): void {
  const seconds = quote.offer.maxTimeoutSeconds
  say(
    `  ${style.bold('402')}  ${target.host} asks ${style.bold(askedFor(quote))} on ${nameOf(quote.offer.network)}, valid ${seconds} s`,
  )
  for (const { rule, spent, limit } of budgets)
    say(style.quiet(`       ${ruleInFile(rule)}: ${spent} of ${limit} are spent`))
}

/** A seller that lets payers come back takes them for new ones until they sign in, which tells it who they are. */
function tellSignIn(found: ReturnType<SigningIn['found']>, { say, style }: Io): void {
  if (found === 'offered')
    say(style.quiet('       bought before with this key? --sign-in asks first, and pays if that opens nothing'))
  if (found === 'refused') say(style.quiet('       signed in, and nothing that was bought before opens it'))
}

function showEffect(quote: Payable, { say, style }: Io): void {
  const { asset, effect } = quote
  for (const { account, before, after } of movesFor(quote)) {
    const [had, has] = [before, after].map((units) => formatUnits(units, asset.decimals))
    say(style.quiet(`       ${account}: ${had} -> ${has} ${asset.symbol} (${effect?.how})`))
  }
}

function tell(outcome: PaymentOutcome | undefined, ms: number, last: Receipt | undefined, { say, style }: Io): void {
  if (outcome !== undefined) say(`  ${describe(outcome, ms, last, style)}`)
}

/** The seller would take it, and Permit2 may not: nothing was charged. */
function tellMissing(approve: MissingApproval, { say, style }: Io): void {
  const { reason, hint } = sayApproval(approve)
  say(`  ${style.bad('refused')}  ${reason}\n  ${hint}`)
}

/** Whoever else has the key may have spent of it, and only the chain knows. */
function isHeldByChain(outcome: PaymentOutcome | undefined): boolean {
  return outcome?.status === 'refused' && outcome.code === 'erc7710_simulation_failed'
}

async function tellHeld(session: string, io: Io): Promise<void> {
  const limits = await (await import('./sessions.js')).sessionInWords(session, io)
  io.say(
    `  ${io.style.bad('refused')}  The chain does not let the session ${plain(session)} pay (erc7710_simulation_failed)`,
  )
  io.say(`  Its limits are: ${limits}. What was spent by other purses counts, and the account has to obey the manager.`)
}

/** What went wrong where a payment went along: the status, and what its code means where that is one of ours. */
function tellStatus({ status, statusText }: Response, body: Uint8Array, { say, style }: Io): void {
  const problem = parsed(body)
  const code = isJsonObject(problem) && typeof problem.code === 'string' ? problem.code : ''
  say(`  ${style.bad('the answer is')} ${plain(`${status} ${statusText}`.trim())}`)
  if (isErrorCode(code)) say(`  ${errorInfo(code).title} (${code})\n  ${errorInfo(code).hint}`)
}

/** Nothing was paid: a bundle or a pass of the purse was good for it. */
function tellOwned({ headers }: Response, { say, style }: Io): void {
  const [, left] = /;\s*left=(\d{1,15})/.exec(headers.get('PAYMENT-ENTITLEMENT') ?? '') ?? []
  say(
    `  ${style.good('not paid again')}: it was bought before${left === undefined ? '' : `, and ${left} ${left === '1' ? 'is' : 'are'} left`}`,
  )
}

function describe(outcome: PaymentOutcome, ms: number, last: Receipt | undefined, style: Style): string {
  switch (outcome.status) {
    case 'settled':
      return `${style.good(outcome.payment.scheme === 'auth-capture' ? 'held' : 'paid')} ${taken(outcome.payment, outcome.receipt)} in ${formatDuration(ms)}`
    case 'disputed':
      return `${style.bad('paid')} ${plain(outcome.receipt.transaction)}, but the receipt does not fit: ${outcome.receipt.dispute}`
    case 'answered':
      return last === undefined
        ? `${style.good('answered')}, without a receipt`
        : `${style.good('answered')}; says at the end that it ${takenOf(outcome.payment, last) === undefined ? 'was paid in' : 'took'} ${taken(outcome.payment, last)}`
    case 'unknown':
      return `${style.bad('not known')} whether it was paid. Run the same command again: it presents the same payment.`
    case 'unpaid':
    case 'refused':
      if (outcome.code === 'approval_required') {
        return `${style.bad('not paid')}  The policy wants a person to be asked, and nobody is here (${outcome.code})\n  Run it on a terminal, or raise ask_above in the policy; --yes does not answer for a person.`
      }
      return `${style.bad('refused')}  ${errorInfo(outcome.code).title} (${outcome.code})${sellersWords(outcome)}\n  ${errorInfo(outcome.code).hint}`
  }
}

/** What the seller says beside its code, on a line of its own; what a policy says of its own rules is no word of a seller. */
function sellersWords({ status, detail }: Extract<PaymentOutcome, { readonly detail?: string }>): string {
  return status === 'refused' && detail !== undefined ? `\n  the seller says: ${plain(detail).slice(0, 200)}` : ''
}

function taken(payment: SignedPayment, receipt: Pick<Receipt, 'amount' | 'extra' | 'transaction'>): string {
  const charged = takenOf(payment, receipt)
  const where = plain(receipt.transaction || 'without a transaction')
  return charged === undefined
    ? where
    : `${tokensOf(payment, charged)} of ${tokensOf(payment, payment.amount)}, ${where}`
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
  {
    output,
    wasAsked,
    approve,
  }: {
    readonly output?: string | undefined
    readonly wasAsked: boolean
    readonly approve: MissingApproval | undefined
  },
) {
  const paid = outcome?.status === 'settled' ? receiptLine(outcome, ms) : undefined
  return {
    status: response.status,
    payment: outcome?.status ?? (wasAsked ? 'owned' : 'free'),
    ...paid,
    ...(outcome !== undefined && 'code' in outcome ? { code: outcome.code } : {}),
    ...(approve === undefined ? {} : { approve }),
    ...(output === undefined ? { body: parsed(body) } : { output }),
  }
}

function receiptLine(
  { payment, receipt }: Extract<PaymentOutcome, { status: 'settled' | 'disputed' }>,
  ms: number,
): ReceiptLine {
  const { network, scheme, x402Version, payer, payTo, amount, asset } = payment
  const charged = takenOf(payment, receipt)
  return {
    network,
    scheme,
    x402Version,
    payer,
    payTo,
    amount: amount.toString(),
    asset,
    transaction: receipt.transaction,
    ...(charged === undefined ? {} : { charged: charged.toString() }),
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
