import { decodeFacilitatorRequest, type JsonObject } from '@groat/core'
import { type ExactEvmFacilitatorOptions, exactEvm } from '@groat/evm/exact/facilitator'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type Input = VectorCase['input']
type Result = Readonly<Record<string, unknown>>

/** What each operation is in `@groat/evm`. */
const operations: Readonly<Record<string, (input: Input) => Result | Promise<Result>>> = {
  async redeemDelegation(input) {
    const { payment, requirements } = requestOf(input)
    const { to, data } = await facilitatorOf(requirements.network).prepare(payment, requirements)
    return { to, data }
  },
  readDelegation(input) {
    const { payment, requirements } = requestOf(input)
    const inspection = facilitatorOf(requirements.network).inspect(payment, requirements, { now: 0 })
    return inspection.ok ? { pid: inspection.pid, payer: inspection.payer } : { error: inspection.code }
  },
}

/** A facilitator that is not asked about its chain. */
function facilitatorOf(network: string) {
  const asset = () => ({ domain: { name: 'USDC', version: '2' } })
  const chain = { network, signers: [], asset, worth: () => chain, since: () => chain }
  return exactEvm({ chains: [chain] as unknown as ExactEvmFacilitatorOptions['chains'] })
}

function requestOf({ payload, requirements }: Input) {
  const request = decodeFacilitatorRequest({
    x402Version: 2,
    paymentPayload: { x402Version: 2, accepted: requirements, payload: payload as JsonObject },
    paymentRequirements: requirements,
  })
  if (!request.ok) throw new Error(request.code)
  return request.value
}

/** Addresses are compared by value. */
const bare = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replace(/0x[0-9a-fA-F]{40}\b/g, (address) => address.toLowerCase()))

describe('vectors/evm/exact-erc7710.json', () => {
  const { cases } = readJson<VectorFile>(root, 'vectors/evm/exact-erc7710.json')
  for (const { id, op, input, expect: expected } of cases) {
    test(`${id} ${op}`, async () => {
      expect(bare(await operations[op]?.(input))).toEqual(bare(expected))
    })
  }
})
