// The operations of spec/vectors that need no chain, in plain Node without any package: what an adapter in another
// language has to do.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'

class Refusal extends Error {}
const refuse = (code) => {
  throw new Refusal(code)
}
const most = 2n ** 256n - 1n

const operations = {
  parseAtomic({ text }) {
    const right = /^(0|[1-9][0-9]{0,77})$/.test(text) && BigInt(text) <= most
    return right ? { atomic: text } : refuse('invalid_payload')
  },
  formatUnits({ atomic, decimals }) {
    const text = atomic.padStart(decimals + 1, '0')
    const [whole, rest] = [text.slice(0, text.length - decimals), text.slice(text.length - decimals)]
    const fraction = rest.replace(/0+$/, '')
    return { decimal: fraction === '' ? whole : `${whole}.${fraction}` }
  },
  isNetwork: ({ text }) => ({ valid: /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/.test(text) }),
  canonicalJson: ({ value }) => ({ text: canonical(value) }),
  paymentId: ({ parts }) => ({ pid: sha256(canonical(['x402-pid', ...parts])) }),
  encodeHeaderText: ({ text }) => ({ value: Buffer.from(text).toString('base64') }),
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex')

/** RFC 8785: what JSON.stringify writes, with the members in order of their UTF-16 units. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`
}

function answer({ cmd, op, input }) {
  if (cmd === 'hello') return { ok: { name: 'plain', ops: Object.keys(operations) } }
  try {
    return { ok: operations[op](input) }
  } catch (error) {
    if (error instanceof Refusal) return { ok: { error: error.message } }
    throw error
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const asked = JSON.parse(line)
  process.stdout.write(`${JSON.stringify({ seq: asked.seq, ...answer(asked) })}\n`)
})
