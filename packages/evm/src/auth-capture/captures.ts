import {
  type CallOptions,
  encodeFacilitatorRequest,
  type Facilitator,
  type FacilitatorRequest,
  type JsonObject,
  type Pid,
  parseAtomic,
  type Settlement,
  X402Error,
} from '@groat/core'
import type { AnyStore } from '@groat/store'
import type { EvmAccount } from '../account.js'
import { formatAddress, parseAddress } from '../address.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex } from '../hex.js'
import { signWith } from '../sign.js'
import { type Permission, permissionOf } from './authorizer.js'
import { type Hold, holdOf, readOf, requestOf } from './hold.js'
import { type HoldRow, type HoldTables, migrations, type PendingAction } from './hold-table.js'
import { authCaptureOnEvm } from './identity.js'
import { wireOfInfo } from './payment-info.js'
import { type CollectPayment, readCollect } from './shared.js'
import { collectorOf } from './token-authorization.js'
import { payoutOf } from './verify.js'
import {
  balancesAfter,
  type GoodWish,
  isWish,
  NOTHING_HELD,
  type Wish,
  wishCapture,
  wishRefund,
  wishVoid,
} from './wish.js'

export type { Hold } from './hold.js'

/** What captures are made with. */
export type CapturesOptions = {
  /** The operator of the payments: who collects and relays. */
  readonly facilitator: Facilitator
  /** The receiver's authorizer: the seller's own key, whose address the offers name. */
  readonly authorizer: EvmAccount
  readonly engine?: SigningEngine
  /** Told of what was done, before it is forgotten that it was asked for, and so perhaps twice: a seller's books (`ledger.moved`). What it throws is thrown. */
  readonly moved?: (move: HoldMove) => Promise<void>
}

/** What was done with a hold. Amounts in atomic units. */
export type HoldMove = {
  readonly pid: Pid
  /** `void`: it is the payer's again, by whomever's will. */
  readonly kind: 'capture' | 'void' | 'refund'
  readonly amount: bigint
  /** What of a capture was somebody else's. */
  readonly fee: bigint
  /** Empty where it is not known. */
  readonly transaction: string
}

/** What a seller's holds are, and what becomes of them. Each answer is a settlement: settled, refused or not known yet; then ask again. */
export interface Captures {
  /** The facilitator that the paywall gets: it writes each hold down before it is collected. */
  readonly facilitator: Facilitator
  hold(pid: Pid): Promise<Hold | undefined>
  /** Holds with something left to capture, the one that ends first foremost. */
  open(limit: number): Promise<readonly Hold[]>
  /** Has a part of a hold paid out, or all that is left of it. */
  capture(pid: Pid, amount?: bigint): Promise<Settlement>
  /** Lets go of what is left of a hold. */
  void(pid: Pid): Promise<Settlement>
  /** Gives back a part of what was captured. The facilitator pays, so it has to have agreed. */
  refund(pid: Pid, amount: bigint): Promise<Settlement>
}

/**
 * Keeps what a seller needs to capture, void and refund, in a database that every process of the seller shares. A hold is a key to money: it is written
 * down before it is collected, and what is asked of the facilitator before it is asked, so that nothing is ever signed twice for one balance
 * (EVM-CAPTURE-066, 067).
 *
 * Its settlements are refused with what the facilitator refuses, and with `invalid_auth_capture_evm_zero_authorization` and
 * `invalid_auth_capture_evm_refund_exceeds_capture` for what is not held. Throws `X402Error` `store_unavailable`, `store_busy`, `signer_failed`, `invalid_config` (offers that
 * name another authorizer) and what the facilitator throws.
 *
 * @example
 * const captures = await createCaptures(await openStore('shop.db'), { facilitator: createFacilitatorClient('https://pay.example'), authorizer })
 * await captures.capture(pid, 750_000n)
 */
