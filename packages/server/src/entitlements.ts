import { type Clock, type Pid, systemClock } from '@groat/core'

/** What is left of an entitlement: uses, or time until `expiresAt` in milliseconds since 1970. */
export type Balance = {
  readonly left?: number
  readonly expiresAt?: number
  /** Atomic units that are not used up. */
  readonly credit?: bigint
}

/** One use, taken. */
export type Redeemed = Balance & {
  /** The payment that it was taken of, where that is one that topped up what was asked for. */
  readonly pid?: Pid
  readonly proof: string
  /** Atomic units that were taken for it. */
  readonly taken?: bigint
}

/** What a use is taken for: the books say so. */
export type EntitlementUse = { readonly route?: string; readonly resource?: string }

/** What a payment bought beyond its own answer. */
export type Grant = {
  readonly pid: Pid
  /** What it opens: routes of the same scope. */
  readonly scope: string
  /** Uses beside the one that was paid with. */
  readonly uses?: number
  readonly seconds?: number
  /** Atomic units that may be used up. */
  readonly credit?: bigint
  /** The payment and the terms that it settled, as JSON: handlers are told of it at every use. */
  readonly proof: string
  /** The payment whose entitlement it adds to, where that is one of the same scope. */
  readonly tops?: Pid
}

/** What is left of what was granted, and `of` whose entitlement it adds to. */
export type GrantedBalance = Balance & { readonly of?: Pid }

/**
 * Bundles and passes that were paid for. Every method is one atomic step that holds for all processes which share the store; faults are
 * thrown.
 */
export interface Entitlements {
  /** The key that bearers are made with, the same for all who share the store. */
  readonly key: Uint8Array<ArrayBuffer>
  /**
   * Grants once: what a payment has bought already stays as it is. Answers with what is left of it, and where it adds to what was bought before, of
   * both together. Each keeps its own row: what was used of a payment is known of that payment.
   */
  grant(grant: Grant): Promise<GrantedBalance>
  /** Takes one use, and of a credit at most so much, of the payment that `lotFor` names. `undefined`: none is left, its time is over, or it is for something else. */
  redeem(pid: Pid, scope: string, use?: EntitlementUse & { readonly most?: bigint }): Promise<Redeemed | undefined>
  /** Takes away what is left, because its money was given back. */
  revoke(pid: Pid): Promise<void>
  /** Gives a use back, for which nothing was delivered, or so much of the credit. */
  giveBack(pid: Pid, use?: EntitlementUse & { readonly credit?: bigint }): Promise<void>
}

/** Entitlements in the memory of one process: a restart forgets them. */
export function createMemoryEntitlements(clock: Clock = systemClock): Entitlements {
  const rows = new Map<Pid, Row>()

  // What is used up is remembered: its payment, presented again, must not buy it again.
  const prune = (now: number): void => {
    // What is topped up is asked for by the first bearer, and by no other.
    const roots = new Set(
      [...rows.values()].flatMap((row) => (row.tops !== undefined && isLeft(row) ? [row.tops] : [])),
    )
    for (const [pid, row] of rows) {
      const isOver = row.left === 0 || row.credit === 0n || (row.expiresAt ?? now) < now
      if (isOver && row.since + KEPT_MS < now && !roots.has(pid)) rows.delete(pid)
    }
  }

  /** What adds to an entitlement, behind it. */
  const toppingUp = (root: Pid): readonly (readonly [Pid, Row])[] =>
    rows.get(root)?.topped === true ? [...rows].filter(([, row]) => row.tops === root) : []
  const isLeft = (row: Row): boolean =>
    row.left !== 0 && row.credit !== 0n && (row.expiresAt === undefined || row.expiresAt > clock())
  const balanceAt = (pid: Pid, row: Row): GrantedBalance => {
    const root = row.tops ?? pid
    const first = rows.get(root) ?? row
    const all = [first, ...toppingUp(root).map(([, each]) => each)]
    return all.length === 1 ? balanceOf(first) : sumOf(all.filter(isLeft).map(balanceOf), balanceOf(row))
  }

  return {
    key: globalThis.crypto.getRandomValues(new Uint8Array(32)),
    grant: async ({ pid, scope, uses, seconds, credit, proof, tops }) => {
      const known = rows.get(pid)
      if (known !== undefined) return { ...balanceAt(pid, known), ...(known.tops && { of: known.tops }) }
      const now = clock()
      if (rows.size % PRUNE_EVERY === PRUNE_EVERY - 1) prune(now)
      const before = tops === undefined ? undefined : rows.get(tops)
      const root = before?.scope === scope ? (before.tops ?? tops) : undefined
      const first = root === undefined ? undefined : rows.get(root)
      if (first !== undefined) first.topped = true
      const row: Row = {
        scope,
        proof,
        since: now,
        ...(uses === undefined ? {} : { left: uses }),
        ...(seconds === undefined ? {} : { expiresAt: now + seconds * 1000 }),
        ...(credit === undefined ? {} : { credit }),
        ...(first === undefined || root === undefined ? {} : { tops: root }),
      }
      rows.set(pid, row)
      return { ...balanceAt(pid, row), ...(row.tops && { of: row.tops }) }
    },
    redeem: async (asked, scope, use) => {
      const first = rows.get(asked)
      if (first === undefined || first.scope !== scope) return undefined
      const lots = [[asked, first] as const, ...toppingUp(asked)].map(([pid, row]) => {
        return { pid, row, balance: balanceOf(row), since: row.since }
      })
      const lot = lotFor(lots, clock(), use?.most)
      const after = lot && takeUse(lot.balance, clock(), use?.most)
      if (lot === undefined || after === undefined) return undefined
      const { pid, row } = lot
      Object.assign(row, after.balance)
      const { taken } = after
      return {
        ...balanceAt(pid, row),
        proof: row.proof,
        ...(taken === undefined ? {} : { taken }),
        ...(pid === asked ? {} : { pid }),
      }
    },
    revoke: async (pid) => {
      const row = rows.get(pid)
      if (row !== undefined)
        rows.set(pid, { ...row, left: 0, expiresAt: 0, ...(row.credit !== undefined && { credit: 0n }) })
    },
    giveBack: async (pid, use) => {
      const row = rows.get(pid)
      if (row?.credit !== undefined) row.credit += use?.credit ?? 0n
      else if (row?.left !== undefined) row.left += 1
    },
  }
}

