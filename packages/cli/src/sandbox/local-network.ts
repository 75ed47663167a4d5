import type { Asset, Facilitator, Network, SchemeClient, SchemeFacilitator, SchemeServer } from '@groat/core'
import type { DelegationContractsFile } from './evm-delegations.js'

/** A chain of a sandbox: what runs, and the halves of the scheme that sell, settle and pay on it. A new chain family is one more of these. */
export type LocalNetwork = {
  readonly network: Network
  /** What it says of itself in the ready line. */
  readonly ready: Pick<ReadyChains, 'evm'> | Pick<ReadyChains, 'svm'>
  readonly rpcUrl: string
  readonly payTo: string
  readonly sells: SchemeServer
  readonly settles: SchemeFacilitator
  readonly pays: SchemeClient
  /** A token beside USDC, where the chain has one: its payer has some of it. */
  readonly token?: Asset
  /** Whether payments by delegation are taken here. */
  readonly delegates?: true
  /** The halves of a scheme whose offers are ceilings, where the chain has one. */
  readonly metered?: { readonly sells: SchemeServer; readonly settles: SchemeFacilitator; readonly pays: SchemeClient }
  /** The halves of a scheme that pays out of channels, where the chain has one. */
  readonly channels?: {
    readonly sells: SchemeServer
    readonly settles: SchemeFacilitator
    readonly pays: SchemeClient
    /** Begins to count what channels owe, and to turn it into money. */
    open(facilitatorUrl: string): Promise<LocalBooks>
  }
  /** The halves of a scheme that holds money in escrow, where the chain has one. */
  readonly holds?: {
    readonly sells: SchemeServer
    readonly settles: SchemeFacilitator
    readonly pays: SchemeClient
    /** Begins to write down what is held, and to have it paid out. */
    open(facilitatorUrl: string): Promise<LocalBooks>
  }
  /** What sells for transfers that were made before, where the chain has that. */
  readonly proofs?: {
    readonly sells: SchemeServer
    /** Makes the transfer that is asked for, where none is left over, and proves it. */
    readonly pays: SchemeClient
    /** Looks transfers up on this chain, and has the other do all else. */
    withProofs(facilitator: Facilitator): Facilitator
  }
  readonly accounts: readonly LocalAccount[]
  stop(): Promise<void>
}

/** What a seller's channels owe, or what is held for it: the facilitator that counts it, and an end to claiming. */
export type LocalBooks = { readonly facilitator: Facilitator; stop(): Promise<void> }

/** One account on one chain. */
export type LocalAccount = {
  readonly role: string
  readonly address: string
  readonly keys: AccountKeys
  /** What it has, as people read it. */
  balances(): Promise<{ readonly usdc: string; readonly coin: string }>
}

/** The chains in the ready line. */
export type ReadyChains = {
  readonly evm: {
    readonly rpcUrl: string
    readonly chainId: number
    readonly network: string
    readonly usdc: string
    readonly multicall3: string
    readonly permit2: string
    /** What `groat wallet session` needs to know. */
    readonly delegation: DelegationContractsFile
  }
  readonly svm: { readonly rpcUrl: string; readonly wsUrl: string; readonly network: string; readonly usdc: string }
}

/** The keys of an account in the ready line, by chain family. */
export type AccountKeys = {
  readonly evm?: { readonly address: string; readonly privateKey: string }
  /** `secretKey`: base58 of 64 bytes. */
  readonly svm?: { readonly address: string; readonly secretKey: string }
}
