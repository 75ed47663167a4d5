/**
 * What was recorded of a run: the journal of the facilitators, what the chains hold, what callers were told, what shops delivered, what wallets did.
 * Times are milliseconds since 1970, amounts atomic units as decimal text. What was not recorded is absent, and what depends on it is not judged.
 */
export type History = {
  readonly journal: JournalHistory
  readonly chain: ChainHistory
  readonly answers?: readonly Answer[]
  /** Every spelling in which a payment was presented, and the identity that was found for it. */
  readonly spellings?: readonly { readonly pid: string; readonly spelling: string }[]
  readonly deliveries?: readonly Delivery[]
  readonly handlers?: readonly { readonly pid: string; readonly at: number; readonly claimedAt?: number }[]
  readonly obligations?: readonly {
    readonly pid: string
    readonly kind: 'refunded' | 'entitled'
    readonly since: number
  }[]
  readonly receipts?: readonly {
    readonly pid: string
    readonly transaction: string
    readonly logIndex: number
    readonly verifies: boolean
  }[]
  readonly refunds?: readonly {
    readonly pid: string
    readonly to: string
    readonly amount: string
    readonly journalled: boolean
  }[]
  readonly wallet?: WalletHistory
  readonly guards?: readonly {
    readonly pid: string
    readonly at: number
    readonly said: 'allowed' | 'refused' | 'failed'
  }[]
  /** All that left a process: bodies, headers, log lines; and the words that must not be in it. */
  readonly outward?: { readonly texts: readonly string[]; readonly secrets: readonly string[] }
  readonly process?: {
    readonly unhandled: number
    readonly longestBlockMs: number
    readonly memoryMiB: readonly number[]
  }
  /** What was allowed. */
  readonly limits?: HistoryLimits
  /** When the record ends: what is late by then will not come any more. */
  readonly endsAt?: number
}

/** The tables of a facilitator's journal, with the columns that are judged. */
export type JournalHistory = {
  readonly settlement: readonly SettlementRow[]
  readonly attempt: readonly AttemptRow[]
  readonly ride: readonly { readonly slot: string; readonly pid: string; readonly status: string }[]
  readonly evidence: readonly EvidenceRow[]
  readonly event: readonly EventRow[]
}

/** A settlement as a journal holds it: what was claimed, and what became of it. */
export type SettlementRow = {
  readonly pid: string
  readonly rid: string
  readonly network: string
  readonly scheme: string
  readonly payer: string
  readonly pay_to: string
  readonly asset: string
  readonly amount: string
  readonly valid_before: number
  readonly state: string
}

/** A transaction that was signed for a settlement. */
export type AttemptRow = {
  readonly hash: string
  readonly slot: string
  readonly network: string
  readonly signer: string
  readonly nonce: number | null
  readonly raw: string
  readonly fee: string | null
  readonly signed_at: number
}

/** What proves a settlement: the log of the chain, and the amount in atomic units. */
export type EvidenceRow = {
  readonly network: string
  readonly transaction: string
  readonly log_index: number
  readonly pid: string
  readonly block_hash: string
  readonly amount: string
  readonly fee: string | null
}

/** One step of a settlement, in the hash chain of the one that wrote it. */
export type EventRow = {
  readonly writer: string
  readonly seq: number
  readonly pid: string
  readonly from_state: string | null
  readonly to_state: string
  readonly at: number
  readonly code: string | null
  readonly prev_hash: string
  readonly hash: string
}

/** The blocks that count at the end, and what ever reached a node. */
export type ChainHistory = {
  /** Movements of the tokens to whom payments went. */
  readonly transfers: readonly Transfer[]
  /** Transactions of the facilitators' own accounts. */
  readonly transactions: readonly ChainTransaction[]
  /** What payers had before the first payment. */
  readonly opening?: readonly {
    readonly network: string
    readonly asset: string
    readonly account: string
    readonly balance: string
  }[]
  /** What undone blocks gave back to payers, from when, and until it was taken again or the journal had seen that it was. Times in milliseconds. */
  readonly returned?: readonly {
    readonly network: string
    readonly asset: string
    readonly account: string
    readonly amount: string
    readonly from: number
    readonly until: number
  }[]
}

/** Money that moved on chain, in atomic units. */
export type Transfer = {
  readonly network: string
  readonly transaction: string
  readonly logIndex: number
  readonly blockHash: string
  readonly asset: string
  readonly from: string
  readonly to: string
  readonly value: string
}

/** A transaction that a node has met. */
export type ChainTransaction = {
  readonly network: string
  readonly hash: string
  readonly signer: string
  /** When it first reached a node. */
  readonly at?: number
  readonly raw?: string
  /** What it cost, where it is in a block. */
  readonly fee?: string
}

/** What a caller was told. */
export type Answer = {
  readonly pid: string
  readonly rid: string
  /** When it was asked for, where that is known: an answer may be on its way while the same payment is presented again. */
  readonly askedAt?: number
  readonly at: number
  readonly status: 'settled' | 'refused' | 'unknown'
  readonly transaction?: string
  readonly logIndex?: number
  readonly amount?: string
}

/** What a shop gave for a payment. */
export type Delivery = {
  readonly pid: string
  readonly at: number
  readonly mode: 'strict' | 'upfront' | 'accepted' | 'optimistic'
  /** When the first byte that a handler made left the server. */
  readonly firstByteAt?: number
  /** What the terms allow: so many deliveries, until then. One, and no end, unless told. */
  readonly uses?: number
  readonly until?: number
}

/** What a buyer wrote down: its budgets, what it reserved, spent and released, and what it signed. */
export type WalletHistory = {
  readonly budgets: readonly { readonly id: string; readonly limit: string }[]
  readonly entries: readonly {
    readonly at: number
    readonly kind: 'reserve' | 'commit' | 'release'
    readonly budget: string
    readonly intent: string
    readonly amount: string
  }[]
  readonly signatures: readonly Signature[]
  /** Requests that carried payment data: who asked for the money, and whom it was shown. */
  readonly requests: readonly { readonly pid: string; readonly issuer: string; readonly origin: string }[]
  readonly policy?: WalletPolicy
}

/** A payment that was signed, with the terms that it was signed for. */
export type Signature = {
  readonly at: number
  readonly intent: string
  readonly pid: string
  readonly origin: string
  readonly payTo: string
  readonly asset: string
  readonly network: string
  readonly amount: string
  readonly lifetimeSeconds: number
  /** The payments of the same intent that were proven dead by then. */
  readonly dead: readonly string[]
}

/** What a wallet may sign. */
export type WalletPolicy = {
  readonly origins: readonly string[]
  readonly assets: readonly string[]
  readonly networks: readonly string[]
  readonly payTo?: readonly string[]
  readonly maxAmount: string
  readonly maxLifetimeSeconds: number
}

/** What no history may exceed; amounts in atomic units. */
export type HistoryLimits = {
  /** What the transactions of one payment may cost, in the chain's own coin. */
  readonly feePerPayment?: string
  /** What a payer's failed transactions may cost in an hour. */
  readonly failedFeesPerPayerHour?: string
  /** Milliseconds after its end in which an open obligation is no alarm. */
  readonly grace?: number
  readonly longestBlockMs?: number
  readonly memoryMiB?: number
}
