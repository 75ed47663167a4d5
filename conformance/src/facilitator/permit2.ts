import type { Hex } from 'viem'
import type { EvmRail } from '../chain/evm.js'
import { isObject, jsonIn } from '../http/exchange.js'
import { expectSame } from '../model/finding.js'
import { mirrored } from '../wire/eip3009.js'
import { exactProxy, uptoProxy } from '../wire/permit2.js'
import { expectRefused, expectSettled, expectValid } from './answers.js'
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
import { expectMoved } from './stage.js'
import { approve, byPermit2, type PermitPayload } from './ways.js'

const check = facilitatorChecksWith({ families: ['evm'] })
const permit2: PermitScheme = { way: byPermit2, kind: 'exact', check }
const simulated = 'permit2_simulation_failed'

/** `exact` on EVM chains by Permit2. */
export const exactPermit2Checks: readonly FacilitatorCheck[] = [
  refusedWhenSigned(
    permit2,
    'EVM-EXACT-110/spender',
    'a permit for another contract',
    ['invalid_permit2_spender'],
    () => ({ permit: { spender: uptoProxy } }),
  ),
  refusedWhenSigned(
    permit2,
    'EVM-EXACT-111/recipient',
    'a permit for somebody else',
    ['invalid_permit2_recipient_mismatch'],
    () => ({ witness: { to: stranger } }),
  ),
  refusedWhenSigned(
    permit2,
    'EVM-EXACT-112/expired',
    'a permit that has expired',
    ['permit2_deadline_expired'],
    async (_, stage) => ({ permit: { deadline: String((await stage.evm.now()) - 1) } }),
  ),
  refusedWhenSigned(
    permit2,
    'EVM-EXACT-112/nearly-expired',
    'a permit that is valid for two seconds more',
    ['permit2_deadline_expired'],
    async (_, stage) => ({ permit: { deadline: String((await stage.evm.now()) + 2) } }),
  ),
  refusedWhenSigned(
    permit2,
    'EVM-EXACT-113/future',
    'a permit that is not valid yet',
    ['permit2_not_yet_valid'],
    async (_, stage) => ({ witness: { validAfter: String((await stage.evm.now()) + 60) } }),
  ),
  refusedWhenSigned(
    permit2,
    'EVM-EXACT-114/long',
    'a permit that is valid for a year',
    ['permit2_authorization_lifetime'],
    async (_, stage) => ({ permit: { deadline: String((await stage.evm.now()) + 31_536_000) } }),
  ),
  ...(
    [
      ['less', 'one unit too little', '9999'],
      ['more', 'one unit too much', '10001'],
    ] as const
  ).map(([name, words, amount]) =>
    refusedWhenSigned(permit2, `EVM-EXACT-115/${name}`, `a permit for ${words}`, ['permit2_amount_mismatch'], () => ({
      permitted: { amount },
    })),
  ),
  refusedWhenSigned(permit2, 'EVM-EXACT-116/token', 'a permit for another token', ['permit2_token_mismatch'], () => ({
    permitted: { token: stranger },
  })),
  ...withoutMembers(permit2, 'EVM-EXACT-117'),
  refusedWhenChanged(
    permit2,
    'EVM-EXACT-117/list',
    'a permit that is a list',
    ['invalid_payload'],
    ({ signature }) => ({ signature, permit2Authorization: [] }),
  ),
  refusedWhenSigned(permit2, 'EVM-EXACT-119/other-key', 'a permit that another key signed', badSignature, () => ({
    signWith: otherKey,
  })),
  refusedWhenSigned(
    permit2,
    'EVM-EXACT-119/domain',
    'a permit that was signed for another chain',
    badSignature,
    () => ({
      domain: { chainId: 1 },
    }),
  ),
  refusedWhenChanged(
    permit2,
    'EVM-EXACT-119/upper-s',
    'a permit with s in the upper half',
    badSignature,
    (payload) => ({
      ...payload,
      signature: mirrored(payload.signature),
    }),
  ),
  refusedWhenChanged(permit2, 'EVM-EXACT-119/compact', 'a signature of 64 bytes', badSignature, (payload) => ({
    ...payload,
    signature: compact(payload.signature),
  })),
  refusedWhenChanged(permit2, 'EVM-EXACT-119/changed-nonce', 'a nonce that was changed', badSignature, (payload) => ({
    ...payload,
    permit2Authorization: { ...payload.permit2Authorization, nonce: '7' },
  })),
  contractWallet(permit2, 'EVM-EXACT-120'),
  refusal(
    check,
    'EVM-EXACT-123/used',
    'a number that Permit2 knows as used',
    ['permit2_invalid_nonce', simulated],
    async (stage) => {
      const scene = await stage.scene({ way: byPermit2 })
      await handIn(stage.evm, scene.payload as PermitPayload)
      return scene
    },
  ),
  refusal(
    check,
    'EVM-EXACT-124/balance',
    'a permit of a payer who holds one unit too little',
    ['permit2_insufficient_balance', simulated],
    (stage) => stage.scene({ way: byPermit2, holds: 9_999n }),
  ),
  refusal(
    check,
    'EVM-EXACT-125/allowance',
    'a payer from whom Permit2 may take nothing',
    ['permit2_allowance_required', simulated],
    async (stage) => {
      const scene = await stage.scene({ way: byPermit2 })
      await approve(stage.evm, scene.payer, 0n)
      return scene
    },
  ),
  refusedOnTerms(
    permit2,
    'EVM-EXACT-051/permit',
    'a payment by Permit2 where EIP-3009 is asked for',
    ['unsupported_transfer_method'],
    ({ requirements }) => {
      const changed = { ...requirements, extra: { ...(requirements.extra as object), assetTransferMethod: 'eip3009' } }
      return { requirements: changed, accepted: changed }
    },
  ),
  check('EVM-EXACT-130/values', 'what is settled by Permit2 is what was signed', async (stage) => {
    const scene = await stage.scene({ way: byPermit2, amount: 12_345n })
    expectValid(await stage.verify(scene.payment, scene.requirements), 'a right payment by Permit2')
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'a right payment by Permit2')
    await expectMoved(stage, scene, 1, receipt)
  }),
  movesOnce(permit2, 'FAC-031/permit2-twice'),
  check('EVM-EXACT-132/front-run', 'a permit that a stranger handed in is settled, once', async (stage) => {
    const scene = await stage.scene({ way: byPermit2 })
    expectValid(await stage.verify(scene.payment, scene.requirements))
    await handIn(stage.evm, scene.payload as PermitPayload)
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'a payment whose money reached the seller by another transaction')
    await expectMoved(stage, scene, 1, receipt)
  }),
  check(
    'EVM-EXACT-133/identity',
    'a payment by Permit2 is known by chain, contract, payer and number',
    async (stage) => {
      const scene = await stage.scene({ way: byPermit2 })
      expectSettled(await stage.settle(scene.payment, scene.requirements))
      const pid = permitIdentity(scene.terms.network, scene.payload as PermitPayload, 'exact')
      const answer = await stage.http.send({ url: stage.url(`/settlements/${pid}`) })
      const said = jsonIn(answer)
      expectSame(
        'status and body.status',
        [200, 'settled'],
        [answer.status, isObject(said) ? said.status : answer.text],
      )
    },
  ),
  check('FAC-050/other-permit-signature', 'another signature over a settled permit earns no success', async (stage) => {
    const scene = await stage.scene({ way: byPermit2 })
    expectSettled(await stage.settle(scene.payment, scene.requirements))
    const { permit2Authorization } = scene.payload as PermitPayload
    const forged = stage.withPayload(scene, { signature: `0x${'11'.repeat(64)}1b`, permit2Authorization })
    const second = await stage.settle(forged, scene.requirements)
    expectSame('success for whoever copies a number', false, second.success)
    await expectMoved(stage, scene, 1)
    expectRefused(await stage.verify(forged, scene.requirements), [], 'a forged permit')
  }),
]

/** Calls the proxy as a stranger would, and waits until it is mined. */
async function handIn({ chain, inTurn }: EvmRail, { signature, permit2Authorization }: PermitPayload): Promise<void> {
  const { from, permitted, nonce, deadline, witness } = permit2Authorization
  const permit = {
    permitted: { token: permitted.token as Hex, amount: BigInt(permitted.amount) },
    nonce: BigInt(nonce),
    deadline: BigInt(deadline),
  }
  const only = { to: witness.to as Hex, validAfter: BigInt(witness.validAfter ?? 0) }
  await inTurn(async () => {
    const hash = await chain.client.writeContract({
      account: chain.account('payer5').address,
      address: exactProxy,
      abi: chain.contracts.x402ExactPermit2Proxy.abi,
      functionName: 'settle',
      args: [permit, from as Hex, only, signature],
    })
    await chain.client.waitForTransactionReceipt({ hash })
  })
}
