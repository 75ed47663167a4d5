import {
  type Clock,
  type Facilitator,
  type FacilitatorRequest,
  type JudgedTransfer,
  MAX_TRANSFER_AGE_SECONDS,
  type Network,
  network as networkOf,
  type PaymentRequirements,
  type Refusal,
  refuse,
  systemClock,
  withTransferJudge,
  X402Error,
} from '@groat/core'
import { chainIdOf } from '../chain-id.js'
import type { CryptoEngine } from '../crypto/engine.js'
import { nobleEngine } from '../crypto/noble.js'
import { createEvmRpc, type EvmRpc } from '../rpc.js'
import { acceptsSignature } from '../wallet.js'
import { findOrdinaryTransfer } from './ordinary-transfer.js'
import { transferProofDigest, transferProofOnEvm } from './proof.js'
import { inspectProof, isSignedByKey, type ReadProof, readProof } from './shared.js'

/** Nodes by network: URLs, or a connection of your own. Where several are named, two have to say the same. */
export type ProofChains = Readonly<Record<string, string | readonly [string, ...string[]] | EvmRpc>>

/** Where transfers are looked for, and when they count. */
export type TransferProofOptions = {
  readonly chains: ProofChains
  /** When a block counts: the chain's own `safe` or `finalized` one, or a number of blocks on top of it. Default `safe`. */
  readonly finality?: 'safe' | 'finalized' | number
  readonly clock?: Clock
  readonly engine?: CryptoEngine
}

/**
 * A facilitator that looks proven transfers up by itself, and has another one do all else. It sends nothing and keeps nothing: that a transfer is
 * sold once is the claim store's affair. An ordinary transfer counts and nothing else: a call of the token's `transfer`, from the account that signs the
 * proof, of the very amount, to the very recipient, in a block that stays (EVM-PROOF-006 to 009, 013). So what settled another scheme is never a proof.
 * Contract wallets are asked about their signatures (ERC-1271).
 *
 * `verify` and `settle` refuse what `inspectProof` refuses, `transfer_proof_mismatch` and `transfer_proof_too_old`. A transfer that cannot be seen yet is
 * `transfer_proof_not_final` from `verify` and `unknown` from `settle`. Throws `X402Error` `invalid_network`, `rpc_unreachable` and the like.
 *
 * @example
 * const facilitator = withTransferProofs(createFacilitatorClient('https://pay.example'), { chains: { base: 'https://rpc.example' } })
 */
export function withTransferProofs(
  facilitator: Facilitator,
  { chains, finality = 'safe', clock = systemClock, engine = nobleEngine }: TransferProofOptions,
): Facilitator {
  const nodes = new Map(Object.entries(chains).map(([name, rpc]) => nodeOf(name, rpc)))
  if (typeof finality === 'number' && !(Number.isSafeInteger(finality) && finality >= 0)) {
    throw new X402Error('invalid_config', { field: 'finality', value: finality })
  }

  async function judge(
    { payment, requirements, resource }: FacilitatorRequest,
    isNew: boolean,
  ): Promise<JudgedTransfer> {
    const inspection = inspectProof(engine, payment, requirements, { now: clock(), byContract: true })
    if (!inspection.ok && (isNew || inspection.late === undefined)) return inspection
    const read = readProof(payment, requirements)
    if (!read.ok) return read
    const { proof } = read
    const payer = proof.from
    const rpc = nodes.get(requirements.network)
    if (rpc === undefined) return { ...refuse('invalid_network'), payer }
    if (resource !== undefined && resource.url !== proof.resource) return { ...refuse('resource_mismatch'), payer }
    const chain = { rpc: rpc.agreed ?? rpc, engine }
    if (!isSignedByKey(engine, read)) {
      const digest = transferProofDigest(engine, read, proof)
      const isWallets = await acceptsSignature(chain, { payer, digest, signature: read.signature })
      if (!isWallets) return { ...refuse('invalid_transfer_proof_signature'), payer }
    }
    const found = await lookUp(chain.rpc, read, requirements, finality)
    if ('code' in found) return { ...found, payer }
    const age = Math.floor(clock() / 1000) - Number(found.timestamp)
    if (isNew && age > MAX_TRANSFER_AGE_SECONDS) return { ...refuse('transfer_proof_too_old'), payer }
    const { network, amount } = requirements
    const extra = { logIndex: found.logIndex }
    return { ok: true, receipt: { payer, network, transaction: proof.transaction, amount, extra } }
  }

  return withTransferJudge(facilitator, { scheme: transferProofOnEvm.name, networks: [...nodes.keys()], judge })
}

type Found = { readonly logIndex: number; readonly timestamp: bigint }

/** The transfer, in a block that stays. */
async function lookUp(
  rpc: EvmRpc,
  { proof, token, payTo }: ReadProof,
  { amount }: PaymentRequirements,
  finality: NonNullable<TransferProofOptions['finality']>,
): Promise<Found | Refusal> {
  const [receipt, transaction] = await Promise.all([rpc.receipt(proof.transaction), rpc.transaction(proof.transaction)])
  // Nobody can tell a transaction that is not there yet from one that never will be.
  if (receipt === undefined || transaction === undefined) return refuse('transfer_proof_not_final')
  const log = findOrdinaryTransfer(transaction, receipt, { token, from: proof.from, to: payTo, value: amount })
  if (log === undefined) return refuse('transfer_proof_mismatch')
  const [block, isDeep] = await Promise.all([
    rpc.block(receipt.blockNumber),
    isFinal(rpc, receipt.blockNumber, finality),
  ])
  if (!isDeep || block?.hash !== receipt.blockHash || block.timestamp === undefined) {
    return refuse('transfer_proof_not_final')
  }
  return { logIndex: log.logIndex, timestamp: block.timestamp }
}

async function isFinal(rpc: EvmRpc, height: bigint, finality: NonNullable<TransferProofOptions['finality']>) {
  if (typeof finality !== 'number') {
    const last = await rpc.block(finality)
    if (last !== undefined) return last.number >= height
  }
  const depth = typeof finality === 'number' ? BigInt(finality) : FINAL_DEPTH
  return (await rpc.latestBlock()).number >= height + depth
}

/** Blocks on top that make a block final where the chain has no notion of that. */
const FINAL_DEPTH = 64n

function nodeOf(name: string, rpc: ProofChains[string]): readonly [Network, EvmRpc] {
  const network = networkOf(name)
  const chainId = chainIdOf(network)
  if (chainId === undefined) throw new X402Error('invalid_network', { network: name })
  if (typeof rpc === 'object' && 'receipt' in rpc) return [network, rpc]
  return [network, createEvmRpc({ urls: typeof rpc === 'string' ? [rpc] : rpc, chainId })]
}
