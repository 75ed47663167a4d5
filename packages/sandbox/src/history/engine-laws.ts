import type { History } from './history.js'
import { groupBy, type Law, sum } from './law.js'

/** What holds of the whole: money, guards, identities, secrets, the process itself. */
export const engineLaws: readonly Law[] = [
  {
    id: 'INV-10',
    says: 'no more moves than was authorised, and what is told of it is what moved',
    judge: ({ journal, answers = [] }) => {
      const most = new Map(journal.settlement.map(({ pid, amount }) => [pid, BigInt(amount)]))
      // What was true when it was told, and undone since, is the journal's to follow.
      const undone = new Set(journal.event.flatMap(({ pid, to_state }) => (to_state === 'reorged' ? [pid] : [])))
      const moved = new Map(journal.evidence.map(({ pid, amount }) => [pid, BigInt(amount)]))
      return [
        ...journal.evidence.flatMap(({ pid, amount }) =>
          BigInt(amount) < 0n || BigInt(amount) > (most.get(pid) ?? -1n) ? [pid] : [],
        ),
        ...answers.flatMap(({ pid, status, amount }) =>
          status === 'settled' && !undone.has(pid) && amount !== undefined && BigInt(amount) !== (moved.get(pid) ?? 0n)
            ? [pid]
            : [],
        ),
      ]
    },
  },
  {
    id: 'INV-11',
    says: 'what is signed for a payer at one time is no more than the payer had',
    judge: ({ journal, chain: { opening, returned = [] } }) => {
      if (opening === undefined) return 'not recorded'
      const terms = new Map(journal.settlement.map((row) => [row.pid, row]))
      const had = new Map(
        opening.map(({ network, asset, account, balance }) => [keyOf(network, asset, account), BigInt(balance)]),
      )
      // While a block is undone and nobody has looked, the payer does have what it gave back.
      const back = (key: string, at: number) =>
        sum(
          returned.flatMap(({ network, asset, account, amount, from, until }) =>
            keyOf(network, asset, account) === key && from <= at && at <= until ? [amount] : [],
          ),
        )
      const under = new Map<string, bigint>()
      const counted = new Set<string>()
      return [...journal.event]
        .sort((a, b) => a.at - b.at)
        .flatMap(({ pid, to_state, at }) => {
          const row = terms.get(pid)
          if (row === undefined) return []
          const key = keyOf(row.network, row.asset, row.payer)
          const before = under.get(key) ?? 0n
          if (to_state === 'signed' && !counted.has(pid)) {
            counted.add(pid)
            under.set(key, before + BigInt(row.amount))
            return before + BigInt(row.amount) > (had.get(key) ?? 0n) + back(key, at) ? [pid] : []
          }
          // What can not land any more takes nothing.
          if (to_state === 'dead' && counted.delete(pid)) under.set(key, before - BigInt(row.amount))
          return []
        })
    },
  },
  {
    id: 'INV-12',
    says: 'no payment costs its facilitator more than was allowed',
    judge: ({ journal, limits }) => {
      if (limits?.feePerPayment === undefined) return 'not recorded'
      const most = BigInt(limits.feePerPayment)
      const riders = groupBy(journal.ride, ({ slot }) => slot)
      const dear = journal.attempt.flatMap(({ hash, slot, fee }) => {
        const payments = BigInt(Math.max(1, riders.get(slot)?.length ?? 0))
        return fee !== null && BigInt(fee) > most * payments ? [hash] : []
      })
      return [...dear, ...failing(journal, limits.failedFeesPerPayerHour)]
    },
  },
  {
    id: 'INV-16',
    says: 'what a guard did not allow is not signed for',
    judge: ({ guards, journal }) => {
      if (guards === undefined) return 'not recorded'
      const said = groupBy(guards, ({ pid }) => pid)
      return journal.event.flatMap(({ pid, to_state, at }) => {
        const last = said
          .get(pid)
          ?.filter((each) => each.at <= at)
          .at(-1)
        return to_state === 'signed' && last?.said !== 'allowed' ? [pid] : []
      })
    },
  },
  {
    id: 'INV-18',
    says: 'a payment has one identity in all its spellings, and two payments never share one',
    judge: ({ spellings, journal }) => {
      if (spellings === undefined) return 'not recorded'
      const byPid = groupBy(spellings, ({ pid }) => pid)
      const bySpelling = groupBy(spellings, ({ spelling }) => spelling)
      const one = (group: readonly { readonly pid: string }[]) => new Set(group.map(({ pid }) => pid)).size === 1
      return [
        ...[...bySpelling].flatMap(([spelling, group]) => (one(group) ? [] : [spelling])),
        ...[...byPid].flatMap(([pid, group]) =>
          new Set(group.map(({ spelling }) => spelling)).size === 1 ? [] : [pid],
        ),
        ...[...groupBy(journal.settlement, ({ pid }) => pid)].flatMap(([pid, group]) =>
          group.length === 1 ? [] : [pid],
        ),
      ]
    },
  },
  {
    id: 'INV-19',
    says: 'no secret is in anything that left',
    judge: ({ outward }) =>
      outward?.secrets.flatMap((secret, nth) =>
        outward.texts.some((text) => text.includes(secret)) ? [`secret ${nth}`] : [],
      ) ?? 'not recorded',
  },
  {
    id: 'INV-20',
    says: 'no input brings down, swells or blocks a process',
    judge: ({ process, limits: { longestBlockMs = 50, memoryMiB = 600 } = {} }) => {
      if (process === undefined) return 'not recorded'
      return [
        ...(process.unhandled > 0 ? [`${process.unhandled} unhandled`] : []),
        ...(process.longestBlockMs > longestBlockMs ? [`blocked for ${process.longestBlockMs} ms`] : []),
        ...(process.memoryMiB.some((each) => each > memoryMiB) ? [`${Math.max(...process.memoryMiB)} MiB`] : []),
      ]
    },
  },
  {
    id: 'INV-21',
    says: 'money is whole atomic units everywhere',
    judge: ({ journal, chain, answers = [], refunds = [], wallet }) => {
      const amounts = [
        ...journal.settlement.map(({ amount }) => amount),
        ...journal.evidence.map(({ amount }) => amount),
        ...chain.transfers.map(({ value }) => value),
        ...answers.flatMap(({ amount }) => amount ?? []),
        ...refunds.map(({ amount }) => amount),
        ...(wallet?.entries ?? []).map(({ amount }) => amount),
      ]
      return amounts.filter((amount) => typeof amount !== 'string' || !/^(0|[1-9][0-9]{0,77})$/.test(amount))
    },
  },
]

const keyOf = (network: string, asset: string, account: string) => `${network} ${asset} ${account}`.toLowerCase()

/** Payers whose failed transactions cost more in an hour than was allowed. */
function failing({ ride, attempt, settlement }: History['journal'], limit: string | undefined): readonly string[] {
  if (limit === undefined) return []
  const payers = new Map(settlement.map(({ pid, payer }) => [pid, payer]))
  const attempts = groupBy(attempt, ({ slot }) => slot)
  const failed = ride.flatMap(({ slot, pid, status }) => {
    if (status !== 'failed') return []
    const paid = (attempts.get(slot) ?? []).flatMap(({ fee, signed_at }) =>
      fee === null ? [] : [{ fee, at: signed_at }],
    )
    return paid.map((each) => ({ ...each, payer: payers.get(pid) ?? '' }))
  })
  return [...groupBy(failed, ({ payer }) => payer)].flatMap(([payer, mine]) => {
    const isOver = mine.some(({ at }) => {
      const hour = mine.filter((other) => other.at >= at && other.at - at < 3_600_000)
      return sum(hour.map(({ fee }) => fee)) > BigInt(limit)
    })
    return isOver ? [payer] : []
  })
}
