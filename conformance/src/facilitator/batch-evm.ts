import type { Hex } from 'viem'
import { expectSame, expectThat } from '../model/finding.js'
import { type ClaimRow, signClaim, signRefund, type Voucher } from '../wire/channels.js'
import { mirrored } from '../wire/eip3009.js'
import { exactProxy } from '../wire/permit2.js'
import { expectRefused, expectSettled, expectValid, type Receipt } from './answers.js'
import { type ChannelScene, channelOnChain, channelScene, claimRowOf, type DepositTweak } from './channels.js'
import { type FacilitatorCheck, facilitatorChecksWith, refusal } from './check.js'
import { otherKey, stranger } from './permits.js'
import type { FacilitatorStage } from './stage.js'
import { approve } from './ways.js'

const check = facilitatorChecksWith({ families: ['evm'] })
const of = (...names: readonly string[]) => names.map((name) => `invalid_batch_settlement_evm_${name}`)
const simulated = of('deposit_simulation_failed')

type Make = (stage: FacilitatorStage) => DepositTweak | Promise<DepositTweak>

/** A deposit that ought to be refused because of what was signed. */
const refusedWhenSigned = (id: string, what: string, codes: readonly string[], tweak: Make): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => channelScene(stage, await tweak(stage)))

/** A payload that ought to be refused because of what was changed after signing. */
const refusedWhenChanged = (
  id: string,
  what: string,
  codes: readonly string[],
  change: (payload: DepositPayload) => unknown,
): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => {
    const scene = await channelScene(stage)
    return {
      payment: stage.withPayload(scene, change(scene.payload as DepositPayload)),
      requirements: scene.requirements,
    }
  })

const refusedOnTerms = (id: string, what: string, codes: readonly string[], echoed: object): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => {
    const { payment, requirements } = await channelScene(stage)
    return { payment: { ...payment, accepted: { ...requirements, ...echoed } }, requirements }
  })

type DepositPayload = Readonly<Record<string, unknown>> & { readonly voucher: Voucher }

const inSeconds = async (stage: FacilitatorStage, seconds: number) => ({
  validBefore: (await stage.evm.now()) + seconds,
})