export async function createCaptures(anyStore: AnyStore, options: CapturesOptions): Promise<Captures> {
  const { facilitator: inner, authorizer, engine = nobleSigningEngine, moved = async () => {} } = options
  const store = anyStore.withTables<HoldTables>()
  await store.migrate(migrations)
  const own = parseAddress(authorizer.address)

  const load = (pid: Pid): Promise<HoldRow | undefined> =>
    store.db.selectFrom('evm_hold').selectAll().where('pid', '=', pid).executeTakeFirst()

  async function settle(request: FacilitatorRequest, callOptions?: CallOptions): Promise<Settlement> {
    const read = readCollect(request.payment, request.requirements)
    if (!read.ok) return { status: 'refused', code: read.code }
    // Without an authorizer what becomes of it is between the facilitator and somebody else.
    if (read.saltNonce === undefined) return inner.settle(request, callOptions)
    if (read.terms.receiverAuthorizer !== own) throw new X402Error('invalid_config', { field: 'receiverAuthorizer' })
    const asked = read.terms.flow === 'escrow' ? request : await completed(request, read)
    await keep(asked, read)
    const settlement = await inner.settle(asked, callOptions)
    if (settlement.status === 'settled') await collected(read.pid)
    return settlement
  }

  /** Adds what is to be paid out at once, and the word for it. */
  async function completed(request: FacilitatorRequest, read: CollectPayment): Promise<FacilitatorRequest> {
    const known = await load(read.pid)
    const asked = known && requestOf(known)
    if (asked && asked.payment.payload.signature === request.payment.payload.signature) return asked
    const { terms, info, infoHash, signature } = read
    const payout = payoutOf(info, info.maxAmount)
    const collectorDataHash = formatHex(engine.keccak256(signature))
    const permission = { kind: 'charge', infoHash, collector: collectorOf(terms.method), collectorDataHash } as const
    const authorizerSignature = await signWith(authorizer, permissionOf(engine, terms, { ...permission, ...payout }))
    const payload = {
      ...request.payment.payload,
      amount: payout.amount.toString(),
      feeAmount: payout.feeAmount.toString(),
      feeReceiver: formatAddress(payout.feeReceiver),
      authorizerSignature,
    }
    return { ...request, payment: { ...request.payment, payload } }
  }

  function keep(request: FacilitatorRequest, { pid, info }: CollectPayment): Promise<unknown> {
    const row: HoldRow = {
      pid,
      network: request.requirements.network,
      payer: info.payer,
      request: JSON.stringify(encodeFacilitatorRequest(request)),
      state: 'asked',
      capturable: '0',
      refundable: '0',
      capture_deadline: Number(info.authorizationExpiry),
      pending: null,
    }
    return store.transaction((trx) =>
      trx
        .insertInto('evm_hold')
        .values(row)
        // A copy with another signature may have come first, and was refused.
        .onConflict((conflict) =>
          conflict.column('pid').doUpdateSet({ request: row.request }).where('evm_hold.state', '=', 'asked'),
        )
        .execute(),
    )
  }

  /** The money is in the escrow, or was paid out. What was done since stays done. */
  async function collected(pid: Pid): Promise<void> {
    const row = await load(pid)
    if (row === undefined) return
    const { terms, info } = readOf(row)
    const all = info.maxAmount.toString()
    const balances = terms.flow === 'escrow' ? { capturable: all } : { refundable: all }
    await store.transaction((trx) =>
      trx
        .updateTable('evm_hold')
        .set({ state: 'collected', ...balances })
        .where('pid', '=', pid)
        .where('state', '=', 'asked')
        .execute(),
    )
  }

  /** The row, with what is known by now of what was asked before. */
  async function current(pid: Pid): Promise<HoldRow | undefined> {
    const row = await load(pid)
    if (row?.state !== 'asked') return row
    const settlement = await inner.settlement?.(pid)
    if (settlement?.status !== 'settled') return row
    await collected(pid)
    return load(pid)
  }

  async function act(pid: Pid, wanted: (row: HoldRow) => Wish): Promise<Settlement> {
    const settlement = await ask(pid, wanted)
    // The escrow has another count, and what it is has been written down: the same once more, for that.
    return isOdd(settlement) ? ask(pid, wanted) : settlement
  }

  async function ask(pid: Pid, wanted: (row: HoldRow) => Wish): Promise<Settlement> {
    let row = await current(pid)
    if (row?.pending) {
      // What was asked before comes first: the balances that the next permission is signed for depend on it.
      const settlement = await present(row, row.pending)
      if (settlement.status === 'unknown') return settlement
      // Asked the same again: this is its answer.
      if (isWish(pendingOf(row.pending), wanted(row))) return settlement
      row = await load(pid)
    }
    if (row === undefined) return { status: 'refused', code: NOTHING_HELD }
    const wish = wanted(row)
    if ('code' in wish) return { status: 'refused', code: wish.code, payer: row.payer }
    const pending = JSON.stringify(await signed(row, wish))
    const taken = await store.transaction((trx) =>
      trx
        .updateTable('evm_hold')
        .set({ pending })
        .where('pid', '=', pid)
        .where('pending', 'is', null)
        .where('capturable', '=', row.capturable)
        .where('refundable', '=', row.refundable)
        .executeTakeFirst(),
    )
    // Another process has asked for something in the meantime.
    if (Number(taken.numUpdatedRows) === 0) return { status: 'unknown', retryAfter: 1, payer: row.payer }
    return present(row, pending)
  }

  async function signed(row: HoldRow, { kind, amount }: GoodWish): Promise<PendingAction> {
    const { terms, info, infoHash, saltNonce } = readOf(row)
    const balances = { capturable: BigInt(row.capturable), refundable: BigInt(row.refundable) }
    const payout = payoutOf(info, amount)
    const permission: Permission = { kind, infoHash, ...balances, ...payout }
    const authorizerSignature = await signWith(authorizer, permissionOf(engine, terms, permission))
    const expected = {
      expectedCapturableAmount: row.capturable,
      expectedRefundableAmount: row.refundable,
    }
    const payload: JsonObject = {
      type: kind,
      paymentInfo: wireOfInfo(info),
      // Only what is bound is kept.
      saltNonce: saltNonce ?? '0x',
      ...(kind === 'void' ? {} : { amount: amount.toString(), ...expected }),
      ...(kind === 'capture'
        ? { feeAmount: payout.feeAmount.toString(), feeReceiver: formatAddress(payout.feeReceiver) }
        : {}),
      authorizerSignature,
    }
    return { kind, amount: amount.toString(), payload }
  }

  async function present(row: HoldRow, pending: string): Promise<Settlement> {
    const { kind, amount, payload } = pendingOf(pending)
    const { payment, requirements } = requestOf(row)
    const request = { payment: { ...payment, payload }, requirements }
    const settlement = await inner.settle(request)
    if (settlement.status === 'unknown') return settlement
    const told = isOdd(settlement) ? await balancesNow(row, request) : {}
    const after = settlement.status === 'refused' ? told : balancesAfter({ kind, amount }, row)
    if (settlement.status === 'settled') {
      const { transaction } = settlement.receipt
      const fee = typeof payload.feeAmount === 'string' ? BigInt(payload.feeAmount) : 0n
      await moved({ pid: readPid(row), kind, amount: BigInt(amount), fee, transaction })
    } else if (told.capturable !== undefined && told.refundable === row.refundable) {
      // The payer has taken it back.
      const left = BigInt(row.capturable) - BigInt(told.capturable)
      await moved({ pid: readPid(row), kind: 'void', amount: left, fee: 0n, transaction: '' })
    }
    await store.transaction((trx) =>
      trx
        .updateTable('evm_hold')
        .set({ pending: null, ...after })
        .where('pid', '=', row.pid)
        // Another process may have had the same answer, and have gone on.
        .where('pending', '=', pending)
        .execute(),
    )
    return settlement
  }

  /**
   * What the escrow has, where that is later than what we know (EVM-CAPTURE-069): the payer has taken back what was left, or something landed that was
   * given up. Balances only ever fall, so what a node that is behind says is known for that.
   */
  async function balancesNow(row: HoldRow, request: FacilitatorRequest): Promise<Partial<HoldRow>> {
    const verdict = await inner.verify(request)
    const { capturableAmount, refundableAmount } = verdict.extra ?? {}
    const [capturable, refundable] = [capturableAmount, refundableAmount].map((text) =>
      typeof text === 'string' ? parseAtomic(text) : undefined,
    )
    if (verdict.ok || capturable === undefined || refundable === undefined) return {}
    const [before, given] = [BigInt(row.capturable), BigInt(row.refundable)]
    const isLater = capturable < before || (capturable === before && refundable < given)
    return isLater ? { capturable: `${capturable}`, refundable: `${refundable}` } : {}
  }

  const isOurs = ({ requirements: { scheme, network } }: FacilitatorRequest) =>
    scheme === authCaptureOnEvm.name && network.startsWith(`${authCaptureOnEvm.family}:`)

  return {
    facilitator: {
      ...inner,
      verify: (request, callOptions) => inner.verify(request, callOptions),
      supported: (callOptions) => inner.supported(callOptions),
      settle: (request, callOptions) => (isOurs(request) ? settle : inner.settle)(request, callOptions),
      ...(inner.settlement ? { settlement: (pid: Pid, o?: CallOptions) => settlementOf(inner, pid, o) } : {}),
    },
    async hold(pid) {
      const row = await current(pid)
      return row && holdOf(row)
    },
    async open(limit) {
      const rows = await store.db
        .selectFrom('evm_hold')
        .selectAll()
        .where((eb) => eb.or([eb('capturable', '!=', '0'), eb('state', '=', 'asked')]))
        .orderBy('capture_deadline')
        .limit(limit)
        .execute()
      return rows.map(holdOf)
    },
    capture: (pid, amount) => act(pid, (row) => wishCapture(row, amount)),
    void: (pid) => act(pid, wishVoid),
    refund: (pid, amount) => act(pid, (row) => wishRefund(row, amount)),
  }

  async function settlementOf(at: Facilitator, pid: Pid, callOptions?: CallOptions): Promise<Settlement | undefined> {
    const settlement = await at.settlement?.(pid, callOptions)
    if (settlement?.status === 'settled') await collected(pid)
    return settlement
  }
}

// What we wrote ourselves.
const readPid = (row: HoldRow) => row.pid as Pid

const isOdd = (settlement: Settlement): boolean =>
  settlement.status === 'refused' && settlement.code === 'invalid_auth_capture_evm_unexpected_payment_state'

/** What we wrote ourselves. */
const pendingOf = (text: string) => JSON.parse(text) as PendingAction
