import { type Address, concat, encodeAbiParameters, encodeFunctionData, encodePacked, erc20Abi, type Hex } from 'viem'
import {
  delegationManagerAbi,
  delegationManagerCreation,
  hostileDelegationManagerCreation,
} from '../generated/delegation.js'
import type { EvmChain } from './chain.js'

/** Lets a delegate send so much of one token to one payee. `delegate` zero means anybody; `expiry` is in seconds. */
export type Delegation = {
  readonly delegate: Address
  readonly delegator: Address
  readonly token: Address
  readonly payee: Address
  /** Atomic units, for all redemptions together. */
  readonly maxAmount: bigint
  readonly expiry: bigint
  readonly salt: bigint
}

/** A delegation manager (ERC-7710), and what to sign for it. */
export type DelegationManager = {
  readonly address: Address
  readonly abi: typeof delegationManagerAbi
  /** What the delegator signs, as viem's `signTypedData` takes it. */
  typedData(delegation: Delegation): DelegationTypedData
  /** What a delegator hands to whoever redeems: the permission context. */
  permission(delegation: Delegation, signature: Hex): Hex
  /** The arguments of `redeemDelegations` for one payment. */
  redemption(delegation: Delegation, signature: Hex, amount: bigint): readonly [Hex[], Hex[], Hex[]]
}

/** The typed data of a {@link Delegation}. */
export type DelegationTypedData = {
  readonly domain: {
    readonly name: string
    readonly version: string
    readonly chainId: number
    readonly verifyingContract: Address
  }
  readonly types: typeof types
  readonly primaryType: 'Delegation'
  readonly message: Delegation
}

/** What a hostile manager does with a payment: says yes and moves nothing, reverts, or takes all the gas. */
export type HostileManagerConduct = (typeof conducts)[number]

/**
 * Deploys a small ERC-7710 delegation manager. A delegator is an account that obeys it: `deployErc1271Wallet` with a
 * manager, or an account with the code of `deployDelegatorAccount`. Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * const manager = await deployDelegationManager(chain)
 * await delegate7702(chain, payer, await deployDelegatorAccount(chain, manager.address))
 * ```
 */
export async function deployDelegationManager(chain: EvmChain): Promise<DelegationManager> {
  const address = await chain.deploy(delegationManagerCreation)
  const domain = {
    name: 'Groat Sandbox Delegation Manager',
    version: '1',
    chainId: chain.chainId,
    verifyingContract: address,
  }
  return {
    address,
    abi: delegationManagerAbi,
    typedData: (message) => ({ domain, types, primaryType: 'Delegation', message }),
    permission: permissionContext,
    redemption: (delegation, signature, amount) => [
      [permissionContext(delegation, signature)],
      [singleCall],
      [execution(delegation, amount)],
    ],
  }
}

/** Deploys a manager of an attacker's. Throws `rpc_refused`. */
export function deployHostileDelegationManager(chain: EvmChain, conduct: HostileManagerConduct): Promise<Address> {
  const kind = encodeAbiParameters([{ type: 'uint8' }], [conducts.indexOf(conduct)])
  return chain.deploy(concat([hostileDelegationManagerCreation, kind]))
}

// In the order of the enum in HostileDelegationManager.sol.
const conducts = ['idle', 'reverting', 'burning-gas'] as const

const types = {
  Delegation: [
    { name: 'delegate', type: 'address' },
    { name: 'delegator', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'payee', type: 'address' },
    { name: 'maxAmount', type: 'uint256' },
    { name: 'expiry', type: 'uint256' },
    { name: 'salt', type: 'uint256' },
  ],
} as const

/** ERC-7579's mode for one call whose failure reverts. */
const singleCall: Hex = `0x${'00'.repeat(32)}`

function permissionContext(delegation: Delegation, signature: Hex): Hex {
  return encodeAbiParameters(
    [{ type: 'tuple', components: types.Delegation }, { type: 'bytes' }],
    [delegation, signature],
  )
}

function execution({ token, payee }: Delegation, amount: bigint): Hex {
  const data = encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [payee, amount] })
  return encodePacked(['address', 'uint256', 'bytes'], [token, 0n, data])
}
