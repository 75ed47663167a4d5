import {
  assetByAddress,
  type Clock,
  canonicalAddress,
  errorInfo,
  type Facilitator,
  type FacilitatorRequest,
  findScheme,
  type Receipt,
  type SchemeClient,
  type SchemeServer,
  sameAddress,
  sha256Hex,
  systemClock,
  type TransferReader,
  X402Error,
} from '@groat/core'
import type { Transaction } from 'kysely'
import { askToSettle } from '../ask-to-settle.js'
import type { Entry } from '../ledger/entry.js'
import type { Ledger } from '../ledger/ledger.js'
import { pause } from '../ledger/pause.js'
import { worthOf } from '../loss-budget.js'
import type { Price } from '../offers.js'
import { credible, evidenceOf } from '../receipt.js'
import { createRefundJournal, type Held, type RefundWish } from './journal.js'
import type { Refund, RefundAnswer, RefundAttempt, RefundState } from './refund.js'
import type { RefundTables } from './tables.js'

/** What refunds are paid with. */
export type RefundOptions = {
  /** The books: nothing is given back that they do not say was paid. */
  readonly ledger: Ledger
  /** Who sends refunds: the same as settles payments, or another. Their gas is its gas. */
  readonly facilitator: Facilitator
  /** The refund key, as halves that pay `exact` offers: `exactEvm({ account })`, `exactSvm({ account, rpc })`. A key of its own. */
  readonly pays: readonly SchemeClient[]
  /** The halves that make those offers. */
  readonly sells: readonly SchemeServer[]
  /**
   * The chains, by nodes of the seller's own: without one for a network a refund whose end is unknown is never signed anew, and waits for the
   * facilitator's word.
   */
  readonly readers?: readonly TransferReader[]
  /** From this price on what a person asks for needs a second person; always unless told. */
  readonly approveAbove?: Price
  /** Seconds for which a refund that was signed may be paid; 300 unless told. */
  readonly lifetimeSeconds?: number
  readonly clock?: Clock
}

/**
 * Gives money back: each part that is asked for at most once, together never more than was paid, and to nobody but its payer (SRV-065). What the payment has bought, its answer too where that is still owed, is taken back
 * with it, as soon as the refund is agreed on (EXT-SIGN-016, SRV-069).
 *
 * A refund is a payment of the seller's to the payer, so it is sent with all the care of one. What is signed is written down first. Unknown
 * stays unknown: another signature is made only when the chain, asked at the seller's own nodes, shows that the last can never land.
 */
export interface Refunds {
  /** Orders a refund inside the transaction that ends a claim: for the gate. */
  order<Tables>(trx: Transaction<Tables>, wish: RefundWish): Promise<RefundAnswer>
  /**
   * A person asks: for all that is left of a payment, or for a part. Where the parts of a payment come to more than the limit together, somebody else has
   * to approve. `refund_exists`: a part of that name was asked for before, or nothing is left.
   */
  ask(wish: RefundWish): Promise<RefundAnswer>
  /** A second person agrees: `refund_needs_other` for the one who asked. */
  approve(id: string, by: string): Promise<RefundAnswer>
  reject(id: string, by: string): Promise<RefundAnswer>
  get(id: string): Promise<Refund | undefined>
  /** What the books say that a transaction settled: one, or several that went together. */
  payments(of: Pick<Entry, 'network' | 'transaction'>): Promise<readonly Entry[]>
  list(states?: readonly RefundState[], limit?: number): Promise<readonly Refund[]>
  /** Does one step for one refund that is due; false when none is. Never throws for what one refund runs into. */
  step(): Promise<boolean>
  /** Works until it is stopped. */
  start(intervalMs?: number): { stop(): Promise<void> }
}

/** Milliseconds for which nobody else works on a refund. Longer than a facilitator is waited for, twice. */
const LEASE_MS = 120_000

/** Milliseconds from one look at a signature whose end is not known to the next. */
const AGAIN_MS = 5_000

/** Milliseconds by which the end of a signature must be past before anybody asks whether it is dead. */
const MARGIN_MS = 10 * 60_000

/**
 * Opens refunds beside the books. Throws `X402Error` `invalid_price`, `store_unavailable`, `store_busy`.
 *
 * @example
 * const refunds = await createRefunds({ ledger, facilitator, pays: [exactEvmClient({ account })], sells: [exactEvm], readers: [reader] })
 * await refunds.ask({ pid, reason: 'the file was empty', by: 'alice' })
 */
