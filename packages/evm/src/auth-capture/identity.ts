import type { Address } from '../address.js'

/** The scheme's name and chains. */
export const authCaptureOnEvm = { name: 'auth-capture', family: 'eip155' } as const

// Lower case, as every address in this package: the literals are what the brand stands for.

/** The contract that holds the money, edition 1.1, at one address on every chain. No other is accepted (EVM-CAPTURE-003). */
export const AUTH_CAPTURE_ESCROW = '0xf96815976523e00e65be8f34ca5e64b4f41eb19c' as Address
/** Brings money that was authorized by EIP-3009. */
export const EIP3009_TOKEN_COLLECTOR = '0x8612dfdc421f80336cd14e8ef9cb1e765db5ab88' as Address
/** Brings money that was signed for Permit2. */
export const PERMIT2_TOKEN_COLLECTOR = '0xd69831aed5bfe262067ec4c751f4f830ecdd446e' as Address
/** Brings refunds, out of the operator's own tokens. */
export const OPERATOR_REFUND_COLLECTOR = '0x7a03443724d14798c4ab4622f1daaca761fea486' as Address

/** The address of nobody: where one is optional it means that there is none. */
export const NOBODY = '0x0000000000000000000000000000000000000000' as Address
