import { type Abi, type Address, concat, encodeAbiParameters, encodeFunctionData, type Hex } from 'viem'
import {
  eip3009TokenAbi,
  eip3009TokenCreation,
  hostileTokenAbi,
  hostileTokenCreation,
  permitTokenAbi,
  permitTokenCreation,
  plainTokenAbi,
  plainTokenCreation,
} from '../generated/tokens.js'
import type { EvmChain } from './chain.js'

/** A token of the sandbox's own, of 6 decimals, and the ABI for viem. */
export type EvmToken<abi extends Abi = Abi> = {
  readonly address: Address
  readonly abi: abi
  /** Adds tokens (atomic units) out of nothing, in a transaction. Needs a chain that mines. */
  mint(to: Address, amount: bigint): Promise<void>
}

/** How a hostile token may behave; `honest` until it is told otherwise. */
export type HostileConduct = (typeof conducts)[number]

/** A token with EIP-2612 and EIP-3009 that can be told to misbehave, also between two steps of a payment. */
export type HostileToken = EvmToken<typeof hostileTokenAbi> & {
  /** How to behave from now on. */
  misbehave(conduct: HostileConduct): Promise<void>
  /** Whom `blocklist` refuses. */
  block(account: Address, on?: boolean): Promise<void>
  /** What `reentrant` calls before it moves anything; the contract's `reentered` says whether that went through. */
  reenter(target: Address, data: Hex): Promise<void>
}

/**
 * Deploys an ERC-20 and nothing more: no EIP-2612, no EIP-3009. Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * const token = await deployPlainToken(chain)
 * await token.mint(chain.account('payer').address, 1_000_000n)
 * ```
 */
export function deployPlainToken(chain: EvmChain): Promise<EvmToken<typeof plainTokenAbi>> {
  return deploy(chain, plainTokenCreation, plainTokenAbi, 'Plain Dollar')
}

/** Deploys an ERC-20 with EIP-2612, under its name and version "1", but without EIP-3009. Throws `rpc_refused`. */
export function deployPermitToken(chain: EvmChain): Promise<EvmToken<typeof permitTokenAbi>> {
  return deploy(chain, permitTokenCreation, permitTokenAbi, 'Permit Dollar')
}

/**
 * Deploys a token with EIP-2612 and EIP-3009 under its name and version "1", and nothing more: no proxy, no pause, no blocklist. Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * const token = await deployEip3009Token(chain)
 * await token.mint(chain.account('payer').address, 1_000_000n)
 * ```
 */
export function deployEip3009Token(chain: EvmChain): Promise<EvmToken<typeof eip3009TokenAbi>> {
  return deploy(chain, eip3009TokenCreation, eip3009TokenAbi, 'Authorized Dollar')
}

/**
 * Deploys a token that betrays whoever trusts it. Its typed data is under the name "Hostile Dollar", version "1".
 *
 * `fee-on-transfer` burns a hundredth on the way. `returns-false` moves nothing and says so only in its answer.
 * `returns-nothing` moves and answers with no data. `silent-replay` lets a used authorization succeed without effect.
 * `lying-log` logs and does not move, `no-log` moves and does not log. `reentrant` calls back first. `blocklist`
 * refuses who is listed, `paused` everybody. `burns-gas` takes all of it. `approves-from-zero` changes an allowance only
 * from zero or to it. Throws `rpc_refused`.
 *
 * @example
 * ```ts
 * const token = await deployHostileToken(chain, 'fee-on-transfer')
 * await token.mint(chain.account('payer').address, 1_000_000n)
 * ```
 */
export async function deployHostileToken(chain: EvmChain, conduct: HostileConduct = 'honest'): Promise<HostileToken> {
  const token = await deploy(chain, hostileTokenCreation, hostileTokenAbi, 'Hostile Dollar')
  const tell = (data: Hex) => asIssuer(chain, token.address, data)
  const hostile: HostileToken = {
    ...token,
    misbehave: (next) =>
      tell(encodeFunctionData({ abi: token.abi, functionName: 'setConduct', args: [conducts.indexOf(next)] })),
    block: (account, on = true) =>
      tell(encodeFunctionData({ abi: token.abi, functionName: 'setBlocked', args: [account, on] })),
    reenter: (target, data) =>
      tell(encodeFunctionData({ abi: token.abi, functionName: 'setReentry', args: [target, data] })),
  }
  if (conduct !== 'honest') await hostile.misbehave(conduct)
  return hostile
}

// In the order of the enum in HostileToken.sol.
const conducts = [
  'honest',
  'fee-on-transfer',
  'returns-false',
  'returns-nothing',
  'silent-replay',
  'lying-log',
  'no-log',
  'reentrant',
  'blocklist',
  'paused',
  'burns-gas',
  'approves-from-zero',
] as const

async function deploy<const abi extends Abi>(chain: EvmChain, creation: Hex, abi: abi, name: string) {
  const names = encodeAbiParameters([{ type: 'string' }, { type: 'string' }], [name, 'TEST'])
  const address = await chain.deploy(concat([creation, names]))
  const mint = (to: Address, amount: bigint) =>
    asIssuer(chain, address, encodeFunctionData({ abi: plainTokenAbi, functionName: 'mint', args: [to, amount] }))
  return { address, abi, mint }
}

async function asIssuer(chain: EvmChain, to: Address, data: Hex): Promise<void> {
  const hash = await chain.client.sendUnsignedTransaction({ from: chain.account('issuer').address, to, data })
  await chain.client.waitForTransactionReceipt({ hash })
}
