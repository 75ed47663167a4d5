import type { Mutant } from './facilitators.js'
import { asSaid } from './middle.js'

// biome-ignore lint/suspicious/noExplicitAny: a mutant spoils whatever it finds.
type Json = any

/** Hears another payment than it was sent. */
const hears = (name: string, kills: readonly string[], change: (body: Json) => Json): Mutant => ({
  name,
  kills,
  fault: () => async (passing, forward) =>
    asSaid(await forward(passing.json === undefined ? {} : { json: change(passing.json) })),
})

const withCodes = (change: (info: Json) => Json) => (body: Json) => {
  const { paymentPayload } = body
  const found = paymentPayload?.extensions?.['builder-code']
  if (found === undefined) return body
  const extensions = { ...paymentPayload.extensions, 'builder-code': { ...found, info: change(found.info) } }
  return { ...body, paymentPayload: { ...paymentPayload, extensions } }
}

/** Broken in what they make of extensions. */
export const codeMutants: readonly Mutant[] = [
  hears(
    'names nobody but itself',
    ['EXT-CODE-007/suffix/evm'],
    withCodes(() => ({})),
  ),
  hears(
    'writes sentences as codes',
    ['EXT-CODE-006/no-code/evm'],
    withCodes((info) => (info.a === 'No Code\n' ? { ...info, a: 'no_code' } : info)),
  ),
  hears('takes codes from payments of version 1', ['EXT-CODE-006/version-1/evm'], (body) => {
    if (body.paymentPayload?.x402Version !== 1) return body
    const { maxAmountRequired, ...rest } = body.paymentRequirements
    const paymentRequirements = { ...rest, amount: maxAmountRequired, network: 'eip155:84532' }
    const { payload, extensions } = body.paymentPayload
    return {
      x402Version: 2,
      paymentRequirements,
      paymentPayload: { x402Version: 2, accepted: paymentRequirements, payload, extensions },
    }
  }),
  {
    name: 'refuses payments with extensions that it does not know',
    kills: ['EXT-007/garbage/evm', 'EXT-007/garbage/svm'],
    fault: () => async (passing, forward) => {
      const isStrange = (passing.json as Json)?.paymentPayload?.extensions?.['x-strange'] !== undefined
      return isStrange && passing.path === '/verify'
        ? { json: { isValid: false, invalidReason: 'extension_invalid' } }
        : asSaid(await forward())
    },
  },
]
