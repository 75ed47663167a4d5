import { type Refusal, refuse } from '@groat/core'
import { decodeInteger, decodeString } from '../abi.js'
import type { EvmChain } from '../chain.js'
import type { CallOutcome } from '../rpc.js'
import { walletAccepts } from '../wallet.js'
import { authorizationDigest } from './eip3009.js'
import type { ExactPayment } from './shared.js'
import { encodeAuthorizationState, encodeBalanceOf, NAME, VERSION } from './token.js'

/**
 * Why a transfer would not go through, in one round trip. The most telling reason wins.
 * Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * const refusal = await explainFailure(chain, payment)
 */
export async function explainFailure(
  { rpc, engine }: EvmChain,
  { authorization, signature, domain }: ExactPayment,
): Promise<Refusal> {
  const { from, value, validAfter, validBefore } = authorization
  const to = domain.verifyingContract
  const digest = authorizationDigest(engine, domain, authorization)
  const [token, state, name, version, balance, block, wallet, accepted] = await Promise.all([
    rpc.code(to),
    rpc.call({ to, data: encodeAuthorizationState(authorization) }),
    rpc.call({ to, data: NAME }),
    rpc.call({ to, data: VERSION }),
    rpc.call({ to, data: encodeBalanceOf(from) }),
    rpc.latestBlock(),
    rpc.code(from),
    walletAccepts(rpc, { payer: from, digest, signature }),
  ])
  const used = integerOf(state)
  if (token === '0x') return refuse('asset_not_deployed_contract')
  if (used === undefined) return refuse('invalid_exact_evm_eip3009_not_supported')
  if (used !== 0n) return refuse('invalid_exact_evm_nonce_already_used')
  if (differs(name, domain.name)) return refuse('invalid_exact_evm_token_name_mismatch')
  if (differs(version, domain.version)) return refuse('invalid_exact_evm_token_version_mismatch')
  if ((integerOf(balance) ?? 0n) < value) return refuse('invalid_exact_evm_insufficient_balance')
  if (wallet !== '0x' && !accepted) return refuse('invalid_exact_evm_signature')
  if (block.timestamp >= validBefore) return refuse('invalid_exact_evm_payload_authorization_valid_before')
  if (block.timestamp <= validAfter) return refuse('invalid_exact_evm_payload_authorization_valid_after')
  return refuse('invalid_exact_evm_transaction_simulation_failed')
}

const integerOf = (outcome: CallOutcome): bigint | undefined => (outcome.ok ? decodeInteger(outcome.data) : undefined)

/** Only a token that answers, and answers something else, is a mismatch: some keep no such function. */
function differs(outcome: CallOutcome, expected: string): boolean {
  const said = outcome.ok ? decodeString(outcome.data) : undefined
  return said !== undefined && said !== expected
}
