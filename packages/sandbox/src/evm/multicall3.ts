import type { Address } from 'viem'

/** Where Multicall3 is on every sandbox chain, and on nearly every public one. */
export const multicall3Address: Address = '0xcA11bde05977b3631167028862bE2a173976CA11'
