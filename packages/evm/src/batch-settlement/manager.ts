import { type Clock, systemClock, X402Error } from '@groat/core'
import type { KeyAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import type { CallRequest } from '../rpc.js'
import { claimBatchDigest } from './channel.js'
import { claimCall, multicall, readChannel, readDue, sweepCall } from './contract.js'
import { type ChannelLedger, claimRowOf, type LedgerChannel } from './ledger.js'

/** What claims are made with. */
export type ClaimManagerOptions = {
  /** The chain, with the seller's own account for gas as its first signer. */
  readonly chain: EvmChain
  readonly ledger: ChannelLedger
  /** The receiver's authorizer: the seller's own key, on the seller's own machine. */
  readonly authorizer: KeyAccount
  /** Channels in one transaction; 100 unless told. */
  readonly maxRows?: number
  /** Milliseconds to wait for a transaction; 120,000 unless told. */
  readonly waitMs?: number
  readonly clock?: Clock
}

/** What one run did. */
export type ClaimRun = {
  /** Channels whose charges are claimed now. */
  readonly claimed: readonly Hex[]
  /** Channels whose rows the contract refuses; they harm no others. */
  readonly refused: readonly Hex[]
  readonly transactions: readonly Hex[]
  /** Atomic units that were sent to receivers. */
  readonly swept: bigint
}

/** Turns what a ledger counted into money. */
export interface ClaimManager {
  /** Claims every channel that has earned something, and sends it to its receiver, in the same transaction. */
  run(): Promise<ClaimRun>
  /** Reads how channels stand on chain, and claims at once from those whose payer is on its way out. Call it far more often than the withdraw delay. */
  watch(limit?: number): Promise<ClaimRun>
}

/**
 * Claims for a seller. A row that the contract refuses is found by halving, so that it takes no other with it; everything is tried before it
 * is sent. Whatever is interrupted can be run again: a row that brings nothing new is passed over.
 *
 * Throws `X402Error` `rpc_unreachable`, `fee_above_limit`, `invalid_batch_settlement_evm_claim_transaction_failed` and the like.
 *
 * @example
 * const manager = createClaimManager({ chain, ledger, authorizer: privateKeyAccount(process.env.AUTHORIZER_KEY) })
 * setInterval(() => manager.watch().then(() => manager.run()), 60_000)
 */
export function createClaimManager(options: ClaimManagerOptions): ClaimManager {
  const { chain, ledger, authorizer, maxRows = 100, waitMs = 120_000, clock = systemClock } = options
  const own = parseAddress(authorizer.address)
  let running: Promise<ClaimRun> | undefined

  const sender = () => parseAddress(chain.signers[0] ?? '') as Address

  async function tryCall(call: Pick<CallRequest, 'to' | 'data'>): Promise<boolean> {
    return (await chain.rpc.call({ ...call, from: sender() })).ok
  }

  async function signed(channels: readonly LedgerChannel[]) {
    const rows = channels.map(claimRowOf)
    return claimCall(rows, await authorizer.signDigest(claimBatchDigest(chain.engine, chain.chainId, rows)))
  }

  /** The channels that can be claimed together: halves what fails until the culprits stand alone. */
  async function sift(channels: readonly LedgerChannel[]): Promise<{ good: LedgerChannel[]; bad: LedgerChannel[] }> {
    if (channels.length === 0) return { good: [], bad: [] }
    if (await tryCall(await signed(channels))) return { good: [...channels], bad: [] }
    if (channels.length === 1) return { good: [], bad: [...channels] }
    const middle = channels.length >> 1
    const [left, right] = [await sift(channels.slice(0, middle)), await sift(channels.slice(middle))]
    return { good: [...left.good, ...right.good], bad: [...left.bad, ...right.bad] }
  }

  async function send(call: Pick<EvmCall, 'to' | 'data'>, rows: number): Promise<Hex> {
    const [signer] = chain.signers
    if (signer === undefined || chain.nextNonce === undefined)
      throw new X402Error('invalid_config', { missing: 'signer' })
    const gas = 150_000n + 90_000n * BigInt(rows)
    const transaction = await chain.sign({ ...call, gas }, { signer, nonce: await chain.nextNonce(signer) })
    const said = await chain.send(transaction)
    if (said.status === 'rejected') throw new X402Error(said.code, { network: chain.network })
    const until = clock() + waitMs
    for (;;) {
      const receipt = await chain.rpc.receipt(transaction.hash as Hex)
      if (receipt?.success) return receipt.transactionHash
      if (receipt || clock() > until) {
        throw new X402Error('invalid_batch_settlement_evm_claim_transaction_failed', { transaction: transaction.hash })
      }
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }

  async function claim(channels: readonly LedgerChannel[]): Promise<ClaimRun> {
    const mine = channels.filter(
      ({ network, config }) => network === chain.network && config.receiverAuthorizer === own,
    )
    const claimed: Hex[] = []
    const refused: Hex[] = []
    const transactions: Hex[] = []
    let swept = 0n
    for (let at = 0; at < mine.length; at += maxRows) {
      const { good, bad } = await sift(mine.slice(at, at + maxRows))
      refused.push(...bad.map(({ channelId }) => channelId))
      if (good.length === 0) continue
      const pairs = new Map(
        good.map(({ config: { receiver, token } }) => [`${receiver} ${token}`, { receiver, token }]),
      )
      const sweeps = [...pairs.values()]
      const due = await dueOf(sweeps)
      const call = multicall([await signed(good), ...sweeps.map(({ receiver, token }) => sweepCall(receiver, token))])
      transactions.push(await send(call, good.length + sweeps.length))
      swept +=
        due + good.reduce((sum, { charged, totalClaimed }) => sum + charged - totalClaimed, 0n) - (await dueOf(sweeps))
      for (const { channelId, charged, balance, withdrawRequestedAt } of good) {
        await ledger.sync(channelId, { balance, totalClaimed: charged, withdrawRequestedAt })
        claimed.push(channelId)
      }
    }
    return { claimed, refused, transactions, swept }
  }

  async function dueOf(pairs: readonly { readonly receiver: Address; readonly token: Address }[]): Promise<bigint> {
    const all = await Promise.all(pairs.map(({ receiver, token }) => readDue(chain.rpc, receiver, token)))
    return all.reduce((sum, due) => sum + due, 0n)
  }

  /** One at a time: two runs would claim the same. */
  function alone(work: () => Promise<ClaimRun>): Promise<ClaimRun> {
    const mine: Promise<ClaimRun> = (running ?? Promise.resolve(undefined)).then(work, work)
    running = mine
    return mine.finally(() => {
      if (running === mine) running = undefined
    })
  }

  return {
    run: () => alone(async () => claim(await ledger.claimable())),
    watch: (limit = 500) =>
      alone(async () => {
        const leaving: LedgerChannel[] = []
        for (const channel of await ledger.watched(limit)) {
          if (channel.network !== chain.network) continue
          const state = await readChannel(chain.rpc, channel.channelId)
          await ledger.sync(channel.channelId, state)
          const now = { ...channel, ...state }
          if (state.withdrawRequestedAt > 0 && now.charged > now.totalClaimed) leaving.push(now)
        }
        return claim(leaving)
      }),
  }
}
