import {
  type CallGroups,
  type ChainDriver,
  type ChainOutcome,
  type InspectContext,
  type Inspection,
  type NodeStatus,
  type PaymentPayload,
  type PaymentRequirements,
  paymentId,
  refuse,
  type SchemeFacilitator,
  type SentTransaction,
  type SignedTransaction,
  sha256Hex,
  X402Error,
} from '@groat/core'
import { ASSET, NETWORK } from '../fake-chain.js'
import type { Call, SimChain, Transfer } from './sim-chain.js'

/** How a replica reaches the chain: what is asked may be lost on either way, and takes its time. */
export type Reach = <T>(method: string, work: () => T) => Promise<T>

/** The node that a replica asks. */
export type SimNode = {
  readonly reach: Reach
  /** What it says of a sequence number: the truth when absent. */
  readonly lie?: (nonce: bigint) => bigint
  /** Milliseconds by which what it says now is behind, none when absent. */
  readonly behind?: () => number
  /** Whether it can be asked what signers have for fees. */
  readonly tellsGas?: boolean
  /** How it stands, where that is known. */
  readonly standing?: () => NodeStatus
}

/** The chain as one replica has it. */
export function createSimDriver(
  chain: SimChain,
  signers: readonly string[],
  { reach, lie = (nonce) => nonce, behind = NEVER, tellsGas = false, standing }: SimNode,
): ChainDriver<Call> {
  const groups: CallGroups<Call> = {
    joins: ({ transfers }) => transfers.length > 0,
    company: (calls) => calls.slice(0, 5).map((_, at) => at),
    admits: () => reach('admits', () => true),
    join: (calls) => ({ transfers: calls.flatMap(({ transfers }) => transfers) }),
  }
  return {
    network: NETWORK,
    signers,
    groups,
    ready: () => reach('ready', () => undefined),
    nextNonce: (signer) =>
      reach('nextNonce', () => {
        let next = chain.view(behind()).next(signer)
        while ([...chain.pool.values()].some((tx) => tx.signer === signer && tx.nonce === next)) next += 1n
        return lie(next)
      }),
    minedNonce: (signer) => reach('minedNonce', () => chain.view(behind()).next(signer)),
    ...(tellsGas ? { gasBalance: (signer) => reach('gasBalance', () => (chain.dry.has(signer) ? 0n : 1n)) } : {}),
    ...(standing === undefined ? {} : { nodes: () => [standing()] }),
    head: () =>
      reach('head', () => {
        const { head, final } = chain.view(behind())
        return { latest: head.number, safe: final, final }
      }),
    blockHash: (number) => reach('blockHash', () => chain.view(behind()).blockAt(number)?.hash),
    idle: () => ({ transfers: [] }),
    sign: (call, { signer, nonce = 0n, outbids = [] }) =>
      reach('sign', (): SignedTransaction => {
        const before = outbids.map(({ details }) => Number(details?.maxFee ?? 0))
        const maxFee = Math.max(2 * chain.baseFee, ...before.map((fee) => Math.ceil((fee * 9) / 8)))
        if (maxFee > FEE_LIMIT) throw new X402Error('fee_above_limit', { network: NETWORK })
        const raw = JSON.stringify({ signer, nonce: nonce.toString(), maxFee, call })
        const hash = sha256Hex(raw)
        const payments = call.transfers.length
        const details = { maxFee, ...(payments > 1 ? { payments } : {}) }
        return { hash, signer, nonce, raw, details, maxCost: BigInt(maxFee * Math.max(1, payments)) }
      }),
    send: ({ hash, raw }) =>
      reach('send', () => {
        const { signer, nonce, maxFee, call } = JSON.parse(raw) as {
          signer: string
          nonce: string
          maxFee: number
          call: Call
        }
        return chain.accept({ hash, raw, signer, nonce: BigInt(nonce), maxFee, call })
      }),
  }
}

const FEE_LIMIT = 1000

const NEVER = () => 0

