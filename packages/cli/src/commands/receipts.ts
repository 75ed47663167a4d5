import { readFile } from 'node:fs/promises'
import {
  attestReceipt,
  exportReceipt,
  type PaymentRecord,
  type Purse,
  type ReceiptCheck,
  type ReceiptReaders,
  reconcile,
  type SignerOf,
  verifyReceipt,
} from '@groat/client/buyer'
import {
  decodeChallenge,
  decodeReceipt,
  headerNames,
  networkFamily,
  type PaymentRequired,
  type Receipt,
  sameAddress,
  v1NameOf,
} from '@groat/core'
import { exactEvm } from '@groat/evm/exact/server'
import { signerOfEvm } from '@groat/evm/signer'
import { exactSvm } from '@groat/svm/exact/server'
import { signerOfSvm } from '@groat/svm/signer'
import { counted } from '../terminal/counted.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'
import { accountNamed, exportersOf, isSignedBy, sellerSigned } from './attesting.js'
import { chainsOf } from './chains.js'
import { type PurseOptions, withPurse } from './purse.js'
import { takenOf, tokensOf } from './said-of-payment.js'
import { keptWith } from './seller-keys.js'

/** Options of `groat receipts`. */
export type ReceiptsCommand = PurseOptions & {
  readonly json?: boolean
  readonly limit?: string
  readonly task?: string
  readonly rpc?: readonly string[]
  /** Keys that sign exports. */
  readonly keyFile?: readonly string[]
  /** Refuse what no exporter has signed. */
  readonly signed?: boolean
  /** Exporters that are believed beside the payers. */
  readonly by?: readonly string[]
  /** Accounts of sellers that are believed whatever they sign for. */
  readonly trust?: readonly string[]
  /** Ask sellers' sites for the keys that they publish. */
  readonly sellerKeys?: boolean
}

/** `groat receipts list`: what was paid, the newest first. */
export async function listReceipts(options: ReceiptsCommand, io: Io): Promise<number> {
  return withPurse(options, io, async (purse) => {
    const records = await recordsOf(purse, options)
    if (options.json) for (const record of records) io.out(`${JSON.stringify(exportReceipt(record))}\n`)
    else for (const line of columns(records.map(rowOf))) io.out(`${plain(line)}\n`)
    return exitCodes.ok
  })
}

async function recordsOf(purse: Purse, options: ReceiptsCommand): Promise<readonly PaymentRecord[]> {
  const records = await purse.records({ limit: limitOf(options) })
  return records.filter(({ metadata }) => options.task === undefined || metadata.task === options.task)
}

/** `groat receipts show ID`: everything that is kept of one payment. */
export async function showReceipt(id: string, options: ReceiptsCommand, io: Io): Promise<number> {
  return withPurse(options, io, async (purse) => {
    const record = await recordNamed(id, purse, options)
    if (options.json) io.out(`${JSON.stringify(exportReceipt(record))}\n`)
    else for (const line of columns(shownOf(record))) io.out(`${plain(line)}\n`)
    return exitCodes.ok
  })
}

/** The one payment whose identity begins so. Throws `CliError`. */
export async function recordNamed(
  id: string,
  purse: Pick<Purse, 'records'>,
  options: Pick<ReceiptsCommand, 'limit'> = {},
): Promise<PaymentRecord> {
  const records = await purse.records({ limit: limitOf(options) })
  const [record, ...others] = records.filter(({ intent }) => intent.id.startsWith(id) || intent.pid.startsWith(id))
  if (record === undefined) throw new CliError('no', `There is no payment ${id}`)
  if (others.length > 0) throw new CliError('usage', `More than one payment begins with ${id}`)
  return record
}

/**
 * `groat receipts export`: JSON lines that a third party can verify, each signed: by the key of its payer where that is here, else by the first key
 * that is.
 */
export async function exportReceipts(options: ReceiptsCommand, io: Io): Promise<number> {
  const exporterFor = await exportersOf(options, io)
  return withPurse(options, io, async (purse) => {
    let unsigned = 0
    let byAnother = 0
    for (const record of await recordsOf(purse, options)) {
      const [receipt, exporter] = [exportReceipt(record), exporterFor(record)]
      if (exporter === undefined) unsigned++
      else if (!isPayer(exporter.account, record)) byAnother++
      io.out(`${JSON.stringify(exporter ? await attestReceipt(receipt, exporter) : receipt)}\n`)
    }
    if (unsigned > 0) {
      io.say(
        `  ${unsigned} without a signature of yours: set GROAT_EVM_KEY or GROAT_SVM_KEY, or name a file with --key-file`,
      )
    }
    if (byAnother > 0) {
      io.say(
        `  ${byAnother} signed by another key than the payer’s, and good only for who trusts it (verify --by): set the payer’s, or name its file with --key-file`,
      )
    }
    return exitCodes.ok
  })
}

function isPayer(account: string, { intent: { network, payer } }: PaymentRecord): boolean {
  const [family, address = ''] = account.split(':')
  return family === networkFamily(network) && sameAddress(address, payer)
}

