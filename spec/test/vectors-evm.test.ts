import { assetByTicker, decodeFacilitatorRequest, encodeVerdict, network, paymentId, X402Error } from '@groat/core'
import {
  type Address,
  addressOfKey,
  defineStruct,
  domainSeparator,
  type Eip712Domain,
  formatAddress,
  formatHex,
  type Hex,
  nobleEngine,
  parseAddress,
  parseHex,
  parseSignature,
  recoverAddress,
  typedDataDigest,
} from '@groat/evm/crypto'
import { type ExactEvmFacilitatorOptions, exactEvm } from '@groat/evm/exact/facilitator'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type Input = VectorCase['input']
type Result = Readonly<Record<string, unknown>>
type EvmChain = ExactEvmFacilitatorOptions['chains'][number]

/** What each operation is in `@groat/evm`. */
const operations: Readonly<Record<string, (input: Input) => Result | Promise<Result>>> = {
  hashTransferWithAuthorization(input) {
    const { separator, struct, digest } = hashes(input)
    return { domainSeparator: formatHex(separator), structHash: formatHex(struct), digest: formatHex(digest) }
  },
  signTransferWithAuthorization(input) {
    const key = bytes(input.privateKey)
    const signer = addressOfKey(nobleEngine, nobleEngine.publicKey(key))
    return { signature: formatHex(nobleEngine.sign(hashes(input).digest, key)), signer: formatAddress(signer) }
  },
  recoverSigner({ digest, signature }) {
    const read = parseSignature(String(signature))
    const signer = read && recoverAddress(nobleEngine, bytes(digest), read)
    return { signer: signer === undefined ? null : formatAddress(signer) }
  },
  paymentIdOfExact({ network, asset, authorization }) {
    return { pid: pidOf(String(network), String(asset), authorization as Message) }
  },
  async verifyExact({ now, payment, requirements, chain }) {
    const message = payment as { readonly x402Version: number }
    const body = { x402Version: message.x402Version, paymentPayload: payment, paymentRequirements: requirements }
    const request = decodeFacilitatorRequest(body)
    if (!request.ok) return { error: request.code }
    const { payment: read, requirements: terms } = request.value
    const scheme = exactEvm({ chains: [chainThatSays(chain as ChainFacts, Number(now))] })
    const verdict = await scheme.verify(read, terms, { now: Number(now) * 1000 })
    if (!verdict.ok) return { error: encodeVerdict(read.x402Version, verdict).invalidReason }
    const authorization = read.payload.authorization as unknown as Message
    expect(scheme.inspect(read, terms, { now: Number(now) * 1000 })).toMatchObject({
      pid: pidOf(terms.network, terms.asset, authorization),
    })
    return { valid: true, payer: formatAddress(address(verdict.payer)) }
  },
}

describe('vectors/evm/exact-eip3009.json', () => {
  const { cases } = readJson<VectorFile>(root, 'vectors/evm/exact-eip3009.json')

  test('every operation is known', () => {
    expect(cases.filter(({ op }) => operations[op] === undefined)).toEqual([])
  })

  for (const { id, op, input, expect: expected } of cases) {
    test(`${id} ${op}`, async () => {
      const { error, ...members } = (await operations[op]?.(input)) ?? {}
      if (Array.isArray(expected.error)) expect(expected.error).toContain(error)
      else expect({ error, ...members }).toEqual({ error: undefined, ...expected })
    })
  }
})

type Message = Readonly<Record<'from' | 'to' | 'value' | 'validAfter' | 'validBefore' | 'nonce', string>>

const hashTransfer = defineStruct<[Address, Address, bigint, bigint, bigint, Hex]>(
  'TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)',
)

function hashes({ domain, message }: Input) {
  const { name, version, chainId, verifyingContract } = domain as Record<keyof Eip712Domain, string>
  const { from, to, value, validAfter, validBefore, nonce } = message as Message
  const times = [BigInt(validAfter), BigInt(validBefore)] as const
  const separator = domainSeparator(nobleEngine, {
    name,
    version,
    chainId: BigInt(chainId),
    verifyingContract: address(verifyingContract),
  })
  const struct = hashTransfer(nobleEngine, address(from), address(to), BigInt(value), ...times, nonce as Hex)
  return { separator, struct, digest: typedDataDigest(nobleEngine, separator, struct) }
}

function pidOf(on: string, asset: string, { from, nonce }: Message): string {
  return paymentId([on, address(asset), address(from), nonce.toLowerCase(), 'exact'])
}

/** What the network of a case answers; described in vectors/README.md. */
type ChainFacts = {
  readonly network: string
  readonly payerCode: Hex
  readonly walletAccepts: boolean
  readonly assetCode: boolean
  readonly balance: string
  readonly nonceUsed: boolean
  readonly transferSucceeds: boolean
}

/** The calls that a chain of a case answers, by selector. */
const selectors = {
  transferByKey: '0xe3ee160e',
  transferByWallet: '0xcf092995',
  authorizationState: '0xe94a0102',
  balanceOf: '0x70a08231',
  isValidSignature: '0x1626ba7e',
  name: '0x06fdde03',
  version: '0x54fd4d50',
}

function chainThatSays(facts: ChainFacts, now: number): EvmChain {
  const on = network(facts.network)
  const usdc = assetByTicker(on, 'USDC')
  if (usdc?.domain === undefined) throw new Error(`no USDC on ${on}`)
  const token = address(usdc.address)
  const { name, version } = usdc.domain
  const answers: Readonly<Record<string, string | undefined>> = {
    [selectors.transferByKey]: facts.transferSucceeds ? '' : undefined,
    [selectors.transferByWallet]: facts.transferSucceeds ? '' : undefined,
    [selectors.authorizationState]: word(facts.nonceUsed ? 1n : 0n),
    [selectors.balanceOf]: word(BigInt(facts.balance)),
    [selectors.isValidSignature]: facts.walletAccepts ? '1626ba7e'.padEnd(64, '0') : word(0n),
    [selectors.name]: text(name),
    [selectors.version]: text(version),
  }
  const rpc = {
    async call({ to, data }: { readonly to: Address; readonly data: Hex }) {
      if (to === token && !facts.assetCode) return { ok: true, data: '0x' }
      const answer = answers[data.slice(0, 10)]
      return answer === undefined ? { ok: false, data: '0x' } : { ok: true, data: `0x${answer}` }
    },
    // A node that knows no `eth_simulateV1`: a token is taken at its word.
    async simulate() {
      throw new X402Error('rpc_invalid_answer', { reason: 'the method does not exist' })
    },
    code: async (at: Address) => (at === token ? (facts.assetCode ? '0x60' : '0x') : facts.payerCode),
    latestBlock: async () => ({ number: 1n, timestamp: BigInt(now), baseFee: 1n }),
  }
  const chain = {
    network: on,
    chainId: 84532n,
    engine: nobleEngine,
    signers: ['0x90F79bf6EB2c4f870365E785982E1f101E93b906'],
    asset: (at: Address) => (at === token ? usdc : undefined),
    worth: () => chain as unknown as EvmChain,
    since: () => chain as unknown as EvmChain,
    rpc,
    fees: async () => ({ maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }),
  }
  // A verification asks for nothing else; if one did, it would fail here.
  return chain as unknown as EvmChain
}

function word(value: bigint): string {
  return value.toString(16).padStart(64, '0')
}

function text(value: string): string {
  const hex = formatHex(new TextEncoder().encode(value)).slice(2)
  return word(32n) + word(BigInt(hex.length / 2)) + hex.padEnd(Math.ceil(hex.length / 64) * 64, '0')
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
