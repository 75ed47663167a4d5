import { both } from '../model/check.js'
import { expectThat } from '../model/finding.js'
import { expectRefused, expectValid, readVerdict } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith, refusal } from './check.js'
import type { Scene } from './stage.js'

const check = facilitatorChecksWith({ families: both })

/** A message that ought to be refused, made from one that is right. */
type Refusal = {
  readonly id: string
  /** What it is, after "a payment": `to somebody else`. */
  readonly of: string
  readonly codes: readonly string[]
  readonly change: (scene: Scene) => { readonly payment?: unknown; readonly requirements?: unknown }
}

const amounts: readonly (readonly [name: string, amount: unknown, requirement?: string])[] = [
  ['number', 10_000],
  ['negative', '-10000'],
  ['plus', '+10000'],
  ['fraction', '10000.0'],
  ['exponent', '1e4'],
  ['leading-zero', '010000'],
  ['space', ' 10000'],
  ['hexadecimal', '0x2710'],
  ['empty', ''],
  ['other-digits', '१००००'],
  ['too-large', (2n ** 256n).toString(), 'CORE-052'],
]

/** Messages that `/verify` has to refuse or to accept, whatever the scheme. */
export const verifyChecks: readonly FacilitatorCheck[] = [
  ...refusals().map(({ id, of, codes, change }) =>
    refusal(check, id, of, codes, async (stage) => {
      const scene = await stage.scene()
      return { payment: scene.payment, requirements: scene.requirements, ...change(scene) }
    }),
  ),
  check('CORE-013/unknown-members', 'members that nobody knows are accepted, at every level', async (stage) => {
    const { payment, requirements, payload } = await stage.scene()
    const more = { 'x-unknown': { deep: [1, null, 'ü'] } }
    const known = { ...requirements, ...more }
    const changed = { ...payment, ...more, accepted: known, payload: { ...(payload as object), ...more } }
    expectValid(await stage.verify(changed, known), 'a payment with members that it does not know')
  }),
  check('CORE-017/order', 'the order of members means nothing', async (stage) => {
    const { payment, requirements } = await stage.scene()
    expectValid(
      await stage.verify(reversed(payment), reversed(requirements)),
      'a payment whose members are in another order',
    )
  }),
  check('CORE-012/same-key-twice', 'a message that holds a key twice is refused', async (stage) => {
    const { payment, requirements } = await stage.scene()
    const body = JSON.stringify({ x402Version: 2, paymentPayload: payment, paymentRequirements: requirements })
    const twice = body.replace(/"paymentRequirements":\{/, '"paymentRequirements":{"amount":"1",')
    const { answer, isValid } = readVerdict(await stage.post('/verify', twice))
    expectThat(!isValid && answer.status < 500, 'an amount that is written twice is accepted', 'a refusal', answer.text)
  }),
  check(
    'CORE-004/accepted-in-version-1',
    'a payment of version 1 that carries `accepted` is refused',
    async (stage) => {
      const { payment, requirements } = await stage.scene({ version: 1 })
      const verdict = await stage.verify({ ...payment, accepted: requirements }, requirements)
      expectRefused(verdict, ['invalid_payload'], 'a payment of version 1 with `accepted`')
    },
  ),
]

function refusals(): readonly Refusal[] {
  const terms = ['invalid_payment_requirements']
  const form = ['invalid_payload']
  const version = ['invalid_x402_version']
  const unmatched = [...form, 'no_matching_requirements', 'invalid_payment_requirements']
  const list: readonly Refusal[] = [
    ...(['scheme', 'network', 'amount', 'asset', 'payTo'] as const).map((member) => ({
      id: `FAC-009/without-${member}`,
      of: `an offer without ${member}`,
      codes: terms,
      change: ({ requirements }: Scene) => {
        const { [member]: _, ...rest } = requirements
        return { requirements: rest }
      },
    })),
    { id: 'FAC-009/null', of: 'null in the place of an offer', codes: terms, change: () => ({ requirements: null }) },
    { id: 'FAC-009/list', of: 'a list in the place of an offer', codes: terms, change: () => ({ requirements: [] }) },
    ...amounts.map(([name, amount, requirement = 'CORE-051']) => ({
      id: `${requirement}/${name}`,
      of: name === 'too-large' ? 'an amount of 2^256' : `an amount of ${JSON.stringify(amount)}`,
      codes: [...terms, ...form],
      change: ({ payment, requirements }: Scene) => {
        const changed = { ...requirements, amount }
        return { requirements: changed, payment: { ...payment, accepted: changed } }
      },
    })),
    {
      id: 'FAC-010/null',
      of: 'null in the place of a payment',
      codes: [...form, ...version],
      change: () => ({ payment: { payload: null } }),
    },
    {
      id: 'FAC-010/without-payload',
      of: 'a payment without payload',
      codes: unmatched,
      change: ({ payment }) => {
        const { payload: _, ...rest } = payment
        return { payment: rest }
      },
    },
    {
      id: 'FAC-010/payload-text',
      of: 'a payload that is text',
      codes: form,
      change: ({ payment }) => ({ payment: { ...payment, payload: 'pay' } }),
    },
    {
      id: 'FAC-010/payload-empty',
      of: 'a payload without members',
      codes: form,
      change: ({ payment }) => ({ payment: { ...payment, payload: {} } }),
    },
    {
      id: 'FAC-010/without-accepted',
      of: 'a payment of version 2 without `accepted`',
      codes: unmatched,
      change: ({ payment }) => {
        const { accepted: _, ...rest } = payment
        return { payment: rest }
      },
    },
    {
      id: 'CORE-002/version-3',
      of: 'a payment of version 3',
      codes: version,
      change: ({ payment }) => ({ payment: { ...payment, x402Version: 3 } }),
    },
    {
      id: 'CORE-002/version-text',
      of: 'a payment whose version is text',
      codes: version,
      change: ({ payment }) => ({ payment: { ...payment, x402Version: '2' } }),
    },
    {
      id: 'CORE-002/without-version',
      of: 'a payment without version',
      codes: version,
      change: ({ payment }) => {
        const { x402Version: _, ...rest } = payment
        return { payment: rest }
      },
    },
    {
      id: 'FAC-011/scheme',
      of: 'a scheme that nobody serves',
      codes: ['unsupported_scheme'],
      change: ({ payment, requirements }) => both2(payment, { ...requirements, scheme: 'nosuch' }),
    },
    {
      id: 'FAC-012/network',
      of: 'a network that is not served',
      codes: ['invalid_network'],
      change: ({ payment, requirements }) => both2(payment, { ...requirements, network: 'eip155:4294967291' }),
    },
    {
      id: 'CORE-063/spelling',
      of: 'a network in another spelling',
      codes: ['invalid_network', ...terms, ...form],
      change: ({ payment, requirements }) =>
        both2(payment, { ...requirements, network: String(requirements.network).toUpperCase() }),
    },
    ...(['scheme', 'network', 'asset', 'payTo'] as const).map((member) => ({
      id: `FAC-013/${member}`,
      of: `an echoed offer with another ${member}`,
      // A scheme has names of its own for two of these.
      codes: [],
      change: ({ payment, requirements, payer }: Scene) => {
        const others = { scheme: 'upto', network: 'eip155:8453', asset: payer.address, payTo: payer.address }
        return { payment: { ...payment, accepted: { ...requirements, [member]: others[member] } } }
      },
    })),
  ]
  return list
}

const both2 = (payment: Readonly<Record<string, unknown>>, requirements: unknown) => ({
  requirements,
  payment: { ...payment, accepted: requirements },
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  )
}