/** `batch-settlement` on EVM chains. */
export const batchEvmChecks: readonly FacilitatorCheck[] = [
  refusedOnTerms(
    'EVM-BATCH-030/scheme',
    'an echoed offer of another scheme',
    [...of('scheme'), 'no_matching_requirements'],
    { scheme: 'exact' },
  ),
  refusedOnTerms(
    'EVM-BATCH-031/network',
    'an echoed offer of another network',
    [...of('network_mismatch'), 'no_matching_requirements'],
    { network: 'eip155:8453' },
  ),
  refusedWhenChanged('EVM-BATCH-032/type', 'a payload of an unknown type', of('payload_type'), (payload) => ({
    ...payload,
    type: 'wish',
  })),
  ...(['channelConfig', 'voucher', 'deposit'] as const).map((member) =>
    refusedWhenChanged(
      `EVM-BATCH-032/without-${member}`,
      `a deposit without ${member}`,
      ['invalid_payload', ...of('payload_type')],
      ({ [member]: _, ...rest }) => rest,
    ),
  ),
  refusedWhenChanged(
    'EVM-BATCH-033/channel-id',
    'a voucher of another channel than the one beside it',
    of('channel_id_mismatch'),
    (payload) => ({ ...payload, voucher: { ...payload.voucher, channelId: `0x${'11'.repeat(32)}` } }),
  ),
  refusedWhenSigned('EVM-BATCH-034/other-key', 'a voucher that another key signed', of('voucher_signature'), () => ({
    voucherKey: otherKey,
  })),
  refusedWhenChanged(
    'EVM-BATCH-034/upper-s',
    'a voucher with s in the upper half',
    of('voucher_signature'),
    (payload) => ({
      ...payload,
      voucher: { ...payload.voucher, signature: mirrored(payload.voucher.signature as Hex) },
    }),
  ),
  refusedWhenChanged(
    'EVM-BATCH-034/other-sum',
    'a voucher whose sum was changed',
    [...of('voucher_signature', 'cumulative_exceeds_balance')],
    (payload) => ({ ...payload, voucher: { ...payload.voucher, maxClaimableAmount: '10001' } }),
  ),
  refusedWhenSigned(
    'EVM-BATCH-035/no-authorizer',
    'a channel without an authorizer of the payer',
    of('voucher_signature'),
    () => ({ config: { payerAuthorizer: `0x${'0'.repeat(40)}` } }),
  ),
  refusedWhenSigned(
    'EVM-BATCH-036/other-key',
    'a deposit that another key signed',
    [...simulated, ...of('receive_authorization_signature')],
    () => ({ signWith: otherKey }),
  ),
  ...(
    [
      ['receiver', { receiver: stranger }, 'receiver_mismatch'],
      ['authorizer', { receiverAuthorizer: stranger }, 'receiver_authorizer_mismatch'],
      ['token', { token: stranger }, 'token_mismatch'],
      ['delay', { withdrawDelay: 1_800 }, 'withdraw_delay_mismatch'],
    ] as const
  ).map(([name, config, code]) =>
    refusedWhenSigned(`EVM-BATCH-037/${name}`, `a channel with another ${name}`, of(code), () => ({ config })),
  ),
  refusedWhenSigned(
    'EVM-BATCH-038/expired',
    'a deposit that has expired',
    [...of('payload_authorization_valid_before'), ...simulated],
    (stage) => inSeconds(stage, -1),
  ),
  refusedWhenSigned(
    'EVM-BATCH-038/long',
    'a deposit that is valid for a year',
    ['invalid_exact_evm_authorization_lifetime', 'permit2_authorization_lifetime'],
    (stage) => inSeconds(stage, 31_536_000),
  ),
  refusedWhenSigned(
    'EVM-BATCH-038/permit-spender',
    'a deposit by Permit2 for another contract',
    of('permit2_invalid_spender'),
    () => ({ by: 'permit2', permit: { spender: exactProxy } }),
  ),
  refusedWhenSigned(
    'EVM-BATCH-038/permit-amount',
    'a deposit by Permit2 of another amount',
    of('permit2_amount_mismatch'),
    () => ({ by: 'permit2', permitted: { amount: '49999' } }),
  ),
  refusedWhenSigned(
    'EVM-BATCH-038/permit-expired',
    'a deposit by Permit2 that has expired',
    [...of('permit2_deadline_expired'), ...simulated],
    async (stage) => ({ by: 'permit2', ...(await inSeconds(stage, -1)) }),
  ),
  refusal(
    check,
    'EVM-BATCH-039/balance',
    'a deposit above what the payer holds',
    [...of('insufficient_balance'), ...simulated],
    (stage) => channelScene(stage, {}, { holds: 49_999n }),
  ),
  refusal(
    check,
    'EVM-BATCH-039/allowance',
    'a deposit by Permit2 that may take nothing',
    [...of('permit2_allowance_required'), ...simulated],
    async (stage) => {
      const scene = await channelScene(stage, { by: 'permit2' })
      await approve(stage.evm, scene.payer, 0n)
      return scene
    },
  ),
  ...(['eip3009', 'permit2'] as const).map((by) =>
    check(
      `FAC-038/deposit-${by}`,
      `a deposit by ${by} fills its channel, by the transaction of the receipt`,
      async (stage) => {
        const scene = await channelScene(stage, { by })
        expectValid(await stage.verify(scene.payment, scene.requirements), 'a right deposit')
        const receipt = await stage.settle(scene.payment, scene.requirements)
        expectSettled(receipt, 'a right deposit')
        await expectFilled(stage, scene, receipt)
      },
    ),
  ),
  check('FAC-031/deposit-twice', 'a deposit that is settled twice fills its channel once', async (stage) => {
    const scene = await filled(stage)
    const again = await stage.settle(scene.payment, scene.requirements)
    await expectFilled(stage, scene, again.success ? again : undefined)
  }),
  check(
    'EVM-BATCH-034/good',
    'a right voucher of a channel with money is accepted, and moves nothing',
    async (stage) => {
      const scene = await filled(stage)
      expectValid(await verifyVoucher(stage, scene, await scene.voucher(20_000n)), 'a right voucher')
      expectSame('what is claimed', 0n, (await channelOnChain(stage.evm, scene.channelId)).claimed)
    },
  ),
  check('EVM-BATCH-040/too-much', 'a voucher for more than its channel holds is refused', async (stage) => {
    const scene = await filled(stage)
    expectRefused(
      await verifyVoucher(stage, scene, await scene.voucher(scene.deposit + 1n)),
      of('cumulative_exceeds_balance'),
      'a voucher for more than the channel holds',
    )
  }),
  check('EVM-BATCH-040/empty', 'a voucher of a channel that was never filled is refused', async (stage) => {
    const scene = await channelScene(stage)
    expectRefused(
      await verifyVoucher(stage, scene, await scene.voucher(10_000n)),
      of('channel_not_found', 'cumulative_exceeds_balance'),
      'a voucher of an empty channel',
    )
  }),
  check('EVM-BATCH-041/old', 'a voucher that allows no more than what was claimed is refused', async (stage) => {
    const scene = await filled(stage)
    const voucher = await scene.voucher(15_000n)
    expectSettled(await claim(stage, scene, [claimRowOf(scene.config, voucher)]), 'a right claim')
    expectRefused(
      await verifyVoucher(stage, scene, voucher),
      of('cumulative_below_claimed'),
      'a voucher that was claimed',
    )
  }),
  check('EVM-BATCH-060/without-word', 'a claim without the word of the authorizer is refused', async (stage) => {
    const scene = await filled(stage)
    const receipt = await act(stage, scene, {
      type: 'claim',
      claims: [claimRowOf(scene.config, await scene.voucher(10_000n))],
    })
    expectThat(!receipt.success, 'a claim that nobody signed is made', 'success: false', receipt.answer.text)
    expectSame('what is claimed', 0n, (await channelOnChain(stage.evm, scene.channelId)).claimed)
  }),
  check('EVM-BATCH-061/other-word', 'a claim with the word of somebody else is refused', async (stage) => {
    const scene = await filled(stage)
    const row = claimRowOf(scene.config, await scene.voucher(10_000n))
    const receipt = await claim(stage, scene, [row], otherKey as Hex)
    expectThat(!receipt.success, 'a claim of a stranger is made', 'success: false', receipt.answer.text)
    expectSame('what is claimed', 0n, (await channelOnChain(stage.evm, scene.channelId)).claimed)
  }),
  check('FAC-038/claim', 'a claim counts on chain, and a sweep pays the receiver', async (stage) => {
    const scene = await filled(stage)
    const receipt = await claim(stage, scene, [claimRowOf(scene.config, await scene.voucher(15_000n))])
    expectSettled(receipt, 'a right claim')
    expectSame('what is claimed', 15_000n, (await channelOnChain(stage.evm, scene.channelId)).claimed)
    expectSettled(await sweep(stage, scene), 'a sweep of what was claimed')
    expectSame('what the receiver has', 15_000n, await stage.rail.balance(scene.recipient))
  }),
  check('EVM-BATCH-061/nothing-due', 'a sweep of nothing is refused', async (stage) => {
    const receipt = await sweep(stage, await channelScene(stage))
    expectThat(!receipt.success, 'a sweep of nothing is made', 'success: false', receipt.answer.text)
  }),
  check('EVM-BATCH-064/nothing-new', 'a claim of what is claimed already is refused', async (stage) => {
    const scene = await filled(stage)
    const rows = [claimRowOf(scene.config, await scene.voucher(15_000n))]
    expectSettled(await claim(stage, scene, rows), 'a right claim')
    const less = await claim(stage, scene, [claimRowOf(scene.config, await scene.voucher(15_000n), '14000')])
    expectThat(!less.success, 'a claim that brings nothing is made', 'success: false', less.answer.text)
  }),
  check('EVM-BATCH-065/no-timeout', 'a claim whose maxTimeoutSeconds is 0 is read', async (stage) => {
    const scene = await filled(stage)
    const rows = [claimRowOf(scene.config, await scene.voucher(10_000n))]
    const timeless = { ...scene, requirements: { ...scene.requirements, maxTimeoutSeconds: 0 } }
    expectSettled(await claim(stage, timeless, rows), 'a claim without a timeout')
  }),
  check('EVM-BATCH-060/refund', 'a refund needs the word of the authorizer', async (stage) => {
    const scene = await filled(stage)
    const voucher = await scene.voucher(10_000n)
    const wish = { type: 'refund', channelConfig: scene.config, voucher, amount: '40000', refundNonce: '0', claims: [] }
    const without = await act(stage, scene, wish)
    expectThat(!without.success, 'money is given back on nobody’s word', 'success: false', without.answer.text)
    const of = { channelId: scene.channelId, nonce: 0n, amount: 40_000n }
    const { chainId } = stage.evm.chain
    const refundAuthorizerSignature = await signRefund(scene.authorizer, chainId, of)
    expectSettled(
      await act(stage, scene, { ...wish, refundAuthorizerSignature }),
      'a refund that the authorizer signed',
    )
    expectSame('what is left', scene.deposit - 40_000n, (await channelOnChain(stage.evm, scene.channelId)).balance)
    expectSame('what the payer has', scene.held - 10_000n, await stage.rail.balance(scene.payer.address))
  }),
]

