import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkHistory, startEvmChain, usdcAbi } from '@groat/sandbox'
import { openStore } from '@groat/store'
import { createPayers } from '../lib/payers.mjs'
import { createPoster } from '../lib/post.mjs'
import { startProcess } from '../lib/processes.mjs'

const facilitator = new URL('../lib/groat-facilitator.mjs', import.meta.url)

/**
 * A chain, a database, and facilitators in processes of their own. The database is `target`, `DATABASE_URL`, or else a file; one that is named
 * is used as it is and has to be empty.
 */
export async function startWorld({
  blockSeconds = 0,
  replicas = 1,
  signers = 1,
  options = {},
  payers = 40,
  ...more
} = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'groat-load-'))
  const target = more.target ?? process.env.DATABASE_URL ?? join(folder, 'pay.db')
  const chain = await startEvmChain()
  const roles = ['facilitator', 'facilitator2', 'facilitator3', 'facilitator4'].slice(0, signers)
  const keys = roles.map((role) => chain.account(role).privateKey)
  const wallets = await createPayers(chain, payers)
  const fromBlock = await chain.client.getBlockNumber()
  if (blockSeconds > 0) await chain.setIntervalMining(blockSeconds)
  const poster = createPoster()
  const children = []

  async function startReplica() {
    const replica = await startProcess(facilitator, { rpc: chain.rpcUrl, store: target, keys, options })
    children.push(replica)
    return replica
  }

  for (let at = 0; at < replicas; at++) await startReplica()

  return {
    chain,
    children,
    startReplica,

    /** A signed payment, as the body of a request. */
    sign: () => wallets.request(),

    /** Presents a payment once: its answer, or nothing when there was none. */
    async present(body, path = '/settle') {
      const alive = children.filter((each) => each.isAlive())
      const { url } = alive[Math.floor(Math.random() * alive.length)] ?? {}
      if (url === undefined) return undefined
      return poster.post(url + path, body).catch(() => undefined)
    },

    async close() {
      poster.close()
      for (const child of children) await child.stop()
      await chain.stop()
      await rm(folder, { recursive: true, force: true })
    },

    audit: () => audit({ chain, target, fromBlock: fromBlock + 1n }),
  }
}

/** What the chain has, against what the journal says: every invariant that they speak of. */
async function audit({ chain, target, fromBlock }) {
  const store = await openStore(target)
  try {
    const [settlement, attempt, ride, evidence, event] = await Promise.all(
      ['settlement', 'attempt', 'ride', 'evidence', 'event'].map((table) =>
        store.db.selectFrom(table).selectAll().execute(),
      ),
    )
    const findings = checkHistory({
      journal: { settlement, attempt, ride, evidence, event },
      chain: await recordChain(chain, fromBlock, new Set(attempt.map(({ signer }) => signer.toLowerCase()))),
    })
    const laws = findings
      .filter(({ status }) => status !== 'not recorded')
      .map(({ id, says, status, by }) => [
        `${id} ${says}`,
        { ok: status === 'held', said: status === 'held' ? 'held' : by.slice(0, 3).join(', ') },
      ])
    return { laws: Object.fromEntries(laws), settled: evidence.length, transactions: attempt.length }
  } finally {
    await store.close()
  }
}

async function recordChain({ client, network, usdc: asset, account }, fromBlock, signers) {
  const to = account('seller').address
  const latest = await client.getBlockNumber()
  const transfers = []
  const transactions = []
  for (let blockNumber = fromBlock; blockNumber <= latest; blockNumber++) {
    const block = await client.getBlock({ blockNumber, includeTransactions: true })
    if (block.transactions.length === 0) continue
    const logs = await client.getContractEvents({
      address: asset,
      abi: usdcAbi,
      eventName: 'Transfer',
      args: { to },
      blockHash: block.hash,
    })
    for (const { transactionHash: transaction, logIndex, blockHash, args } of logs) {
      transfers.push({
        network,
        transaction,
        logIndex,
        blockHash,
        asset,
        from: args.from,
        to,
        value: String(args.value),
      })
    }
    for (const { hash, from: signer } of block.transactions) {
      if (!signers.has(signer.toLowerCase())) continue
      const { gasUsed, effectiveGasPrice } = await client.getTransactionReceipt({ hash })
      transactions.push({ network, hash, signer, fee: String(gasUsed * effectiveGasPrice) })
    }
  }
  return { transfers, transactions }
}
