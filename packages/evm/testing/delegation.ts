import type { PaymentPayload, PaymentRequirements } from '@groat/core'
import type { DelegationManager, EvmChain as Sandbox } from '@groat/sandbox'
import { type LocalAccount, privateKeyToAccount } from 'viem/accounts'
import { type DelegatedAccount, type DelegatedPayment, exactEvmByDelegation } from '../src/exact/erc7710-client.js'
import type { Hex } from '../src/hex.js'

/** An account of the sandbox that pays through its delegation manager; `by` signs instead of its own key. */
export function delegatedAccount(
  manager: DelegationManager,
  delegator: Hex,
  by: LocalAccount,
  change: (payment: DelegatedPayment) => Partial<Parameters<DelegationManager['typedData']>[0]> = () => ({}),
): DelegatedAccount {
  return {
    delegator,
    delegationManager: manager.address,
    async permit(payment) {
      const { token, payTo, amount, expiresAt, redeemers, salt } = payment
      const delegation = {
        delegate: redeemers[0] ?? ('0x0000000000000000000000000000000000000000' as const),
        ...{ delegator, token, payee: payTo, maxAmount: amount, expiry: BigInt(expiresAt), salt: BigInt(salt) },
        ...change(payment),
      }
      return manager.permission(delegation, await by.signTypedData(manager.typedData(delegation)))
    },
  }
}

/** The key of an account of the sandbox. */
export const keyOf = (sandbox: Sandbox, role: Parameters<Sandbox['account']>[0]): LocalAccount =>
  privateKeyToAccount(sandbox.account(role).privateKey)

/** A payment by delegation for an offer. */
export async function payByDelegation(
  offer: PaymentRequirements,
  account: DelegatedAccount,
  now = Date.now(),
): Promise<PaymentPayload> {
  const random = (bytes: number) => globalThis.crypto.getRandomValues(new Uint8Array(bytes))
  const context = { clock: () => now, random, maxLifetimeSeconds: 600 }
  const prepared = await exactEvmByDelegation({ account }).prepare(offer, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  return { x402Version: 2, scheme: 'exact', network: offer.network, accepted: offer, payload: await prepared.sign() }
}
