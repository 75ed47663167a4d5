import { type Refusal, refuse, type Verdict } from '@groat/core'
import { decodeInteger } from '../abi.js'
import { type Address, recoverAddress } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import { type Erc6492, unwrapErc6492 } from '../crypto/signature.js'
import { formatHex } from '../hex.js'
import { decodeAggregate, encodeAggregate, MULTICALL3, type PartCall } from '../multicall.js'
import type { CallOutcome, CallRequest } from '../rpc.js'
import { bareSignature, encodeIsValidSignature, isValidSignatureMagic, signerOf } from '../wallet.js'
import { explainFailure } from './diagnosis.js'
import { authorizationDigest } from './eip3009.js'
import { type ChainMethod, type ExactRequest, succeedsPaid, type Trial } from './method.js'
import { chainOutcome } from './outcome.js'
import { type ExactPayment, readExact } from './shared.js'
import { encodeAuthorizationState, encodeBalanceOf, encodeTransfer } from './token.js'

/** What the operator allows besides payers that exist. */
export type Eip3009Options = {
  /** Factories that may be called to create a payer's wallet. */
  readonly factories: ReadonlySet<Address>
  /** Gas that creating it may use. */
  readonly deploymentGas: bigint
}

/** EIP-3009 on chain: the token moves its holder's money on the word of a signature. */
export function createEip3009(options: Eip3009Options): ChainMethod {
  return {
    verify: (request, trial) => verify(request.chain, read(request), trial, options),
    async prepare({ chain, ...request }) {
      const payment = read({ chain, ...request })
      const envelope = allowedEnvelope(payment, options.factories)
      // A wallet that exists by now needs nobody to create it, whatever else its envelope would have called.
      if (envelope && (await chain.rpc.code(payment.authorization.from)) === '0x') {
        const calls = [creationOf(envelope), transferCall(payment)]
        return { to: MULTICALL3, data: encodeAggregate(calls), moreGas: options.deploymentGas }
      }
      const call = transferCall(payment)
      // Whoever hands it in, the token moves the same money; only a key's signature surely runs no code of the payer's.
      return payment.signature.length === 65 ? { payer: payment.authorization.from, ...call } : call
    },
    outcome: (request, sent, options) => chainOutcome(request.chain, read(request), sent, options),
  }
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
  options: Eip3009Options,
): Promise<Verdict> {
  const { authorization, signature, domain } = payment
  const payer = authorization.from
  const digest = authorizationDigest(chain.engine, domain, authorization)
  const token = domain.verifyingContract
  const transfer = transferCall(payment)
  const alone = { gas, ...(from ? { from } : {}), ...transfer }
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
  if (signer === 'undeployed') {
    const refusal = await judgeCreation(chain, payment, digest, alone, options)
    return refusal ? { ...refusal, payer } : { ok: true, payer }
  }
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

/**
 * Whether the named factory creates the payer, and the payer then signs and pays: all of it tried in one call, by nobody. A factory that
 * creates something else, or a key that put its own signature into an envelope, leaves no code at the payer's address that could answer.
 */
async function judgeCreation(
  chain: EvmChain,
  payment: ExactPayment,
  digest: Uint8Array,
  { from, gas }: Pick<CallRequest, 'from' | 'gas'>,
  { factories, deploymentGas }: Eip3009Options,
): Promise<Refusal | undefined> {
  const { authorization, domain } = payment
  const envelope = allowedEnvelope(payment, factories)
  if (envelope === undefined) return refuse('eip6492_factory_not_allowed')
  const calls = [
    { to: domain.verifyingContract, data: encodeAuthorizationState(authorization) },
    creationOf(envelope),
    { to: authorization.from, data: encodeIsValidSignature(digest, envelope.signature) },
    transferCall(payment),
  ]
  const most = (gas ?? 0n) + deploymentGas
  // Code that is created sees what is paid for its gas, so it is tried as it will be paid for.
  const paid = from === undefined ? {} : { from, fees: await chain.fees(most) }
  const reply = await chain.rpc.call({ to: MULTICALL3, data: encodeAggregate(calls), gas: most, ...paid })
  const [state, created, accepted, moved] = (reply.ok ? decodeAggregate(reply.data, calls.length) : undefined) ?? []
  if (!state?.ok || !created?.ok || !accepted?.ok) return refuse('smart_wallet_deployment_failed')
  if (decodeInteger(state.data) !== 0n) return refuse('invalid_exact_evm_nonce_already_used')
  if (accepted.data === '0x') return refuse('smart_wallet_deployment_failed')
  if (!isValidSignatureMagic(accepted.data)) return refuse('invalid_exact_evm_signature')
  return moved?.ok ? undefined : explainFailure(chain, payment)
}

function allowedEnvelope({ signature }: ExactPayment, factories: ReadonlySet<Address>): Erc6492 | undefined {
  const envelope = unwrapErc6492(signature)
  return envelope && factories.has(envelope.factory) ? envelope : undefined
}

function creationOf({ factory, factoryCalldata }: Erc6492): PartCall {
  return { to: factory, data: formatHex(factoryCalldata) }
}

function transferCall({ authorization, signature, domain }: ExactPayment): Omit<EvmCall, 'gas'> {
  return { to: domain.verifyingContract, data: encodeTransfer(authorization, bareSignature(signature)) }
}
