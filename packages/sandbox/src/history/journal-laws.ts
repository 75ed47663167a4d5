import { createHash } from 'node:crypto'
import type { EventRow } from './history.js'
import { doubled, groupBy, type Law, placeOf, same, sum } from './law.js'

/** The steps that a settlement may take; written here a second time, so that the journal does not certify itself. */
const edges: Readonly<Record<string, readonly string[]>> = {
  '': ['claimed'],
  claimed: ['signed', 'mined', 'settled', 'refused'],
  signed: ['sent', 'mined', 'settled', 'dead'],
  sent: ['mined', 'settled', 'dead'],
  mined: ['settled', 'reorged'],
  settled: ['final', 'reorged'],
  reorged: ['sent', 'mined', 'settled', 'dead'],
  refused: ['claimed'],
}

const ends: readonly string[] = ['settled', 'final', 'dead', 'refused']
const successes: readonly string[] = ['settled', 'final']

/** What a facilitator's journal and its chains have to say of each other. */
export const journalLaws: readonly Law[] = [
  {
    id: 'INV-4',
    says: 'settled is said only with the token’s own log for this payment',
    judge: ({ journal, chain, answers = [] }) => {
      const logs = new Map(chain.transfers.map((log) => [placeOf(log.network, log.transaction, log.logIndex), log]))
      const settlements = new Map(journal.settlement.map((row) => [row.pid, row]))
      const unproven = journal.evidence.flatMap(({ pid, network, transaction, log_index, amount, block_hash }) => {
        const log = logs.get(placeOf(network, transaction, log_index))
        const { payer, pay_to, asset } = settlements.get(pid) ?? {}
        const fits =
          log !== undefined &&
          payer !== undefined &&
          pay_to !== undefined &&
          asset !== undefined &&
          same(log.from, payer) &&
          same(log.to, pay_to) &&
          same(log.asset, asset) &&
          same(log.blockHash, block_hash) &&
          BigInt(log.value) >= BigInt(amount)
        return fits ? [] : [pid]
      })
      const credited = new Map(journal.evidence.map((row) => [row.pid, row]))
      const undone = new Set(journal.event.flatMap(({ pid, to_state }) => (to_state === 'reorged' ? [pid] : [])))
      const said = answers.flatMap(({ pid, status, transaction, logIndex }) => {
        if (status !== 'settled' || transaction === '') return []
        const evidence = credited.get(pid)
        // What was true when it was said, and undone since, is the journal's to follow.
        if (undone.has(pid)) return []
        const isSame =
          evidence !== undefined &&
          (transaction === undefined || same(evidence.transaction, transaction)) &&
          (logIndex === undefined || evidence.log_index === logIndex)
        return isSame ? [] : [pid]
      })
      return [...unproven, ...said]
    },
  },
  {
    id: 'INV-5',
    says: 'an outcome is told only under the terms that it was reached under',
    judge: ({ journal, answers }) => {
      if (answers === undefined) return 'not recorded'
      const rids = new Map(journal.settlement.map(({ pid, rid }) => [pid, rid]))
      return answers.flatMap(({ pid, rid, status }) => (status === 'settled' && rids.get(pid) !== rid ? [pid] : []))
    },
  },
  {
    id: 'INV-6',
    says: 'one payment, one nonce under which it can land',
    judge: ({ journal }) => {
      const live = journal.ride.filter(({ status }) => status === 'live')
      const landed = journal.ride.filter(({ status }) => status === 'landed')
      return [...doubled(live, ({ pid }) => pid), ...doubled(landed, ({ pid }) => pid)]
    },
  },
  {
    id: 'INV-7',
    says: 'what reaches a node is in the journal before, byte for byte, and one nonce is signed for one slot',
    judge: ({ journal, chain }) => {
      const known = new Map(journal.attempt.map((row) => [row.hash.toLowerCase(), row]))
      const stray = chain.transactions.flatMap(({ hash, at, raw }) => {
        const row = known.get(hash.toLowerCase())
        const isKnown =
          row !== undefined && (at === undefined || row.signed_at <= at) && (raw === undefined || row.raw === raw)
        return isKnown ? [] : [hash]
      })
      const slots = groupBy(
        journal.attempt.filter(({ nonce }) => nonce !== null),
        ({ network, signer, nonce }) => `${network} ${signer.toLowerCase()} ${nonce}`,
      )
      const torn = [...slots].flatMap(([key, group]) => (new Set(group.map(({ slot }) => slot)).size > 1 ? [key] : []))
      return [...stray, ...torn]
    },
  },
  {
    id: 'INV-8',
    says: 'what is not known is never called refused, and comes to its end',
    judge: ({ journal, answers = [], wallet, endsAt }) => {
      const bound = new Map<string, number>()
      /** When it was refused last before that. */
      const refused = new Map<string, number>()
      for (const { pid, to_state, at } of journal.event) {
        if (to_state === 'signed' && !bound.has(pid)) bound.set(pid, at)
        if (to_state === 'refused') refused.set(pid, at)
      }
      const settled = new Set(journal.settlement.flatMap(({ pid, state }) => (successes.includes(state) ? [pid] : [])))
      const rids = new Map(journal.settlement.map(({ pid, rid }) => [pid, rid]))
      const misled = answers.flatMap(({ pid, rid, at, askedAt = at, status }) => {
        const since = bound.get(pid)
        const isEnd = status === 'refused' && since !== undefined && at > since && rids.get(pid) === rid
        // It was, after this was asked; another presentation of it has begun anew since then.
        const wasTrue = (refused.get(pid) ?? Number.NEGATIVE_INFINITY) >= askedAt
        return isEnd && !wasTrue && settled.has(pid) ? [pid] : []
      })
      const open = journal.settlement.flatMap(({ pid, state, valid_before }) =>
        ends.includes(state) || (endsAt !== undefined && valid_before * 1000 + PATIENCE > endsAt) ? [] : [pid],
      )
      const left =
        endsAt === undefined
          ? journal.settlement.flatMap(({ pid, state }) => (ends.includes(state) ? [] : [pid]))
          : open
      const again = (wallet?.signatures ?? []).flatMap(({ intent, pid, at, dead }, nth, all) =>
        all.slice(0, nth).some((before) => before.intent === intent && before.at <= at && !dead.includes(before.pid))
          ? [pid]
          : [],
      )
      return [...misled, ...left, ...again]
    },
  },
  {
    id: 'INV-9',
    says: 'the journal is what the chain has, to the atomic unit, and each log credits one payment',
    judge: ({ journal, chain }) => {
      const terms = new Map(journal.settlement.map((row) => [row.pid, row]))
      const booked = groupBy(journal.evidence, ({ pid, network }) => {
        const { pay_to = '', asset = '' } = terms.get(pid) ?? {}
        return `${network} ${asset.toLowerCase()} ${pay_to.toLowerCase()}`
      })
      const moved = groupBy(
        chain.transfers,
        ({ network, asset, to }) => `${network} ${asset.toLowerCase()} ${to.toLowerCase()}`,
      )
      const accounts = new Set([...booked.keys(), ...moved.keys()])
      const off = [...accounts].flatMap((key) => {
        const inJournal = sum((booked.get(key) ?? []).map(({ amount }) => amount))
        const onChain = sum((moved.get(key) ?? []).map(({ value }) => value))
        return inJournal === onChain ? [] : [`${key}: ${inJournal} booked, ${onChain} moved`]
      })
      const shared = doubled(journal.evidence, ({ network, transaction, log_index }) =>
        placeOf(network, transaction, log_index),
      )
      const credited = new Set(journal.evidence.map(({ pid }) => pid))
      const wanting = journal.settlement.flatMap(({ pid, state, amount }) => {
        const isPaid = successes.includes(state) && BigInt(amount) > 0n
        return isPaid && !credited.has(pid) ? [pid] : []
      })
      const fees = new Map(chain.transactions.map(({ hash, fee }) => [hash.toLowerCase(), fee]))
      const gas = journal.attempt.flatMap(({ hash, fee }) => {
        const paid = fees.get(hash.toLowerCase())
        return fee !== null && paid !== undefined && BigInt(fee) !== BigInt(paid) ? [hash] : []
      })
      return [...off, ...shared, ...wanting, ...gas]
    },
  },
  {
    id: 'INV-22',
    says: 'every settlement goes along the graph, and every entry is chained to the one before it',
    judge: ({ journal }) => {
      const torn = [...groupBy(journal.event, ({ writer }) => writer)].flatMap(([writer, rows]) => {
        let [seq, hash] = [0, '0'.repeat(64)]
        for (const row of [...rows].sort((a, b) => a.seq - b.seq)) {
          if (row.seq !== seq || row.prev_hash !== hash || row.hash !== hashOf(row)) return [`${writer} ${row.seq}`]
          ;[seq, hash] = [row.seq + 1, row.hash]
        }
        return []
      })
      const off = journal.event.flatMap(({ pid, from_state, to_state }) =>
        edges[from_state ?? '']?.includes(to_state) ? [] : [`${pid}: ${from_state} to ${to_state}`],
      )
      const steps = groupBy(journal.event, ({ pid }) => pid)
      const lost = journal.settlement.flatMap(({ pid, state }) => (isWalk(steps.get(pid) ?? [], state) ? [] : [pid]))
      return [...torn, ...off, ...lost]
    },
  },
]

/** Milliseconds after its last second in which a payment may still be looked for. */
const PATIENCE = 120_000

function hashOf({ prev_hash, writer, seq, pid, from_state, to_state, at, code }: EventRow): string {
  const said = JSON.stringify([prev_hash, writer, seq, pid, from_state, to_state, at, code])
  return createHash('sha256').update(said).digest('hex')
}

/** Whether the steps, which several replicas may have written, can be put in a row that ends in this state. */
function isWalk(steps: readonly EventRow[], end: string): boolean {
  const balance = new Map<string, number>()
  for (const { from_state, to_state } of steps) {
    balance.set(from_state ?? '', (balance.get(from_state ?? '') ?? 0) - 1)
    balance.set(to_state, (balance.get(to_state) ?? 0) + 1)
  }
  // Every state is left as often as it is entered, but for the first and the last.
  return [...balance].every(([state, net]) => net === (state === end ? 1 : state === '' ? -1 : 0)) && steps.length > 0
}
