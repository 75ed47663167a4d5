import {
  canonicalJson,
  decodeBase64Text,
  decodeChallenge,
  decodeJsonObject,
  decodePayment,
  decodeReceipt,
  decodeRequirements,
  encodeBase64Text,
  formatUnits,
  isNetwork,
  type Json,
  networkByV1Name,
  parseAtomic,
  parseUnits,
  paymentId,
  requirementsId,
  X402Error,
} from '@groat/core'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { readRequirements } from '../scripts/lib/requirements.js'
import { jsonFiles, readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

type Input = VectorCase['input']
type Result = Readonly<Record<string, unknown>>
type Headers = Readonly<Record<string, string>>

/** What each operation is in `@groat/core`. */
const operations: Readonly<Record<string, (input: Input) => Result>> = {
  decodeHeaderText: ({ value, valueOf: parts }) => {
    const decoded = decodeBase64Text(typeof value === 'string' ? value : repeated(parts))
    return decoded.ok ? { text: decoded.value, length: decoded.value.length } : { error: decoded.code }
  },
  encodeHeaderText: ({ text }) => ({ value: encodeBase64Text(String(text)) }),
  decodePayment: ({ headers }) => {
    const payment = decodePayment(reader(headers as Headers))
    if (payment === undefined) return { payment: null }
    if (!payment.ok) return { error: payment.code }
    const { x402Version, scheme, network, accepted } = payment.value
    return { x402Version, scheme, network, amount: accepted?.amount.toString() }
  },
  decodeChallenge: ({ headers, body }) => {
    const challenge = decodeChallenge(reader(headers as Headers), String(body))
    if (challenge === undefined) return { challenge: null }
    if (!challenge.ok) return { error: challenge.code }
    return {
      x402Version: challenge.value.x402Version,
      amounts: challenge.value.accepts.map(({ amount }) => amount.toString()),
    }
  },
  decodeReceipt: ({ headers }) => {
    const receipt = decodeReceipt(reader(headers as Headers))
    if (receipt === undefined) return { receipt: null }
    if (!receipt.ok) return { error: receipt.code }
    return receipt.value.status === 'settled' ? { status: 'settled', ...receipt.value.receipt } : { ...receipt.value }
  },
  decodeJson: ({ text }) => {
    const object = decodeJsonObject(String(text))
    return object.ok ? { valid: true } : { error: object.code }
  },
  parseAtomic: ({ text }) => {
    const atomic = parseAtomic(String(text))
    return atomic === undefined ? { error: 'invalid_payload' } : { atomic: atomic.toString() }
  },
  parseUnits: ({ decimal, decimals }) =>
    orCode(() => ({ atomic: parseUnits(String(decimal), Number(decimals)).toString() })),
  formatUnits: ({ atomic, decimals }) => ({ decimal: formatUnits(BigInt(String(atomic)), Number(decimals)) }),
  networkOfName: ({ name }) => {
    const network = networkByV1Name(String(name))
    return network === undefined ? { error: 'invalid_network' } : { network }
  },
  isNetwork: ({ text }) => ({ valid: isNetwork(String(text)) }),
  canonicalJson: ({ value }) => ({ text: canonicalJson(value as Json) }),
  paymentId: ({ parts }) => ({ pid: paymentId(parts as readonly string[]) }),
  requirementsId: ({ requirements }) => {
    const decoded = decodeRequirements(2, requirements)
    return decoded.ok ? { rid: requirementsId(decoded.value) } : { error: decoded.code }
  },
}

const known = new Set(readRequirements(root).map(({ id }) => id))
const validate = new Ajv2020({ strict: true }).compile(readJson<object>(root, 'schemas/vector.schema.json'))
const paths = jsonFiles(root, 'vectors')

for (const path of paths) {
  const file = readJson<VectorFile>(root, path)

  describe(path, () => {
    test('has the published form', () => {
      validate(file)
      expect(validate.errors).toBeNull()
      const ids = file.cases.map(({ id }) => id)
      expect(ids).toEqual([...new Set(ids)])
      expect(file.cases.filter(({ id, requirement }) => !id.startsWith(`${requirement}/`))).toEqual([])
      expect(file.cases.filter(({ requirement }) => !known.has(requirement)).map(({ id }) => id)).toEqual([])
      const flags = new Set(file.cases.flatMap(({ flags }) => flags ?? []))
      expect([...flags].sort()).toEqual(Object.keys(file.flags ?? {}).sort())
    })

    for (const { id, op, input, expect: expected } of file.cases) {
      const run = operations[op]
      if (run !== undefined) test(`${id} ${op}`, () => expectResult(run(input), expected))
    }
  })
}

function expectResult(result: Result, { error, ...members }: Result): void {
  if (Array.isArray(error)) expect(error).toContain(result.error)
  else expect(result.error).toBe(error)
  expect(result).toMatchObject(members)
}

function reader(headers: Headers): (name: string) => string | undefined {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return (name) => lower.get(name.toLowerCase())
}

function repeated(value: unknown): string {
  const { head, unit, times } = value as { readonly head: string; readonly unit: string; readonly times: number }
  return head + unit.repeat(times)
}

function orCode(run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    if (X402Error.is(error)) return { error: error.code }
    throw error
  }
}
