import type { PaymentRecord } from '@groat/client/buyer'
import {
  assetByAddress,
  type ErrorCode,
  errorInfo,
  isErrorCode,
  parseMoney,
  parseUnits,
  sameAddress,
  sha256Hex,
  X402Error,
} from '@groat/core'
import {
  type RefundReason,
  type RefundReply,
  type RefundTerms,
  refundTerms,
  requestRefund,
} from '@groat/extensions/refund/client'
import { CliError, exitCodes } from '../terminal/exit.js'
import { type Io, plain } from '../terminal/io.js'
import { checkedNames } from './names.js'
import { type PurseOptions, withPurse } from './purse.js'
import { challengeOf, receiptOf, recordNamed } from './receipts.js'
import { tokensOf } from './said-of-payment.js'
import { sandboxKeys } from './sign-in.js'
import { accountOf, isLoopback, readKeys } from './wallet.js'

/** Options of `groat receipts refund`. */
export type AskBackCommand = PurseOptions & {
  readonly json?: boolean
  readonly limit?: string
  readonly reason: RefundReason
  readonly amount?: string
  readonly keyFile?: readonly string[]
}

/** `groat receipts refund ID`: asks the seller for the money of a payment, signed by the account that paid. The same wish is one refund, however often it is sent. */
export async function askBack(id: string, options: AskBackCommand, io: Io): Promise<number> {
  return withPurse(options, io, async (purse) => {
    const record = await recordNamed(id, purse, options)
    const { intent } = record
    const { terms, transaction, paid } = saleOf(record)
    const amount = options.amount === undefined ? paid : unitsOf(options.amount, record)
    const account = await payerOf(record, options, io)
    const { network, payer, payTo, asset, origin } = intent
    const reply = await requestRefund({
      ...{ terms, account, amount, resource: origin, reason: options.reason, fetch: checkedNames().fetch },
      paid: { network, transaction, payer, payTo, asset, amount: paid },
      idempotencyKey: sha256Hex(JSON.stringify(['refund', intent.id, amount.toString()])),
    }).catch((cause: unknown) => {
      if (!(cause instanceof TypeError)) throw cause
      throw new CliError('unreachable', `${origin} does not answer`, undefined, { cause })
    })
    if (options.json)
      io.out(`${JSON.stringify(reply, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}\n`)
    else tell(reply, record, amount, io)
    return reply.status === 'denied' ? exitCodes.no : exitCodes.ok
  })
}

/** What was sold, as far as it can be asked back. Throws `CliError`. */
function saleOf({ intent, terms, note }: PaymentRecord) {
  const receipt = receiptOf(note)
  const transaction = receipt?.transaction ?? intent.transaction
  if (transaction === undefined || transaction === '') {
    throw new CliError('no', 'Nothing shows that it was paid', '`groat receipts verify --rpc …` asks the chain.')
  }
  const said: RefundTerms | undefined = refundTerms(receipt?.extensions) ?? refundTerms(challengeOf(terms)?.extensions)
  if (said === undefined) {
    throw new CliError(
      'no',
      `${intent.origin} says nothing of refunds for it (groat-refund)`,
      'Ask the seller by other means.',
    )
  }
  return { terms: said, transaction, paid: receipt?.amount ?? intent.amount }
}

async function payerOf({ intent }: PaymentRecord, { keyFile }: AskBackCommand, { environment }: Io) {
  const keys = await readKeys({ ...(keyFile && { keyFile }) }, environment)
  const found = keys.length > 0 || !isLoopback(new URL(intent.origin)) ? keys : sandboxKeys
  for (const key of found) {
    const { evm, svm } = accountOf(key)
    if (evm !== undefined && sameAddress(evm.address, intent.payer)) return evm
    if (svm !== undefined && svm.address === intent.payer) return svm
  }
  throw new CliError(
    'usage',
    `The key of ${intent.payer} is not here: only who paid can ask`,
    'Name its file with --key-file.',
  )
}

function unitsOf(text: string, { intent: { network, asset } }: PaymentRecord): bigint {
  const known = assetByAddress(network, asset)
  if (known === undefined) throw new CliError('usage', `${asset} is not known here`, 'Leave --amount out.')
  try {
    return parseUnits(parseMoney(text).decimal, known.decimals)
  } catch (cause) {
    if (!X402Error.is(cause)) throw cause
    throw new CliError('usage', `${text} is not an amount`, 'Write it as $0.50.', { cause })
  }
}

function tell(reply: RefundReply, { intent }: PaymentRecord, asked: bigint, { out, say, style }: Io): void {
  if (reply.status === 'denied') {
    const code: ErrorCode | undefined = isErrorCode(reply.code ?? '') ? (reply.code as ErrorCode) : undefined
    say(
      plain(
        `  ${style.bad('denied')}  ${code === undefined ? (reply.code ?? 'without a reason') : `${errorInfo(code).title} (${code})`}`,
      ),
    )
    if (reply.amount !== undefined)
      say(`  The seller would give ${tokensOf(intent, reply.amount)}: ask for that with --amount.`)
    return
  }
  const sum = tokensOf(intent, reply.amount ?? asked)
  if (reply.status === 'executed') out(plain(`given back  ${sum}  ${reply.transaction ?? ''}`.trimEnd()).concat('\n'))
  else out(`asked  ${sum}\n`)
  if (reply.status === 'pending')
    say('  The seller has it, and has not paid it yet: the same command asks again, and is the same wish.')
}
