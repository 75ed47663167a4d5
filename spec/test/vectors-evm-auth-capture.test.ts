import { decodeFacilitatorRequest, type JsonObject } from '@groat/core'
import { authCaptureEvm as payer, privateKeyAccount } from '@groat/evm/auth-capture/client'
import { type AuthCaptureEvmFacilitatorOptions, authCaptureEvm } from '@groat/evm/auth-capture/facilitator'
import { formatHex, nobleEngine, parseHex } from '@groat/evm/crypto'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type Input = VectorCase['input']
type Result = Readonly<Record<string, unknown>>

/** What each operation is in `@groat/evm`. */
const operations: Readonly<Record<string, (input: Input) => Result | Promise<Result>>> = {
  async payAuthCapture({ privateKey, now, random, requirements }) {
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
      random: () => parseHex(String(random)) ?? new Uint8Array(),
      maxLifetimeSeconds: 600,
    })
    if (!prepared.ok) return { error: prepared.code }
    return { pid: prepared.pid, payload: await prepared.sign(), digest: formatHex(digest) }
  },
  async settleAuthCapture({ payload, requirements }) {
    const request = requestOf(payload as JsonObject, requirements)
    const chain = { network: request.requirements.network, worth: () => chain, since: () => chain }
    const chains = [chain] as unknown as AuthCaptureEvmFacilitatorOptions['chains']
    const scheme = authCaptureEvm({ chains })
    const call = await scheme.prepare(request.payment, request.requirements)
    return { from: scheme.signerOf?.(request.payment, request.requirements), to: call?.to, data: call?.data }
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

describe('vectors/evm/auth-capture.json', () => {
  const { cases } = readJson<VectorFile>(root, 'vectors/evm/auth-capture.json')
  for (const { id, op, input, expect: expected } of cases) {
    test(`${id} ${op}`, async () => {
      expect(bare(await operations[op]?.(input))).toEqual(bare(expected))
    })
  }
})
