import { type Refusal, refuse, systemClock, X402Error } from '@groat/core'
import type { KeyAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import type { EvmChain } from '../chain.js'
import { type CodeChange, type CodeChangeOptions, changeCode, delegationTo, NOWHERE, WAIT_MS } from '../code-change.js'
import type { Hex } from '../hex.js'
import { sendCall } from '../send.js'
import { CREATE2_DEPLOYER, SELF_BATCH, SELF_BATCH_CODE, SELF_BATCH_CREATION } from './delegate.js'

/** What changes the code of a signer is made of. */
export type DelegationOptions = CodeChangeOptions & {
  /** Where the code stands that the signer runs; `SELF_BATCH` unless told. */
  readonly delegate?: string
}

/** How it stands then. `transaction` is absent where nothing had to be done. */
export type DelegationChange = CodeChange

/**
 * Makes a signer run the batch from now on (EIP-7702), by a transaction of its own: its payments that only it may send can then travel together.
 * Run it while no facilitator sends from this account.
 *
 * Refuses with `invalid_config` an account that runs something else already or that has transactions under way, and a delegate whose code is
 * not the one that is known. Throws `X402Error` `rpc_unreachable` and the like, `fee_above_limit`, `signer_out_of_gas`, and
 * `unexpected_settle_error` for a transaction that does not land or does not do it.
 *
 * @example
 * const change = await delegateSigner(chain, account)
 * if (!change.ok) console.error(change.detail)
 */
export async function delegateSigner(
  chain: EvmChain,
  account: KeyAccount,
  options: DelegationOptions = {},
): Promise<DelegationChange | Refusal> {
  const delegate = delegateOf(options)
  if ((await chain.rpc.code(delegate)) !== SELF_BATCH_CODE) {
    return refuse('invalid_config', `the code at ${delegate} is not the batch: deploy it first`)
  }
  return changeCode(chain, account, { from: '0x', to: delegate, leaves: delegationTo(delegate) }, options)
}

/**
 * Takes it back: the signer is an account without code again. Refuses and throws as `delegateSigner` does, and refuses an account that runs something
 * else than this delegate.
 *
 * @example
 * await undelegateSigner(chain, account)
 */
export async function undelegateSigner(
  chain: EvmChain,
  account: KeyAccount,
  options: DelegationOptions = {},
): Promise<DelegationChange | Refusal> {
  const delegate = delegateOf(options)
  return changeCode(chain, account, { from: delegationTo(delegate), to: NOWHERE, leaves: '0x' }, options)
}

/**
 * Puts the batch at `SELF_BATCH`, through the deployer that almost every chain has, from the chain's first signer. Whoever does it, it is the same
 * code at the same address. Refuses with `invalid_config` where the chain has no such deployer; throws as `delegateSigner` does.
 *
 * @example
 * await deploySelfBatch(chain)
 */
export async function deploySelfBatch(
  chain: EvmChain,
  { waitMs = WAIT_MS, clock = systemClock }: Omit<DelegationOptions, 'delegate'> = {},
): Promise<DelegationChange | Refusal> {
  const [code, deployer] = await Promise.all([chain.rpc.code(SELF_BATCH), chain.rpc.code(CREATE2_DEPLOYER)])
  if (code === SELF_BATCH_CODE) return { ok: true }
  if (deployer === '0x') return refuse('invalid_config', `the chain has no deployer at ${CREATE2_DEPLOYER}`)
  const data: Hex = `0x${SALT}${SELF_BATCH_CREATION.slice(2)}`
  const sending = { waitMs, clock, failed: 'unexpected_settle_error' } as const
  const { transactionHash } = await sendCall(chain, { to: CREATE2_DEPLOYER, data, gas: DEPLOYMENT_GAS }, sending)
  if ((await chain.rpc.code(SELF_BATCH)) === SELF_BATCH_CODE) return { ok: true, transaction: transactionHash }
  throw new X402Error('unexpected_settle_error', { transaction: transactionHash, missing: SELF_BATCH })
}

function delegateOf({ delegate = SELF_BATCH }: DelegationOptions): Address {
  const address = parseAddress(delegate)
  if (address === undefined) throw new X402Error('invalid_config', { delegate })
  return address
}

const DEPLOYMENT_GAS = 500_000n
const SALT = '0'.repeat(64)
