import type { Address } from '../address.js'

/** The scheme's name and chains. */
export const batchOnEvm = { name: 'batch-settlement', family: 'eip155' } as const

// Lower case, as every address in this package: the literals are what the brand stands for.

/** The contract that holds the channels, at one address on every chain. */
export const BATCH_SETTLEMENT = '0x4020074e9df2ce1dee5a9c1b5c3f541d02a10003' as Address
/** Brings deposits that were authorized by EIP-3009. */
export const ERC3009_COLLECTOR = '0x4020806089470a89826cb9fb1f4059150b550004' as Address
/** Brings deposits that were signed for Permit2. */
export const PERMIT2_COLLECTOR = '0x4020425faf3b746c082c2f942b4e5159887b0005' as Address

/** Seconds that a payer who takes money out alone has to wait: the least and the most. */
export const WITHDRAW_DELAY = { least: 900, most: 2_592_000 } as const
