import {
  type ChainDriver,
  type ChainOutcome,
  type FacilitatorRequest,
  type InspectContext,
  type Inspection,
  type Network,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  paymentId,
  refuse,
  type SchemeFacilitator,
  type SendOutcome,
  type SentTransaction,
  type SignedTransaction,
  sha256Hex,
  type Verdict,
  type VerifyOptions,
  X402Error,
} from '@groat/core'

/** What the fake token is asked to do. */
type Transfer = {
  readonly from: string
  readonly to: string
  readonly value: string
  readonly nonce: string
  readonly validBefore: number
}

type Tx = { readonly hash: string; readonly signer: string; readonly nonce: bigint; readonly call: Transfer }
type Log = {
  readonly transaction: string
  readonly logIndex: number
  readonly block: bigint
  readonly transfer: Transfer
}

/** A call to the node that a test may disturb. `after`: the node has done its work, and the answer is lost. */
export type Disturb = (method: string, when: 'before' | 'after') => void | Promise<void>

export const NETWORK = network('eip155:84532')
export const ASSET = '0x036cbd53842c5426634e7929541ec2318f3dcf7e'
export const SELLER = '0x00000000000000000000000000000000000000aa'
export const PAYER = '0x00000000000000000000000000000000000000bb'

/**
 * A small honest chain with one token: accounts, sequence numbers, a pool, blocks. It does what a node does, and nothing to please us:
 * a transaction whose payment was used reverts, a gap in the sequence waits, a hash that is not in a block has no receipt.
 */
export class FakeChain implements ChainDriver<Transfer> {
  readonly network: Network
  readonly signers: readonly string[]
  readonly balances = new Map<string, bigint>([[PAYER, 1_000_000n]])
  readonly logs: Log[] = []
  /** Hash to what became of it. */
  readonly receipts = new Map<string, 'ok' | 'reverted'>()
  readonly pool = new Map<string, Tx>()
  readonly sequence = new Map<string, bigint>()
  /** Every transaction that ever reached the node. */
  readonly seen: Tx[] = []
  readonly used = new Set<string>()
  block = 1n
  /** Mine as soon as something arrives. */
  automine = true
  disturb: Disturb = () => {}
  /** What the node says to bytes it will not take. */
  rejects: SendOutcome | undefined
  clock = () => Date.now()

  constructor(signers: readonly string[] = ['0x00000000000000000000000000000000000000f1'], network: Network = NETWORK) {
    this.signers = signers
    this.network = network
  }

  ready = () => this.node('ready', () => undefined)

  nextNonce = (signer: string) => this.node('nextNonce', () => this.sequence.get(signer) ?? 0n)

  minedNonce = (signer: string) => this.node('minedNonce', () => this.sequence.get(signer) ?? 0n)

  sign = (call: Transfer, as: { readonly signer: string; readonly nonce?: bigint }) =>
    this.node('sign', (): SignedTransaction => {
      const { signer, nonce = 0n } = as
      const raw = JSON.stringify({ signer, nonce: nonce.toString(), call })
      return { hash: sha256Hex(raw), signer, nonce, raw }
    })

  send = ({ hash, raw }: SignedTransaction) =>
    this.node('send', (): SendOutcome => {
      if (this.receipts.has(hash)) return { status: 'nonce_taken' }
      if (this.rejects !== undefined) return this.rejects
      const { signer, nonce, call } = JSON.parse(raw) as { signer: string; nonce: string; call: Transfer }
      return this.accept({ hash, signer, nonce: BigInt(nonce), call })
    })

  /** Takes a transaction of anybody, as the gossip would. */
  accept(tx: Tx): SendOutcome {
    if (tx.nonce < (this.sequence.get(tx.signer) ?? 0n)) return { status: 'nonce_taken' }
    if (!this.pool.has(tx.hash)) this.seen.push(tx)
    this.pool.set(tx.hash, tx)
    if (this.automine) this.mine()
    return { status: 'accepted' }
  }

  /** One block with everything that can run. */
  mine(): void {
    this.block += 1n
    let index = 0
    for (let ran = true; ran; ) {
      ran = false
      for (const tx of this.pool.values()) {
        const next = this.sequence.get(tx.signer) ?? 0n
        if (tx.nonce < next) this.pool.delete(tx.hash)
        if (tx.nonce !== next) continue
        this.pool.delete(tx.hash)
        this.sequence.set(tx.signer, next + 1n)
        const ok = this.run(tx.call)
        this.receipts.set(tx.hash, ok ? 'ok' : 'reverted')
        if (ok) {
          this.logs.push({ transaction: tx.hash, logIndex: index, block: this.block, transfer: tx.call })
          index += 1
        }
        ran = true
      }
    }
  }

  balance(account: string): bigint {
    return this.balances.get(account) ?? 0n
  }

  private run({ from, to, value, nonce, validBefore }: Transfer): boolean {
    const amount = BigInt(value)
    if (this.used.has(from + nonce) || this.balance(from) < amount || this.clock() >= validBefore * 1000) return false
    this.used.add(from + nonce)
    this.balances.set(from, this.balance(from) - amount)
    this.balances.set(to, this.balance(to) + amount)
    return true
  }

  async node<T>(method: string, work: () => T): Promise<T> {
    await new Promise(setImmediate)
    await this.disturb(method, 'before')
    const answer = work()
    await this.disturb(method, 'after')
    return answer
  }
}

