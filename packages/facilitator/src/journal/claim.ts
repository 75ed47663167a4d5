import type { QuotaLimit } from '../access/quota.js'
import type { Batch, SharedQuota, Write } from './batch.js'
import type { Company } from './company.js'
import type { Claim, Evidence, SettlementRecord } from './record.js'
import { recordOf, rowOf } from './rows.js'
import { FAILURE_WINDOW } from './steps.js'

/** What a check of a payer's money goes by. */
export type Means = {
  /** Atomic units of the same asset that other payments of the payer will take: those that came before it, and those that are signed for and may land. */
  readonly reserved: bigint
  /** What of that is in blocks already, where it was read: a node that has the block shows the money without it. */
  readonly mined?: readonly (Pick<Evidence, 'blockNumber' | 'blockHash'> & { readonly amount: bigint })[]
  /** The newest block in which the payer's money has moved of late, or a later one, where another replica may have seen it: a node that is asked may not show it yet. */
  readonly moved?: bigint
  /** How often the chain had undone blocks by then: the money that was seen may be gone when it has undone more. */
  readonly undone: number
}

/** What became of a claim. `taken`: the payment is known. A payer with too much under way, or too many failures of late, takes nothing on. */
export type Claimed =
  | {
      readonly status: 'won'
      readonly record: SettlementRecord
      readonly means: Means
    }
  | { readonly status: 'taken' | 'too_many_open' | 'too_many_failures' }
  | {
      readonly status: 'over_quota'
      readonly ring: 'tenant' | 'payer'
      readonly limit: QuotaLimit
      readonly retryAfter: number
    }

/** What a claim is bounded by, over all replicas, besides what every payer is. */
export type ClaimBounds = {
  /** Each gives one token for the claim, or none does. */
  readonly quotas?: readonly (SharedQuota & { readonly ring: 'tenant' | 'payer' })[]
  /** Payments of the tenant, and of the payer, that may be under way with it. */
  readonly open?: { readonly tenant?: number; readonly payer?: number }
}

/** What protects the facilitator from a payer. */
export type PayerLimits = {
  /** Payments that one payer may have open at a time. */
  readonly open: number
  /** Transactions of one payer that may fail on our gas in an hour. */
  readonly failures: number
}

/** No payer is held back. */
export const NO_LIMITS: PayerLimits = { open: Number.POSITIVE_INFINITY, failures: Number.POSITIVE_INFINITY }

/** How a payment is taken on. */
type TakeOn = (claim: Claim, owner: string | null, bounds?: ClaimBounds) => Promise<Claimed>

/** Makes the claim over a journal's writer. */
export function createClaim(write: <T>(write: Write<T>) => Promise<T>, limits: PayerLimits, company: Company): TakeOn {
  return (claim, owner, { quotas = [], open = {} } = {}) => {
    const { pid, payer, tenant } = claim
    const { network, asset } = claim.request.requirements
    const overQuota = (batch: Batch): Claimed | undefined => {
      const { tenant: ofTenant, payer: ofPayer } = open
      if (tenant !== undefined && ofTenant !== undefined && batch.openOf(tenant) >= ofTenant) {
        return { status: 'over_quota', ring: 'tenant', limit: { maxOpen: ofTenant }, retryAfter: 1 }
      }
      if (ofPayer !== undefined && batch.payer(network, payer).open.length >= ofPayer) {
        return { status: 'over_quota', ring: 'payer', limit: { maxOpen: ofPayer }, retryAfter: 1 }
      }
      for (const { ring, ...quota } of quotas) {
        const retryAfter = batch.waitFor(quota)
        const { perSecond } = quota
        if (retryAfter > 0) return { status: 'over_quota', ring, limit: { perSecond }, retryAfter }
      }
      return undefined
    }
    return write<Claimed>({
      pids: [pid],
      network,
      payer: { network, payer, movedSince: company.since(network) },
      quotas: quotas.map(({ key }) => key),
      ...(tenant === undefined || open.tenant === undefined ? {} : { tenant }),
      // It survives the end of this process; what is signed for it, or said of it, makes it survive a loss of power.
      durable: false,
      decide(batch) {
        const standing = batch.standing(pid)
        if (standing !== undefined && standing.state !== 'refused') return { status: 'taken' }
        const account = batch.payer(network, payer)
        if (account.open.length >= limits.open) return { status: 'too_many_open' }
        const cooling = batch.now - account.failing_since < FAILURE_WINDOW && account.failures >= limits.failures
        if (cooling) return { status: 'too_many_failures' }
        const over = overQuota(batch)
        if (over !== undefined) return over
        for (const quota of quotas) batch.draw(quota)
        const same = account.open.filter((each) => each.network === network && each.asset === asset)
        const reserved = same.reduce((sum, { amount }) => sum + BigInt(amount), 0n)
        const row = rowOf(claim, { owner, place: account.claims, now: batch.now })
        batch.claim(row, claim.requestText)
        const record = recordOf({ body: claim.requestText, ...row }, [], undefined)
        const moved = batch.moved(network, payer)
        const means = { reserved, ...(moved === undefined ? {} : { moved }), undone: batch.undone(network) }
        return { status: 'won', record, means }
      },
    })
  }
}
