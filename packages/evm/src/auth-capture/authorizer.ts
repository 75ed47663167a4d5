import type { TypedData } from '../account.js'
import type { Address } from '../address.js'
import { defineStruct, domainSeparator, typedDataDigest, type Word } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { Hex } from '../hex.js'
import type { Signable } from '../sign.js'
import { OPERATOR_REFUND_COLLECTOR } from './identity.js'

/** Something that the receiver's authorizer allows, with a payment that the escrow has or gets. Amounts in atomic units. */
export type Permission = { readonly infoHash: Hex } & (
  | ({ readonly kind: 'charge'; readonly collector: Address; readonly collectorDataHash: Hex } & Payout)
  | ({ readonly kind: 'capture' } & Payout & Balances)
  | { readonly kind: 'void' }
  | ({ readonly kind: 'refund'; readonly amount: bigint } & Balances)
)

/** What is paid out, and what of it goes to somebody else. */
export type Payout = { readonly amount: bigint; readonly feeAmount: bigint; readonly feeReceiver: Address }

/** What the escrow has for a payment when a permission is used: they never recur, so a permission is good once. */
export type Balances = { readonly capturable: bigint; readonly refundable: bigint }

/** Where a permission is good: on one chain, through one operator. */
export type Jurisdiction = { readonly chainId: bigint; readonly operator: Address }

/**
 * What an authorizer signs (EVM-CAPTURE-060), in both forms.
 *
 * @example
 * await signWith(account, permissionOf(engine, { chainId: 84532n, operator }, { kind: 'void', infoHash }))
 */
export function permissionOf(
  engine: SigningEngine,
  { chainId, operator }: Jurisdiction,
  permission: Permission,
): Signable {
  const { name, fields, hash } = structs[permission.kind]
  const values = valuesOf(permission)
  const domain = { name: 'x402 Auth Capture Operator', version: '1', chainId, verifyingContract: operator }
  return {
    digest: () =>
      typedDataDigest(
        engine,
        domainSeparator(engine, domain),
        // Every field of the type is among the values: they are made for it.
        hash(engine, ...fields.map((field) => values[field.name] ?? '0x')),
      ),
    typedData: (): TypedData => ({
      domain: { ...domain, chainId: Number(chainId) },
      types: { [name]: fields },
      primaryType: name,
      message: values,
    }),
  }
}

function valuesOf(permission: Permission): Readonly<Record<string, Hex | bigint>> {
  const { infoHash: paymentInfoHash } = permission
  switch (permission.kind) {
    case 'charge': {
      const { amount, collector: tokenCollector, collectorDataHash, feeAmount, feeReceiver } = permission
      return { paymentInfoHash, amount, tokenCollector, collectorDataHash, feeAmount, feeReceiver }
    }
    case 'capture': {
      const { amount, feeAmount, feeReceiver } = permission
      return { paymentInfoHash, amount, feeAmount, feeReceiver, ...expected(permission) }
    }
    case 'void':
      return { paymentInfoHash }
    case 'refund': {
      const { amount } = permission
      return { paymentInfoHash, amount, tokenCollector: OPERATOR_REFUND_COLLECTOR, ...expected(permission) }
    }
  }
}

const expected = ({ capturable, refundable }: Balances) => ({
  expectedCapturableAmount: capturable,
  expectedRefundableAmount: refundable,
})

const HASH = { name: 'paymentInfoHash', type: 'bytes32' } as const
const AMOUNT = { name: 'amount', type: 'uint256' } as const
const COLLECTOR = { name: 'tokenCollector', type: 'address' } as const
const FEE = [
  { name: 'feeAmount', type: 'uint256' },
  { name: 'feeReceiver', type: 'address' },
] as const
const EXPECTED = [
  { name: 'expectedCapturableAmount', type: 'uint256' },
  { name: 'expectedRefundableAmount', type: 'uint256' },
] as const

const structs = {
  charge: struct('Charge', [HASH, AMOUNT, COLLECTOR, { name: 'collectorDataHash', type: 'bytes32' }, ...FEE]),
  capture: struct('Capture', [HASH, AMOUNT, ...FEE, ...EXPECTED]),
  void: struct('Void', [HASH]),
  refund: struct('Refund', [HASH, AMOUNT, COLLECTOR, ...EXPECTED]),
}

function struct(name: string, fields: readonly { readonly name: string; readonly type: string }[]) {
  const type = `${name}(${fields.map((field) => `${field.type} ${field.name}`).join(',')})`
  return { name, fields, hash: defineStruct<Word[]>(type) }
}
