import fc from 'fast-check'
import { isObject, jsonIn } from '../http/exchange.js'
import { both } from '../model/check.js'
import { expectThat } from '../model/finding.js'
import { property } from '../model/property.js'
import { expectSettled, expectValid } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith, fewer } from './check.js'
import { expectMoved, type FacilitatorStage, type Scene } from './stage.js'

const check = facilitatorChecksWith({ kind: 'property', families: both })

/** Laws that hold for generated inputs. */
export const facilitatorProperties: readonly FacilitatorCheck[] = [
  check(
    'SEC-003/any-json',
    'whatever JSON is posted, the answer is a verdict or a refusal',
    async (stage) => {
      await property(
        stage,
        fc.tuple(fc.constantFrom('/verify' as const, '/settle' as const), hostileJson),
        async ([path, body]) => {
          const answer = await stage.post(path, JSON.stringify(body))
          expectThat(
            answer.status < 500,
            `POST ${path} answers a stranger's message with a fault`,
            'below 500',
            `${answer.status} ${answer.text}`,
          )
          const said = jsonIn(answer)
          expectThat(
            !isObject(said) || (said.isValid !== true && said.success !== true),
            `POST ${path} accepts what is no payment`,
            'a refusal',
            answer.text,
          )
        },
      )
    },
    { families: [] },
  ),
  check('SEC-003/any-change', 'whatever is done to a good message, the answer is no fault', async (stage) => {
    const scene = await stage.scene()
    await property(stage, changes, async (change) => {
      const body = applied(
        { x402Version: 2, paymentPayload: scene.payment, paymentRequirements: scene.requirements },
        change,
      )
      const { status, text } = await stage.post('/verify', JSON.stringify(body))
      expectThat(
        status < 500,
        'a message that was changed in one place is answered with a fault',
        'below 500',
        `${status} ${text}`,
      )
    })
  }),
  check(
    'FAC-030/any-change',
    'accepting is fragile: a payment with a changed member of its signed part is refused',
    async (stage) => {
      const scene = await stage.scene()
      expectValid(await stage.verify(scene.payment, scene.requirements))
      await property(stage, mutationOf(stage, scene), async (payload) => {
        const { isValid, answer } = await stage.verify(stage.withPayload(scene, payload), scene.requirements)
        expectThat(!isValid, '/verify accepts what nobody signed', 'isValid: false', answer.text)
      })
      const { answer, success } = await stage.settle(stage.withPayload(scene, spoilt(scene)), scene.requirements)
      expectThat(!success, '/settle accepts what nobody signed', 'success: false', answer.text)
      await expectMoved(stage, scene, 0)
    },
  ),
  check(
    'CORE-013/any-member',
    'refusing and accepting are stable: members that nobody knows change no verdict',
    async (stage) => {
      const [good, poor] = [await stage.scene(), await stage.scene({ holds: 0n })]
      const members = fc.dictionary(fc.stringMatching(/^x-[a-z]{1,12}$/), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 })
      await property(stage, fc.tuple(members, members, members), async ([a, b, c]) => {
        for (const [scene, right] of [
          [good, true],
          [poor, false],
        ] as const) {
          const accepted = { ...b, ...scene.requirements }
          const payment = { ...a, ...scene.payment, accepted, payload: { ...c, ...(scene.payload as object) } }
          const { isValid, answer } = await stage.verify(payment, scene.requirements)
          expectThat(isValid === right, 'a member that nobody knows changes the verdict', right, answer.text)
        }
      })
    },
  ),
  check(
    'FAC-038/verified-settles',
    'what verifies settles, moves exactly the amount, and nothing else',
    async (stage) => {
      const amounts = fc.oneof(fc.constantFrom(1n, 2n, 999_999n, 1_000_000n), fc.bigInt({ min: 1n, max: 2_000_000n }))
      // Every try is a payment on the chain.
      await property(fewer(stage, { by: 20, least: 1 }), amounts, async (amount) => {
        const scene = await stage.scene({ amount, holds: amount })
        expectValid(await stage.verify(scene.payment, scene.requirements), `a payment of ${amount}`)
        const receipt = await stage.settle(scene.payment, scene.requirements)
        expectSettled(receipt, `a payment of ${amount} that verified`)
        await expectMoved(stage, scene, 1, receipt)
      })
    },
  ),
]

