import {
  type CallGroups,
  type ChainDriver,
  type ChainOutcome,
  type InspectContext,
  type Inspection,
  type PaymentPayload,
  type PaymentRequirements,
  paymentId,
  refuse,
  type SchemeFacilitator,
  type SendOutcome,
  type SentTransaction,
  type SignedTransaction,
  sha256Hex,
  X402Error,
} from '@groat/core'
import { ASSET, NETWORK } from '../fake-chain.js'

/** What the token is asked to do. */
export type Transfer = {
  readonly from: string
  readonly to: string
  readonly value: string
  readonly nonce: string
  readonly validBefore: number
}

/** Transfers that travel in one transaction, each allowed to fail. */
export type Call = { readonly transfers: readonly Transfer[] }

export type Tx = {
  readonly hash: string
  readonly raw: string
  readonly signer: string
  readonly nonce: bigint
  readonly maxFee: number
  readonly call: Call
}

type Log = { readonly logIndex: number; readonly transfer: Transfer; readonly transaction: string }
type Block = {
  readonly number: bigint
  readonly hash: string
  readonly time: number
  readonly txs: readonly { readonly tx: Tx; readonly ok: boolean }[]
  readonly logs: readonly Log[]
  readonly before: State
}
type State = {
  readonly balances: Map<string, bigint>
  readonly used: Set<string>
  readonly sequence: Map<string, bigint>
}

/**
 * A chain in memory: accounts with sequence numbers, a pool, blocks with a base fee, one token. It does what chains do and nothing to please:
 * gaps wait, a used payment fails, what pays too little stays in the pool, blocks can be undone and another history put in their place.
 */
export class SimChain {
  blocks: Block[] = []
  state: State
  readonly pool = new Map<string, Tx>()
  /** Every transaction that ever reached a node, and when. */
  readonly seen = new Map<string, { readonly tx: Tx; readonly at: number }>()
  /** Transfers of undone blocks, since when, and until when they were in none. */
  readonly undone: { readonly transfer: Transfer; readonly from: number; until: number }[] = []
  baseFee = 10
  /** Up to here nothing is ever undone, whatever happens above. */
  final = 0n
  readonly #clock: () => number
  #forks = 0

  constructor(clock: () => number, balances: ReadonlyMap<string, bigint>) {
    this.#clock = clock
    this.state = { balances: new Map(balances), used: new Set(), sequence: new Map() }
    this.mine()
  }

  get head(): Block {
    const head = this.blocks.at(-1)
    if (head === undefined) throw new Error('no blocks')
    return head
  }

