import { encodeFunctionData, encodePacked, erc20Abi, getAddress, type Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { eventsOf, useContracts } from '../../test/contract.js'
import { useChain } from '../../test/kit.js'
import { delegationManagerAbi } from '../generated/delegation.js'
import { delegatorAccountAbi } from '../generated/wallets.js'
import {
  type Delegation,
  type DelegationManager,
  delegate7702,
  deployDelegationManager,
  deployDelegatorAccount,
  deployErc1271Wallet,
  deployHostileDelegationManager,
  type EvmRole,
} from '../index.js'

const on = useChain()
const { account, refusal, send } = useContracts(on)
const redeem = 'redeemDelegations'

test('a delegated account pays by a delegation, as often as its amount allows', async () => {
  const manager = await ready()
  const [delegation, signature] = await grant(manager, {})
  const receipt = await send('facilitator', manager, redeem, manager.redemption(delegation, signature, 6_000n))
  expect(eventsOf(receipt, on.chain.usdc)).toEqual([
    ['Transfer', { from: account('payer'), to: account('seller'), value: 6_000n }],
  ])
  const { message } = manager.typedData(delegation)
  expect(eventsOf(receipt, manager.address)).toEqual([
    [
      'RedeemedDelegation',
      {
        rootDelegator: account('payer'),
        redeemer: account('facilitator'),
        delegation: { ...message, delegate: getAddress(message.delegate), signature },
      },
    ],
  ])
  const attempt = (amount: bigint) =>
    refusal('facilitator', manager, redeem, manager.redemption(delegation, signature, amount))
  expect([await attempt(4_001n), await attempt(4_000n)]).toEqual(['ExceedsDelegatedAmount', 'nothing'])
})

test('a contract wallet pays by a delegation of its owner’s', async () => {
  const manager = await deployDelegationManager(on.chain)
  const wallet = await deployErc1271Wallet(on.chain, account('payer'), manager.address)
  await on.chain.fund(wallet, 10_000n)
  const [delegation, signature] = await grant(manager, { delegator: wallet })
  await send('facilitator', manager, redeem, manager.redemption(delegation, signature, 10_000n))
  expect(await on.chain.balance(account('seller'))).toBe(10_000n)
})

test('a delegation is for its delegate, payee, token, amount and time, and the delegator can end it', async () => {
  const manager = await ready()
  const [delegation, signature] = await grant(manager, { delegate: account('facilitator') })
  const attempt = (by: EvmRole, change: Partial<Delegation>, form: Hex = signature) =>
    refusal(by, manager, redeem, manager.redemption({ ...delegation, ...change }, form, 1n))
  const [late, lateSignature] = await grant(manager, { expiry: 1n })
  const [, stranger] = await grant(manager, delegation, 'payer2')
  expect({
    delegate: await attempt('payer3', {}),
    payee: await attempt('facilitator', { payee: account('payer3') }),
    amount: await attempt('facilitator', { maxAmount: 2n ** 255n }),
    stranger: await attempt('facilitator', {}, stranger),
    late: await refusal('facilitator', manager, redeem, manager.redemption(late, lateSignature, 1n)),
    others: await refusal('payer3', manager, 'disableDelegation', [signed(manager, delegation, signature)]),
    right: await attempt('facilitator', {}),
  }).toEqual({
    delegate: 'InvalidDelegate',
    payee: 'InvalidDelegationSignature',
    amount: 'InvalidDelegationSignature',
    stranger: 'InvalidDelegationSignature',
    late: 'DelegationExpired',
    others: 'InvalidDelegator',
    right: 'nothing',
  })
  await send('payer', manager, 'disableDelegation', [signed(manager, delegation, signature)])
  expect(await attempt('facilitator', {})).toBe('DelegationDisabled')
})

test('only the one transfer is executed', async () => {
  const manager = await ready()
  const [delegation, signature] = await grant(manager, {})
  const [contexts, modes] = manager.redemption(delegation, signature, 1n)
  const attempt = (target: Hex, value: bigint, data: Hex, mode = modes) =>
    refusal('facilitator', manager, redeem, [
      contexts,
      mode,
      [encodePacked(['address', 'uint256', 'bytes'], [target, value, data])],
    ])
  const call = (functionName: 'transfer' | 'approve', to: Hex, amount = 1n) =>
    encodeFunctionData({ abi: erc20Abi, functionName, args: [to, amount] })
  const pay = call('transfer', account('seller'))
  expect({
    target: await attempt(account('payer3'), 0n, pay),
    ether: await attempt(on.chain.usdc, 1n, pay),
    approve: await attempt(on.chain.usdc, 0n, call('approve', account('seller'))),
    payee: await attempt(on.chain.usdc, 0n, call('transfer', account('payer3'))),
    longer: await attempt(on.chain.usdc, 0n, `${pay}00`),
    mode: await attempt(on.chain.usdc, 0n, pay, [`0x01${'00'.repeat(31)}`]),
    lengths: await refusal('facilitator', manager, redeem, [contexts, [], []]),
    right: await attempt(on.chain.usdc, 0n, pay),
  }).toEqual({
    target: 'ExecutionNotAllowed',
    ether: 'ExecutionNotAllowed',
    approve: 'ExecutionNotAllowed',
    payee: 'ExecutionNotAllowed',
    longer: 'ExecutionNotAllowed',
    mode: 'UnsupportedMode',
    lengths: 'BatchLengthMismatch',
    right: 'nothing',
  })
})

test('a delegator obeys its manager and nobody else', async () => {
  await ready()
  const args = [`0x${'00'.repeat(32)}`, '0x']
  expect(
    await refusal('payer3', { address: account('payer'), abi: delegatorAccountAbi }, 'executeFromExecutor', args),
  ).toBe('NotDelegationManager')
})

test('D37: a manager of an attacker’s says yes and moves nothing, reverts, or takes all the gas', async () => {
  const manager = await ready()
  const [delegation, signature] = await grant(manager, {})
  const args = manager.redemption(delegation, signature, 1_000n)
  const attempt = async (conduct: Parameters<typeof deployHostileDelegationManager>[1]) =>
    refusal(
      'facilitator',
      { address: await deployHostileDelegationManager(on.chain, conduct), abi: delegationManagerAbi },
      redeem,
      args,
    )
  expect([await attempt('idle'), await attempt('reverting'), await attempt('burning-gas')]).toEqual([
    'nothing',
    'Refused',
    'all gas',
  ])
  expect(await on.chain.balance(account('seller'))).toBe(0n)
})

/** A delegation as the manager's own calls take it. */
const signed = (manager: DelegationManager, delegation: Delegation, signature: Hex) => ({
  ...manager.typedData(delegation).message,
  signature,
})

/** A manager that the payer's account obeys. */
async function ready(): Promise<DelegationManager> {
  const manager = await deployDelegationManager(on.chain)
  await delegate7702(on.chain, account('payer'), await deployDelegatorAccount(on.chain, manager.address))
  return manager
}

/** A delegation of the payer's for 10,000 USDC units to the seller, and the signature of `by`. */
async function grant(manager: DelegationManager, change: Partial<Delegation>, by: EvmRole = 'payer') {
  const delegation: Delegation = {
    delegate: '0x0000000000000000000000000000000000000000',
    delegator: account('payer'),
    token: on.chain.usdc,
    payee: account('seller'),
    maxAmount: 10_000n,
    expiry: 2_000_000_000n,
    salt: 1n,
    ...change,
  }
  const signer = privateKeyToAccount(on.chain.account(by).privateKey)
  return [delegation, await signer.signTypedData(manager.typedData(delegation))] as const
}
