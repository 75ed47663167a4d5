import { createHash } from 'node:crypto'
import { deployErc1271Wallet } from '@groat/sandbox'
import type { Hex } from 'viem'
import { permit2Address } from '../wire/permit2.js'
import { expectRefused, expectSettled, expectValid } from './answers.js'
import { type FacilitatorCheck, refusal, type WriteCheck } from './check.js'
import { expectMoved, type FacilitatorStage, type Scene } from './stage.js'
import { approve, type PermitPayload, type PermitTweak, permitFor, type Way } from './ways.js'

/** What `exact` and `upto` have in common when they are paid by Permit2. */
export type PermitScheme = { readonly way: Way; readonly kind: 'exact' | 'upto'; readonly check: WriteCheck }

/** A key that no payer has, and an account that nobody has. */
export const otherKey = `0x${'5a'.repeat(32)}`
export const stranger = '0x000000000000000000000000000000000000dEaD'

/** What a signature that does not hold is refused for. */
export const badSignature = ['invalid_permit2_signature']

type Tweaked = (scene: Scene, stage: FacilitatorStage) => PermitTweak | Promise<PermitTweak>

/** A payment that ought to be refused because of what was signed. */
export const refusedWhenSigned = (
  { way, kind, check }: PermitScheme,
  id: string,
  what: string,
  codes: readonly string[],
  tweak: Tweaked,
): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => {
    const scene = await stage.scene({ way })
    const payload = await permitFor(stage.evm, kind, scene.payer, scene.terms, await tweak(scene, stage))
    return { payment: stage.withPayload(scene, payload), requirements: scene.requirements }
  })

/** A payment that ought to be refused because of what was changed after signing. */
export const refusedWhenChanged = (
  { way, check }: PermitScheme,
  id: string,
  what: string,
  codes: readonly string[],
  change: (payload: PermitPayload) => unknown,
): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => {
    const scene = await stage.scene({ way })
    // The way makes such payloads.
    const payload = change(scene.payload as PermitPayload)
    return { payment: stage.withPayload(scene, payload), requirements: scene.requirements }
  })

/** A payment that ought to be refused because of the terms beside it. */
export const refusedOnTerms = (
  { way, check }: PermitScheme,
  id: string,
  what: string,
  codes: readonly string[],
  change: (scene: Scene) => { readonly accepted?: unknown; readonly requirements?: unknown },
): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => {
    const scene = await stage.scene({ way })
    const { requirements = scene.requirements, accepted = scene.requirements } = change(scene)
    return { payment: { ...scene.payment, accepted }, requirements }
  })

/** Payloads without one of their members. */
export const withoutMembers = (scheme: PermitScheme, id: string): readonly FacilitatorCheck[] =>
  (['from', 'permitted', 'spender', 'nonce', 'deadline', 'witness'] as const).map((member) =>
    refusedWhenChanged(
      scheme,
      `${id}/without-${member}`,
      `a permit without ${member}`,
      ['invalid_payload'],
      ({ signature, permit2Authorization }) => {
        const { [member]: _, ...rest } = permit2Authorization
        return { signature, permit2Authorization: rest }
      },
    ),
  )

/** A wallet with code pays by what its contract says of a signature, and nobody pays for it. */
export const contractWallet = ({ way, kind, check }: PermitScheme, id: string): FacilitatorCheck =>
  check(`${id}/contract-wallet`, 'a contract wallet pays by its isValidSignature', async (stage) => {
    const scene = await stage.scene({ way })
    const { evm } = stage
    const wallet = await evm.inTurn(() => deployErc1271Wallet(evm.chain, scene.payer.address as Hex))
    await evm.chain.fund(wallet, 20_000n)
    await approve(evm, { address: wallet })
    const paidBy = async (key: string) =>
      stage.withPayload(scene, await permitFor(evm, kind, { address: wallet, key }, scene.terms))
    expectValid(
      await stage.verify(await paidBy(scene.payer.key), scene.requirements),
      'a payment of a contract wallet by Permit2',
    )
    expectRefused(
      await stage.verify(await paidBy(otherKey), scene.requirements),
      badSignature,
      'a payment that a contract wallet did not sign',
    )
  })

/** Settled twice, the value moves once. */
export const movesOnce = ({ way, check }: PermitScheme, id: string): FacilitatorCheck =>
  check(id, 'a payment by Permit2 that is settled twice moves value once', async (stage) => {
    const scene = await stage.scene({ way })
    const first = await stage.settle(scene.payment, scene.requirements)
    expectSettled(first)
    const second = await stage.settle(scene.payment, scene.requirements)
    await expectMoved(stage, scene, 1, first)
    if (second.success) await expectMoved(stage, scene, 1, second)
  })

/** The identity of a payment by Permit2, as the specification computes it. */
export function permitIdentity(
  network: string,
  { permit2Authorization: permit }: PermitPayload,
  scheme: string,
): string {
  const parts = [network, permit2Address, permit.from].map((part) => part.toLowerCase())
  return createHash('sha256')
    .update(JSON.stringify(['x402-pid', ...parts, permit.nonce, scheme]))
    .digest('hex')
}

/** The signature in 64 bytes, as EIP-2098 writes it. */
export function compact(signature: Hex): Hex {
  const [r, s, v] = [signature.slice(2, 66), BigInt(`0x${signature.slice(66, 130)}`), signature.slice(130)]
  const yParity = v === '1c' ? 1n << 255n : 0n
  return `0x${r}${(s | yParity).toString(16).padStart(64, '0')}`
}
