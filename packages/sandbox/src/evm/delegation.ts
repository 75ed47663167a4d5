import { type Address, concat, encodeAbiParameters, encodeFunctionData, encodePacked, erc20Abi, type Hex } from 'viem'
import {
  allowedCalldataEnforcerCreation,
  delegationManagerAbi,
  delegationManagerCreation,
  erc20PayeesEnforcerCreation,
  erc20PaymentLimitEnforcerCreation,
  erc20PeriodTransferEnforcerCreation,
  erc20TransferAmountEnforcerCreation,
  hostileDelegationManagerCreation,
  timestampEnforcerCreation,
} from '../generated/delegation.js'
import type { EvmChain } from './chain.js'

/** Lets a delegate send so much of one token to one payee. `delegate` zero means anybody; `expiry` is in seconds, and too late. */
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
  readonly enforcers: DelegationEnforcers
  /** What the delegator signs, as viem's `signTypedData` takes it. */
  typedData(delegation: Delegation): DelegationTypedData
  /** What a delegator hands to whoever redeems: the permission context. */
  permission(delegation: Delegation, signature: Hex): Hex
  /** The arguments of `redeemDelegations` for one payment. */
  redemption(delegation: Delegation, signature: Hex, amount: bigint): readonly [Hex[], Hex[], Hex[]]
}

/** The contracts that know the limits of delegations. */
export type DelegationEnforcers = {
  /** How much of one token in all. */
  readonly erc20TransferAmount: Address
  /** How much in one transfer. */
  readonly erc20PaymentLimit: Address
  /** How much of one token in each period. */
  readonly erc20PeriodTransfer: Address
  /** Who may be paid. */
  readonly erc20Payees: Address
  /** From when until when. */
  readonly timestamp: Address
  /** What stands somewhere in the call data. */
  readonly allowedCalldata: Address
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
  readonly message: {
    readonly delegate: Address
    readonly delegator: Address
    readonly authority: Hex
    readonly caveats: readonly { readonly enforcer: Address; readonly terms: Hex; readonly args: Hex }[]
    readonly salt: bigint
  }
}

/** What a hostile manager does with a payment: says yes and moves nothing, reverts, or takes all the gas. */
export type HostileManagerConduct = (typeof conducts)[number]

/**
 * Deploys a delegation manager (ERC-7710) with enforcers for limits, in the types and calls of the one that is in wide use. A delegator is an account
 * that obeys it: `deployErc1271Wallet` with a manager, or an account with the code of `deployDelegatorAccount`. Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * const manager = await deployDelegationManager(chain)
 * await delegate7702(chain, payer, await deployDelegatorAccount(chain, manager.address))
 * ```
 */
export async function deployDelegationManager(chain: EvmChain): Promise<DelegationManager> {
  const address = await chain.deploy(delegationManagerCreation)
  const enforcers = {
    erc20TransferAmount: await chain.deploy(erc20TransferAmountEnforcerCreation),
    erc20PaymentLimit: await chain.deploy(erc20PaymentLimitEnforcerCreation),
    erc20PeriodTransfer: await chain.deploy(erc20PeriodTransferEnforcerCreation),
    erc20Payees: await chain.deploy(erc20PayeesEnforcerCreation),
    timestamp: await chain.deploy(timestampEnforcerCreation),
    allowedCalldata: await chain.deploy(allowedCalldataEnforcerCreation),
  }
  const domain = { name: 'DelegationManager', version: '1', chainId: chain.chainId, verifyingContract: address }
  const permission = (delegation: Delegation, signature: Hex) =>
    encodeAbiParameters(contextOf, [[{ ...messageOf(delegation, enforcers), signature }]])
  return {
    address,
    abi: delegationManagerAbi,
    enforcers,
    typedData: (delegation) => ({
      ...{ domain, types, primaryType: 'Delegation' },
      message: messageOf(delegation, enforcers),
    }),
    permission,
    redemption: (delegation, signature, amount) => [
      [permission(delegation, signature)],
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
  Caveat: [
    { name: 'enforcer', type: 'address' },
    { name: 'terms', type: 'bytes' },
  ],
  Delegation: [
    { name: 'delegate', type: 'address' },
    { name: 'delegator', type: 'address' },
    { name: 'authority', type: 'bytes32' },
    { name: 'caveats', type: 'Caveat[]' },
    { name: 'salt', type: 'uint256' },
  ],
} as const

const contextOf = [
  {
    type: 'tuple[]',
    components: [
      { name: 'delegate', type: 'address' },
      { name: 'delegator', type: 'address' },
      { name: 'authority', type: 'bytes32' },
      {
        name: 'caveats',
        type: 'tuple[]',
        components: [...types.Caveat, { name: 'args', type: 'bytes' }],
      },
      { name: 'salt', type: 'uint256' },
      { name: 'signature', type: 'bytes' },
    ],
  },
] as const

/** ERC-7579's mode for one call whose failure reverts. */
const singleCall: Hex = `0x${'00'.repeat(32)}`

/** By the delegator's own authority, within what the enforcers hold it to. */
function messageOf(
  { delegate, delegator, token, payee, maxAmount, expiry, salt }: Delegation,
  enforcers: DelegationEnforcers,
): DelegationTypedData['message'] {
  const args: Hex = '0x'
  const { erc20TransferAmount, allowedCalldata, timestamp } = enforcers
  return {
    delegate: /^0x0{40}$/.test(delegate) ? anybody : delegate,
    delegator,
    authority: `0x${'ff'.repeat(32)}`,
    caveats: [
      { enforcer: erc20TransferAmount, terms: encodePacked(['address', 'uint256'], [token, maxAmount]), args },
      { enforcer: allowedCalldata, terms: encodePacked(['uint256', 'uint256'], [4n, BigInt(payee)]), args },
      { enforcer: timestamp, terms: encodePacked(['uint128', 'uint128'], [0n, expiry]), args },
    ],
    salt,
  }
}

const anybody: Address = '0x0000000000000000000000000000000000000a11'

function execution({ token, payee }: Delegation, amount: bigint): Hex {
  const data = encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [payee, amount] })
  return encodePacked(['address', 'uint256', 'bytes'], [token, 0n, data])
}
