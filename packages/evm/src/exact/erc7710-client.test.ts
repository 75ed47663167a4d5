import { network, type PaymentRequirements } from '@groat/core'
import { expect, test } from 'vitest'
import { parseAddress } from '../address.js'
import { delegationId } from './erc7710.js'
import { exactEvmByDelegation } from './erc7710-client.js'

const PERMISSION = `0x${'ab'.repeat(64)}` as const

const offer: PaymentRequirements = {
  ...{ scheme: 'exact', network: network('base-sepolia'), amount: 1_000n, maxTimeoutSeconds: 60 },
  ...{ asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', payTo: `0x${'11'.repeat(20)}` },
  extra: { assetTransferMethod: 'erc7710' },
}

test('CL-7 what is shown of a payment, to people and in logs, does not permit it', async () => {
  const account = {
    delegator: `0x${'22'.repeat(20)}`,
    delegationManager: `0x${'33'.repeat(20)}`,
    permit: async () => PERMISSION,
  } as const
  const context = { clock: Date.now, random: (n: number) => new Uint8Array(n), maxLifetimeSeconds: 600 }
  const prepared = await exactEvmByDelegation({ account }).prepare(offer, context)
  if (!prepared.ok) throw new Error(prepared.code)
  expect(prepared.preview).toMatchObject({ delegationManager: account.delegationManager, amount: '1000' })
  expect(JSON.stringify(prepared.preview)).not.toContain('abababab')
  expect(await prepared.sign()).toMatchObject({ permissionContext: PERMISSION })
})

test('CLI-002 EVM-EXACT-158 nothing is permitted before the payment is decided, and the permission gives it its identity', async () => {
  const permitted: unknown[] = []
  const account = {
    delegator: `0x${'22'.repeat(20)}`,
    delegationManager: `0x${'33'.repeat(20)}`,
    permit: async (payment: unknown) => {
      permitted.push(payment)
      return PERMISSION
    },
  } as const
  const context = { clock: Date.now, random: (n: number) => new Uint8Array(n).fill(7), maxLifetimeSeconds: 600 }
  const prepared = await exactEvmByDelegation({ account }).prepare(offer, context)
  if (!prepared.ok) throw new Error(prepared.code)
  expect([permitted.length, prepared.signedPid?.()]).toEqual([0, prepared.pid])
  await prepared.sign()
  const [manager, delegator] = [parseAddress(account.delegationManager), parseAddress(account.delegator)]
  if (manager === undefined || delegator === undefined) throw new Error('no address')
  const pid = delegationId(offer.network, { manager, delegator, context: PERMISSION })
  expect([permitted.length, prepared.signedPid?.()]).toEqual([1, pid])
  expect(prepared.pid).not.toBe(pid)
})