/** The scheme over it. A good signature is the word `good`, and the token calls itself Fake Dollar. */
export function createFakeScheme(chain: FakeChain): SchemeFacilitator<Transfer> {
  function inspect(payment: PaymentPayload, offer: PaymentRequirements, at: InspectContext): Inspection {
    const transfer = transferOf(payment)
    const { from: payer, nonce, validBefore } = transfer
    if (typeof payer !== 'string' || typeof nonce !== 'string' || !Number.isSafeInteger(validBefore)) {
      return refuse('invalid_payload', 'payload')
    }
    if (offer.asset !== ASSET) return { ...refuse('asset_not_allowed'), payer }
    if (transfer.to !== offer.payTo) return { ...refuse('invalid_exact_evm_recipient_mismatch'), payer }
    if (transfer.value !== offer.amount.toString()) {
      return { ...refuse('invalid_exact_evm_payload_authorization_value_mismatch'), payer }
    }
    const pid = paymentId([offer.network, offer.asset, payer, transfer.nonce, 'exact'])
    const inspected = { ok: true, pid, payer, expiresAt: transfer.validBefore } as const
    return transfer.validBefore < at.now / 1000 + (at.minRemainingSeconds ?? 0)
      ? { ...refuse('invalid_exact_evm_payload_authorization_valid_before'), payer, late: inspected }
      : inspected
  }

  return {
    scheme: { name: 'exact', family: 'eip155' },
    networks: [chain.network],
    chains: [chain],
    kinds: () => [
      { x402Version: 2, scheme: 'exact', network: chain.network },
      { x402Version: 1, scheme: 'exact', network: chain.network },
    ],
    inspect,
    async verify(payment, offer, at: VerifyOptions): Promise<Verdict> {
      const inspected = inspect(payment, offer, at)
      if (!inspected.ok) return inspected
      const { payer } = inspected
      const transfer = transferOf(payment)
      return chain.node('verify', () => {
        if (payment.payload.signature !== 'good') return { ...refuse('invalid_exact_evm_signature'), payer }
        if (offer.extra.name !== 'Fake Dollar') return { ...refuse('invalid_exact_evm_token_name_mismatch'), payer }
        if (chain.used.has(payer + transfer.nonce)) return { ...refuse('invalid_exact_evm_nonce_already_used'), payer }
        if (chain.balance(payer) < offer.amount + (at.reserved ?? 0n))
          return { ...refuse('invalid_exact_evm_insufficient_balance'), payer }
        return { ok: true, payer }
      })
    },
    prepare: (payment) => transferOf(payment),
    async outcome(payment, offer, sent: readonly SentTransaction[]): Promise<ChainOutcome> {
      const transfer = transferOf(payment)
      return chain.node('outcome', () => {
        const log = chain.logs.find(
          (each) => each.transfer.from + each.transfer.nonce === transfer.from + transfer.nonce,
        )
        if (log !== undefined) {
          if (log.transfer.to !== offer.payTo || log.transfer.value !== offer.amount.toString()) {
            return { status: 'dead', refusal: refuse('payment_already_used') }
          }
          const { transaction, logIndex, block } = log
          const blockHash = sha256Hex(block.toString())
          return { status: 'settled', transaction, logIndex, blockNumber: block, blockHash, amount: offer.amount }
        }
        if (chain.used.has(transfer.from + transfer.nonce))
          return { status: 'dead', refusal: refuse('payment_already_used') }
        if (chain.clock() >= transfer.validBefore * 1000) return { status: 'dead', refusal: refuse('payment_expired') }
        const failed = sent.findLast(({ hash }) => chain.receipts.get(hash) === 'reverted')
        if (failed === undefined) return { status: 'pending' }
        const refusal = refuse('invalid_exact_evm_transaction_failed')
        return { status: 'reverted', transaction: failed.hash, refusal }
      })
    },
  }
}

let payments = 0

/** A payment that nobody has seen before. */
export function makePayment(
  change: Partial<Transfer> & { readonly signature?: string } = {},
  terms: Partial<PaymentRequirements> = {},
): FacilitatorRequest {
  payments += 1
  const requirements: PaymentRequirements = {
    scheme: 'exact',
    network: NETWORK,
    amount: 1000n,
    asset: ASSET,
    payTo: SELLER,
    maxTimeoutSeconds: 60,
    extra: { name: 'Fake Dollar', version: '2' },
    ...terms,
  }
  const transfer = {
    from: PAYER,
    to: SELLER,
    value: '1000',
    nonce: `0x${payments.toString(16).padStart(64, '0')}`,
    validBefore: Math.floor(Date.now() / 1000) + 60,
    signature: 'good',
    ...change,
  }
  const payment: PaymentPayload = {
    x402Version: 2,
    scheme: 'exact',
    network: NETWORK,
    accepted: requirements,
    payload: transfer,
  }
  return { payment, requirements }
}

/** The transfer inside a payment; a test may have put anything there. */
function transferOf({ payload }: PaymentPayload): Transfer {
  const { from, to, value, nonce, validBefore } = payload
  return { from, to, value, nonce, validBefore } as Transfer
}

/** What a node says that cannot be reached. */
export function unreachable(): X402Error {
  return new X402Error('rpc_unreachable', { network: NETWORK })
}
