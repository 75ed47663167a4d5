import { type Asset, sameAddress } from '@groat/core'
import { parseAddress } from '../address.js'
import { AUTH_CAPTURE_ESCROW } from '../auth-capture/identity.js'
import { BATCH_SETTLEMENT } from '../batch-settlement/identity.js'
import type { EvmChain } from '../chain.js'
import { MULTICALL3 } from '../multicall.js'
import { EXACT_PERMIT2_PROXY, PERMIT2, UPTO_PERMIT2_PROXY } from '../permit2/contracts.js'

/**
 * Why a contract must not be called by a settling account with what strangers write, as a factory of wallets or as a delegation manager; `undefined` where nothing is known against
 * it. Contracts that call whatever they are told let anybody write what the account calls, and those that money depends on are no less dangerous
 * (EVM-EXACT-040, EVM-EXACT-157).
 *
 * @example
 * whyNotCallable('0xcA11bde05977b3631167028862bE2a173976CA11', []) // 'calls whatever it is told'
 */
export function whyNotCallable(text: string, tokens: readonly Asset[]): string | undefined {
  const address = parseAddress(text)
  if (address === undefined) return 'is no address'
  if (tokens.some((token) => sameAddress(token.address, address))) return 'is a token that is settled'
  return reasons[address]
}

/** Whether it is an account that settles: one that runs code (FAC-110) does whatever it tells itself. */
export function isSigner(chains: readonly Pick<EvmChain, 'signers'>[], text: string): boolean {
  return chains.some(({ signers }) => signers.some((signer) => sameAddress(signer, text)))
}

const reasons: Readonly<Record<string, string>> = {
  [MULTICALL3]: 'calls whatever it is told',
  // Deploys what it is given, at addresses that depend on it.
  '0x4e59b44847b379578588920ca78fbf26c0b4956c': 'deploys whatever it is told',
  [PERMIT2]: 'moves the money of everybody who approved it',
  [EXACT_PERMIT2_PROXY]: 'moves money for payments',
  [UPTO_PERMIT2_PROXY]: 'moves money for payments',
  [BATCH_SETTLEMENT]: 'holds the money of channels',
  [AUTH_CAPTURE_ESCROW]: 'holds money of payers',
}