type Row = {
  readonly scope: string
  readonly proof: string
  readonly since: number
  left?: number
  credit?: bigint
  readonly expiresAt?: number
  /** What it adds to. */
  readonly tops?: Pid
  /** Whether anything adds to it. */
  topped?: boolean
}

const PRUNE_EVERY = 1024

/** For so long, and longer, no payment is answered again by what it has settled. */
const KEPT_MS = 60 * 86_400_000

/** What one payment bought, among others that are used as one. */
export type Lot = {
  readonly balance: Balance
  /** When it was bought, in milliseconds since 1970. */
  readonly since: number
}

/**
 * Of which payment a use is taken: of what ends first and then of the oldest, of a credit that holds as much as the use may cost, so that no use ends early
 * while there is enough of another; where none does, of the one of which most is left (SRV-072). `undefined`: nothing is left of any.
 */
export function lotFor<L extends Lot>(lots: readonly L[], now: number, most?: bigint): L | undefined {
  const left = lots.filter(({ balance }) => takeUse(balance, now, most) !== undefined).sort(bySoonest)
  const enough = left.find(({ balance: { credit } }) => credit === undefined || most === undefined || credit >= most)
  return (
    enough ?? left.reduce<L | undefined>((best, each) => (creditOf(best) < creditOf(each) ? each : best), undefined)
  )
}

const creditOf = (lot: Lot | undefined): bigint => lot?.balance.credit ?? 0n

function bySoonest(a: Lot, b: Lot): number {
  const [end, other] = [a.balance.expiresAt ?? NEVER, b.balance.expiresAt ?? NEVER]
  return end === other ? a.since - b.since : end - other
}

const NEVER = Number.MAX_SAFE_INTEGER

/** A balance after one use, and what that took of a credit, in atomic units. */
export type AfterUse = { readonly balance: Balance; readonly taken?: bigint }

/** Takes one use of a balance, at a time in milliseconds since 1970, and of a credit at most so much. `undefined`: there is none to be had. */
export function takeUse(balance: Balance, now: number, most = balance.credit): AfterUse | undefined {
  const { left, credit, expiresAt } = balance
  if ((left !== undefined && left < 1) || (expiresAt !== undefined && expiresAt <= now)) return undefined
  const rest = left === undefined ? balance : { ...balance, left: left - 1 }
  if (credit === undefined || most === undefined) return { balance: rest }
  if (credit === 0n) return undefined
  const isLast = credit < most
  const taken = isLast ? credit : most
  return { balance: { ...rest, credit: credit - taken }, taken }
}

function balanceOf({ left, credit, expiresAt }: Row): Balance {
  return {
    ...(credit === undefined ? {} : { credit }),
    ...(left === undefined ? {} : { left }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

/** What is left of several together; where nothing is, what there was of one says what kind it was. */
export function sumOf(all: readonly Balance[], kind: Balance): Balance {
  const some = all.length === 0 ? [kind] : all
  const times = some.flatMap(({ expiresAt }) => (expiresAt === undefined ? [] : [expiresAt]))
  return {
    ...(kind.credit === undefined ? {} : { credit: some.reduce((sum, { credit = 0n }) => sum + credit, 0n) }),
    ...(kind.left === undefined ? {} : { left: some.reduce((sum, { left = 0 }) => sum + left, 0) }),
    ...(times.length === 0 ? {} : { expiresAt: Math.max(...times) }),
  }
}
