import { type Address, concat, encodeAbiParameters } from 'viem'
import { erc1271WalletCreation } from '../generated/circle.js'
import { erc1271DelegateCreation, plainDelegateCreation } from '../generated/delegates.js'
import type { EvmChain } from './chain.js'

/**
 * Deploys a contract wallet (ERC-1271) that accepts its owner's ECDSA signatures. Fund it to let it pay.
 * Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * const wallet = await deployErc1271Wallet(chain, chain.account('payer').address)
 * await chain.fund(wallet, 1_000_000n)
 * ```
 */
export function deployErc1271Wallet(chain: EvmChain, owner: Address): Promise<Address> {
  return chain.deploy(concat([erc1271WalletCreation, encodeAbiParameters([{ type: 'address' }], [owner])]))
}

/** Deploys code for {@link delegate7702} that answers ERC-1271 by the account's own key. Throws `rpc_refused`. */
export function deployErc1271Delegate(chain: EvmChain): Promise<Address> {
  return chain.deploy(erc1271DelegateCreation)
}

/** Deploys code for {@link delegate7702} that knows nothing of ERC-1271. Throws `rpc_refused`. */
export function deployPlainDelegate(chain: EvmChain): Promise<Address> {
  return chain.deploy(plainDelegateCreation)
}

/**
 * Makes an account run the code at `delegate`, as a mined EIP-7702 authorization would, and spends neither its gas nor
 * its nonce. `chain.setCode(account, '0x')` undoes it. Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * await delegate7702(chain, chain.account('payer').address, await deployErc1271Delegate(chain))
 * ```
 */
export function delegate7702(chain: EvmChain, account: Address, delegate: Address): Promise<void> {
  return chain.setCode(account, concat(['0xef0100', delegate]))
}
