import { decodeFacilitatorRequest, type JsonObject } from '@groat/core'
import { batchEvm as payer, privateKeyAccount } from '@groat/evm/batch-settlement/client'
import { type BatchEvmFacilitatorOptions, batchEvm } from '@groat/evm/batch-settlement/facilitator'
import { nobleEngine, parseHex } from '@groat/evm/crypto'
import { type Hex, hashTypedData } from 'viem'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type Input = VectorCase['input']
type Result = Readonly<Record<string, unknown>>

/** What each operation is in `@groat/evm`; hashes are viem's, a second source that shares no code with it. */
const operations: Readonly<Record<string, (input: Input) => Result | Promise<Result>>> = {
  hashBatchSettlement({ chainId, primaryType, types, message }) {
    const domain = {
      name: 'x402 Batch Settlement',
      version: '1',
      chainId: Number(chainId),
      verifyingContract: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003',
    } as const
    return { digest: hashTypedData({ domain, primaryType, types, message } as never) }
  },
  async payBatch({ privateKey, now, random, requirements }) {
    const { requirements: offer } = requestOf({}, requirements)
    const half = payer({ account: privateKeyAccount(String(privateKey)), engine: nobleEngine })
    const prepared = await half.prepare(offer, {
      clock: () => Number(now) * 1000,
      random: () => parseHex(String(random)) ?? new Uint8Array(),
      maxLifetimeSeconds: 600,
    })
    return prepared.ok ? { payload: await prepared.sign() } : { error: prepared.code }
  },
  async putOnChain({ payment }) {
    const { payment: read, requirements } = asked(payment)
    const call = await offline().prepare(read, requirements)
    return { to: call?.to, data: call?.data }
  },
  async verifyVoucher({ payment }) {
    const { payment: read, requirements } = asked(payment)
    const verdict = await offline().verify(read, requirements, { now: 1_999_999_940_000 })
    return verdict.ok ? { valid: true, payer: verdict.payer } : { error: verdict.code }
  },
}

/** A facilitator over a chain that has this channel with 5000 in it, and nothing else. */
function offline() {
  const word = (value: bigint) => value.toString(16).padStart(64, '0')
  const chain = {
    network: 'eip155:84532',
    signers: [],
    engine: nobleEngine,
    asset: () => ({}),
    worth: (): unknown => chain,
    since: (): unknown => chain,
    rpc: { call: async () => ({ ok: true, data: `0x${word(5000n)}${word(0n)}` as Hex }) },
  }
  return batchEvm({ chains: [chain] as unknown as BatchEvmFacilitatorOptions['chains'] })
}

function asked(payment: unknown) {
  const { accepted, payload } = payment as { readonly accepted: JsonObject; readonly payload: JsonObject }
  return requestOf(payload, accepted)
}

function requestOf(payload: JsonObject, requirements: unknown) {
  const paymentPayload = { x402Version: 2, accepted: requirements, payload }
  const request = decodeFacilitatorRequest({ x402Version: 2, paymentPayload, paymentRequirements: requirements })
  if (!request.ok) throw new Error(request.code)
  return request.value
}

/** Hex is compared by value. */
const bare = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replace(/0x[0-9a-fA-F]+\b/g, (hex) => hex.toLowerCase()))

describe('vectors/evm/batch-settlement.json', () => {
  const { cases } = readJson<VectorFile>(root, 'vectors/evm/batch-settlement.json')
  for (const { id, op, input, expect: expected } of cases) {
    test(`${id} ${op}`, async () => {
      expect(bare(await operations[op]?.(input))).toEqual(bare(expected))
    })
  }
})