/**
 * `groat receipts verify [FILE]`: checks exported receipts by themselves, with no network and no purse. Without a file it checks the user's
 * own, and with `--rpc` asks the chain about each of them first.
 */
export async function verifyReceipts(file: string | undefined, options: ReceiptsCommand, io: Io): Promise<number> {
  const own = file === undefined ? await ownReceipts(options, io) : undefined
  const lines = own?.lines ?? (file === undefined ? [] : await linesOf(file))
  const readers: ReceiptReaders = {
    schemes: [exactEvm, exactSvm],
    signerOf,
    own: file === undefined,
    isSignedBy,
    // What others have kept is their word.
    sellerSigned: sellerSigned(options, own?.kept),
    exporters: (options.by ?? []).map(accountNamed),
  }
  let bad = 0
  let unknown = 0
  let unproven = 0
  for (const [at, line] of lines.entries()) {
    const found = await verifyReceipt(line, readers)
    const isMissing = options.signed === true && !found.some(({ check }) => check === 'exporter')
    const checks = isMissing ? [...found, { check: 'exporter', ok: false, says: 'no exporter has signed it' }] : found
    const verdict = verdictOf(checks)
    if (verdict === 'bad') bad++
    if (verdict === 'unknown') unknown++
    const settled = isSettled(line, checks)
    if (verdict === 'good' && !settled) unproven++
    if (options.json) io.out(`${JSON.stringify({ line: at + 1, ok: verdict !== 'bad', verdict, settled, checks })}\n`)
    else tell(at, line, checks, settled, io)
  }
  const others = [
    ...(unknown === 0 ? [] : [`, of ${unknown} nobody here knows who signed`]),
    ...(unproven === 0 ? [] : [`, of ${unproven} nothing shows that the money moved`]),
  ]
  if (!options.json)
    io.say(`  ${lines.length - bad - unknown - unproven} of ${lines.length} are good${others.join('')}`)
  return bad === 0 ? exitCodes.ok : exitCodes.no
}

const signerOf: SignerOf = (payment, offer) =>
  networkFamily(offer.network) === 'solana' ? signerOfSvm(payment, offer) : signerOfEvm(payment, offer)

/** What all checks of a receipt come to. */
function verdictOf(checks: readonly ReceiptCheck[]): 'good' | 'unknown' | 'bad' {
  if (checks.some(({ ok }) => ok === false)) return 'bad'
  return checks.every(({ ok }) => ok === true) ? 'good' : 'unknown'
}

/** Whether anybody says that it was paid: the seller, in a receipt that fits, or the chain. */
function isSettled(line: unknown, checks: readonly ReceiptCheck[]): boolean {
  return chainOf(line) === 'settled' || checks.some(({ check, ok }) => check === 'receipt' && ok === true)
}

/** Read for what it says only; whether it is a receipt is said by the checks. */
function chainOf(line: unknown): unknown {
  return ((line ?? {}) as { readonly chain?: { readonly status?: unknown } }).chain?.status
}

function tell(at: number, line: unknown, checks: readonly ReceiptCheck[], settled: boolean, { out, style }: Io): void {
  const failed = checks.filter(({ ok }) => ok !== true)
  // Read for its name only; whether it is a receipt was just said.
  const { id } = (line ?? {}) as { readonly id?: unknown }
  const words = {
    good: settled ? style.good('good    ') : style.quiet('unproven'),
    unknown: style.quiet('unknown '),
    bad: style.bad('bad     '),
  }
  const said = [
    `payment: ${wordOf(checks, 'signature', 'not read', 'signed')}`,
    `offer: ${wordOf(checks, 'seller’s offer', 'not signed', 'signed')}`,
    `receipt: ${wordOf(checks, 'receipt', 'none', wordOf(checks, 'seller’s receipt', 'fits, not signed', 'signed'))}`,
    `chain: ${chainOf(line) ?? 'not asked'}`,
  ]
  const name = plain(`${id ?? `line ${at + 1}`}  ${said.join(', ')}`)
  out(`${words[verdictOf(checks)]}  ${name}\n`)
  for (const { check, says } of failed) out(`          ${plain(`${check}: ${says}`)}\n`)
}

/** What was found of one thing that was looked at; `absent`: it is not there. */
function wordOf(checks: readonly ReceiptCheck[], name: string, absent: string, good: string): string {
  const found = checks.find(({ check }) => check === name)
  if (found === undefined) return absent
  if (found.ok === 'unknown') return 'signed by somebody'
  return found.ok ? good : 'bad'
}

