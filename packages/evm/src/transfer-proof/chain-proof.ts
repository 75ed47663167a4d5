import {
  type Clock,
  type Facilitator,
  type FacilitatorRequest,
  type Network,
  network as networkOf,
  type PaymentRequirements,
  type Receipt,
  type Refusal,
  refuse,
  type SupportedKind,
  systemClock,
  X402Error,
} from '@groat/core'
import { encodeCall } from '../abi.js'
import { chainIdOf } from '../chain-id.js'
import type { CryptoEngine } from '../crypto/engine.js'
import { nobleEngine } from '../crypto/noble.js'
import { findTransferOf } from '../exact/token.js'
import { createEvmRpc, type EvmRpc } from '../rpc.js'
import { MAX_TRANSFER_AGE_SECONDS, transferProofOnEvm } from './proof.js'
import { inspectProof, type ReadProof, readProof } from './shared.js'

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
 * proof, of the very amount, to the very recipient, in a block that stays (EVM-PROOF-006 to 009). So what settled another scheme is never a proof.
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

  /** What verification let pass is settled, however long that takes: its claim keeps the transfer from being sold again. */
  async function judge({ payment, requirements, resource }: FacilitatorRequest, isNew: boolean): Promise<Judged> {
    const inspection = inspectProof(engine, payment, requirements, { now: clock() })
    if (!inspection.ok && (isNew || inspection.late === undefined)) return inspection
    const read = readProof(payment, requirements)
    if (!read.ok) return read
    const { proof } = read
    const payer = proof.from
    const rpc = nodes.get(requirements.network)
    if (rpc === undefined) return { ...refuse('invalid_network'), payer }
    if (resource !== undefined && resource.url !== proof.resource) return { ...refuse('resource_mismatch'), payer }
    const found = await lookUp(rpc.agreed ?? rpc, read, requirements, finality)
    if ('code' in found) return { ...found, payer }
    const age = Math.floor(clock() / 1000) - Number(found.timestamp)
    if (isNew && age > MAX_TRANSFER_AGE_SECONDS) return { ...refuse('transfer_proof_too_old'), payer }
    const { network, amount } = requirements
    const extra = { logIndex: found.logIndex }
    return { ok: true, receipt: { payer, network, transaction: proof.transaction, amount, extra } }
  }

  return {
    async verify(request, options) {
      if (!isProof(request)) return facilitator.verify(request, options)
      const judged = await judge(request, true)
      return judged.ok ? { ok: true, payer: judged.receipt.payer } : judged
    },
    async settle(request, options) {
      if (!isProof(request)) return facilitator.settle(request, options)
      const judged = await judge(request, false)
      if (judged.ok) return { status: 'settled', receipt: judged.receipt }
      const { ok: _, ...refusal } = judged
      return judged.code === 'transfer_proof_not_final'
        ? { status: 'unknown', retryAfter: NOT_FINAL_RETRY_SECONDS }
        : { status: 'refused', ...refusal }
    },
    async supported(options) {
      const says = await facilitator.supported(options)
      const own = [...nodes.keys()].map(
        (network): SupportedKind => ({ x402Version: 2, scheme: transferProofOnEvm.name, network }),
      )
      return { ...says, kinds: [...says.kinds, ...own] }
    },
    settlement: async (pid, options) => facilitator.settlement?.(pid, options),
  }
}

type Judged = { readonly ok: true; readonly receipt: Receipt } | (Refusal & { readonly payer?: string })

/** Seconds after which a block may count that did not. */
const NOT_FINAL_RETRY_SECONDS = 5

const isProof = ({ payment }: FacilitatorRequest): boolean => payment.scheme === transferProofOnEvm.name

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
  const call = encodeCall(TRANSFER_CALL, payTo, amount)
  const isOrdinary = transaction.to === token && transaction.data.toLowerCase().startsWith(call.toLowerCase())
  const log = findTransferOf(receipt.logs, token, { from: proof.from, to: payTo, value: amount })
  if (!receipt.success || !isOrdinary || log === undefined) return refuse('transfer_proof_mismatch')
  const [block, isDeep] = await Promise.all([
    rpc.block(receipt.blockNumber),
    isFinal(rpc, receipt.blockNumber, finality),
  ])
  if (!isDeep || block?.hash !== receipt.blockHash || block.timestamp === undefined) {
    return refuse('transfer_proof_not_final')
  }
  return { logIndex: log.logIndex, timestamp: block.timestamp }
}

/** `transfer(address,uint256)` */
const TRANSFER_CALL = '0xa9059cbb'

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
