import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { decodeFacilitatorRequest, defaultAssets, encodeVerdict, paymentId } from '@groat/core'
import { type ExactSvmFacilitatorOptions, exactSvm } from '@groat/svm/exact/facilitator'
import { channelAddress, distributionHash, encodeVoucher, isVoucherSigned, openChannel } from '@groat/svm/upto/channel'
import { decodeBase64, decodeTransaction, encodeBase58, formatAddress, parseAddress, programs } from '@groat/svm/wire'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type SvmChain = ExactSvmFacilitatorOptions['chains'][number]

/** What each operation is in `@groat/svm`. */
const operations: Readonly<Record<string, (input: VectorCase['input']) => Promise<Readonly<Record<string, unknown>>>>> =
  {
    async verifyExactSvm({ payment, requirements, signers }) {
      const body = { x402Version: 2, paymentPayload: payment, paymentRequirements: requirements }
      const request = decodeFacilitatorRequest(body)
      if (!request.ok) return { error: request.code }
      const { payment: read, requirements: terms } = request.value
      const scheme = exactSvm({ chains: [willingChain(terms.network, terms.payTo, signers as readonly string[])] })
      const verdict = await scheme.verify(read, terms, { now: 0 })
      if (!verdict.ok) return { error: encodeVerdict(2, verdict).invalidReason }
      const messageHash = hashOfMessage(String(read.payload.transaction))
      const inspection = scheme.inspect(read, terms, { now: 0 })
      expect(inspection).toMatchObject({ pid: paymentId([terms.network, messageHash]) })
      return { valid: true, payer: verdict.payer, messageHash }
    },
    async channelAddress(input) {
      const { key, bump } = channelAddress(seedsOf(input))
      return { channel: formatAddress(key), bump }
    },
    async encodeOpening(input) {
      const recipient = keyOf(String(input.recipient))
      const terms = { deposit: BigInt(String(input.deposit)), grace: Number(input.grace), recipient }
      const { data } = openChannel({ ...seedsOf(input), ...terms, tokenProgram: programs.token })
      return { data: hex(data), distributionHash: hex(distributionHash(recipient)) }
    },
    async signVoucher({ seed, channel, cumulative, expiresAt }) {
      const voucher = {
        channel: keyOf(String(channel)),
        cumulative: BigInt(String(cumulative)),
        expiresAt: BigInt(Number(expiresAt)),
      }
      const pkcs8 = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex')
      const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
      const signature = sign(null, encodeVoucher(voucher), key)
      const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
      expect(await isVoucherSigned(voucher, spki.subarray(12), signature)).toBe(true)
      return { voucher: hex(encodeVoucher(voucher)), signature: encodeBase58(signature) }
    },
  }

describe.each(['vectors/svm/exact.json', 'vectors/svm/upto.json'])('%s', (path) => {
  const { cases } = readJson<VectorFile>(root, path)

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

/** A chain on which every simulation succeeds, and every recipient has its token account. */
function willingChain(network: SvmChain['network'], payTo: string, signers: readonly string[]): SvmChain {
  const assets = defaultAssets(network)
  const data = new Uint8Array(165)
  data.set(keyOf(payTo), 32)
  data[108] = 1
  const rpc = {
    async simulate(transaction: string) {
      const read = decodeTransaction(decodeBase64(transaction) ?? new Uint8Array())
      if (typeof read === 'string') throw new Error(`a node was shown a transaction that is ${read}`)
      const { instructions, keys } = read.message
      return { ok: true, accounts: [{ owner: keys[instructions[2]?.program ?? 0], lamports: 1n, data }] }
    },
  }
  const chain = {
    network,
    rpc,
    commitment: 'confirmed',
    signers,
    keys: signers.map(keyOf),
    asset: (mint: string) => assets.find(({ address }) => address === mint),
    mint: async () => ({ decimals: 6, extensions: [] }),
  }
  // A verification asks for nothing else; if one did, it would fail here.
  return chain as unknown as SvmChain
}

function keyOf(address: string): Uint8Array {
  const key = parseAddress(address)
  if (key === undefined) throw new Error(`no address: ${address}`)
  return key
}

/** The message is what follows the signatures; there are two of them in every payment that is valid. */
function hashOfMessage(transaction: string): string {
  return createHash('sha256').update(Buffer.from(transaction, 'base64').subarray(129)).digest('hex')
}

function seedsOf({ payer, payee, mint, authorizedSigner, salt, openSlot }: VectorCase['input']) {
  const [a, b, c, d] = [payer, payee, mint, authorizedSigner].map((address) => keyOf(String(address)))
  if (!a || !b || !c || !d) throw new Error('no seeds')
  return {
    payer: a,
    payee: b,
    mint: c,
    authorizedSigner: d,
    salt: BigInt(String(salt)),
    openSlot: BigInt(String(openSlot)),
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
