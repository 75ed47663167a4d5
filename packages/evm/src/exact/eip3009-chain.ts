import { refuse, type Verdict } from '@groat/core'
import { decodeInteger } from '../abi.js'
import { recoverAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import type { CallOutcome } from '../rpc.js'
import { bareSignature, signerOf } from '../wallet.js'
import { explainFailure } from './diagnosis.js'
import { authorizationDigest } from './eip3009.js'
import { type ChainMethod, type ExactRequest, succeedsPaid, type Trial } from './method.js'
import { chainOutcome } from './outcome.js'
import { type ExactPayment, readExact } from './shared.js'
import { encodeAuthorizationState, encodeBalanceOf, encodeTransfer } from './token.js'

/** EIP-3009 on chain: the token moves its holder's money on the word of a signature. */
export const eip3009: ChainMethod = {
  verify: (request, trial) => verify(request.chain, read(request), trial),
  prepare(request) {
    const payment = read(request)
    const call = transferCall(payment)
    // Whoever hands it in, the token moves the same money; only a key's signature surely runs no code of the payer's.
    return payment.signature.length === 65 ? { ...call, payer: payment.authorization.from } : call
  },
  outcome: (request, sent, options) => chainOutcome(request.chain, read(request), sent, options),
}

function read({ payment, terms }: ExactRequest): ExactPayment {
  const known = readExact(payment, terms)
  if (!known.ok) throw new TypeError('the payment was not inspected')
  return known
}

async function verify(
  chain: EvmChain,
  payment: ExactPayment,
  { from, gas, reserved = 0n, settling = false }: Trial,
): Promise<Verdict> {
  const { authorization, signature, domain } = payment
  const payer = authorization.from
  const digest = authorizationDigest(chain.engine, domain, authorization)
  const token = domain.verifyingContract
  const transfer = transferCall(payment)
  const alone = { ...transfer, gas, ...(from ? { from } : {}) }
  const readState = { to: token, data: encodeAuthorizationState(authorization) }
  const readFunds = { to: token, data: encodeBalanceOf(payer) }

  function verdictOf(state?: CallOutcome, moved?: CallOutcome, funds?: CallOutcome): Verdict | undefined {
    // A token may let a used nonce pass in silence, and an address without code lets everything pass.
    if (!moved?.ok || !state?.ok || decodeInteger(state.data) !== 0n) return undefined
    const isEnough = !funds?.ok || (decodeInteger(funds.data) ?? 0n) >= authorization.value + reserved
    return isEnough ? { ok: true, payer } : { ...refuse('invalid_exact_evm_insufficient_balance'), payer }
  }

  if (chain.tryTogether && recoverAddress(chain.engine, digest, signature) === payer) {
    const reads = reserved > 0n ? [readFunds, readState] : [readState]
    const [tried, code] = await Promise.all([
      chain.tryTogether({ calls: [...reads, transfer], payer, payTo: authorization.to }),
      settling ? chain.rpc.code(payer) : '0x',
    ])
    const [moved, state, funds] = tried.toReversed()
    const verdict = verdictOf(state, moved, funds)
    if (verdict?.ok && code === '0x') return verdict
  }
  const [moved, state, signer, funds, code] = await Promise.all([
    chain.rpc.call(alone),
    chain.rpc.call(readState),
    signerOf(chain, { payer, digest, signature }),
    reserved > 0n ? chain.rpc.call(readFunds) : undefined,
    // Delegated code (EIP-7702) is asked even about what its account's own key has signed.
    settling ? chain.rpc.code(payer) : '0x',
  ])
  if (signer === 'undeployed') return { ...refuse('eip6492_factory_not_allowed'), payer }
  if (signer === 'nobody') return { ...refuse('invalid_exact_evm_signature'), payer }
  const verdict = verdictOf(state, moved, funds)
  if (verdict?.ok && (signer === 'contract' || code !== '0x') && !(await succeedsPaid(chain, alone))) {
    return { ...refuse('invalid_exact_evm_transaction_simulation_failed'), payer }
  }
  if (verdict !== undefined) return verdict
  const refusal = await explainFailure(chain, payment)
  // The newest block of an idle chain may be older than the payment; the next one will not be.
  const early = refusal.code === 'invalid_exact_evm_payload_authorization_valid_after'
  if (early && (await chain.rpc.call(alone, 'pending')).ok) return { ok: true, payer }
  return { ...refusal, payer }
}

function transferCall({ authorization, signature, domain }: ExactPayment): Omit<EvmCall, 'gas'> {
  // A wallet that exists by now is asked about what is inside its envelope; nobody ever calls the factory.
  return { to: domain.verifyingContract, data: encodeTransfer(authorization, bareSignature(signature)) }
}
