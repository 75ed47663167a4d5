import { type Clock, systemClock, X402Error } from '@groat/core'
import { encodeCall } from '../abi.js'
import { parseAddress } from '../address.js'
import type { EvmChain } from '../chain.js'
import { formatHex, type Hex } from '../hex.js'
import { sendCall } from '../send.js'
import { delegationHash } from './delegation.js'
import { revokeCall, rootOf, type Session } from './session.js'

/** A session as the chain has it. */
export type SessionState = {
  /** Atomic units that were spent. */
  readonly spent: bigint
  /** Whether its delegator has ended it. */
  readonly ended: boolean
}

/**
 * Asks the manager and its enforcer what was spent of a session, and whether it is ended. Throws what the node throws, and `rpc_invalid_answer` where
 * the contracts are not there.
 *
 * @example
 * const { spent, ended } = await readSession(chain, session)
 */
export async function readSession({ rpc, engine }: EvmChain, session: Session): Promise<SessionState> {
  const { manager, enforcers } = session.contracts
  const hash = formatHex(delegationHash(engine, rootOf(session)))
  const ask = async (contract: Hex, data: Hex): Promise<bigint> => {
    const to = parseAddress(contract)
    const answer = to && (await rpc.call({ to, data }))
    if (answer?.ok !== true || answer.data.length !== 66) throw new X402Error('rpc_invalid_answer', { contract })
    return BigInt(answer.data)
  }
  const [spent, disabled] = await Promise.all([
    ask(enforcers.erc20TransferAmount, encodeCall(SPENT_MAP, manager, hash)),
    ask(manager, encodeCall(DISABLED_DELEGATIONS, hash)),
  ])
  return { spent, ended: disabled !== 0n }
}

/**
 * Ends a session on chain (EVM-EXACT-163) and answers the hash of the transaction. The first signer of the chain is the delegator's account, and pays
 * for the gas. Throws `X402Error` `invalid_config` where it is another, `invalid_exact_evm_transaction_failed` for what reverts or is not in a block
 * in time (2 minutes unless told), and what the node throws.
 *
 * @example
 * await endSession(await createEvmChain({ network, rpc, signers: [ownerKey] }), session)
 */
export async function endSession(
  chain: EvmChain,
  session: Session,
  { waitMs = 120_000, clock = systemClock }: { readonly waitMs?: number; readonly clock?: Clock } = {},
): Promise<Hex> {
  const [signer = ''] = chain.signers
  if (parseAddress(signer) !== parseAddress(session.delegator)) {
    throw new X402Error('invalid_config', { signer, delegator: session.delegator })
  }
  const call = { ...revokeCall(session), gas: GAS }
  const { transactionHash } = await sendCall(chain, call, {
    ...{ waitMs, clock },
    failed: 'invalid_exact_evm_transaction_failed',
  })
  return transactionHash
}

const GAS = 300_000n

/** `spentMap(address,bytes32)` */
const SPENT_MAP: Hex = '0x9dd5d9ab'

/** `disabledDelegations(bytes32)` */
const DISABLED_DELEGATIONS: Hex = '0x2d40d052'
