import { type Network, type Pid, paymentId } from '@groat/core'
import type { TypedData } from '../account.js'
import type { Address } from '../address.js'
import { defineStruct, domainSeparator, type Eip712Domain, typedDataDigest } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex, type Hex } from '../hex.js'

/** The scheme's name and chains. */
export const transferProofOnEvm = { name: 'transfer-proof', family: 'eip155' } as const

/** What the sender of a transfer signs: which transfer it was, and what for. */
export type TransferProof = {
  /** 32 bytes, lower case. */
  readonly transaction: Hex
  readonly from: Address
  /** The resource's URL, as the challenge has it. */
  readonly resource: string
  /** Whose claims it is good for, as the offer has it. */
  readonly audience: string
  /** Seconds since 1970; the proof is taken before. */
  readonly validBefore: bigint
}

/** Where the money moved. */
export type ProofPlace = { readonly chainId: bigint; readonly token: Address }

/** The identity of a proven transfer: one transaction of a payer buys one thing (EVM-PROOF-010). */
export function transferProofId(network: Network, token: Address, { from, transaction }: TransferProof): Pid {
  return paymentId([network, token, from, transaction, transferProofOnEvm.name])
}

/** The digest that the sender signs (EVM-PROOF-004). */
export function transferProofDigest(
  engine: SigningEngine,
  place: ProofPlace,
  proof: Omit<TransferProof, 'from'>,
): Uint8Array {
  const struct = hash(
    engine,
    proof.transaction,
    textHash(engine, proof.resource),
    textHash(engine, proof.audience),
    proof.validBefore,
  )
  return typedDataDigest(engine, domainSeparator(engine, domainOf(place)), struct)
}

/** The same as typed data, for wallets that show what they sign. */
export function transferProofTypedData(engine: SigningEngine, place: ProofPlace, proof: TransferProof): TypedData {
  return {
    domain: { ...domainOf(place), chainId: Number(place.chainId) },
    types: { TransferProof: FIELDS },
    primaryType: 'TransferProof',
    message: {
      transaction: proof.transaction,
      resource: formatHex(textHash(engine, proof.resource)),
      audience: formatHex(textHash(engine, proof.audience)),
      validBefore: proof.validBefore,
    },
  }
}

const FIELDS = [
  { name: 'transaction', type: 'bytes32' },
  { name: 'resource', type: 'bytes32' },
  { name: 'audience', type: 'bytes32' },
  { name: 'validBefore', type: 'uint256' },
] as const

const hash = defineStruct<[transaction: Hex, resource: Uint8Array, audience: Uint8Array, validBefore: bigint]>(
  `TransferProof(${FIELDS.map((field) => `${field.type} ${field.name}`).join(',')})`,
)

const domainOf = ({ chainId, token }: ProofPlace): Eip712Domain & { readonly version: string } => ({
  name: 'x402 transfer proof',
  version: '1',
  chainId,
  verifyingContract: token,
})

const textHash = (engine: SigningEngine, text: string): Uint8Array => engine.keccak256(new TextEncoder().encode(text))
