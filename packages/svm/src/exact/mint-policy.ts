import { assetByAddress, type Network, type Refusal, refuse } from '@groat/core'
import type { ChainMint } from '../chain.js'
import { readU16, readU64 } from '../wire/bytes.js'
import type { MintExtension } from '../wire/token.js'

/** What a Token-2022 mint may do with money that was paid, and an operator may accept all the same. */
export type MintPower = 'confidential-transfer' | 'default-state' | 'pausable' | 'permanent-delegate'

/**
 * Whether a mint's extensions let a payment be what it looks like (SVM-EXACT-050 to 053). A fee or a hook that is in force is never accepted, nor an
 * extension that nobody here knows. What an issuer could do later is accepted for the assets of the registry, and for others by name.
 *
 * @example
 * const refusal = judgeMint(network('solana'), address, mint, { allowed: ['pausable'] })
 */
export function judgeMint(
  network: Network,
  address: string,
  { extensions }: Pick<ChainMint, 'extensions'>,
  { allowed }: { readonly allowed: readonly MintPower[] },
): Refusal | undefined {
  const trusted = assetByAddress(network, address) !== undefined
  for (const extension of extensions) {
    const flaw = flawOf(extension, (power) => trusted || allowed.includes(power))
    if (flaw !== undefined) return refuse('invalid_exact_svm_mint_extension_not_allowed', flaw)
  }
  return undefined
}

function flawOf({ type, data }: MintExtension, isAllowed: (power: MintPower) => boolean): string | undefined {
  const power = POWERS[type]
  if (power !== undefined) return isAllowed(power) ? undefined : power
  if (type === TRANSFER_FEE) return takesFee(data) ? 'transfer-fee' : undefined
  if (type === TRANSFER_HOOK) return data.subarray(32, 64).some((byte) => byte !== 0) ? 'transfer-hook' : undefined
  if (type === NON_TRANSFERABLE) return 'non-transferable'
  return HARMLESS.has(type) ? undefined : `extension ${type}`
}

const TRANSFER_FEE = 1
const NON_TRANSFERABLE = 9
const TRANSFER_HOOK = 14

const POWERS: Readonly<Record<number, MintPower>> = {
  4: 'confidential-transfer',
  6: 'default-state',
  12: 'permanent-delegate',
  16: 'confidential-transfer',
  24: 'confidential-transfer',
  26: 'pausable',
}

/** Who may close the mint, what its units look like, what it is called, to which group it belongs. */
const HARMLESS = new Set([3, 10, 18, 19, 20, 21, 22, 23, 25])

/** Two fees, the one of now and the one to come: epoch, the most of it, share in hundredths of a percent. */
function takesFee(data: Uint8Array): boolean {
  return [72, 90].some((at) => readU64(data, at + 8) > 0n && readU16(data, at + 16) > 0)
}
