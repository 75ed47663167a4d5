import { type VectorCase, vectorCases } from '../src/spec/vectors.js'
import type { Vector, VectorAnswer } from '../src/target/manifest.js'

/** A broken library, and checks that have to notice it. */
export type LibraryMutant = {
  readonly name: string
  readonly kills: readonly string[]
  /** What it answers instead of the right result; `error` is a member of a refusal. */
  readonly fault: (right: Result, vector: Vector) => Result
}

type Result = Readonly<Record<string, unknown>>

/** Changes members of results that have them. */
const members = (
  name: string,
  kills: readonly string[],
  changes: Readonly<Record<string, (right: unknown, vector: Vector) => unknown>>,
): LibraryMutant => ({
  name,
  kills,
  fault: (right, vector) =>
    Object.fromEntries(
      Object.entries(right).map(([member, value]) => [member, changes[member]?.(value, vector) ?? value]),
    ),
})

const capitals = (value: unknown) => (typeof value === 'string' ? `0x${value.slice(2).toUpperCase()}` : value)
const asFloat = (value: unknown) => (Number.isFinite(Number(value)) ? String(Number(value)) : value)

/** Broken in one way each. */
export const libraryMutants: readonly LibraryMutant[] = [
  {
    name: 'accepts what has to be refused',
    kills: [
      'CORE-051/parseAtomic',
      'CORE-055/parseUnits',
      'HTTP-022/decodeHeaderText',
      'CORE-012/decodeJson',
      'CORE-062/networkOfName',
      'CORE-002/decodePayment',
      'FAC-040/decodeReceipt',
      'EVM-EXACT-035/verifyExact',
      'EVM-EXACT-042/verifyExact',
      'SVM-EXACT-040/verifyExactSvm',
      'EVM-BATCH-034/verifyVoucher',
      'EVM-CAPTURE-003/payAuthCapture',
    ],
    fault: ({ error, ...right }) => (error === undefined ? right : { valid: true, atomic: '0' }),
  },
  {
    name: 'refuses everything',
    kills: [
      'CORE-050/parseAtomic',
      'HTTP-020/decodeHeaderText',
      'HTTP-006/decodePayment',
      'HTTP-002/decodeChallenge',
      'HTTP-008/decodeReceipt',
      'EVM-EXACT-081/verifyExact',
      'SVM-EXACT-042/verifyExactSvm',
      'EVM-UPTO-054/settleUpto',
    ],
    fault: () => ({ error: 'invalid_payload' }),
  },
  {
    name: 'gives another code',
    kills: ['CORE-002/decodePayment', 'EVM-EXACT-047/verifyExact', 'SVM-EXACT-045/verifyExactSvm'],
    fault: (right) => (right.error === undefined ? right : { error: 'unexpected_error' }),
  },
  members('amounts are floating-point numbers', ['CORE-050/parseAtomic'], { atomic: asFloat }),
  members('writes money with all its zeros', ['CORE-054/formatUnits'], {
    decimal: (value) => (String(value).includes('.') ? `${value}0` : `${value}.00`),
  }),
  members('any text is a network', ['CORE-060/isNetwork'], { valid: () => true }),
  members('knows the networks of version 1 by another name', ['CORE-061/networkOfName'], {
    network: () => 'eip155:1',
  }),
  members('members in the order in which they came', ['CORE-077/canonicalJson'], {
    text: (right, { op, input }) => (op === 'canonicalJson' ? JSON.stringify(input.value) : right),
  }),
  members(
    'hexadecimal in capitals',
    [
      'EVM-EXACT-020/hashTransferWithAuthorization',
      'EVM-EXACT-108/hashPermit2Exact',
      'EVM-BATCH-010/hashBatchSettlement',
      'EVM-EXACT-130/encodePermit2Settle',
      'EVM-EXACT-019/signTransferWithAuthorization',
    ],
    { digest: capitals, structHash: capitals, domainSeparator: capitals, data: capitals, signature: capitals },
  ),
  members(
    'one identity for all',
    [
      'CORE-077/paymentId',
      'EVM-EXACT-068/paymentIdOfExact',
      'EVM-EXACT-133/paymentIdOfPermit2',
      'CORE-072/requirementsId',
    ],
    { pid: () => '0'.repeat(64), rid: () => '0'.repeat(64) },
  ),
  members('anybody may have signed', ['EVM-EXACT-035/recoverSigner', 'EVM-EXACT-037/recoverSigner'], {
    signer: () => '0x000000000000000000000000000000000000dEaD',
  }),
  members('takes the facilitator for the payer', ['EVM-EXACT-081/verifyExact', 'CORE-036/verifyExact'], {
    payer: () => '0x000000000000000000000000000000000000dEaD',
  }),
  members('the alphabet of URLs', ['HTTP-020/encodeHeaderText'], {
    value: (right) => String(right).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
  }),
  members('everything is version 1', ['HTTP-006/decodePayment', 'HTTP-002/decodeChallenge'], { x402Version: () => 1 }),
  members('every receipt says settled', ['FAC-039/decodeReceipt', 'FAC-043/decodeReceipt', 'ERR-004/decodeReceipt'], {
    status: () => 'settled',
  }),
]

/** A library that gives the results of the vectors, but for its fault. */
export function brokenLibrary({ fault }: LibraryMutant): (vector: Vector) => Promise<VectorAnswer> {
  const results = new Map(vectorCases().map((each) => [keyOf(each), rightOf(each)]))
  return async (vector) => ({ ok: fault(results.get(keyOf(vector)) ?? {}, vector) })
}

const keyOf = ({ op, input }: Vector) => `${op} ${JSON.stringify(input)}`

/** Where several codes are right, the first. */
function rightOf({ expect: { error, ...right } }: VectorCase): Result {
  return error === undefined ? right : { ...right, error: Array.isArray(error) ? error[0] : error }
}
