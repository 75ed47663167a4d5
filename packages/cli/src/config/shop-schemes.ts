import { networkFamily, network as networkOf, X402Error } from '@groat/core'
import * as z from 'zod/mini'

/** Whose word captures, voids and refunds of held money need, and for how long money is held. Times in seconds. */
export type HoldsConfig = {
  readonly key: string
  readonly captureSeconds?: number
  readonly refundSeconds?: number
  readonly flow?: 'escrow' | 'authorization'
}

/** By whose word what channels owe is claimed, who pays for it, and how often. Times in seconds. */
export type ChannelsConfig = {
  /** The receiver's authorizer: no other use, and never the account that is paid. */
  readonly key: string
  /** Pays for the gas of claims. */
  readonly gasKey: string
  readonly withdrawDelay?: number
  readonly claimSeconds: number
}

const Key = z.string().check(z.regex(/^0x[0-9a-fA-F]{64}$/, 'expected a private key: 0x and 64 hex digits'))

/** `auth_capture` of a shop's file. */
export const AuthCapture = z.strictObject({
  key: Key,
  capture_seconds: z.optional(z.int().check(z.gte(60))),
  refund_seconds: z.optional(z.int().check(z.gte(60))),
  flow: z.optional(z.enum(['escrow', 'authorization'])),
})

/** `batch_settlement` of a shop's file. */
export const BatchSettlement = z.strictObject({
  key: Key,
  gas_key: z.optional(Key),
  withdraw_delay: z.optional(z.int().check(z.gte(900), z.lte(2_592_000))),
  claim_seconds: z._default(z.int().check(z.gte(1), z.lte(86_400)), 3600),
})

/** The same in the words of the code. */
export function holdsOf(fields: z.output<typeof AuthCapture>): HoldsConfig {
  const { key, capture_seconds, refund_seconds, flow } = fields
  return {
    key,
    ...(capture_seconds === undefined ? {} : { captureSeconds: capture_seconds }),
    ...(refund_seconds === undefined ? {} : { refundSeconds: refund_seconds }),
    ...(flow === undefined ? {} : { flow }),
  }
}

/** The same in the words of the code. */
export function channelsOf(fields: z.output<typeof BatchSettlement>): ChannelsConfig {
  const { key, gas_key = key, withdraw_delay, claim_seconds } = fields
  return {
    ...{ key, gasKey: gas_key, claimSeconds: claim_seconds },
    ...(withdraw_delay === undefined ? {} : { withdrawDelay: withdraw_delay }),
  }
}

/** What of the file is needed to sell by a scheme, and not there; nothing where it is all there. */
export function lackOf(
  { scheme, network }: { readonly scheme?: string | undefined; readonly network: string },
  file: {
    readonly auth_capture?: object | undefined
    readonly batch_settlement?: object | undefined
    readonly transfer_proofs?: boolean | object | undefined
    readonly rpc?: Readonly<Record<string, string>> | undefined
  },
): string | undefined {
  if (scheme === 'auth-capture' && file.auth_capture === undefined) {
    return 'money that is held needs a key to capture it: give one as `auth_capture: { key }`'
  }
  if (scheme === 'transfer-proof') {
    if (!file.transfer_proofs) return 'transfers that were made are looked up on the chain: say `transfer_proofs: true`'
    return namesNode(file.rpc ?? {}, network)
      ? undefined
      : `transfers that were made are looked up through a node: name one for ${network} under \`rpc\``
  }
  if (scheme !== 'batch-settlement') return undefined
  if (file.batch_settlement === undefined) {
    return 'payments out of channels need a key to claim them: give one as `batch_settlement: { key }`'
  }
  return namesNode(file.rpc ?? {}, network)
    ? undefined
    : `what channels owe is claimed through a node: name one for ${network} under \`rpc\``
}

/** Whether a node is named for a network, by whichever of its names. */
function namesNode(rpc: Readonly<Record<string, string>>, name: string): boolean {
  try {
    const wanted = networkOf(name)
    return Object.keys(rpc).some((each) => networkOf(each) === wanted)
  } catch (error) {
    // A name that is none is said where the offer is made.
    if (X402Error.is(error)) return true
    throw error
  }
}

/** Where transfers are looked up, by chain family and network as the file names it, and when a block counts. */
export type ProofsConfig = {
  readonly evm: Readonly<Record<string, string>>
  readonly svm: Readonly<Record<string, string>>
  /** A number is one of blocks, and says of Solana, where nobody counts them, that a confirmed block will do. */
  readonly finality?: 'safe' | 'finalized' | number
}

/** Whether transfers that were made are taken for payments. */
export const TransferProofs = z.union([
  z.boolean(),
  z.strictObject({ finality: z.optional(z.union([z.enum(['safe', 'finalized']), z.int().check(z.gte(0))])) }),
])

/** Where transfers are looked up; nothing where none are taken. */
export function proofsOf(
  proofs: z.output<typeof TransferProofs> | undefined,
  rpc: Readonly<Record<string, string>> = {},
): ProofsConfig | undefined {
  if (proofs === undefined || proofs === false) return undefined
  const { finality } = proofs === true ? {} : proofs
  const of = (family: string) =>
    Object.fromEntries(Object.entries(rpc).filter(([name]) => networkFamily(networkOf(name)) === family))
  return { evm: of('eip155'), svm: of('solana'), ...(finality === undefined ? {} : { finality }) }
}
