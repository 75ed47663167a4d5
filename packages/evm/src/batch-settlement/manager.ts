import { type Clock, systemClock } from '@groat/core'
import type { KeyAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import type { CallRequest } from '../rpc.js'
import { sendCall } from '../send.js'
import { claimBatchDigest } from './channel.js'
import { claimCall, multicall, readChannel, readDue, sweepCall } from './contract.js'
import { BATCH_SETTLEMENT } from './identity.js'
import { type ChannelLedger, claimRowOf, type LedgerChannel } from './ledger.js'

// Whose transfers are the cash for vouchers, for whoever keeps books.
export { BATCH_SETTLEMENT } from './identity.js'

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
  /** Blocks in which the first watch looks for payers on their way out: those of the shortest withdraw delay at the least; 2,000 unless told. */
  readonly lookbackBlocks?: bigint
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
  /**
   * Claims at once from channels whose payer is on its way out (EVM-BATCH-072): those that the contract's log names since the last time, however
   * many channels there are, and, since a log can be missed, those among the `limit` that were looked at longest ago; 100 unless told. Call it far
   * more often than the withdraw delay.
   */
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
  const { lookbackBlocks = 2_000n } = options
  const own = parseAddress(authorizer.address)
  let running: Promise<ClaimRun> | undefined
  /** The block up to which withdrawals are known. */
  let watchedTo: bigint | undefined

  const sender = () => parseAddress(chain.signers[0] ?? '') as Address

  /** Whether a call would go through, with the gas that it will be sent with. */
  async function tryCall(call: Pick<CallRequest, 'to' | 'data'>, rows: number): Promise<boolean> {
    return (await chain.rpc.call({ ...call, from: sender(), gas: gasOf(rows) })).ok
  }

  async function signed(channels: readonly LedgerChannel[]) {
    const rows = channels.map(claimRowOf)
    return claimCall(rows, await authorizer.signDigest(claimBatchDigest(chain.engine, chain.chainId, rows)))
  }

  /** The channels that can be claimed together: halves what fails until the culprits stand alone. */
  async function sift(channels: readonly LedgerChannel[]): Promise<{ good: LedgerChannel[]; bad: LedgerChannel[] }> {
    if (channels.length === 0) return { good: [], bad: [] }
    if (await tryCall(await signed(channels), channels.length)) return { good: [...channels], bad: [] }
    if (channels.length === 1) return { good: [], bad: [...channels] }
    const middle = channels.length >> 1
    const [left, right] = [await sift(channels.slice(0, middle)), await sift(channels.slice(middle))]
    return { good: [...left.good, ...right.good], bad: [...left.bad, ...right.bad] }
  }

  async function send(call: Pick<EvmCall, 'to' | 'data'>, rows: number): Promise<Hex> {
    const gas = gasOf(rows)
    const failed = 'invalid_batch_settlement_evm_claim_transaction_failed'
    return (await sendCall(chain, { ...call, gas }, { waitMs, clock, failed })).transactionHash
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
      const sifted = await sift(mine.slice(at, at + maxRows))
      const short = await Promise.all(sifted.bad.map(asFarAsItGoes))
      refused.push(...sifted.bad.flatMap(({ channelId }, i) => (short[i] === undefined ? channelId : [])))
      const good = [...sifted.good, ...short.flatMap((channel) => channel ?? [])]
      if (good.length === 0) continue
      const pairs = pairsOf(good)
      const due = await dueOf(pairs)
      const call = await signed(good)
      const both = multicall([call, ...pairs.map(sweepOf)])
      // A token that sends nothing now, or not to this receiver, keeps no claim back: the sweep is tried again each time (EVM-BATCH-073).
      const isWhole = await tryCall(both, good.length + pairs.length)
      transactions.push(await (isWhole ? send(both, good.length + pairs.length) : send(call, good.length)))
      swept +=
        due + good.reduce((sum, { charged, totalClaimed }) => sum + charged - totalClaimed, 0n) - (await dueOf(pairs))
      for (const { channelId, charged, balance, withdrawRequestedAt } of good) {
        await ledger.sync(channelId, { balance, totalClaimed: charged, withdrawRequestedAt })
        claimed.push(channelId)
      }
    }
    return { claimed, refused, transactions, swept }
  }

  /** A channel that has earned more than is left in it, as far as it goes (EVM-BATCH-074). */
  async function asFarAsItGoes(channel: LedgerChannel): Promise<LedgerChannel | undefined> {
    const state = await readChannel(chain.rpc, channel.channelId)
    if (channel.charged <= state.balance || state.balance <= state.totalClaimed) return undefined
    const capped = { ...channel, ...state, charged: state.balance }
    return (await tryCall(await signed([capped]), 1)) ? capped : undefined
  }

  async function sweep(): Promise<Pick<ClaimRun, 'transactions' | 'swept'> | undefined> {
    const mine = (await ledger.watched(SWEPT_CHANNELS)).filter(
      ({ network, config, totalClaimed }) =>
        network === chain.network && config.receiverAuthorizer === own && totalClaimed > 0n,
    )
    const dues = await Promise.all(pairsOf(mine).map(async (pair) => ({ ...pair, due: await dueOf([pair]) })))
    const owed = dues.filter(({ due }) => due > 0n)
    const goes = await Promise.all(owed.map((pair) => tryCall(sweepOf(pair), 1)))
    const open = owed.filter((_, i) => goes[i])
    if (open.length === 0) return undefined
    const transactions = [await send(multicall(open.map(sweepOf)), open.length)]
    return { transactions, swept: open.reduce((sum, { due }) => sum + due, 0n) }
  }

  async function dueOf(pairs: readonly Pair[]): Promise<bigint> {
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
    run: () =>
      alone(async () => {
        const run = await claim(await ledger.claimable())
        // What refunds claimed on their way, or a run that was cut short, has not been sent yet.
        const left = await sweep()
        return left === undefined ? run : added(run, left)
      }),
    watch: (limit = 100) =>
      alone(async () => {
        const { number } = await chain.rpc.latestBlock()
        const from = watchedTo ?? (number > lookbackBlocks ? number - lookbackBlocks : 0n)
        // The last block once more: a node may have shown it without its logs.
        const logs = await chain.rpc.logs({ address: BATCH_SETTLEMENT, topics: [WITHDRAW_INITIATED], fromBlock: from })
        const named = await Promise.all([...new Set(logs.map(({ topics }) => topics[1]))].map(channelOf))
        const looked = new Map<Hex, LedgerChannel>()
        for (const channel of [...named, ...(await ledger.watched(limit))]) {
          if (channel?.network === chain.network) looked.set(channel.channelId, channel)
        }
        const leaving: LedgerChannel[] = []
        for (const channel of looked.values()) {
          const state = await readChannel(chain.rpc, channel.channelId)
          await ledger.sync(channel.channelId, state)
          const now = { ...channel, ...state }
          if (state.withdrawRequestedAt > 0 && now.charged > now.totalClaimed) leaving.push(now)
        }
        const run = await claim(leaving)
        // Only now: what could not be claimed is found again.
        watchedTo = number
        return run
      }),
  }

  async function channelOf(channelId: Hex | undefined): Promise<LedgerChannel | undefined> {
    return channelId && ledger.channel(channelId)
  }
}

/** Who is sent what. */
type Pair = { readonly receiver: Address; readonly token: Address }

const pairsOf = (channels: readonly LedgerChannel[]): readonly Pair[] => [
  ...new Map(channels.map(({ config: { receiver, token } }) => [`${receiver} ${token}`, { receiver, token }])).values(),
]
const sweepOf = ({ receiver, token }: Pair) => sweepCall(receiver, token)
const gasOf = (rows: number): bigint => 150_000n + 90_000n * BigInt(rows)

/** Channels among whose receivers one is looked for that has money waiting. */
const SWEPT_CHANNELS = 1_000

const added = (run: ClaimRun, { transactions, swept }: Pick<ClaimRun, 'transactions' | 'swept'>): ClaimRun => ({
  ...run,
  transactions: [...run.transactions, ...transactions],
  swept: run.swept + swept,
})

/** `WithdrawInitiated(bytes32 indexed,uint128,uint40)` */
const WITHDRAW_INITIATED: Hex = '0xe4280d0d903c7f258f62b07c62f262377cbaa23f7791d78126e6446e0f0e3c23'
