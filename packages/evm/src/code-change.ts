import { type Clock, type Refusal, refuse, systemClock, X402Error } from '@groat/core'
import type { KeyAccount } from './account.js'
import { type Address, parseAddress } from './address.js'
import type { EvmChain } from './chain.js'
import type { Hex } from './hex.js'
import { sendSigned } from './send.js'
import { signAuthorization, signTransaction } from './transaction.js'

/** What an account must run before, what it shall run, and what its code is then. */
export type CodeStep = { readonly from: Hex; readonly to: Address; readonly leaves: Hex }

/** How long a change of code is waited for. */
export type CodeChangeOptions = {
  /** Milliseconds for which the transaction is waited for; 120,000 unless told. */
  readonly waitMs?: number
  readonly clock?: Clock
}

/** How it stands then. `transaction` is absent where nothing had to be done. */
export type CodeChange = { readonly ok: true; readonly transaction?: Hex }

/**
 * Changes which code an account runs (EIP-7702), by a transaction of its own. Refuses with `invalid_config` an account that runs something else than the step
 * begins with, or that has transactions under way. Throws `X402Error` `rpc_unreachable` and the like, `fee_above_limit`, `signer_out_of_gas`, and
 * `unexpected_settle_error` for a transaction that does not land or does not do it.
 *
 * @example
 * await changeCode(chain, account, { from: '0x', to: delegate, leaves: delegationTo(delegate) })
 */
export async function changeCode(
  chain: EvmChain,
  account: KeyAccount,
  { from, to, leaves }: CodeStep,
  { waitMs = WAIT_MS, clock = systemClock }: CodeChangeOptions = {},
): Promise<CodeChange | Refusal> {
  const { rpc, engine, chainId } = chain
  const signer = parseAddress(account.address)
  if (signer === undefined) throw new X402Error('invalid_config', { signer: account.address })
  const [code, nonce, mined] = await Promise.all([rpc.code(signer), rpc.nextNonce(signer), rpc.minedNonce(signer)])
  if (code === leaves) return { ok: true }
  if (code !== from) return refuse('invalid_config', `the account runs other code: ${code.slice(0, 50)}`)
  if (nonce !== mined) return refuse('invalid_config', 'transactions of this account are under way: wait for them')
  // The transaction has used up a number by the time at which its authorizations are looked at.
  const authorization = await signAuthorization(engine, { chainId, address: to, nonce: nonce + 1n }, account)
  const fees = await chain.fees(CHANGE_GAS)
  const fields = { chainId, nonce, gas: CHANGE_GAS, to: signer, data: '0x', ...fees } as const
  const signed = await signTransaction(engine, { ...fields, authorizations: [authorization] }, account)
  const sending = { waitMs, clock, failed: 'unexpected_settle_error' } as const
  const { transactionHash } = await sendSigned(chain, { ...signed, signer, nonce }, sending)
  if ((await rpc.code(signer)) === leaves) return { ok: true, transaction: transactionHash }
  throw new X402Error('unexpected_settle_error', { transaction: transactionHash, signer })
}

/** What an account's code says while it runs the code at an address (EIP-7702). */
export const delegationTo = (delegate: Address): Hex => `0xef0100${delegate.slice(2)}`

/** To run the code at this address is to run none. */
// It is written in its canonical lower case.
export const NOWHERE = `0x${'0'.repeat(40)}` as Address

/** What the transaction itself costs, and twice an authorization. */
const CHANGE_GAS = 120_000n
export const WAIT_MS = 120_000
