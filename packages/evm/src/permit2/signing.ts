import type { TypedData } from '../account.js'
import type { Address } from '../address.js'
import { defineStruct, domainSeparator, typedDataDigest, type Word } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { Hex } from '../hex.js'
import { PERMIT2 } from './contracts.js'

/** What a payer lets a contract take through Permit2, once. */
export type PermitTransfer = {
  readonly token: Address
  /** Atomic units that may be taken at the most. */
  readonly amount: bigint
  /** The contract that may take it. */
  readonly spender: Address
  /** Any number that this payer has not used yet; numbers stand in no order. */
  readonly nonce: bigint
  /** Seconds since 1970; valid until and in this second. */
  readonly deadline: bigint
}

/** What the spender is bound to besides: the values of its witness, by name. */
export type WitnessValues = Readonly<Record<string, Hex | bigint>>

/** A kind of Permit2 signature: a transfer, and a witness of one type. */
export interface PermitKind<Witness extends WitnessValues> {
  /** What the payer signs. */
  digest(engine: SigningEngine, chainId: bigint, transfer: PermitTransfer, witness: Witness): Uint8Array
  /** The same as typed data, for wallets that show what they sign. */
  typedData(chainId: bigint, transfer: PermitTransfer, witness: Witness): TypedData
}

/** The struct of a witness: its name, and its fields in their order. */
export type WitnessStruct<Witness extends WitnessValues> = {
  readonly name: string
  readonly fields: readonly {
    readonly name: keyof Witness & string
    readonly type: 'address' | 'uint256' | 'bytes32'
  }[]
}

/**
 * Permit2 signatures whose spender is bound by a witness (`PermitWitnessTransferFrom`), or, without a struct, by nothing
 * (`PermitTransferFrom`). The domain is Permit2's own: it has a name and no version.
 *
 * @example
 * const deposit = definePermit<{ channelId: Hex }>({ name: 'DepositWitness', fields: [{ name: 'channelId', type: 'bytes32' }] })
 * deposit.digest(engine, 84532n, transfer, { channelId })
 */
export function definePermit<Witness extends WitnessValues>(struct?: WitnessStruct<Witness>): PermitKind<Witness> {
  const primaryType = struct ? 'PermitWitnessTransferFrom' : 'PermitTransferFrom'
  const fields = [...PERMIT, ...(struct ? [{ name: 'witness', type: struct.name }] : [])]
  const witnessType = struct && typeOf(struct.name, struct.fields)
  const referenced = [TOKEN_PERMISSIONS, ...(witnessType ? [witnessType] : [])].sort()
  const hashPermit = defineStruct<Word[]>(typeOf(primaryType, fields) + referenced.join(''))
  const hashWitness = witnessType ? defineStruct<Word[]>(witnessType) : undefined

  return {
    digest(engine, chainId, { token, amount, spender, nonce, deadline }, witness) {
      const words: Word[] = [hashPermissions(engine, token, amount), spender, nonce, deadline]
      // A field that is missing does not fit its type, and is refused as such.
      if (struct && hashWitness)
        words.push(hashWitness(engine, ...struct.fields.map(({ name }) => witness[name] ?? '0x')))
      return typedDataDigest(engine, domainSeparator(engine, permit2Domain(chainId)), hashPermit(engine, ...words))
    },
    typedData: (chainId, { token, amount, spender, nonce, deadline }, witness) => ({
      domain: { ...permit2Domain(chainId), chainId: Number(chainId) },
      types: {
        [primaryType]: fields,
        TokenPermissions: PERMISSIONS,
        ...(struct && { [struct.name]: struct.fields }),
      },
      primaryType,
      message: { permitted: { token, amount }, spender, nonce, deadline, ...(struct && { witness }) },
    }),
  }
}

const permit2Domain = (chainId: bigint) => ({ name: 'Permit2', chainId, verifyingContract: PERMIT2 })

const PERMISSIONS = [
  { name: 'token', type: 'address' },
  { name: 'amount', type: 'uint256' },
] as const

const PERMIT = [
  { name: 'permitted', type: 'TokenPermissions' },
  { name: 'spender', type: 'address' },
  { name: 'nonce', type: 'uint256' },
  { name: 'deadline', type: 'uint256' },
]

function typeOf(name: string, fields: readonly { readonly name: string; readonly type: string }[]): string {
  return `${name}(${fields.map((field) => `${field.type} ${field.name}`).join(',')})`
}

const TOKEN_PERMISSIONS = typeOf('TokenPermissions', PERMISSIONS)
const hashPermissions = defineStruct<[token: Address, amount: bigint]>(TOKEN_PERMISSIONS)
