import { type Refusal, refuse, type SentTransaction, X402Error } from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import type { EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import type { CallRequest, SimulatedCall } from '../rpc.js'
import { isSigner, whyNotCallable } from './callable.js'
import { type Erc7710Payment, readErc7710, redeemCall } from './erc7710.js'
import type { ChainMethod, ExactRequest, Trial } from './method.js'
import { areGone } from './numbers.js'
import { reverted, settled } from './outcome.js'
import { findTransferOf, type Move, TRANSFER } from './token.js'
import { tryCall } from './token-trial.js'

/** Payments by delegation (ERC-7710), for operators that want them. */
export type DelegationOptions = {
  /**
   * Contracts that may be called to redeem permissions. Whatever an allowed one calls in turn is written by strangers, and called from a settling
   * account: that account must hold no tokens and have approved nobody.
   */
  readonly managers: readonly string[]
  /** Gas that one redemption may use, all that it calls included; 500,000 unless told. */
  readonly gas?: bigint
}

/** ERC-7710 on chain: a manager that the operator knows moves the money of an account that allowed it. */
export function createErc7710(
  { managers, gas = 500_000n }: DelegationOptions,
  chains: readonly EvmChain[] = [],
): ChainMethod {
  const allowed: ReadonlySet<string> = new Set(managers.map((text) => managerOf(text, chains)))
  return {
    async verify(request, trial) {
      const payment = read(request)
      const refusal = allowed.has(payment.manager)
        ? await judge(request, payment, trial, gas)
        : refuse('erc7710_manager_not_allowed')
      const payer = payment.delegator
      return refusal ? { ...refusal, payer } : { ok: true, payer }
    },
    prepare: (request) => ({ ...callOf(request, read(request)), gas }),
    async outcome(request, sent) {
      const payment = read(request)
      const { token } = payment.places
      const move = moveOf(request, payment)
      const dead = { status: 'dead', refusal: refuse('invalid_exact_evm_transaction_failed') } as const
      // Every transaction of ours for it has failed for good: a permission leaves no mark that could say otherwise.
      if (sent.length === 0) return dead
      const receipts = await receiptsOf(request.chain, sent)
      for (const receipt of receipts) {
        const log = receipt.success ? findTransferOf(receipt.logs, token, move) : undefined
        if (log) return settled(receipt, log, move.value, receipt.fee)
      }
      const [last] = receipts.slice(-1)
      const final = (await request.chain.head?.())?.final ?? 0n
      if (last === undefined)
        return (await areGone(request.chain, sent, final)) ? dead : { status: 'pending', alone: true }
      // Where its block is undone the same bytes may move the money after all, and another redemption beside it would move it twice (EVM-EXACT-169).
      if (last.blockNumber > final) return { status: 'pending', alone: true, failed: true }
      const code = last.success ? 'erc7710_transfer_mismatch' : 'invalid_exact_evm_transaction_failed'
      return reverted(last, code)
    },
  }
}

/** What must not be called with what strangers write is no manager. */
function managerOf(text: string, chains: readonly EvmChain[]): Address {
  const manager = parseAddress(text)
  const isToken = manager !== undefined && chains.some((chain) => chain.asset(manager))
  if (manager === undefined || isToken || isSigner(chains, text) || whyNotCallable(text, []) !== undefined) {
    throw new X402Error('invalid_config', { managers: text })
  }
  return manager
}

function read({ payment, terms }: ExactRequest): Erc7710Payment {
  const known = readErc7710(payment, terms)
  if (!known.ok) throw new TypeError('the payment was not inspected')
  return known
}

const callOf = ({ terms }: ExactRequest, payment: Erc7710Payment) => redeemCall(payment, payment.places, terms.amount)

const moveOf = ({ terms }: ExactRequest, { delegator, places }: Erc7710Payment): Move => ({
  from: delegator,
  to: places.payTo,
  value: terms.amount,
})

// The hashes are those that `sign` gave out.
async function receiptsOf({ rpc }: EvmChain, sent: readonly SentTransaction[]) {
  const receipts = await Promise.all(sent.map(({ hash }) => rpc.receipt(hash as Hex)))
  return receipts.filter((receipt) => receipt !== undefined)
}

/**
 * Redeems the permission without sending it, first for nothing and then as its gas will be paid for, since the code that runs sees the difference
 * (EVM-EXACT-155). That the call succeeds says nothing: what counts is what the token says it moved, and what the accounts have afterwards.
 */
async function judge(
  request: ExactRequest,
  payment: Erc7710Payment,
  { from, reserved = 0n }: Trial,
  gas: bigint,
): Promise<Refusal | undefined> {
  if (from === undefined) throw new X402Error('invalid_config', { missing: 'signer' })
  const { chain } = request
  const call = { ...callOf(request, payment), from, gas }
  const free = await tryRedemption(request, payment, call, reserved)
  if (free !== undefined) return free
  return tryRedemption(request, payment, { ...call, fees: await chain.fees(gas) }, reserved)
}

async function tryRedemption(
  request: ExactRequest,
  payment: Erc7710Payment,
  call: CallRequest & { readonly from: Address },
  reserved: bigint,
): Promise<Refusal | undefined> {
  const { delegator, places } = payment
  const { token, payTo } = places
  const { amount } = request.terms
  const accounts = [delegator, payTo, call.from]
  const { call: redeemed, before, changes } = await tryCall(request.chain, call, token, accounts)
  const [held] = before
  if (held === undefined) return refuse('asset_not_deployed_contract')
  if (held < amount + reserved) return refuse('invalid_exact_evm_insufficient_balance')
  if (redeemed?.ok !== true) return refuse('erc7710_simulation_failed')
  const expected = [-amount, amount, 0n]
  const isExact =
    changes.every((change, i) => change === expected[i]) && movesOnce(redeemed, token, moveOf(request, payment))
  return isExact ? undefined : refuse('erc7710_transfer_mismatch')
}

/** The token says that it made this transfer, and no other with these accounts. */
function movesOnce({ logs }: SimulatedCall, token: Address, move: Move): boolean {
  const transfers = logs.filter(({ address, topics }) => address === token && topics[0] === TRANSFER)
  return transfers.length === 1 && findTransferOf(transfers, token, move) !== undefined
}
