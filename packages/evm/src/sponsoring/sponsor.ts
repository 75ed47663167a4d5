import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, type Refusal, refuse, systemClock, X402Error } from '@groat/core'
import { type KeyAccount, privateKeyAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import type { EvmChain } from '../chain.js'
import { signTransaction } from '../transaction.js'
import type { Approval } from './approval.js'

/** Who pays for payers' approvals, and how much at the most. */
export type ApprovalSponsor = {
  /** An account of its own, with as much of the chain's coin as may be lost, no tokens, and no other use. */
  readonly account: string | KeyAccount
  /** Gas that an approval may ask for; 100,000 unless told. */
  readonly maxGas?: bigint
  /** Wei that one payer is given at the most for one approval; 0.001 of the chain's coin unless told. */
  readonly maxFunding?: bigint
  /** How many times the present base fee an approval may offer per gas; 4 unless told. */
  readonly maxFeeMultiple?: bigint
  /**
   * Approvals of one payer that are sponsored within a day; as many as come to twice `maxFunding` unless told, which are many where gas is cheap. What strangers can
   * have of the account in a day is counted in coin, and not in approvals.
   */
  readonly perPayerAndDay?: number
  readonly clock?: Clock
}

/** A sponsor at work. */
export interface Sponsor {
  readonly maxGas: bigint
  /** Whether this approval would be paid for now: its nonce is the payer's next one, its fee is the network's, and its payer is within the limits. */
  judge(chain: EvmChain, payer: Address, approval: Approval): Promise<Refusal | undefined>
  /**
   * Gives the payer what the approval lacks, sends it, and waits until it is in a block. May be repeated: what is there is not done again.
   * Refuses `erc20_approval_limit_reached` and `erc20_approval_broadcast_failed`; throws `X402Error` when the chain cannot be asked or takes too long.
   */
  approve(chain: EvmChain, payer: Address, approval: Approval): Promise<Refusal | undefined>
}

const DAY_MS = 86_400_000

/** Milliseconds until a transaction that was sent has to be in a block. */
const PATIENCE_MS = 20_000

const POLL_MS = 100

/** A plain transfer of the chain's coin; some rollups count more than the 21,000 of the first chain. */
const FUNDING_GAS = 60_000n

/** Wei per gas to offer as a tip where the node suggests none. */
const DEFAULT_TIP = 1_000_000_000n

/**
 * Makes a sponsor. One account has one, whatever schemes it serves, since its transactions go one after the other: hand the same to all of them. Throws `X402Error` `invalid_config` for an account that is none.
 *
 * @example
 * const sponsor = createSponsor({ account: process.env.SPONSOR_KEY ?? '' })
 * const schemes = [exactEvm({ chains, sponsor }), uptoEvm({ chains, sponsor }), batchEvm({ chains, sponsor })]
 */
export function createSponsor(options: ApprovalSponsor): Sponsor {
  const { maxGas = 100_000n, maxFunding = 10n ** 15n, maxFeeMultiple = 4n, perPayerAndDay } = options
  const { clock = systemClock } = options
  const account = accountOf(options.account)
  const given = createAllotments({ most: perPayerAndDay, wei: 2n * maxFunding }, clock)
  // One funding at a time: two would take the same nonce, and the nonce is what keeps one from being sent twice.
  let last: Promise<unknown> = Promise.resolve()

  async function fund(chain: EvmChain, payer: Address, approval: Approval): Promise<Refusal | undefined> {
    const { rpc, engine, chainId, network } = chain
    const [mined, balance] = await Promise.all([rpc.minedNonce(payer), rpc.balance(payer)])
    const lacking = approval.cost - balance
    if (lacking <= 0n || mined > approval.transaction.nonce) return undefined
    if (lacking > maxFunding) throw new X402Error('fee_above_limit', { network, limit: maxFunding })
    // Others of this payer may have been judged at the same time, and given theirs since.
    if (!given.allows(payer, lacking)) return refuse('erc20_approval_limit_reached')
    const [nonce, { baseFee }, tip = DEFAULT_TIP] = await Promise.all([
      // A funding that is under way has this nonce too, so that only one of the two can land.
      rpc.minedNonce(account.address),
      rpc.latestBlock(),
      rpc.suggestedTip(),
    ])
    const fees = { maxFeePerGas: 2n * baseFee + tip, maxPriorityFeePerGas: tip }
    const transfer = { chainId, nonce, ...fees, gas: FUNDING_GAS, to: payer, value: lacking, data: '0x' } as const
    const { raw } = await signTransaction(engine, transfer, account)
    given.take(payer, lacking)
    await rpc.send(raw)
    const isMined = await patiently(clock, async () =>
      (await rpc.minedNonce(account.address)) > nonce ? true : undefined,
    )
    if (!isMined) throw new X402Error('rpc_unreachable', { network, waiting: 'the funding of an approval' })
    return undefined
  }

  return {
    maxGas,
    async judge({ rpc }, payer, { transaction, cost }) {
      const { nonce, maxFeePerGas, maxPriorityFeePerGas } = transaction
      const [mined, waiting, { baseFee }, balance] = await Promise.all([
        rpc.minedNonce(payer),
        rpc.nextNonce(payer),
        rpc.latestBlock(),
        rpc.balance(payer),
      ])
      if (nonce !== mined || waiting !== mined) return refuse('erc20_approval_tx_wrong_nonce')
      if (maxFeePerGas < baseFee) return refuse('erc20_approval_tx_fee_too_low')
      const most = maxFeeMultiple * (baseFee + DEFAULT_TIP)
      if (maxFeePerGas > most || maxPriorityFeePerGas > maxFeePerGas || cost - balance > maxFunding) {
        return refuse('erc20_approval_tx_fee_above_limit')
      }
      const lacking = cost - balance
      return lacking > 0n && !given.allows(payer, lacking) ? refuse('erc20_approval_limit_reached') : undefined
    },
    async approve(chain, payer, approval) {
      const { rpc, network } = chain
      const funded = last.then(() => fund(chain, payer, approval))
      last = funded.catch(() => undefined)
      const refusal = await funded
      if (refusal !== undefined) return refusal
      await rpc.send(approval.raw)
      const receipt = await patiently(clock, () => rpc.receipt(approval.hash))
      if (receipt) return receipt.success ? undefined : refuse('erc20_approval_broadcast_failed')
      // Another transaction of the payer took its place.
      const nonce = await rpc.minedNonce(payer)
      if (nonce > approval.transaction.nonce) return refuse('erc20_approval_broadcast_failed')
      throw new X402Error('rpc_unreachable', { network, waiting: 'a sponsored approval' })
    },
  }
}

/** The sponsor that an option names: one that is at work already, which several schemes share, or one of its own. Throws like `createSponsor`. */
export function sponsorOf(option: ApprovalSponsor | Sponsor | undefined): Sponsor | undefined {
  if (option === undefined || 'approve' in option) return option
  return createSponsor(option)
}

function accountOf(account: string | KeyAccount): KeyAccount & { readonly address: Address } {
  try {
    if (typeof account === 'string') return privateKeyAccount(account)
  } catch (cause) {
    throw new X402Error('invalid_config', { sponsor: 'the account is not a private key' }, { cause })
  }
  const address = parseAddress(account.address)
  if (address === undefined) throw new X402Error('invalid_config', { sponsor: 'the account has no address' })
  return { address, signDigest: (digest) => account.signDigest(digest) }
}

/** What one payer gets in a day: so many times, or so much. */
type Allotment = { readonly most: number | undefined; readonly wei: bigint }

/** What each payer was given lately; the oldest payers are forgotten first. */
function createAllotments({ most, wei }: Allotment, clock: Clock) {
  const gifts = new Map<Address, readonly { readonly at: number; readonly wei: bigint }[]>()
  const lately = (payer: Address) => (gifts.get(payer) ?? []).filter(({ at }) => at > clock() - DAY_MS)
  return {
    allows(payer: Address, more: bigint): boolean {
      const mine = lately(payer)
      return most === undefined ? mine.reduce((sum, gift) => sum + gift.wei, more) <= wei : mine.length < most
    },
    take(payer: Address, given: bigint): void {
      const mine = [...lately(payer), { at: clock(), wei: given }]
      gifts.delete(payer)
      gifts.set(payer, mine)
      if (gifts.size > MAX_PAYERS) gifts.delete(gifts.keys().next().value ?? payer)
    },
  }
}

const MAX_PAYERS = 100_000

/** Asks until there is an answer, or patience ends. */
async function patiently<T>(clock: Clock, ask: () => Promise<T | undefined>): Promise<T | undefined> {
  for (const end = clock() + PATIENCE_MS; ; await sleep(POLL_MS)) {
    const found = await ask()
    if (found !== undefined || clock() >= end) return found
  }
}
