import { type Refusal, refuse, X402Error } from '@groat/core'
import type { KeyAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import type { EvmChain } from '../chain.js'
import { type CodeChange, type CodeChangeOptions, changeCode, delegationTo, NOWHERE } from '../code-change.js'
import type { Hex } from '../hex.js'

export type { CodeChange, CodeChangeOptions } from '../code-change.js'

/** Whom an account shall obey, and by which code. */
export type Obedience = {
  /** The delegation manager. */
  readonly manager: string
  /** Where the code stands that an account runs to obey it (EIP-7702), and nobody else. */
  readonly account: string
}

/**
 * Lets an account without code obey a delegation manager from now on (EIP-7702), so that its owner can sign sessions (`createSession`). It is a transaction of the
 * account's own, which pays for its gas.
 *
 * What runs there may do anything with the account's money: name code that you trust. It has to say itself that it obeys this manager
 * (`delegationManager()`); what else it does, nobody can see from outside. Refuses with `invalid_config` other code, an account that runs something else
 * already, and one with transactions under way. Throws `X402Error` `invalid_config` for what is no address, `rpc_unreachable` and the like,
 * `signer_out_of_gas`, and `unexpected_settle_error` for a transaction that does not land.
 *
 * @example
 * const change = await obeyManager(chain, privateKeyAccount(ownerKey), { manager, account: delegatorCode })
 * if (!change.ok) console.error(change.detail)
 */
export async function obeyManager(
  chain: EvmChain,
  owner: KeyAccount,
  { manager, account }: Obedience,
  options?: CodeChangeOptions,
): Promise<CodeChange | Refusal> {
  const [wanted, code, own] = [addressOf(manager), addressOf(account), addressOf(owner.address)]
  const [said, obeyed] = await Promise.all([managerOf(chain, code), managerOf(chain, own)])
  if (obeyed === wanted) return { ok: true }
  if (said !== wanted) return refuse('invalid_config', `the code at ${account} does not obey ${manager}`)
  return changeCode(chain, owner, { from: '0x', to: code, leaves: delegationTo(code) }, options)
}

/**
 * Takes it back: the account runs no code, and all its sessions are worth nothing while that is so. Refuses and throws as `obeyManager` does.
 *
 * @example
 * await disobeyManager(chain, privateKeyAccount(ownerKey), { account: delegatorCode })
 */
export async function disobeyManager(
  chain: EvmChain,
  owner: KeyAccount,
  { account }: Pick<Obedience, 'account'>,
  options?: CodeChangeOptions,
): Promise<CodeChange | Refusal> {
  return changeCode(chain, owner, { from: delegationTo(addressOf(account)), to: NOWHERE, leaves: '0x' }, options)
}

/** Whom an account or its code says that it obeys. */
async function managerOf({ rpc }: EvmChain, to: Address): Promise<Address | undefined> {
  const answer = await rpc.call({ to, data: DELEGATION_MANAGER })
  return answer.ok && answer.data.length === 66 ? parseAddress(`0x${answer.data.slice(26)}`) : undefined
}

/** `delegationManager()` */
const DELEGATION_MANAGER: Hex = '0xea4d3c9b'

function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new X402Error('invalid_config', { address: text })
  return address
}