/** The scheme over it: a good signature is the word `good`. */
export function createSimScheme(
  chain: SimChain,
  driver: ChainDriver<Call>,
  { reach, behind = NEVER }: SimNode,
  invents = false,
): SchemeFacilitator<Call> {
  const transferOf = ({ payload }: PaymentPayload) => payload as unknown as Transfer & { readonly signature: string }

  function inspect(payment: PaymentPayload, offer: PaymentRequirements, at: InspectContext): Inspection {
    const { from: payer, to, value, nonce, validBefore } = transferOf(payment)
    if (to !== offer.payTo || value !== offer.amount.toString()) return { ...refuse('invalid_payload'), payer }
    const pid = paymentId([offer.network, ASSET, payer, nonce, 'exact'])
    const inspected = { ok: true, pid, payer, expiresAt: validBefore } as const
    const isLate = validBefore < at.now / 1000 + (at.minRemainingSeconds ?? 0)
    return isLate ? { ...refuse('payment_expired'), payer, late: inspected } : inspected
  }

  return {
    scheme: { name: 'exact', family: 'eip155' },
    networks: [NETWORK],
    chains: [driver],
    kinds: () => [{ x402Version: 2, scheme: 'exact', network: NETWORK }],
    inspect,
    async verify(payment, offer, at) {
      const inspected = inspect(payment, offer, at)
      if (!inspected.ok) return inspected
      const { payer } = inspected
      const { nonce, signature } = transferOf(payment)
      return reach('verify', () => {
        if (signature !== 'good') return { ...refuse('invalid_exact_evm_signature'), payer }
        const { head, state } = chain.view(behind())
        if (head.number < (at.since ?? 0n)) throw new X402Error('rpc_invalid_answer', { network: NETWORK })
        const { used, balances } = state
        if (used.has(payer + nonce)) return { ...refuse('invalid_exact_evm_nonce_already_used'), payer }
        const isEnough = (balances.get(payer) ?? 0n) >= offer.amount + (at.reserved ?? 0n)
        return isEnough ? { ok: true, payer } : { ...refuse('invalid_exact_evm_insufficient_balance'), payer }
      })
    },
    prepare: (payment) => {
      const { from, to, value, nonce, validBefore } = transferOf(payment)
      return { transfers: [{ from, to, value, nonce, validBefore }] }
    },
    outcome: (payment, offer, sent: readonly SentTransaction[]) =>
      reach('outcome', (): ChainOutcome => {
        const { from, nonce, validBefore } = transferOf(payment)
        const view = chain.view(behind())
        const found = view.logOf(from, nonce)
        if (found !== undefined) {
          const { transaction, logIndex } = found.log
          const { number: blockNumber, hash: blockHash } = found.block
          const ours = sent.some((each) => each.hash === transaction)
          const evidence = { transaction, logIndex, blockNumber, blockHash, amount: offer.amount }
          return { status: 'settled', ...evidence, ...(ours ? { fee: 1n } : {}) }
        }
        const [first] = sent
        if (invents && first !== undefined) {
          const { number: blockNumber, hash: blockHash } = view.head
          return {
            status: 'settled',
            transaction: first.hash,
            logIndex: 9,
            blockNumber,
            blockHash,
            amount: offer.amount,
          }
        }
        if (view.head.time >= (validBefore + MARGIN) * 1000)
          return { status: 'dead', refusal: refuse('payment_expired') }
        const blocks = sent.map(({ hash }) => ({ transaction: hash, blockNumber: view.blockOf(hash)?.number }))
        const failed = blocks.findLast(({ blockNumber }) => blockNumber !== undefined)
        if (failed?.blockNumber === undefined) return { status: 'pending' }
        const refusal = refuse('invalid_exact_evm_transaction_failed')
        return { status: 'reverted', ...failed, blockNumber: failed.blockNumber, refusal }
      }),
  }
}

/** Seconds by which a block has to be past a payment's end before it counts as dead: deeper than blocks are undone. */
const MARGIN = 30
