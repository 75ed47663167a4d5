import { type EvmChain, type History, usdcAbi } from '@groat/sandbox'
import type { Store } from '@groat/store'
import type { Kysely } from 'kysely'
import type { JournalTables } from '../src/journal/tables.js'

/** The rows of a journal, each with the pid of its payment; of one moment, in a transaction. */
export async function journalRows(db: Pick<Kysely<JournalTables>, 'selectFrom'>) {
  const payments = db.selectFrom('settlement').selectAll('settlement')
  const [settlement, attempt, ride, evidence, event] = await Promise.all([
    payments.innerJoin('request', 'request.settlement', 'settlement.id').select('body').execute(),
    db.selectFrom('attempt').selectAll().execute(),
    db
      .selectFrom('ride')
      .innerJoin('settlement', 'settlement.id', 'ride.settlement')
      .selectAll('ride')
      .select('pid')
      .execute(),
    db
      .selectFrom('evidence')
      .innerJoin('settlement', 'settlement.id', 'evidence.settlement')
      .selectAll('evidence')
      .select('pid')
      .execute(),
    db.selectFrom('event').selectAll().execute(),
  ])
  return { settlement, attempt, ride, evidence, event }
}

/** What a run on a local chain has left: the journal, the token's logs to the seller, and what the facilitators' accounts sent. */
export async function recordHistory(on: {
  readonly chain: EvmChain
  readonly store: Store
  readonly fromBlock: bigint
}): Promise<History> {
  const { chain, fromBlock } = on
  const journal = await journalRows(on.store.withTables<JournalTables>().db)
  const { attempt } = journal
  const { network } = chain
  const to = chain.account('seller').address
  const logs = await chain.client.getContractEvents({
    address: chain.usdc,
    abi: usdcAbi,
    eventName: 'Transfer',
    args: { to },
    fromBlock,
  })
  const transfers = logs.map(({ transactionHash, logIndex, blockHash, args }) => ({
    network,
    transaction: transactionHash,
    logIndex,
    blockHash,
    asset: chain.usdc,
    from: String(args.from),
    to,
    value: String(args.value),
  }))
  const signers = new Set(attempt.map(({ signer }) => signer.toLowerCase()))
  const latest = await chain.client.getBlockNumber()
  const transactions: History['chain']['transactions'][number][] = []
  for (let blockNumber = fromBlock; blockNumber <= latest; blockNumber++) {
    const block = await chain.client.getBlock({ blockNumber, includeTransactions: true })
    for (const { hash, from } of block.transactions) {
      if (!signers.has(from.toLowerCase())) continue
      const { gasUsed, effectiveGasPrice } = await chain.client.getTransactionReceipt({ hash })
      transactions.push({ network, hash, signer: from, fee: (gasUsed * effectiveGasPrice).toString() })
    }
  }
  return { journal, chain: { transfers, transactions } }
}
