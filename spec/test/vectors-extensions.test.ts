import type { Network } from '@groat/core'
import { formatHex, nobleEngine } from '@groat/evm/crypto'
import { privateKeyAccount } from '@groat/evm/exact/client'
import { decodeSuffix, encodeSuffix } from '@groat/extensions/builder-code/facilitator'
import { recordDigest } from '@groat/extensions/compliance/client'
import { readPayerFields } from '@groat/extensions/compliance/facilitator'
import { verifyOffer, verifySignedReceipt } from '@groat/extensions/offer-receipt/client'
import { typedDataIssuer } from '@groat/extensions/offer-receipt/server'
import { fingerprintOf } from '@groat/extensions/payment-identifier/server'
import { refundBytes, refundDigest } from '@groat/extensions/refund/client'
import { bindingOf, drawnBy } from '@groat/extensions/request-binding/server'
import { formatSignIn, readProof, signedBy } from '@groat/extensions/sign-in-with-x/server'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type Input = VectorCase['input']
type Result = Readonly<Record<string, unknown>>

/** What each operation is in `@groat/extensions`. */
const operations: Readonly<Record<string, (input: Input) => Result | Promise<Result>>> = {
  fingerprintOf: ({ method, url, body, payer, scheme, network, asset, amount, payTo }) => {
    const [terms] = [{ scheme, network: network as Network, asset, amount: BigInt(String(amount)), payTo }]
    const request = { method, url, body: new TextEncoder().encode(String(body)), payer, requirements: terms }
    return { fingerprint: fingerprintOf(request as never) }
  },
  async verifySignIn({ proof }) {
    const read = readProof(Buffer.from(JSON.stringify(proof)).toString('base64'))
    if (read === undefined) return { error: 'sign_in_invalid' }
    const bytes = new TextEncoder().encode(formatSignIn(read))
    const head = new TextEncoder().encode(`\u0019Ethereum Signed Message:\n${bytes.length}`)
    const digest = formatHex(nobleEngine.keccak256(Uint8Array.of(...head, ...bytes)))
    return { bytes: bytes.length, digest, signedBy: (await signedBy(read)) ?? null }
  },
  async signArtifact({ privateKey, kind, payload }) {
    const { signature } = await typedDataIssuer(privateKeyAccount(String(privateKey))).sign({ kind, payload } as never)
    return { signature }
  },
  async verifyArtifact({ now, trusted, kind, artifact }) {
    const trust = { now: Number(now), trusted: trusted as readonly string[] }
    const verdict = await (kind === 'offer'
      ? verifyOffer(artifact as never, trust)
      : verifySignedReceipt(artifact as never, trust))
    return verdict.ok ? { valid: true, authority: verdict.authority } : { error: verdict.code }
  },
  encodeSuffix: (codes) => ({ suffix: encodeSuffix(codes) }),
  hashRefundRequest: ({ message }) => ({ digest: formatHex(refundDigest(nobleEngine, message as never)) }),
  async signRefundRequest({ privateKey, message }) {
    const digest = refundDigest(nobleEngine, message as never)
    return { signature: formatHex(await privateKeyAccount(String(privateKey)).signDigest(digest)) }
  },
  refundText: ({ message }) => ({ text: new TextDecoder().decode(refundBytes(message as never)) }),
  bindRequest: ({ method, url, body, headers, salt }) => {
    const request = { method, url, body: new TextEncoder().encode(String(body)), ...(headers ? { headers } : {}), salt }
    return { binding: formatHex(bindingOf(request as never)).slice(2) }
  },
  drawnBy: ({ payment }) => ({ drawn: drawnBy(payment as never) ?? null }),
  recordDigest: ({ record }) => ({ digest: recordDigest(record as never) }),
  readPayerFields: ({ extensions, required }) => {
    const read = readPayerFields({ extensions } as never, required as never)
    return read.ok ? { fields: read.fields ?? null } : { error: read.code }
  },
  decodeSuffix: ({ data }) => ({ codes: decodeSuffix(String(data)) ?? null }),
}

const files = [
  ...['payment-identifier', 'sign-in-with-x', 'offer-receipt', 'builder-code'],
  ...['groat-refund', 'groat-request-binding', 'groat-compliance'],
]
describe.each(files)('vectors of %s', (name) => {
  const { cases } = readJson<VectorFile>(root, `vectors/extensions/${name}.json`)
  test.each(cases.map((each) => [each.id, each] as const))('%s', async (_, { op, input, expect: expected }) => {
    expect(await operations[op]?.(input)).toMatchObject(expected)
  })
})