/** A payment for people: long values are shortened, and what a machine checks is left to `--json`. */
function shownOf({ intent, terms, metadata, note }: PaymentRecord): readonly (readonly string[])[] {
  const { id, pid, origin, scheme, network, payTo, payer, createdAt, expiresAt, state, transaction, payment } = intent
  const said = receiptOf(note)
  const taken = said && takenOf(intent, said)
  const signed = tokensOf(intent, intent.amount)
  const time = (ms: number) => new Date(ms).toISOString().replace('T', ' ').slice(0, 19)
  const row = (name: string, value: string | undefined) => (value === undefined ? [] : [[name, value]])
  return [
    ...row('id', id),
    ...row('state', state),
    ...row('amount', taken === undefined ? signed : `${tokensOf(intent, taken)} of ${signed}`),
    ...row('scheme', `${scheme} on ${v1NameOf(network) ?? network}`),
    ...row('for', paidAt(origin, terms)),
    ...row('paid to', payTo),
    ...row('paid by', payer),
    ...row('when', time(createdAt)),
    ...row('good until', time(expiresAt * 1000)),
    ...row('transaction', transaction),
    ...row('chain', note.chain === undefined ? 'not asked' : `${note.chain.status}, asked ${time(note.chain.at)}`),
    ...row(
      'receipt',
      note.receipt === undefined ? 'none' : `${said === undefined ? 'a refusal, ' : ''}${beginning(note.receipt)}`,
    ),
    ...row('said in it', said?.extensions && Object.keys(said.extensions).join(', ')),
    ...row(
      'answer',
      note.httpStatus === undefined
        ? undefined
        : `${note.httpStatus}${note.answerDigest === undefined ? '' : `, ${counted(note.answerBytes ?? 0, 'byte')}, SHA-256 ${note.answerDigest}`}`,
    ),
    ...Object.entries(metadata).flatMap(([name, value]) => row(name, value)),
    ...row('identity', pid),
    ...row('challenge', beginning(terms)),
    ...row('payment', payment && beginning(payment.value)),
    ...row('', 'all of it: --json'),
  ]
}

const beginning = (text: string) => (text.length > 60 ? `${text.slice(0, 40)}… (${text.length} characters)` : text)

/** The seller's receipt, where it is one of a settled payment. */
export function receiptOf({ receipt }: PaymentRecord['note']): Receipt | undefined {
  const read =
    receipt === undefined
      ? undefined
      : decodeReceipt((name) => (name === headerNames[2].response ? receipt : undefined))
  return read?.ok && read.value.status === 'settled' ? read.value.receipt : undefined
}

async function ownReceipts(options: ReceiptsCommand, io: Io) {
  return withPurse(options, io, async (purse) => {
    if (options.rpc !== undefined) {
      const records = await purse.records({ limit: limitOf(options) })
      const networks = new Set(records.map(({ intent }) => intent.network))
      const {
        settled,
        void: dead,
        pending,
        disputed,
      } = await reconcile(purse, {
        chains: await chainsOf([...networks], options.rpc),
      })
      io.say(`  asked the chain: ${settled} settled, ${dead} void, ${pending} not known, ${disputed} disputed`)
    }
    const records = await purse.records({ limit: limitOf(options) })
    const signed = records.filter(({ intent }) => intent.payment !== undefined)
    return { lines: signed.map(exportReceipt), kept: await keptWith(purse, signed) }
  })
}

async function linesOf(file: string): Promise<readonly unknown[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliError('usage', `${file} cannot be read`, undefined, { cause })
  })
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      try {
        return JSON.parse(line) as unknown
      } catch {
        return undefined
      }
    })
}

function rowOf({ intent, terms, metadata, note }: PaymentRecord): readonly string[] {
  const { id, createdAt, amount, network, origin, state } = intent
  const said = receiptOf(note)
  // Of a ceiling or a deposit, what was taken.
  const taken = said && takenOf(intent, said)
  const signed = tokensOf(intent, amount)
  const price = taken === undefined ? signed : `${tokensOf(intent, taken)} of ${signed}`
  const chain = note.chain?.status === 'settled' ? 'verified' : 'unverified'
  const for_ = metadata.task === undefined ? '' : `for ${metadata.task}`
  const when = new Date(createdAt).toISOString().replace('T', ' ').slice(0, 19)
  return [
    id.slice(0, 12),
    when,
    price,
    v1NameOf(network) ?? network,
    paidAt(origin, terms),
    state,
    state === 'settled' ? chain : '',
    for_,
  ]
}

/** What was paid for, as the seller called it; where that is nothing of the origin that was asked, the origin. */
function paidAt(origin: string, terms: string): string {
  const named = challengeOf(terms)?.resource?.url
  if (named === undefined || !URL.canParse(named) || new URL(named).origin !== origin) return origin
  return named.length > 80 ? `${named.slice(0, 79)}…` : named
}

/** The challenge as it was kept: a header of version 2, or a body of version 1. */
export function challengeOf(terms: string): PaymentRequired | undefined {
  const read = terms.trimStart().startsWith('{')
    ? decodeChallenge(() => undefined, terms)
    : decodeChallenge((name) => (name === headerNames[2].required ? terms : undefined))
  return read?.ok ? read.value : undefined
}

function limitOf({ limit = '1000' }: Pick<ReceiptsCommand, 'limit'>): number {
  if (!/^[0-9]{1,6}$/.test(limit)) throw new CliError('usage', `${limit} is not a number of receipts`)
  return Number(limit)
}
