import { decodeFacilitatorRequest, type JsonObject } from '@groat/core'
import { formatHex, nobleEngine, parseHex } from '@groat/evm/crypto'
import { uptoEvm as payer, privateKeyAccount } from '@groat/evm/upto/client'
import { type UptoEvmFacilitatorOptions, uptoEvm } from '@groat/evm/upto/facilitator'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type Input = VectorCase['input']
type Result = Readonly<Record<string, unknown>>

/** What each operation is in `@groat/evm`. */
const operations: Readonly<Record<string, (input: Input) => Result | Promise<Result>>> = {
  async payUpto({ privateKey, now, nonce, requirements }) {
    const { requirements: offer } = requestOf({}, requirements)
    const account = privateKeyAccount(String(privateKey))
    let digest = new Uint8Array()
    const watched = {
      address: account.address,
      signDigest(bytes: Uint8Array) {
        digest = bytes.slice()
        return account.signDigest(bytes)
      },
    }
    const prepared = payer({ account: watched, engine: nobleEngine }).prepare(offer, {
      clock: () => Number(now) * 1000,
      random: () => parseHex(String(nonce)) ?? new Uint8Array(),
      maxLifetimeSeconds: 600,
    })
    if (!prepared.ok) return { error: prepared.code }
    return { payload: await prepared.sign(), digest: formatHex(digest) }
  },
  async settleUpto({ payment, amount }) {
    const { accepted, payload } = payment as { readonly accepted: JsonObject; readonly payload: JsonObject }
    const request = requestOf(payload, accepted)
    const terms = { ...request.requirements, amount: BigInt(String(amount)) }
    const chain = { network: terms.network, worth: () => chain, since: () => chain }
    const chains = [chain] as unknown as UptoEvmFacilitatorOptions['chains']
    const scheme = uptoEvm({ chains })
    const call = await scheme.prepare(request.payment, terms)
    if (call === undefined) return { transaction: null }
    return { from: scheme.signerOf?.(request.payment, terms), to: call.to, data: call.data }
  },
}

function requestOf(payload: JsonObject, requirements: unknown) {
  const payment = { x402Version: 2, accepted: requirements, payload }
  const request = decodeFacilitatorRequest({
    x402Version: 2,
    paymentPayload: payment,
    paymentRequirements: requirements,
  })
  if (!request.ok) throw new Error(request.code)
  return request.value
}

/** Addresses are compared by value. */
const bare = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replace(/0x[0-9a-fA-F]{40}\b/g, (a) => a.toLowerCase()))

describe('vectors/evm/upto-permit2.json', () => {
  const { cases } = readJson<VectorFile>(root, 'vectors/evm/upto-permit2.json')
  for (const { id, op, input, expect: expected } of cases) {
    test(`${id} ${op}`, async () => {
      expect(bare(await operations[op]?.(input))).toEqual(bare(expected))
    })
  }
})