export async function createRefunds(options: RefundOptions): Promise<Refunds> {
  const { ledger, facilitator, pays, sells, readers = [], lifetimeSeconds = 300, clock = systemClock } = options
  const limit = options.approveAbove === undefined ? 0n : worthOf(options.approveAbove)
  const journal = await createRefundJournal(ledger.store, ledger.book)

  /** Who gives back in small parts gives back their sum. */
  const stateOf = (sum: bigint, paid: Entry): 'asked' | 'approved' => {
    const known = ledger.asset(paid) ?? assetByAddress(paid.network as Refund['network'], paid.asset)
    // What nobody can value is above every limit.
    const isAbove = known === undefined || known.decimals > 18 || sum * 10n ** BigInt(18 - known.decimals) > limit
    return isAbove ? 'asked' : 'approved'
  }

  /** Signs for a refund, and writes it down. */
  async function sign(held: Held): Promise<void> {
    const { refund } = held
    const made = await attemptFor(refund)
    if ('code' in made) return journal.wait(held, 60_000, made.code)
    if (await journal.signed(held, made)) await send({ ...held, attempt: { ...made, state: 'signed' } }, false)
  }

  async function attemptFor(
    refund: Refund,
  ): Promise<Omit<RefundAttempt, 'state' | 'transaction'> | { code: Refund['code'] }> {
    const { network, asset: address, id, attempt, payer, amount } = refund
    const half = findScheme(pays, { scheme: 'exact', network })
    const server = findScheme(sells, { scheme: 'exact', network })
    const asset = ledger.asset({ network, asset: address })
    if (half === undefined || server === undefined || asset === undefined) return { code: 'missing_scheme' }
    try {
      const { kinds } = await facilitator.supported()
      const kind = kinds.find((each) => each.scheme === 'exact' && each.network === network)
      if (kind === undefined) return { code: 'unsupported_offer' }
      const requirements = server.offer({
        network,
        asset,
        amount,
        payTo: payer,
        maxTimeoutSeconds: lifetimeSeconds,
        kind,
      })
      // The same for the same attempt: should it ever be made twice, a chain with nonces takes it once.
      const random = drawsFrom(`groat refund ${id} ${attempt}`)
      const prepared = await half.prepare(requirements, { clock, random, maxLifetimeSeconds: lifetimeSeconds })
      if (!prepared.ok) return { code: prepared.code }
      if (sameAddress(prepared.payer, payer)) return { code: 'invalid_pay_to' }
      const payload = await prepared.sign()
      const refundPid = prepared.signedPid?.() ?? prepared.pid
      const request: FacilitatorRequest = {
        payment: { x402Version: 2, scheme: 'exact', network, accepted: requirements, payload },
        requirements,
      }
      return { id, attempt, refundPid, from: prepared.payer, request, expiresAt: prepared.expiresAt }
    } catch (error) {
      if (X402Error.is(error)) return { code: error.code }
      throw error
    }
  }

  /** Shows a signature to the facilitator, as often as it takes. */
  async function send(held: Held & { readonly attempt: RefundAttempt }, again: boolean): Promise<void> {
    const { attempt } = held
    const { request, refundPid, from } = attempt
    try {
      const outcome = await askToSettle(facilitator, request, refundPid, { again, patient: true })
      if (outcome.status === 'settled') {
        const { receipt } = outcome
        if (!credible(receipt, request.requirements, from)) return await doubt(held, 'facilitator_invalid_answer')
        return await settled(held, receipt)
      }
      return await doubt(held, outcome.status === 'refused' ? outcome.code : undefined)
    } catch (error) {
      return doubt(held, X402Error.is(error) ? error.code : 'facilitator_unreachable')
    }
  }

  async function settled(held: Held & { readonly attempt: RefundAttempt }, receipt: Receipt): Promise<void> {
    const { transaction } = receipt
    const proof = { transaction, evidence: evidenceOf(receipt, held.attempt.refundPid) }
    if (!(await journal.settled(held, held.attempt, proof))) await doubt(held, 'facilitator_invalid_answer')
  }

  /** Nobody says that it was paid. What a facilitator refuses it may still hold: only the chain shows that it never will be. */
  async function doubt(held: Held & { readonly attempt: RefundAttempt }, code: Refund['code']): Promise<void> {
    const { attempt } = held
    if (clock() <= attempt.expiresAt * 1000 + MARGIN_MS) {
      const lasting =
        code !== undefined && errorInfo(code).retry !== 'later' && errorInfo(code).retry !== 'same-payment'
      return journal.wait(held, lasting ? 60_000 : AGAIN_MS, code)
    }
    const end = await endOf(held).catch(() => 'unknown' as const)
    if (end === 'dead') return journal.dead(held, attempt)
    if (end === 'unknown') return journal.wait(held, 10 * AGAIN_MS, code)
    const receipt: Receipt = { payer: attempt.from, network: held.refund.network, transaction: end.transaction }
    const evidence = evidenceOf({ ...receipt, extra: { logIndex: end.index } }, attempt.refundPid)
    if (!(await journal.settled(held, attempt, { transaction: end.transaction, evidence })))
      await journal.wait(held, 10 * AGAIN_MS)
  }

  /**
   * What the chain says of a signature whose time is over: that it is dead when its own clock is past it, the node has all blocks since the
   * payment, and nothing came from the refund key to the payer since that is not another refund.
   */
  async function endOf({ refund, attempt }: Held & { readonly attempt: RefundAttempt }) {
    const { network, asset, payer, amount, pid } = refund
    const reader = readers.find((each) => each.network === network)
    const paid = await journal.payment(pid)
    if (reader === undefined || paid === undefined) return 'unknown'
    const [isOver, payment] = await Promise.all([
      reader.isOver(attempt.request.payment, attempt.expiresAt),
      reader.brought(paid.transaction, asset, paid.to),
    ])
    if (!isOver || payment.length === 0) return 'unknown'
    const all = await reader.received(asset, payer, [paid.transaction])
    if (all === undefined) return 'unknown'
    const maybe = all.filter(
      (each) => each.amount === amount && (each.from === undefined || sameAddress(each.from, attempt.from)),
    )
    // Each refund that is known to be paid accounts for one of them; one that is left over may be this.
    const accounted = (await journal.settledTo(refund)).map(canonicalAddress)
    const [ours] = maybe.filter(({ transaction }) => {
      const at = accounted.indexOf(canonicalAddress(transaction))
      if (at >= 0) accounted.splice(at, 1)
      return at < 0
    })
    return ours ?? 'dead'
  }

  const refunds: Refunds = {
    // The tables are there; Kysely's types cannot know it of somebody else's transaction.
    async order(foreign, wish) {
      const trx = foreign as unknown as Transaction<RefundTables>
      const first = await journal.order(trx, wish, () => 'approved')
      // Somebody gave a part of it back before: this is the rest.
      return first.ok || first.code !== 'refund_exists' || wish.part !== undefined
        ? first
        : journal.order(trx, { ...wish, part: 'rest' }, () => 'approved')
    },
    ask: (wish) => journal.store.transaction((trx) => journal.order(trx, wish, stateOf)),
    approve: (id, by) => journal.decide(id, by, 'approved'),
    reject: (id, by) => journal.decide(id, by, 'rejected'),
    get: journal.get,
    payments: journal.payments,
    list: journal.list,
    async step() {
      const held = await journal.take(LEASE_MS)
      if (held === undefined) return false
      const { attempt } = held
      await (attempt === undefined ? sign(held) : send({ ...held, attempt }, true))
      return true
    },
    start(intervalMs = 1_000) {
      const end = new AbortController()
      const work = async (): Promise<void> => {
        while (!end.signal.aborted) {
          // A store that fails now is there to be asked again.
          const more = await refunds.step().catch(() => false)
          if (!more) await pause(intervalMs, end.signal)
        }
      }
      const done = work()
      return {
        stop: () => {
          end.abort()
          return done
        },
      }
    },
  }
  return refunds
}

/** Bytes that follow from a name, as long as one likes. */
function drawsFrom(name: string): (size: number) => Uint8Array {
  let drawn = 0
  const block = () => sha256Hex(`${name} ${drawn++}`)
  return (size) => {
    let hex = ''
    while (hex.length < size * 2) hex += block()
    return Uint8Array.from({ length: size }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16))
  }
}
