import { type Address, concat, encodeAbiParameters, encodeFunctionData, type Hex, zeroAddress } from 'viem'
import {
  delegatorAccountCreation,
  erc1271DelegateCreation,
  gasBurningWalletCreation,
  hostileDelegatorAbi,
  hostileDelegatorCreation,
  plainDelegateCreation,
  walletCreation,
  walletFactoryAbi,
  walletFactoryCreation,
} from '../generated/wallets.js'
import type { EvmChain } from './chain.js'
import { withAddresses } from './creation.js'

/**
 * Deploys a contract wallet (ERC-1271) that accepts its owner's ECDSA signatures, 65 bytes with a low s, and does what
 * the owner tells it in `execute`. Fund it to let it pay. With a `manager` (see `deployDelegationManager`) it honours
 * delegations. Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * const wallet = await deployErc1271Wallet(chain, chain.account('payer').address)
 * await chain.fund(wallet, 1_000_000n)
 * ```
 */
export function deployErc1271Wallet(chain: EvmChain, owner: Address, manager: Address = zeroAddress): Promise<Address> {
  return chain.deploy(withAddresses(walletCreation, owner, manager))
}

/** Deploys a contract payer whose ERC-1271 answer takes all the gas there is. Throws `rpc_refused`. */
export function deployGasBurningWallet(chain: EvmChain): Promise<Address> {
  return chain.deploy(gasBurningWalletCreation)
}

/** A factory of ERC-1271 wallets at addresses that are known before they have code. */
export type WalletFactory = {
  readonly address: Address
  /** The wallet of an owner, and the ERC-6492 envelope that deploys it, around a signature of the owner's. */
  predict(owner: Address, salt?: bigint): Promise<CounterfactualWallet>
}

/** A wallet that may not be deployed yet. */
export type CounterfactualWallet = {
  readonly address: Address
  /** What to call, at the factory, to deploy it. */
  readonly factoryData: Hex
  /** The ERC-6492 envelope of a signature. */
  wrap(signature: Hex): Hex
}

/**
 * Deploys a factory for counterfactual payers (ERC-6492). Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * const factory = await deployWalletFactory(chain)
 * const wallet = await factory.predict(chain.account('payer').address)
 * await chain.fund(wallet.address, 1_000_000n)
 * ```
 */
export async function deployWalletFactory(chain: EvmChain): Promise<WalletFactory> {
  const address = await chain.deploy(walletFactoryCreation)
  const contract = { address, abi: walletFactoryAbi } as const
  return {
    address,
    async predict(owner, salt = 0n) {
      const args = [owner, salt] as const
      const factoryData = encodeFunctionData({ ...contract, functionName: 'createAccount', args })
      return {
        address: await chain.client.readContract({ ...contract, functionName: 'getAddress', args }),
        factoryData,
        wrap: (signature) => concat([encodeAbiParameters(envelope, [address, factoryData, signature]), erc6492Magic]),
      }
    },
  }
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
 * Deploys code for {@link delegate7702} that answers ERC-1271 by the account's own key and honours the delegations of
 * one manager. Throws `rpc_refused`.
 */
export function deployDelegatorAccount(chain: EvmChain, manager: Address): Promise<Address> {
  return chain.deploy(withAddresses(delegatorAccountCreation, manager))
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

const envelope = [{ type: 'address' }, { type: 'bytes' }, { type: 'bytes' }] as const
const erc6492Magic: Hex = `0x${'6492'.repeat(16)}`

/** What a hostile delegator does when its manager tells it to pay. */
export type HostileDelegatorConduct = (typeof hostileConducts)[number]

/** Code of a hostile delegator. */
export type HostileDelegator = { readonly address: Address; readonly abi: typeof hostileDelegatorAbi }

/**
 * Deploys code for EIP-7702 accounts whose delegations an honest manager redeems, and which then revert, take all the gas, move nothing, move a
 * unit less, pay `elsewhere`, have something else called first (`arm` says what), or pay in full only while nobody pays for gas. Throws
 * `rpc_refused`.
 *
 * @example
 * ```ts
 * await delegate7702(chain, payer, (await deployHostileDelegator(chain, 'delivering-less')).address)
 * ```
 */
export async function deployHostileDelegator(
  chain: EvmChain,
  conduct: HostileDelegatorConduct,
  elsewhere: Address = zeroAddress,
): Promise<HostileDelegator> {
  const words = encodeAbiParameters(
    [{ type: 'uint8' }, { type: 'address' }],
    [hostileConducts.indexOf(conduct), elsewhere],
  )
  return { address: await chain.deploy(concat([hostileDelegatorCreation, words])), abi: hostileDelegatorAbi }
}

// In the order of the enum in HostileDelegator.sol.
const hostileConducts = [
  'reverting',
  'burning-gas',
  'idle',
  'delivering-less',
  'delivering-elsewhere',
  'reentering',
  'paying-while-free',
] as const