/** A channel with money in it. */
async function filled(stage: FacilitatorStage): Promise<ChannelScene> {
  const scene = await channelScene(stage)
  expectSettled(await stage.settle(scene.payment, scene.requirements), 'a right deposit')
  return scene
}

/** The chain shows the deposit, once. */
async function expectFilled(stage: FacilitatorStage, scene: ChannelScene, receipt?: Receipt): Promise<void> {
  const { payer, deposit, held, channelId } = scene
  const [{ balance }, left, transfers] = await Promise.all([
    channelOnChain(stage.evm, channelId),
    stage.rail.balance(payer.address),
    stage.rail.transfersOf(payer),
  ])
  expectSame(
    'the chain does not show the deposit once',
    { channel: deposit, payer: -deposit, transfers: 1 },
    { channel: balance, payer: left - held, transfers },
  )
  if (receipt === undefined) return
  const inside = await stage.rail.transfersIn(receipt.transaction)
  const isThere = inside?.some(
    ({ from, amount }) => from.toLowerCase() === payer.address.toLowerCase() && amount === deposit,
  )
  expectThat(isThere === true, 'the transaction of the receipt did not move the deposit', deposit, inside)
}

function verifyVoucher(stage: FacilitatorStage, scene: ChannelScene, voucher: Voucher) {
  const payload = { type: 'voucher', channelConfig: scene.config, voucher }
  return stage.verify(stage.withPayload(scene, payload), scene.requirements)
}

/** What a seller asks for. */
function act(stage: FacilitatorStage, scene: ChannelScene, payload: unknown): Promise<Receipt> {
  return stage.settle(stage.withPayload(scene, payload), scene.requirements)
}

async function claim(
  stage: FacilitatorStage,
  scene: ChannelScene,
  claims: readonly ClaimRow[],
  key = scene.authorizer,
): Promise<Receipt> {
  const claimAuthorizerSignature = await signClaim(key, stage.evm.chain.chainId, claims)
  return act(stage, scene, { type: 'claim', claims, claimAuthorizerSignature })
}

function sweep(stage: FacilitatorStage, { terms, ...scene }: ChannelScene): Promise<Receipt> {
  return act(stage, { ...scene, terms }, { type: 'settle', receiver: terms.payTo, token: terms.asset })
}
