import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeFacilitatorRequest, network, systemRandom } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { startEvmChain } from '@groat/sandbox'
import { openStore } from '@groat/store'
import { generatePrivateKey } from 'viem/accounts'

const PRICE = 1000n

/**
 * A chain, a database, and facilitators in processes of their own. The database is a file, or `DATABASE_URL`, which is then used as it is and
 * has to be empty.
 */
export async function startWorld({ blockSeconds = 0, replicas = 1, signers = 1, options = {}, payers = 40 } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'groat-load-'))
  const target = process.env.DATABASE_URL ?? join(folder, 'pay.db')
  const chain = await startEvmChain()
  const roles = ['facilitator', 'facilitator2', 'facilitator3', 'facilitator4'].slice(0, signers)
  const keys = roles.map((role) => chain.account(role).privateKey)
  const seller = chain.account('seller').address
  const accounts = Array.from({ length: payers }, () => privateKeyAccount(generatePrivateKey()))
  for (const { address } of accounts) await chain.fund(address, 10n ** 12n)
  const before = await chain.balance(seller)
  const fromBlock = await chain.client.getBlockNumber()
  if (blockSeconds > 0) await chain.setIntervalMining(blockSeconds)
  const agent = new Agent({ keepAlive: true, maxSockets: 512 })
  const children = []
  let turn = 0

  async function startReplica() {
    const settings = JSON.stringify({ rpc: chain.rpcUrl, store: target, keys, options })
    const child = fork(new URL('../lib/groat-facilitator.mjs', import.meta.url), [settings], { stdio: 'inherit' })
    const [{ url }] = await once(child, 'message')
    const replica = { child, url, ended: once(child, 'exit') }
    children.push(replica)
    return replica
  }

  for (let at = 0; at < replicas; at++) await startReplica()
  const scheme = accounts.map((account) => exactEvm({ account }))
  const requirements = {
    scheme: 'exact',
    network: network(chain.network),
    amount: PRICE,
    asset: chain.usdc,
    payTo: seller,
    maxTimeoutSeconds: 3600,
    extra: { name: 'USDC', version: '2' },
  }

  return {
    chain,
    children,
    startReplica,

    /** A signed payment, as the body of a request. */
    async sign() {
      const context = { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 3600 }
      const prepared = await scheme[turn++ % scheme.length].prepare(requirements, context)
      if (!prepared.ok) throw new Error(prepared.code)
      const payment = { x402Version: 2, scheme: 'exact', network: requirements.network, accepted: requirements }
      const payload = await prepared.sign()
      const request = { requirements, payment: { ...payment, payload } }
      return JSON.stringify(encodeFacilitatorRequest({ ...request, resource: { url: 'https://load.example/' } }))
    },

    /** Presents a payment once: its answer, or nothing when there was none. */
    async present(body, path = '/settle') {
      const alive = children.filter(({ child }) => child.exitCode === null && child.signalCode === null)
      const { url } = alive[Math.floor(Math.random() * alive.length)] ?? {}
      if (url === undefined) return undefined
      return post(agent, url + path, body).catch(() => undefined)
    },

    async close() {
      agent.destroy()
      for (const { child, ended } of children) {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
        await ended
      }
      await chain.stop()
      await rm(folder, { recursive: true, force: true })
    },

    audit: () => audit({ chain, target, seller, before, fromBlock, keys }),
  }
}

/** What the chain has, against what the journal says: to the atomic unit, every log and every transaction. */
async function audit({ chain, target, seller, before, fromBlock }) {
  const store = await openStore(target)
  try {
    const rows = await readAll(store.db.selectFrom('evidence').select(['transaction', 'log_index', 'amount', 'pid']))
    const attempts = await readAll(store.db.selectFrom('attempt').select(['hash', 'signer', 'nonce', 'status']))
    const open = await readAll(
      store.db
        .selectFrom('settlement')
        .select(['pid', 'state'])
        .where('state', 'in', ['claimed', 'signed', 'sent', 'mined', 'reorged']),
    )
    const moved = (await chain.balance(seller)) - before
    const credited = rows.reduce((sum, { amount }) => sum + BigInt(amount), 0n)
    const places = new Set(rows.map(({ transaction, log_index }) => `${transaction} ${log_index}`))
    const payments = new Set(rows.map(({ pid }) => pid))
    const known = new Set(attempts.map(({ hash }) => hash))
    const signers = new Set(attempts.map(({ signer }) => signer.toLowerCase()))
    let stray = 0
    let gas = 0n
    const latest = await chain.client.getBlockNumber()
    for (let number = fromBlock + 1n; number <= latest; number++) {
      const block = await chain.client.getBlock({ blockNumber: number, includeTransactions: true })
      for (const { hash, from } of block.transactions) if (signers.has(from) && !known.has(hash)) stray++
      gas += block.gasUsed
    }
    return {
      laws: {
        'INV-9 the journal is what the chain has': {
          ok: moved === credited,
          said: `${credited} of ${moved} atomic units`,
        },
        'INV-1 one log, one payment': {
          ok: places.size === rows.length && payments.size === rows.length,
          said: `${rows.length} settled`,
        },
        'INV-7 nothing was sent that is not in the journal': {
          ok: stray === 0,
          said: `${stray} of ${attempts.length} transactions`,
        },
        'INV-8 everything has come to its end': { ok: open.length === 0, said: `${open.length} open` },
      },
      settled: rows.length,
      transactions: attempts.length,
      gas,
    }
  } finally {
    await store.close()
  }
}

const readAll = (query) => query.execute()

function post(agent, url, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = httpRequest(url, { method: 'POST', agent, headers, timeout: 40_000 }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part) => (text += part))
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'], body: JSON.parse(text) })
        } catch (error) {
          reject(error)
        }
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(new Error('no answer')))
    sent.end(body)
  })
}
