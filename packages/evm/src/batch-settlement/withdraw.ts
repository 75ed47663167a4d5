import { type Clock, type Refusal, refuse, systemClock } from '@groat/core'
import { parseAddress } from '../address.js'
import type { EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import type { CallRequest } from '../rpc.js'
import { sendCall } from '../send.js'
import { type ChannelConfig, channelIdOf } from './channel.js'
import { finalizeWithdrawCall, initiateWithdrawCall, readChannel } from './contract.js'

/** What withdrawals are made with. */
export type WithdrawalOptions = {
  /** The chain, with the payer's own account as its first signer: it pays for the gas. */
  readonly chain: EvmChain
  /** Milliseconds to wait for a transaction; 120,000 unless told. */
  readonly waitMs?: number
  readonly clock?: Clock
}

/** A channel as its payer sees it. Amounts in atomic units. */
export type LockedChannel = {
  readonly channelId: Hex
  /** What no seller has claimed yet. What was charged and not claimed is still part of it. */
  readonly locked: bigint
  /** What is about to be taken out. */
  readonly withdrawing: bigint
  /** Seconds since 1970 from which it can be; absent while nothing is. */
  readonly finalizeAfter?: number
}

/** A step that was taken. */
export type WithdrawalStep = { readonly ok: true; readonly transaction: Hex; readonly channel: LockedChannel }

/** Takes money out of channels without their sellers. */
export interface Withdrawals {
  read(config: ChannelConfig): Promise<LockedChannel>
  /** Begins: all that is locked, or `amount` atomic units of it. The seller has the withdraw delay to claim what it is owed. */
  initiate(config: ChannelConfig, amount?: bigint): Promise<WithdrawalStep | Refusal>
  /** Ends, once the delay is over: the token sends what is left to the payer. */
  finalize(config: ChannelConfig): Promise<WithdrawalStep | Refusal>
}

/**
 * Takes money out of channels whose seller is gone or does not answer (EVM-BATCH-087): two transactions of the payer's own, with the
 * withdraw delay of the channel between them. Both are tried before they are sent.
 *
 * Refused: `invalid_batch_settlement_evm_channel_not_found` for a channel with nothing in it, `channel_withdrawal_early`,
 * `channel_withdrawal_refused`. Throws `X402Error` `rpc_unreachable`, `fee_above_limit`, `channel_withdrawal_refused` for what reverts all the same.
 *
 * @example
 * const withdrawals = createWithdrawals({ chain: await createEvmChain({ network, rpc, signers: [key] }) })
 * await withdrawals.initiate(config)
 */
export function createWithdrawals({ chain, waitMs = 120_000, clock = systemClock }: WithdrawalOptions): Withdrawals {
  const idOf = (config: ChannelConfig) => channelIdOf(chain.engine, chain.chainId, config)

  async function read(config: ChannelConfig): Promise<LockedChannel> {
    const channelId = idOf(config)
    const { balance, totalClaimed, withdrawing, withdrawRequestedAt } = await readChannel(chain.rpc, channelId)
    return {
      ...{ channelId, locked: balance - totalClaimed, withdrawing },
      ...(withdrawRequestedAt === 0 ? {} : { finalizeAfter: withdrawRequestedAt + config.withdrawDelay }),
    }
  }

  async function step(
    config: ChannelConfig,
    call: Pick<CallRequest, 'to' | 'data'>,
  ): Promise<WithdrawalStep | Refusal> {
    const from = parseAddress(chain.signers[0] ?? '')
    const tried = await chain.rpc.call({ ...call, ...(from && { from }) })
    if (!tried.ok) return refuse('channel_withdrawal_refused')
    const sending = { waitMs, clock, failed: 'channel_withdrawal_refused' } as const
    const { transactionHash: transaction } = await sendCall(chain, { ...call, gas: GAS }, sending)
    return { ok: true, transaction, channel: await read(config) }
  }

  const withdrawals: Withdrawals = {
    read,
    async initiate(config, amount) {
      const { locked } = await read(config)
      if (locked === 0n) return refuse('invalid_batch_settlement_evm_channel_not_found')
      if (amount !== undefined) return step(config, initiateWithdrawCall(config, amount))
      const begun = await step(config, initiateWithdrawCall(config, locked)).catch((error: unknown) => ({ error }))
      if ('ok' in begun && begun.ok) return begun
      // The seller may have claimed meanwhile: then less is locked, and all of that was meant. Of two that were sent, the contract takes one.
      const now = await read(config)
      if (now.locked < locked && now.finalizeAfter === undefined) return withdrawals.initiate(config)
      if ('error' in begun) throw begun.error
      return begun
    },
    async finalize(config) {
      const { finalizeAfter } = await read(config)
      if (finalizeAfter === undefined) return refuse('channel_withdrawal_refused')
      // The chain's clock decides, not ours.
      const { timestamp } = await chain.rpc.latestBlock()
      if (timestamp < BigInt(finalizeAfter) && clock() / 1000 < finalizeAfter) return refuse('channel_withdrawal_early')
      return step(config, finalizeWithdrawCall(config))
    },
  }
  return withdrawals
}

const GAS = 200_000n
