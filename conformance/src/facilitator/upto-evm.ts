import { isObject, jsonIn } from '../http/exchange.js'
import { expectSame, expectThat } from '../model/finding.js'
import { mirrored } from '../wire/eip3009.js'
import { exactProxy } from '../wire/permit2.js'
import { expectRefused, expectSettled, expectValid, type Receipt } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith, refusal } from './check.js'
import {
  badSignature,
  compact,
  contractWallet,
  movesOnce,
  otherKey,
  type PermitScheme,
  permitIdentity,
  refusedOnTerms,
  refusedWhenChanged,
  refusedWhenSigned,
  stranger,
  withoutMembers,
} from './permits.js'
import { expectMoved, type FacilitatorStage, type Scene } from './stage.js'
import { approve, byUpto, type PermitPayload } from './ways.js'

const check = facilitatorChecksWith({ families: ['evm'] })
const upto: PermitScheme = { way: byUpto, kind: 'upto', check }
const simulated = 'permit2_simulation_failed'
const unmatched = 'no_matching_requirements'

/** `upto` on EVM chains. */
export const uptoEvmChecks: readonly FacilitatorCheck[] = [
  check('EVM-UPTO-001/account', '/supported lists the account that settles', async (stage) => {
    const scene = await stage.scene({ way: byUpto })
    const account = scene.terms.extra.facilitatorAddress
    expectThat(
      typeof account === 'string' && /^0x[0-9a-fA-F]{40}$/.test(account),
      '`extra.facilitatorAddress` of the kind `upto`',
      'an address',
      account,
    )
  }),
  refusedOnTerms(
    upto,
    'EVM-UPTO-030/scheme',
    'an echoed offer of another scheme',
    ['invalid_upto_evm_scheme', unmatched],
    ({ requirements }) => ({ accepted: { ...requirements, scheme: 'exact' } }),
  ),
  refusedOnTerms(
    upto,
    'EVM-UPTO-031/network',
    'an echoed offer of another network',
    ['invalid_upto_evm_network_mismatch', unmatched],
    ({ requirements }) => ({ accepted: { ...requirements, network: 'eip155:8453' } }),
  ),
  ...withoutMembers(upto, 'EVM-UPTO-032'),
  refusedWhenSigned(upto, 'EVM-UPTO-033/spender', 'a permit for another contract', ['invalid_permit2_spender'], () => ({
    permit: { spender: exactProxy },
  })),
  refusedWhenSigned(
    upto,
    'EVM-UPTO-034/recipient',
    'a permit for somebody else',
    ['invalid_permit2_recipient_mismatch'],
    () => ({ witness: { to: stranger } }),
  ),
  refusedWhenSigned(
    upto,
    'EVM-UPTO-035/facilitator',
    'a permit for another facilitator',
    ['upto_facilitator_mismatch'],
    () => ({ witness: { facilitator: stranger } }),
  ),
  ...(
    [
      ['less', 'one unit too little', '9999'],
      ['more', 'one unit too much', '10001'],
    ] as const
  ).map(([name, words, amount]) =>
    refusedWhenSigned(upto, `EVM-UPTO-036/${name}`, `a ceiling of ${words}`, ['permit2_amount_mismatch'], () => ({
      permitted: { amount },
    })),
  ),
  refusedWhenSigned(upto, 'EVM-UPTO-037/token', 'a permit for another token', ['permit2_token_mismatch'], () => ({
    permitted: { token: stranger },
  })),
  refusedWhenSigned(
    upto,
    'EVM-UPTO-038/nearly-expired',
    'a permit that is valid for two seconds more',
    ['permit2_deadline_expired'],
    async (_, stage) => ({ permit: { deadline: String((await stage.evm.now()) + 2) } }),
  ),
  refusedWhenSigned(
    upto,
    'EVM-UPTO-039/future',
    'a permit that is not valid yet',
    ['permit2_not_yet_valid'],
    async (_, stage) => ({ witness: { validAfter: String((await stage.evm.now()) + 60) } }),
  ),
  refusedWhenSigned(
    upto,
    'EVM-UPTO-040/long',
    'a permit that is valid for a year',
    ['permit2_authorization_lifetime'],
    async (_, stage) => ({ permit: { deadline: String((await stage.evm.now()) + 31_536_000) } }),
  ),
  check('EVM-UPTO-041/above', 'more than the ceiling is not settled', async (stage) => {
    const scene = await stage.scene({ way: byUpto })
    const receipt = await charge(stage, scene, '10001')
    expectThat(!receipt.success, 'more than the ceiling is charged', 'success: false', receipt.answer.text)
    await expectMoved(stage, scene, 0)
  }),
  refusal(
    check,
    'EVM-UPTO-042/stranger',
    'terms that name an account of somebody else',
    ['upto_facilitator_mismatch', unmatched, simulated],
    async (stage) => {
      const usual = await stage.scene({ way: byUpto })
      return stage.scene({ way: byUpto, terms: { extra: { ...usual.terms.extra, facilitatorAddress: stranger } } })
    },
  ),
  refusal(
    check,
    'EVM-UPTO-043/poor',
    'a ceiling above what the payer holds',
    ['permit2_insufficient_balance', simulated],
    (stage) => stage.scene({ way: byUpto, holds: 9_999n }),
  ),
  check('EVM-UPTO-045/exposure', 'ceilings of one payer count together', async (stage) => {
    const { first, second } = await twoOf(stage, 15_000n)
    expectValid(await stage.verify(first.payment, first.requirements), 'the first of two ceilings')
    expectRefused(
      await stage.verify(second.payment, second.requirements),
      ['upto_exposure_exceeded'],
      'a second ceiling for which the payer has no money',
    )
  }),
  check('EVM-UPTO-046/charged', 'what was charged counts, and the ceiling no more', async (stage) => {
    const { first, second } = await twoOf(stage, 15_000n)
    expectValid(await stage.verify(first.payment, first.requirements), 'the first of two ceilings')
    expectSettled(await charge(stage, first, '4000'), 'a part of a ceiling')
    expectValid(await stage.verify(second.payment, second.requirements), 'a ceiling for which there is money again')
  }),
  refusedWhenSigned(upto, 'EVM-UPTO-047/other-key', 'a permit that another key signed', badSignature, () => ({
    signWith: otherKey,
  })),
  refusedWhenChanged(upto, 'EVM-UPTO-047/upper-s', 'a permit with s in the upper half', badSignature, (payload) => ({
    ...payload,
    signature: mirrored(payload.signature),
  })),
  refusedWhenChanged(upto, 'EVM-UPTO-047/compact', 'a signature of 64 bytes', badSignature, (payload) => ({
    ...payload,
    signature: compact(payload.signature),
  })),
  contractWallet(upto, 'EVM-UPTO-048'),
  refusal(
    check,
    'EVM-UPTO-049/allowance',
    'a payer from whom Permit2 may take nothing',
    ['permit2_allowance_required', simulated],
    async (stage) => {
      const scene = await stage.scene({ way: byUpto })
      await approve(stage.evm, scene.payer, 0n)
      return scene
    },
  ),
  check('EVM-UPTO-050/identity', 'a payment is known by chain, contract, payer and number', async (stage) => {
    const scene = await stage.scene({ way: byUpto })
    expectSettled(await charge(stage, scene, '1'))
    const pid = permitIdentity(scene.terms.network, scene.payload as PermitPayload, 'upto')
    const answer = await stage.http.send({ url: stage.url(`/settlements/${pid}`) })
    const said = jsonIn(answer)
    expectSame('status and body.status', [200, 'settled'], [answer.status, isObject(said) ? said.status : answer.text])
  }),
  check('EVM-UPTO-051/part', 'what is charged moves, and not the ceiling', async (stage) => {
    const scene = await stage.scene({ way: byUpto })
    expectValid(await stage.verify(scene.payment, scene.requirements), 'a right ceiling')
    const receipt = await charge(stage, scene, '4321')
    expectSettled(receipt, 'a part of a ceiling')
    await expectMoved(stage, charged(scene, '4321'), 1, receipt)
  }),
  check('EVM-UPTO-051/all', 'the whole ceiling may be charged', async (stage) => {
    const scene = await stage.scene({ way: byUpto })
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'a whole ceiling')
    await expectMoved(stage, scene, 1, receipt)
  }),
  movesOnce(upto, 'FAC-031/upto-twice'),
  check('EVM-UPTO-054/nothing', 'nothing is charged without a transaction', async (stage) => {
    const scene = await stage.scene({ way: byUpto })
    const receipt = await charge(stage, scene, '0')
    expectSettled(receipt, 'a charge of nothing')
    expectSame('transaction', '', receipt.body.transaction)
    await expectMoved(stage, scene, 0)
  }),
  check('EVM-UPTO-055/used-up', 'whoever was charged nothing is not charged later', async (stage) => {
    const scene = await stage.scene({ way: byUpto })
    expectSettled(await charge(stage, scene, '0'), 'a charge of nothing')
    const later = await charge(stage, scene, '5000')
    expectThat(!later.success, 'a payment that cost nothing is charged later', 'success: false', later.answer.text)
    await expectMoved(stage, scene, 0)
  }),
]

/** Settles a part of a ceiling: the requirements say what is charged, the echoed offer what was signed. */
function charge(stage: FacilitatorStage, scene: Scene, amount: string): Promise<Receipt> {
  return stage.settle(scene.payment, { ...scene.requirements, amount })
}

/** The scene as it ought to look on chain. */
const charged = (scene: Scene, amount: string): Scene => ({ ...scene, terms: { ...scene.terms, amount } })

/** Two ceilings of one payer, who holds less than both. */
async function twoOf(
  stage: FacilitatorStage,
  holds: bigint,
): Promise<{ readonly first: Scene; readonly second: Scene }> {
  const first = await stage.scene({ way: byUpto, holds })
  const payload = await byUpto.pay(stage.evm, first.payer, first.terms)
  return { first, second: { ...first, payload, payment: stage.withPayload(first, payload) } }
}
