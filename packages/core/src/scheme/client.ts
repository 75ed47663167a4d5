import type { Asset } from '../model/asset.js'
import type { Pid } from '../model/identity.js'
import type { JsonObject } from '../model/json.js'
import type { Network } from '../model/network.js'
import type { Refusal } from '../model/outcome.js'
import type { PaymentRequirements, Receipt } from '../model/payment.js'
import type { Clock, Random } from '../ports.js'
import type { SchemeHalf } from './scheme.js'

/** The payer's half: it knows what a signature would do, and makes it. */
export interface SchemeClient extends SchemeHalf {
  /** Payment flows besides `authorization` that this half pays by, because its money is safe in them; none unless told. */
  readonly flows?: readonly string[]
  /** It pays out of money that was put aside before: what the account itself has says nothing of whether an offer can be paid. */
  readonly prefunded?: boolean
  /** The payer's account on a network, or `undefined` when this payer has none there. */
  payer(network: Network): string | undefined
  /** The tokens by which an order for `$` or for a ticker is read, the one that `$` means first on each network. Absent: this scheme takes no orders. */
  readonly assets?: readonly Asset[]
  /** The asset of an offer, from the payer's own registry and never from the offer. `undefined`: unknown, do not pay. */
  asset(offer: PaymentRequirements): Asset | undefined
  /**
   * Decides what would be signed, to the last byte. Touches no key and tells nobody about the offer, so a dry run costs nothing.
   * A promise where the chain has to be asked for something that every transaction needs.
   */
  prepare(
    offer: PaymentRequirements,
    context: PrepareContext,
  ): PreparedPayment | Refusal | Promise<PreparedPayment | Refusal>
  /** Told of a receipt that fits its payment, by schemes whose next payment hangs on the last. */
  settled?(pid: Pid, receipt: Receipt): Promise<void>
  /**
   * Told of the headers of a 402 that refused a payment, where its offer may stand again, by schemes whose next payment hangs on what the seller has counted. Where the
   * payer's own signature bears out what it says, the scheme goes on from there, and another payment may be signed at once: `void`, what was
   * signed lets nobody take anything; `dead`, some of it may still be taken, and stays spent. Nothing: the refusal stands.
   */
  corrected?(
    payment: Pick<PaymentRequirements, 'network' | 'asset' | 'payTo'> & { readonly pid: Pid },
    header: (name: string) => string | null,
  ): Promise<'void' | 'dead' | undefined>
}

/** What a payer decides by. */
export type PrepareContext = {
  readonly clock: Clock
  readonly random: Random
  /** Upper bound, in seconds, on the life of what is signed. */
  readonly maxLifetimeSeconds: number
  /**
   * Atomic units that an approval which has to come along may be for, where that is more than the payment needs. Absent: exactly what it needs.
   */
  readonly maxAllowance?: bigint | undefined
  /** What the challenge announces under `extensions`. */
  readonly extensions?: JsonObject | undefined
  /** URL of the resource, as the challenge has it: what a payment that is bound to it is signed for. */
  readonly resource?: string | undefined
}

/** A payment that is fully decided and not yet signed. */
export type PreparedPayment = {
  readonly ok: true
  /** Known before the signature, so that the intent can be written down first. */
  readonly pid: Pid
  readonly payer: string
  /** Atomic units that the signature allows to be taken. */
  readonly amount: bigint
  /**
   * Most atomic units that the signatures of this payment let contracts take: 0 where the token itself moves the money to one place (EIP-3009, a transfer on
   * Solana), `amount` where the payment is such a permission (Permit2, a delegation, a deposit), more where a lasting approval comes along. It is
   * held against the payer's policy.
   */
  readonly allowance: bigint
  /** Seconds since 1970 after which the signature is worth nothing. */
  readonly expiresAt: number
  /** What would be signed, for people and logs. */
  readonly preview: JsonObject
  /**
   * The key is in this process: `sign` waits for nobody, and its signature is nowhere until it is handed out. Then it is made within the step that
   * writes it down. Absent where a wallet, a device or a service signs.
   */
  readonly local?: true
  /** Signs, and gives the scheme's `payload`. Throws `X402Error` `signer_failed`. */
  sign(): Promise<JsonObject>
  /**
   * The payment's identity where it hangs on the signature itself; asked after `sign`. Until then `pid` names nothing but this plan. Absent where `pid` is the
   * identity, and not together with `local`.
   */
  signedPid?(): Pid
  /** What goes into the payment's `extensions` in the place of the challenge's own; asked after `sign`. Absent where that is only echoed. */
  extensions?(): JsonObject
}
