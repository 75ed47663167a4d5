import { doubled, groupBy, type Law, placeOf, same } from './law.js'

/** What shops gave, against what was paid. */
export const deliveryLaws: readonly Law[] = [
  {
    id: 'INV-1',
    says: 'a payment buys what its terms name, once unless they say more',
    judge: ({ deliveries }) => {
      if (deliveries === undefined) return 'not recorded'
      return [...groupBy(deliveries, ({ pid }) => pid)].flatMap(([pid, mine]) => {
        const [{ uses, until } = {}] = mine
        const most = uses ?? (until === undefined ? 1 : Number.POSITIVE_INFINITY)
        const late = mine.some(({ at }) => until !== undefined && at > until)
        return mine.length > most || late ? [pid] : []
      })
    },
  },
  {
    id: 'INV-2',
    says: 'where it is strict, nothing of a handler leaves before the payment is settled',
    judge: ({ deliveries, journal }) => {
      if (deliveries === undefined) return 'not recorded'
      const since = new Map<string, number>()
      for (const { pid, to_state, at } of journal.event) {
        if (to_state === 'settled' && !since.has(pid)) since.set(pid, at)
      }
      return deliveries.flatMap(({ pid, mode, at, firstByteAt = at }) => {
        const settledAt = since.get(pid)
        return mode === 'strict' && (settledAt === undefined || firstByteAt < settledAt) ? [pid] : []
      })
    },
  },
  {
    id: 'INV-3',
    says: 'what is settled is delivered, refunded, or an open claim; one of them, and no claim is forgotten',
    judge: ({ deliveries, obligations, journal, limits: { grace = 0 } = {}, endsAt = Number.POSITIVE_INFINITY }) => {
      if (deliveries === undefined || obligations === undefined) return 'not recorded'
      const delivered = new Set(deliveries.map(({ pid }) => pid))
      const owed = groupBy(obligations, ({ pid }) => pid)
      return journal.settlement.flatMap(({ pid, state }) => {
        if (state !== 'settled' && state !== 'final') return []
        const mine = owed.get(pid) ?? []
        const isLate = mine.some(
          ({ kind, since }) => kind === 'entitled' && endsAt !== Number.POSITIVE_INFINITY && endsAt - since > grace,
        )
        return mine.length + (delivered.has(pid) ? 1 : 0) !== 1 || isLate ? [pid] : []
      })
    },
  },
  {
    id: 'INV-17',
    says: 'no handler runs without a claim before it',
    judge: ({ handlers }) =>
      handlers?.flatMap(({ pid, at, claimedAt }) => (claimedAt === undefined || claimedAt > at ? [pid] : [])) ??
      'not recorded',
  },
  {
    id: 'INV-23',
    says: 'every receipt can be checked by anybody, and none speaks of another’s log',
    judge: ({ receipts, chain }) => {
      if (receipts === undefined) return 'not recorded'
      const logs = new Set(chain.transfers.map(({ transaction, logIndex }) => placeOf('', transaction, logIndex)))
      const distinct = [
        ...new Map(
          receipts.map((each) => [`${each.pid} ${placeOf('', each.transaction, each.logIndex)}`, each]),
        ).values(),
      ]
      return [
        ...receipts.flatMap(({ pid, verifies, transaction, logIndex }) =>
          verifies && logs.has(placeOf('', transaction, logIndex)) ? [] : [pid],
        ),
        ...doubled(distinct, ({ transaction, logIndex }) => placeOf('', transaction, logIndex)),
        ...doubled(distinct, ({ pid }) => pid),
      ]
    },
  },
  {
    id: 'INV-24',
    says: 'a refund is one at the most, of what was paid at the most, to the payer, and written down',
    judge: ({ refunds, journal }) => {
      if (refunds === undefined) return 'not recorded'
      const paid = new Map(journal.evidence.map(({ pid, amount }) => [pid, BigInt(amount)]))
      const payers = new Map(journal.settlement.map(({ pid, payer }) => [pid, payer]))
      return [
        ...refunds.flatMap(({ pid, to, amount, journalled }) => {
          const isRight = journalled && BigInt(amount) <= (paid.get(pid) ?? 0n) && same(to, payers.get(pid) ?? '')
          return isRight ? [] : [pid]
        }),
        ...doubled(refunds, ({ pid }) => pid),
      ]
    },
  },
]
