import { expectSame, notApplicable } from '../model/finding.js'
import { sha256 } from '../wire/canonical.js'
import { expectRefused, expectSettled, expectValid } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith } from './check.js'
import { expectMoved, type FacilitatorStage, type Scene } from './stage.js'

const key = 'groat-compliance'

const check = facilitatorChecksWith({ families: ['evm', 'svm'], once: true })

const fields = { country: 'PL', kind: 'business', purpose: 'testing', recordDigest: sha256('a record') }

/** A payment that says this of its payer, to a seller who requires it. A facilitator that does not look at that is not asked. */
async function payAs(stage: FacilitatorStage, payer: unknown): Promise<Scene> {
  const { extensions } = await stage.supported()
  if (!Array.isArray(extensions) || !extensions.includes(key)) notApplicable(`the facilitator does not list ${key}`)
  const scene = await stage.scene()
  const seller = { name: 'conformance', country: 'PL' }
  const info = { version: 1, required: true, asks: ['country', 'kind'], seller, payer }
  return { ...scene, payment: { ...scene.payment, extensions: { [key]: { info, schema: {} } } } }
}

/** Fields for which a payment is refused, and moves nothing. */
const refused = (id: string, what: string, code: string, payer: unknown): FacilitatorCheck =>
  check(id, `a payment ${what} is refused`, async (stage) => {
    const scene = await payAs(stage, payer)
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSame(`success of a payment ${what}`, false, receipt.success)
    await expectMoved(stage, scene, 0)
    expectRefused(await stage.verify(scene.payment, scene.requirements), [code], `a payment ${what}`)
  })

/** What a facilitator that screens makes of what payments say of their payers (`groat-compliance`). */
export const screeningChecks: readonly FacilitatorCheck[] = [
  check('EXT-COMPLY-005/said', 'a payment that says who pays is taken', async (stage) => {
    const scene = await payAs(stage, fields)
    expectValid(await stage.verify(scene.payment, scene.requirements), 'a payment that says who pays')
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'a payment that says who pays')
    await expectMoved(stage, scene, 1, receipt)
  }),
  refused('EXT-COMPLY-005/unreadable', 'whose fields cannot be read', 'compliance_invalid', {
    ...fields,
    country: 'Poland',
  }),
  refused('EXT-COMPLY-005/lacking', 'that lacks a field which its seller requires', 'compliance_required', {
    kind: 'business',
  }),
]
