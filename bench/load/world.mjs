import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkHistory, startEvmChain, usdcAbi } from '@groat/sandbox'
import { openStore } from '@groat/store'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { createPayers } from '../lib/payers.mjs'
import { createPoster } from '../lib/post.mjs'
import { readTypeScript } from '../lib/postgres.mjs'
import { startProcess } from '../lib/processes.mjs'
import { watchProcesses } from './samples.mjs'

const facilitator = new URL('../lib/groat-facilitator.mjs', import.meta.url)
const shop = new URL('../lib/shop.mjs', import.meta.url)

/** Wei: what a payment may cost its facilitator, which is what a chain allows unless told. */
const FEE_LIMIT = 10n ** 16n

/** Milliseconds for which a process may answer nobody; the machine has others to serve too. */
const BLOCK_LIMIT = 2_000

/**
 * A chain, a database, and facilitators in processes of their own. The database is `target`, `GROAT_LOAD_DATABASE`, or else a file; one that is named
 * is used as it is and has to be empty. It goes by a name of its own: an operator's shell may have that of a real journal.
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
  const target = more.target ?? process.env.GROAT_LOAD_DATABASE ?? join(folder, 'pay.db')
  const chain = await startEvmChain()
  const keys = Array.from({ length: signers }, generatePrivateKey)
  for (const key of keys) await fill(chain, privateKeyToAccount(key).address)
  const wallets = await createPayers(chain, payers)
  const opening = [...wallets.opening(chain)]
  const fromBlock = await chain.client.getBlockNumber()
  if (blockSeconds > 0) await chain.setIntervalMining(blockSeconds)
  const poster = createPoster()
  const children = []
  const shops = []
  const told = []
  const begin = Date.now()
  const count = { answers: 0, settled: new Set(), served: 0 }
  const watched = watchProcesses(() => children.filter((each) => each.isAlive()))

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

    /** What processes took before does not count. */
    measure: () => watched.restart(),

    /** A signed payment, as the body of a request. */
    sign: () => wallets.request(),

    /** Presents a payment once: its answer, or nothing when there was none. */
    async present(body, path = '/settle') {
      const alive = children.filter((each) => each.isAlive())
      const { url } = alive[Math.floor(Math.random() * alive.length)] ?? {}
      if (url === undefined) return undefined
      const answer = await poster.post(url + path, body).catch(() => undefined)
      if (answer !== undefined) count.answers++
      if (answer?.body?.success === true) count.settled.add(body)
      if (path === '/settle' && answer !== undefined) told.push({ at: Date.now(), body, answer })
      return answer
    },

    /** How far it is, in words. */
    progress() {
      const { answers, settled, served } = count
      const shop = shops.length === 0 ? '' : `, ${served} visits to the shop served`
      return `${Math.round((Date.now() - begin) / 1000)} s: ${answers} answers, ${settled.size} payments settled${shop}`
    },

    /** A shop in front of the first facilitator, and buyers who have what it asks for signed: `visit` presents that once. */
    async startShop(price = '$0.001') {
      const settings = { network: chain.network, payTo: chain.account('seller').address, price }
      const started = await startProcess(shop, { kind: 'groat', facilitator: children[0].url, ...settings })
      shops.push(started)
      const url = `${started.url}/paid`
      const challenge = (await fetch(url)).headers.get('payment-required')
      const buyers = await createPayers(chain, payers, JSON.parse(Buffer.from(challenge, 'base64').toString()))
      opening.push(...buyers.opening(chain))
      return {
        signed: (count) => buyers.headers(count),
        async visit(headers) {
          const answer = await poster.get(url, headers).catch(() => undefined)
          if (answer?.status === 200) count.served++
          return answer
        },
        runs: async () => (await started.figures()).runs,
      }
    },

    async close() {
      poster.close()
      await watched.end().catch(() => undefined)
      for (const child of [...shops, ...children]) await child.stop()
      await chain.stop()
      await rm(folder, { recursive: true, force: true })
    },

    async audit() {
      const { process, ...growth } = await watched.end()
      const audited = await audit({ chain, target, fromBlock: fromBlock + 1n, told, keys, process, opening })
      return { ...audited, ...growth }
    },
  }
}

/** Coin for the gas of many transactions. */
async function fill({ client }, address) {
  await client.request({ method: 'anvil_setBalance', params: [address, `0x${(10n ** 22n).toString(16)}`] })
}

/** What the chain has, against what the journal says: every invariant that they speak of. */
async function audit({ chain, target, fromBlock, told, keys, process, opening }) {
  readTypeScript()
  // A journal is read as its tests read it.
  const { journalRows } = await import('../../packages/facilitator/test/record-history.ts')
  const store = await openStore(target, { transactionTimeout: 60_000 })
  try {
    // At one moment: facilitators still write of what becomes final.
    const journal = await store.transaction((trx) => journalRows(trx))
    const { settlement, attempt, evidence, event } = journal
    const findings = checkHistory({
      journal,
      chain: {
        ...(await recordChain(chain, fromBlock, new Set(attempt.map(({ signer }) => signer.toLowerCase())))),
        opening,
      },
      answers: answersOf(told, settlement),
      outward: { texts: told.map(({ answer }) => JSON.stringify(answer)), secrets: keys.map((key) => key.slice(2)) },
      process,
      limits: { feePerPayment: String(FEE_LIMIT), longestBlockMs: BLOCK_LIMIT },
    })
    const waited = agesOf(event)
    const laws = findings
      .filter(({ status }) => status !== 'not recorded')
      .map(({ id, says, status, by }) => [
        `${id} ${says}`,
        { ok: status === 'held', said: status === 'held' ? 'held' : by.slice(0, 3).join(', ') },
      ])
    return { laws: Object.fromEntries(laws), settled: evidence.length, transactions: attempt.length, waited }
  } finally {
    await store.close()
  }
}

/** What callers were told, by the payment that they asked about. */
function answersOf(told, settlement) {
  const known = new Map(settlement.map(({ body, pid, rid }) => [nonceOf(JSON.parse(body)), { pid, rid }]))
  return told.flatMap(({ at, body, answer: { status, body: said } }) => {
    const about = known.get(nonceOf(JSON.parse(body)))
    if (about === undefined || status !== 200) return []
    const { success, errorReason, transaction, extra = {}, amount } = said
    if (success) return [{ ...about, at, status: 'settled', transaction, logIndex: extra.logIndex, amount }]
    return [{ ...about, at, status: errorReason === 'settlement_pending' ? 'unknown' : 'refused' }]
  })
}

const nonceOf = ({ paymentPayload }) => paymentPayload?.payload?.authorization?.nonce

/** Milliseconds from the claim of every payment to the moment at which it was known what became of it. */
function agesOf(events) {
  const claimed = new Map()
  const ages = []
  for (const { pid, to_state: state, at } of [...events].sort((a, b) => a.at - b.at)) {
    if (state === 'claimed') claimed.set(pid, at)
    if (state === 'settled' && claimed.has(pid)) ages.push(at - claimed.get(pid))
  }
  return ages
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
