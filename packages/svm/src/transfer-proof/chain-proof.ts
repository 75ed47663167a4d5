import {
  type Clock,
  type Facilitator,
  type FacilitatorRequest,
  type JudgedTransfer,
  MAX_TRANSFER_AGE_SECONDS,
  type Network,
  network as networkOf,
  type Refusal,
  refuse,
  systemClock,
  withTransferJudge,
  X402Error,
} from '@groat/core'
import { isSvmNetwork } from '../network.js'
import { type Commitment, createSvmRpc, type SvmRpc } from '../rpc.js'
import { findOrdinaryTransfer } from './ordinary-transfer.js'
import { transferProofOnSvm } from './proof.js'
import { inspectProof, isSigned, type ReadProof, readProof } from './shared.js'

/** Nodes by network: URLs, or a connection of your own, which knows by itself how sure a block must be. */
export type ProofChains = Readonly<Record<string, string | readonly [string, ...string[]] | SvmRpc>>

/** Where transfers are looked for, and when they count. */
export type TransferProofOptions = {
  readonly chains: ProofChains
  /** How sure a block must be to count; `finalized` unless told, some 13 seconds behind the newest. */
  readonly commitment?: Commitment
  readonly clock?: Clock
}

/**
 * A facilitator that looks proven transfers up by itself, and has another one do all else. It sends nothing and keeps nothing: that a transfer is
 * sold once is the claim store's affair. An ordinary transfer counts and nothing else: an instruction of the token program, to the associated token account
 * of the very recipient, in a transaction whose fee the sender pays, by which that account grew by the very amount (SVM-PROOF-006 to 009). So what a
 * facilitator settled is never a proof: nobody else pays for it.
 *
 * `verify` and `settle` refuse what `inspectProof` refuses, `invalid_transfer_proof_signature`, `transfer_proof_mismatch` and `transfer_proof_too_old`. A transfer
 * that cannot be seen yet is `transfer_proof_not_final` from `verify` and `unknown` from `settle`. Throws `X402Error` `invalid_network`, `rpc_unreachable` and the like.
 *
 * @example
 * const facilitator = withTransferProofs(createFacilitatorClient('https://pay.example'), { chains: { solana: 'https://rpc.example' } })
 */
export function withTransferProofs(
  facilitator: Facilitator,
  { chains, commitment = 'finalized', clock = systemClock }: TransferProofOptions,
): Facilitator {
  const nodes = new Map(Object.entries(chains).map(([name, rpc]) => nodeOf(name, rpc, commitment)))

  async function judge(
    { payment, requirements, resource }: FacilitatorRequest,
    isNew: boolean,
  ): Promise<JudgedTransfer> {
    const inspection = inspectProof(payment, requirements, { now: clock() })
    if (!inspection.ok && (isNew || inspection.late === undefined)) return inspection
    const read = readProof(payment, requirements)
    if (!read.ok) return read
    const { proof } = read
    const { from: payer, transaction, network } = proof
    if (!(await isSigned(read))) return { ...refuse('invalid_transfer_proof_signature'), payer }
    const rpc = nodes.get(network)
    if (rpc === undefined) return { ...refuse('invalid_network'), payer }
    if (resource !== undefined && resource.url !== proof.resource) return { ...refuse('resource_mismatch'), payer }
    const found = await lookUp(rpc, read, requirements.amount)
    if ('code' in found) return { ...found, payer }
    const age = Math.floor(clock() / 1000) - Number(found.time)
    if (isNew && age > MAX_TRANSFER_AGE_SECONDS) return { ...refuse('transfer_proof_too_old'), payer }
    const extra = { logIndex: found.index }
    return { ok: true, receipt: { payer, network, transaction, amount: requirements.amount, extra } }
  }

  return withTransferJudge(facilitator, { scheme: transferProofOnSvm.name, networks: [...nodes.keys()], judge })
}

/** Which token account grew, and when: seconds since 1970. */
type Found = { readonly index: number; readonly time: bigint }

/** The transfer, in a block that is as sure as the connection asks. */
async function lookUp(rpc: SvmRpc, { proof, from, mint, payTo }: ReadProof, amount: bigint): Promise<Found | Refusal> {
  const landed = await rpc.transaction(proof.transaction)
  // Nobody can tell a transaction that is not there yet from one that never will be.
  if (landed?.time === undefined) return refuse('transfer_proof_not_final')
  const index = findOrdinaryTransfer(landed, { mint, from, to: payTo, value: amount })
  return index === undefined ? refuse('transfer_proof_mismatch') : { index, time: landed.time }
}

function nodeOf(name: string, rpc: ProofChains[string], commitment: Commitment): readonly [Network, SvmRpc] {
  const network = networkOf(name)
  if (!isSvmNetwork(network)) throw new X402Error('invalid_network', { network: name })
  if (typeof rpc === 'object' && 'simulate' in rpc) return [network, rpc]
  return [network, createSvmRpc({ urls: typeof rpc === 'string' ? [rpc] : rpc, network, commitment })]
}