/** JSON that is nearly a request, or not at all. */
const hostileJson: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 5 }),
  fc.record(
    {
      x402Version: fc.constantFrom<unknown>(1, 2, 3, '2', null, -1, 1e99),
      paymentPayload: fc.oneof(
        fc.jsonValue({ maxDepth: 3 }),
        fc.record({ x402Version: fc.constantFrom(1, 2), payload: fc.jsonValue(), accepted: fc.jsonValue() }),
      ),
      paymentRequirements: fc.oneof(
        fc.jsonValue({ maxDepth: 3 }),
        fc.record({
          scheme: fc.constant('exact'),
          network: fc.constantFrom('eip155:84532', 'base-sepolia'),
          amount: fc.jsonValue(),
          extra: fc.jsonValue(),
        }),
      ),
    },
    { requiredKeys: [] },
  ),
)

type Change = { readonly at: number; readonly value: unknown }

/** Puts something else in the place of the nth member of a message. */
const changes: fc.Arbitrary<Change> = fc.record({
  at: fc.nat({ max: 60 }),
  value: fc.oneof(
    fc.constantFrom<unknown>(null, '', 0, -1, [], {}, true, '0x', '1e400', '\u0000', 'x'.repeat(5_000), {
      __proto__: null,
    }),
    fc.jsonValue({ maxDepth: 2 }),
  ),
})

function applied(message: unknown, { at, value }: Change): unknown {
  let left = at % Math.max(1, countMembers(message))
  const walk = (node: unknown): unknown => {
    if (!isObject(node)) return node
    return Object.fromEntries(
      Object.entries(node).map(([name, each]) => (left-- === 0 ? [name, value] : [name, walk(each)])),
    )
  }
  return walk(message)
}

const countMembers = (node: unknown): number =>
  isObject(node) ? Object.values(node).reduce<number>((sum, each) => sum + 1 + countMembers(each), 0) : 0

/** The payload of a scene with one member of what is signed changed. */
function mutationOf(stage: FacilitatorStage, scene: Scene): fc.Arbitrary<unknown> {
  if (stage.rail.family === 'svm') {
    const bytes = Buffer.from((scene.payload as { readonly transaction: string }).transaction, 'base64')
    // Behind the two slots for signatures comes what is signed; the slot of the fee payer is nobody's.
    return fc
      .record({ at: fc.integer({ min: 65, max: bytes.length - 1 }), bit: fc.nat({ max: 7 }) })
      .map(({ at, bit }) => {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ (1 << bit)
        return { transaction: changed.toString('base64') }
      })
  }
  const { authorization, signature } = scene.payload as {
    readonly authorization: Readonly<Record<string, string>>
    readonly signature: string
  }
  const member = fc.constantFrom('from', 'to', 'value', 'validAfter', 'validBefore', 'nonce')
  return fc.oneof(
    fc.record({ member, by: fc.integer({ min: 1, max: 9 }) }).map(({ member: name, by }) => ({
      signature,
      authorization: { ...authorization, [name]: nudged(authorization[name] ?? '', by) },
    })),
    fc.record({ at: fc.integer({ min: 2, max: 129 }), by: fc.integer({ min: 1, max: 15 }) }).map(({ at, by }) => ({
      signature: `${signature.slice(0, at)}${(Number.parseInt(signature[at] ?? '0', 16) ^ by).toString(16)}${signature.slice(at + 1)}`,
      authorization,
    })),
  )
}

/** A number a little larger, or an address or nonce with another last digit but one. */
function nudged(text: string, by: number): string {
  if (!text.startsWith('0x')) return String(BigInt(text) + BigInt(by))
  const at = text.length - 2
  return `${text.slice(0, at)}${(Number.parseInt(text[at] ?? '0', 16) ^ by).toString(16)}${text.slice(at + 1)}`
}

function spoilt({ payload }: Scene): unknown {
  const { transaction, signature, authorization } = payload as {
    transaction?: string
    signature?: string
    authorization?: object
  }
  if (transaction === undefined)
    return { signature, authorization: { ...authorization, value: '10000', validAfter: '1' } }
  const bytes = Buffer.from(transaction, 'base64')
  bytes[70] = (bytes[70] ?? 0) ^ 1
  return { transaction: bytes.toString('base64') }
}
