import type { Hex } from 'viem'
import { expectSame, expectThat, fail, notApplicable } from '../model/finding.js'
import { type Codes, codesIn } from '../wire/codes.js'
import { expectSettled, expectValid } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith } from './check.js'
import { expectMoved, type FacilitatorStage, type SceneOptions } from './stage.js'

const key = 'builder-code'

// Payments that settle together have their codes inside of the call that carries them.
const check = facilitatorChecksWith({ families: ['evm'], alone: true })

/** Settles a payment that names these, and gives the codes behind the call. */
async function settleWith(stage: FacilitatorStage, info: object, options: SceneOptions = {}): Promise<Codes> {
  const scene = await stage.scene(options)
  const payment = { ...scene.payment, extensions: { [key]: { info, schema: {} } } }
  const receipt = await stage.settle(payment, scene.requirements)
  expectSettled(receipt, 'a payment that names codes')
  await expectMoved(stage, scene, 1, receipt)
  const { input } = await stage.evm.chain.client.getTransaction({ hash: receipt.transaction as Hex })
  const codes = codesIn(input)
  if (codes !== undefined) return codes
  const { extensions } = await stage.supported()
  if (Array.isArray(extensions) && extensions.includes(key))
    fail('no codes stand behind the call that settled', 'a suffix of ERC-8021', input.slice(-80))
  notApplicable('the facilitator does not write codes')
}

const isCode = (value: unknown) => typeof value === 'string' && /^[a-z0-9_]{1,32}$/.test(value)

/** What a facilitator makes of extensions: of codes (`builder-code`), and of all others. */
export const codedChecks: readonly FacilitatorCheck[] = [
  check('EXT-CODE-007/suffix', 'the codes of a payment stand behind the call that settles it', async (stage) => {
    const { a, s = [] } = await settleWith(stage, { a: 'kit_shop', s: ['kit_one', 'kit_two'] })
    expectSame('the app', 'kit_shop', a)
    expectSame('the services of the payment', ['kit_one', 'kit_two'], s.slice(0, 2))
  }),
  check('EXT-CODE-006/no-code', 'what is no code is left out, and settles all the same', async (stage) => {
    const { a, w = 'w', s = [] } = await settleWith(stage, { a: 'No Code\n', s: ['fine_one', 'Not a code', 7] })
    expectSame('the app', undefined, a)
    expectThat([w, ...s].every(isCode) && s.includes('fine_one'), 'the codes', 'fine_one, and no other', s)
  }),
  check('EXT-CODE-006/version-1', 'payments of version 1 name nobody', async (stage) => {
    const { a, s = [] } = await settleWith(stage, { a: 'kit_shop', s: ['kit_one'] }, { version: 1 })
    expectSame('the app and the services of the payment', [undefined, false], [a, s.includes('kit_one')])
  }),
  facilitatorChecksWith({ families: ['evm', 'svm'] })(
    'EXT-007/garbage',
    'extensions that nobody understands change nothing about a payment',
    async (stage) => {
      const scene = await stage.scene()
      const garbage = { info: { a: 7, s: 'none', output: [[]], id: null }, schema: { not: {}, pattern: '^(a+)+$' } }
      const names = [key, 'bazaar', 'payment-identifier', 'offer-receipt', 'x-strange']
      const extensions = { ...Object.fromEntries(names.map((name) => [name, garbage])), broken: 7, empty: null }
      const payment = { ...scene.payment, extensions }
      expectValid(await stage.verify(payment, scene.requirements), 'a payment with strange extensions')
      const receipt = await stage.settle(payment, scene.requirements)
      expectSettled(receipt, 'a payment with strange extensions')
      await expectMoved(stage, scene, 1, receipt)
    },
  ),
]
