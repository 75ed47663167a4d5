import { network, type PaymentPayload, type PaymentRequirements, paymentId } from '@groat/core'
import {
  type Address,
  addressOfKey,
  defineStruct,
  domainSeparator,
  type Eip712Domain,
  formatAddress,
  formatHex,
  nobleEngine,
  parseAddress,
  parseHex,
  typedDataDigest,
} from '@groat/evm/crypto'
import { type ExactEvmFacilitatorOptions, exactEvm } from '@groat/evm/exact/facilitator'
import { definePermit, PERMIT2 } from '@groat/evm/permit2'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type Input = VectorCase['input']
type Result = Readonly<Record<string, unknown>>

/** What each operation is in `@groat/evm`. */
const operations: Readonly<Record<string, (input: Input) => Result | Promise<Result>>> = {
  hashPermit2Exact: (input) => permit2Hashes(input),
  signPermit2Exact: (input) => signed(input, permit2Hashes(input).digest),
  hashEip2612Permit: (input) => eip2612Hashes(input),
  signEip2612Permit: (input) => signed(input, eip2612Hashes(input).digest),
  paymentIdOfPermit2({ network: on, permit2Authorization }) {
    const { from, nonce } = permit2Authorization as Authorization
    const pid = paymentId([String(on), PERMIT2, from.toLowerCase(), nonce, 'exact'])
    const inspection = scheme().inspect(...paymentOf(String(on), permit2Authorization as Authorization), { now: NOW })
    expect(inspection).toMatchObject({ ok: true, pid })
    return { pid }
  },
  async encodePermit2Settle({ network: on, permit2Authorization, signature }) {
    const payment = paymentOf(String(on), permit2Authorization as Authorization, String(signature))
    const call = await scheme().prepare(...payment)
    return { to: formatAddress(call.to), data: call.data }
  },
}

describe('vectors/evm/exact-permit2.json', () => {
  const { cases } = readJson<VectorFile>(root, 'vectors/evm/exact-permit2.json')

  test('every operation is known', () => {
    expect(cases.filter(({ op }) => operations[op] === undefined)).toEqual([])
  })

  for (const { id, op, input, expect: expected } of cases) {
    test(`${id} ${op}`, async () => {
      expect(await operations[op]?.(input)).toEqual(expected)
    })
  }
})

/** Just before the deadline of the cases. */
const NOW = 1_999_999_950_000

type Authorization = {
  readonly from: string
  readonly permitted: { readonly token: string; readonly amount: string }
  readonly spender: string
  readonly nonce: string
  readonly deadline: string
  readonly witness: { readonly to: string; readonly validAfter: string }
}

function paymentOf(on: string, permit2Authorization: Authorization, signature = `0x${'11'.repeat(65)}`) {
  const { permitted, witness } = permit2Authorization
  const terms: PaymentRequirements = {
    scheme: 'exact',
    network: network(on),
    amount: BigInt(permitted.amount),
    asset: permitted.token,
    payTo: witness.to,
    maxTimeoutSeconds: 60,
    extra: { assetTransferMethod: 'permit2' },
  }
  const payload = { signature, permit2Authorization }
  const payment: PaymentPayload = { x402Version: 2, scheme: 'exact', network: terms.network, accepted: terms, payload }
  return [payment, terms] as const
}

function scheme() {
  const chain = {
    network: network('eip155:84532'),
    signers: [],
    asset: () => ({}),
    worth: () => chain,
    since: () => chain,
  }
  // Reading and encoding ask no chain; if they did, they would fail here.
  return exactEvm({ chains: [chain as unknown as ExactEvmFacilitatorOptions['chains'][number]] })
}

const exactPermit = definePermit<{ to: Address; validAfter: bigint }>({
  name: 'Witness',
  fields: [
    { name: 'to', type: 'address' },
    { name: 'validAfter', type: 'uint256' },
  ],
})
const hashWitness = defineStruct<[Address, bigint]>('Witness(address to,uint256 validAfter)')
const hashPermissions = defineStruct<[Address, bigint]>('TokenPermissions(address token,uint256 amount)')
const hashTransfer = defineStruct<[Uint8Array, Address, bigint, bigint, Uint8Array]>(
  'PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,uint256 validAfter)',
)
const hashPermit = defineStruct<[Address, Address, bigint, bigint, bigint]>(
  'Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)',
)

function permit2Hashes({ chainId, message }: Input) {
  const { permitted, spender, nonce, deadline, witness } = message as Omit<Authorization, 'from'>
  const to = { to: address(witness.to), validAfter: BigInt(witness.validAfter) }
  const separator = domainSeparator(nobleEngine, {
    name: 'Permit2',
    chainId: BigInt(String(chainId)),
    verifyingContract: PERMIT2,
  })
  const token = address(permitted.token)
  const transfer = {
    token,
    amount: BigInt(permitted.amount),
    spender: address(spender),
    nonce: BigInt(nonce),
    deadline: BigInt(deadline),
  }
  const struct = hashTransfer(
    nobleEngine,
    hashPermissions(nobleEngine, token, transfer.amount),
    transfer.spender,
    transfer.nonce,
    transfer.deadline,
    hashWitness(nobleEngine, to.to, to.validAfter),
  )
  const digest = formatHex(exactPermit.digest(nobleEngine, BigInt(String(chainId)), transfer, to))
  // By parts, and as the package does it.
  expect(digest).toBe(formatHex(typedDataDigest(nobleEngine, separator, struct)))
  return { domainSeparator: formatHex(separator), structHash: formatHex(struct), digest }
}

function eip2612Hashes({ domain, message }: Input) {
  const { name, version, chainId, verifyingContract } = domain as Record<keyof Eip712Domain, string>
  const { owner, spender, value, nonce, deadline } = message as Record<string, string>
  const separator = domainSeparator(nobleEngine, {
    name,
    version,
    chainId: BigInt(chainId),
    verifyingContract: address(verifyingContract),
  })
  const numbers = [BigInt(value ?? 0), BigInt(nonce ?? 0), BigInt(deadline ?? 0)] as const
  const struct = hashPermit(nobleEngine, address(owner ?? ''), address(spender ?? ''), ...numbers)
  return {
    domainSeparator: formatHex(separator),
    structHash: formatHex(struct),
    digest: formatHex(typedDataDigest(nobleEngine, separator, struct)),
  }
}

function signed({ privateKey }: Input, digest: string): Result {
  const key = bytes(privateKey)
  const signer = addressOfKey(nobleEngine, nobleEngine.publicKey(key))
  return { signature: formatHex(nobleEngine.sign(bytes(digest), key)), signer: formatAddress(signer) }
}

function address(value: string): Address {
  const parsed = parseAddress(value)
  if (parsed === undefined) throw new Error(`no address: ${value}`)
  return parsed
}

function bytes(value: unknown): Uint8Array {
  const parsed = parseHex(String(value))
  if (parsed === undefined) throw new Error('no hex')
  return parsed
}
