import { type SendOutcome, sha256Hex } from '@groat/core'

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
export type Block = {
  readonly number: bigint
  readonly hash: string
  readonly time: number
  readonly txs: readonly { readonly tx: Tx; readonly ok: boolean }[]
  readonly logs: readonly Log[]
  readonly parent: Block | undefined
  readonly before: State
  readonly after: State
}
/** Never changed, only replaced: blocks in which nothing runs share it. */
type State = {
  readonly balances: ReadonlyMap<string, bigint>
  readonly used: ReadonlySet<string>
  readonly sequence: ReadonlyMap<string, bigint>
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
  /** Branches that were given up: when, and how high they were. */
  readonly givenUp: { readonly at: number; readonly height: bigint }[] = []
  /** Signers that have nothing for fees, and those that have too little. */
  readonly dry = new Set<string>()
  readonly short = new Set<string>()
  baseFee = 10
  /** Up to here nothing is ever undone, whatever happens above. */
  final = 0n
  readonly #clock: () => number
  readonly #finalAfter: number
  #forks = 0
  /** The blocks in which something ran. */
  readonly #busy: Block[] = []
  /** Every newest block that there was, since when, and what was final then. */
  readonly #heads: { readonly at: number; readonly head: Block; readonly final: bigint }[] = []

  /** `finalAfter`: milliseconds before which nothing is final, however deep it is. */
  constructor(clock: () => number, balances: ReadonlyMap<string, bigint>, finalAfter = 0) {
    this.#clock = clock
    this.#finalAfter = finalAfter
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
    if (tx.nonce < (this.state.sequence.get(tx.signer) ?? 0n)) return { status: 'nonce_taken' }
    const isPoor = this.dry.has(tx.signer) || this.short.has(tx.signer)
    if (isPoor && !this.pool.has(tx.hash)) return { status: 'rejected', code: 'signer_out_of_gas' }
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
    const before = this.state
    const { txs, logs } = this.#canRun() ? this.#run() : NOTHING
    const number = BigInt(this.blocks.length)
    const time = this.#clock()
    const parent = this.blocks.at(-1)
    const place = `${parent?.hash ?? ''} ${number} ${time} ${this.#forks}`
    const hash = sha256Hex(`${place} ${txs.map(({ tx }) => tx.hash).join()}`)
    const block = { number, hash, time, txs, logs, parent, before, after: this.state }
    this.blocks.push(block)
    if (txs.length > 0) this.#busy.push(block)
    this.#finish(number - FINAL_DEPTH, time - this.#finalAfter)
    this.#remember(time)
    if (logs.length === 0) return
    for (const gone of this.undone) {
      if (logs.some(({ transfer }) => transfer.nonce === gone.transfer.nonce)) gone.until = Math.min(gone.until, time)
    }
  }

  /** Undoes so many blocks, as far as they are not final; what was in them goes back into the pool, where `keeps` says so. */
  undo(depth: number, keeps: () => boolean): void {
    this.givenUp.push({ at: this.#clock(), height: this.head.number })
    for (let count = 0; count < depth && this.head.number > this.final; count++) {
      const gone = this.blocks.pop()
      if (gone === undefined) return
      if (this.#busy.at(-1) === gone) this.#busy.pop()
      this.#forks += 1
      this.state = gone.before
      for (const { transfer } of gone.logs) {
        this.undone.push({ transfer, from: this.#clock(), until: Number.POSITIVE_INFINITY })
      }
      for (const { tx } of gone.txs) if (keeps()) this.pool.set(tx.hash, tx)
    }
    this.#remember(this.#clock())
  }

  /** As it was so many milliseconds ago: a node that is behind may show blocks that are undone by now. */
  view(behind: number): View {
    if (behind <= 0) return new View(this.blocks, this.#busy, this)
    const { head, final } = this.#headAt(this.#clock() - behind)
    return new View(this.blocks, this.#busy, { head, final, state: head.after })
  }

  balance(account: string): bigint {
    return this.state.balances.get(account) ?? 0n
  }

  /** Money that moves without a payment. */
  take(from: string, amount: bigint): void {
    const balances = new Map(this.state.balances)
    this.state = { ...this.state, balances: balances.set(from, this.balance(from) - amount) }
  }

  #finish(deep: bigint, old: number): void {
    for (;;) {
      const next = this.blocks[Number(this.final) + 1]
      if (next === undefined || next.number > deep || next.time > old) return
      this.final = next.number
    }
  }

  #headAt(at: number): Pick<View, 'head' | 'final'> {
    return this.#heads.findLast((each) => each.at <= at) ?? this.#heads[0] ?? this
  }

  #remember(at: number): void {
    this.#heads.push({ at, head: this.head, final: this.final })
    // What is older than any node is behind is shown by none.
    if (this.#heads.length > 2 * MOST_HEADS) this.#heads.splice(0, MOST_HEADS)
  }

  /** Whether something in the pool can run and pays for it. What waits for a fee does so through thousands of blocks. */
  #canRun(): boolean {
    for (const tx of this.pool.values()) {
      const next = this.state.sequence.get(tx.signer) ?? 0n
      if (tx.nonce === next && tx.maxFee >= this.baseFee) return true
      if (tx.nonce < next) this.pool.delete(tx.hash)
    }
    return false
  }

  #run(): Pick<Block, 'txs' | 'logs'> {
    const balances = new Map(this.state.balances)
    const used = new Set(this.state.used)
    const sequence = new Map(this.state.sequence)
    const txs: { tx: Tx; ok: boolean }[] = []
    const logs: Log[] = []
    const move = ({ from, to, value, nonce, validBefore }: Transfer) => {
      const amount = BigInt(value)
      const balance = balances.get(from) ?? 0n
      if (used.has(from + nonce) || balance < amount || this.#clock() >= validBefore * 1000) return false
      used.add(from + nonce)
      balances.set(from, balance - amount)
      balances.set(to, (balances.get(to) ?? 0n) + amount)
      return true
    }
    for (let ran = true; ran; ) {
      ran = false
      for (const tx of this.pool.values()) {
        const next = sequence.get(tx.signer) ?? 0n
        if (tx.nonce < next) this.pool.delete(tx.hash)
        if (tx.nonce !== next || tx.maxFee < this.baseFee) continue
        this.pool.delete(tx.hash)
        sequence.set(tx.signer, next + 1n)
        const moved = tx.call.transfers.filter(move)
        for (const transfer of moved) logs.push({ logIndex: logs.length, transfer, transaction: tx.hash })
        txs.push({ tx, ok: moved.length > 0 || tx.call.transfers.length !== 1 })
        ran = true
      }
    }
    this.state = { balances, used, sequence }
    return { txs, logs }
  }
}

/** The chain as a node has it: everything up to a block that is, or was, the newest. */
export class View {
  readonly head: Block
  readonly final: bigint
  readonly state: State
  readonly #blocks: readonly Block[]
  readonly #busy: readonly Block[]
  /** Its blocks that the chain does not have any more, newest first. */
  readonly #own: Block[] = []
  /** The newest that both have. */
  readonly #fork: bigint

  constructor(
    blocks: readonly Block[],
    busy: readonly Block[],
    { head, final, state }: Pick<View, 'head' | 'final' | 'state'>,
  ) {
    this.head = head
    this.final = final
    this.state = state
    this.#blocks = blocks
    this.#busy = busy
    let block: Block | undefined = head
    for (; block !== undefined && blocks[Number(block.number)] !== block; block = block.parent) this.#own.push(block)
    this.#fork = block?.number ?? -1n
  }

  /** The next sequence number of an account. */
  next(account: string): bigint {
    return this.state.sequence.get(account) ?? 0n
  }

  blockAt(number: bigint): Block | undefined {
    return number > this.#fork ? this.#own.find((block) => block.number === number) : this.#blocks[Number(number)]
  }

  /** The first log of such a transfer, and its block. */
  logOf(from: string, nonce: string): { readonly block: Block; readonly log: Log } | undefined {
    const block = this.#find(({ logs }) => logs.some((log) => isOf(log, from, nonce)))
    const log = block?.logs.find((each) => isOf(each, from, nonce))
    return block && log && { block, log }
  }

  blockOf(hash: string): Block | undefined {
    return this.#find((block) => hasTx(block, hash))
  }

  #find(is: (block: Block) => boolean): Block | undefined {
    return this.#busy.find((block) => block.number <= this.#fork && is(block)) ?? this.#own.findLast(is)
  }
}

function hasTx({ txs }: Block, hash: string): boolean {
  return txs.some(({ tx }) => tx.hash === hash)
}

function isOf({ transfer }: Log, from: string, nonce: string): boolean {
  return transfer.from === from && transfer.nonce === nonce
}

const NOTHING = { txs: [], logs: [] }

/** Blocks after which none is undone any more. */
const FINAL_DEPTH = 6n

/** Newest blocks that are remembered: on the fastest chain one comes every millisecond. */
const MOST_HEADS = 5000
