import type { Asset } from '../model/asset.js'
import type { Pid } from '../model/identity.js'
import type { Json } from '../model/json.js'
import type { Refusal } from '../model/outcome.js'
import type { Clock } from '../ports.js'

/** A payment that somebody else decided, read by whoever holds the key: which money its signature would move. */
export type SignableTransfer = {
  readonly ok: true
  readonly pid: Pid
  readonly payer: string
  readonly asset: Asset
  readonly payTo: string
  /** Atomic units that the signature lets be taken. */
  readonly amount: bigint
  /** Seconds since 1970 after which the signature is worth nothing. */
  readonly expiresAt: number
  /** The signature, as the message's family writes it: hex on EVM, base64 on Solana. */
  sign(): Promise<string>
}

/** What reading is done by. */
export type ReadSignable = {
  readonly clock: Clock
  /** Accounts that may be paid; absent: any. Where a message does not name who is paid, it is one of these or refused. */
  readonly recipients?: readonly string[] | undefined
}

/** A key, and the understanding of what it is asked to sign. It never signs what it cannot read as a payment. */
export interface SignerHalf {
  /** CAIP-2 namespace. */
  readonly family: string
  readonly address: string
  /** Reads a message: typed data on EVM, base64 on Solana. Refuses `signer_refused` for everything that is no payment it understands. */
  read(message: Json, options: ReadSignable): SignableTransfer | Refusal
}