  accept(tx: Tx): SendOutcome {
    if (!this.seen.has(tx.hash)) this.seen.set(tx.hash, { tx, at: this.#clock() })
    if (this.find(tx.hash) !== undefined) return { status: 'accepted' }
    if (tx.nonce < (this.state.sequence.get(tx.signer) ?? 0n)) return { status: 'nonce_taken' }
    const rival = [...this.pool.values()].find(({ signer, nonce }) => signer === tx.signer && nonce === tx.nonce)
    if (rival !== undefined && rival.hash !== tx.hash) {
      if (tx.maxFee * 8 < rival.maxFee * 9) return { status: 'rejected', code: 'fee_above_limit' }
      this.pool.delete(rival.hash)
    }
    this.pool.set(tx.hash, tx)
    return { status: 'accepted' }
  }

  /** One block with everything that can run and pays for it. */
  mine(): void {
    const { balances, used, sequence } = this.state
    const before = { balances: new Map(balances), used: new Set(used), sequence: new Map(sequence) }
    const txs: { tx: Tx; ok: boolean }[] = []
    const logs: Log[] = []
    for (let ran = true; ran; ) {
      ran = false
      for (const tx of this.pool.values()) {
        const next = sequence.get(tx.signer) ?? 0n
        if (tx.nonce < next) this.pool.delete(tx.hash)
        if (tx.nonce !== next || tx.maxFee < this.baseFee) continue
        this.pool.delete(tx.hash)
        sequence.set(tx.signer, next + 1n)
        const moved = tx.call.transfers.filter((transfer) => this.#move(transfer))
        for (const transfer of moved) logs.push({ logIndex: logs.length, transfer, transaction: tx.hash })
        txs.push({ tx, ok: moved.length > 0 || tx.call.transfers.length !== 1 })
        ran = true
      }
    }
    const number = BigInt(this.blocks.length)
    const time = this.#clock()
    const parent = this.blocks.at(-1)?.hash ?? ''
    const hash = sha256Hex(`${parent} ${number} ${time} ${this.#forks} ${txs.map(({ tx }) => tx.hash).join()}`)
    this.blocks.push({ number, hash, time, txs, logs, before })
    if (number - FINAL_DEPTH > this.final) this.final = number - FINAL_DEPTH
    for (const gone of this.undone) {
      if (logs.some(({ transfer }) => transfer.nonce === gone.transfer.nonce)) gone.until = Math.min(gone.until, time)
    }
  }

  /** Undoes so many blocks, as far as they are not final; what was in them goes back into the pool, where `keeps` says so. */
  undo(depth: number, keeps: () => boolean): void {
    for (let count = 0; count < depth && this.head.number > this.final; count++) {
      const gone = this.blocks.pop()
      if (gone === undefined) return
      this.#forks += 1
      this.state = gone.before
      for (const { transfer } of gone.logs) {
        this.undone.push({ transfer, from: this.#clock(), until: Number.POSITIVE_INFINITY })
      }
      for (const { tx } of gone.txs) if (keeps()) this.pool.set(tx.hash, tx)
    }
  }

  find(hash: string): { readonly block: Block; readonly ok: boolean } | undefined {
    for (const block of this.blocks) {
      const found = block.txs.find(({ tx }) => tx.hash === hash)
      if (found !== undefined) return { block, ok: found.ok }
    }
    return undefined
  }

  balance(account: string): bigint {
    return this.state.balances.get(account) ?? 0n
  }

  /** Money that moves without a payment. */
  take(from: string, amount: bigint): void {
    this.state.balances.set(from, this.balance(from) - amount)
  }

  #move({ from, to, value, nonce, validBefore }: Transfer): boolean {
    const amount = BigInt(value)
    if (this.state.used.has(from + nonce) || this.balance(from) < amount || this.#clock() >= validBefore * 1000)
      return false
    this.state.used.add(from + nonce)
    this.state.balances.set(from, this.balance(from) - amount)
    this.state.balances.set(to, this.balance(to) + amount)
    return true
  }
}

/** How a replica reaches the chain: what is asked may be lost on either way, and takes its time. */
export type Reach = <T>(method: string, work: () => T) => Promise<T>

/** The chain as one replica has it. `lie` may change what a node says of sequence numbers. */
export function createSimDriver(
  chain: SimChain,
  signers: readonly string[],
  reach: Reach,
  lie: (nonce: bigint) => bigint,
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
        let next = chain.state.sequence.get(signer) ?? 0n
        while ([...chain.pool.values()].some((tx) => tx.signer === signer && tx.nonce === next)) next += 1n
        return lie(next)
      }),
    minedNonce: (signer) => reach('minedNonce', () => chain.state.sequence.get(signer) ?? 0n),
    head: () =>
      reach('head', () => {
        const { final } = chain
        return { latest: chain.head.number, safe: final, final }
      }),
    blockHash: (number) => reach('blockHash', () => chain.blocks[Number(number)]?.hash),
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

/** Blocks after which none is undone any more. */
const FINAL_DEPTH = 6n

const FEE_LIMIT = 1000

/** The scheme over it: a good signature is the word `good`. */
export function createSimScheme(
  chain: SimChain,
  driver: ChainDriver<Call>,
  reach: Reach,
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
        if (chain.state.used.has(payer + nonce)) return { ...refuse('invalid_exact_evm_nonce_already_used'), payer }
        const isEnough = chain.balance(payer) >= offer.amount + (at.reserved ?? 0n)
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
        for (const { number, hash, logs } of chain.blocks) {
          const log = logs.find(({ transfer }) => transfer.from === from && transfer.nonce === nonce)
          if (log === undefined) continue
          const { transaction, logIndex } = log
          const ours = sent.some((each) => each.hash === transaction)
          const found = { transaction, logIndex, blockNumber: number, blockHash: hash, amount: offer.amount }
          return { status: 'settled', ...found, ...(ours ? { fee: 1n } : {}) }
        }
        const [first] = sent
        if (invents && first !== undefined) {
          const { number: blockNumber, hash: blockHash } = chain.head
          return {
            status: 'settled',
            transaction: first.hash,
            logIndex: 9,
            blockNumber,
            blockHash,
            amount: offer.amount,
          }
        }
        if (chain.head.time >= (validBefore + MARGIN) * 1000)
          return { status: 'dead', refusal: refuse('payment_expired') }
        const failed = sent.findLast(({ hash }) => chain.find(hash) !== undefined)
        if (failed === undefined) return { status: 'pending' }
        const refusal = refuse('invalid_exact_evm_transaction_failed')
        return { status: 'reverted', transaction: failed.hash, refusal }
      }),
  }
}

/** Seconds by which a block has to be past a payment's end before it counts as dead: deeper than blocks are undone. */
const MARGIN = 30
