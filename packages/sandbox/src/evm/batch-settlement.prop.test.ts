import fc from 'fast-check'
import { type Address, encodeAbiParameters, type Hex, zeroHash } from 'viem'
import { expect, test } from 'vitest'
import { type Contract, useContracts } from '../../test/contract.js'
import { useChain } from '../../test/kit.js'
import { randomWord, useSignatures } from '../../test/sign.js'
import { evmContracts } from '../index.js'

const on = useChain()
const { account, approvePermit2, read, refusal, send } = useContracts(on)
const signed = useSignatures(on)
const batch: Contract = evmContracts.x402BatchSettlement

test('whatever both sides do, and in whatever order, the contract owes exactly what it holds', async () => {
  await approvePermit2('payer')
  await approvePermit2('payer3')
  const fresh = await on.chain.snapshot()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      await fresh()
      const channels = [channelOf('payer'), channelOf('payer3')]
      let model: Model = { channels: channels.map(() => unopened), claimed: 0n, settled: 0n }
      for (const each of steps) {
        const next = expected(model, each)
        const happened = await attempt(each, channels[each.channel] ?? fail())
        expect([each, happened]).toEqual([each, next !== undefined])
        model = next ?? model
        await on.chain.warp(1_000) // every delay has passed by the next step
      }
      expect(await state(channels)).toEqual(model)
      const owed = model.channels.reduce((sum, { balance }) => sum + balance, 0n) - model.settled
      expect(await on.chain.balance(batch.address)).toBe(owed)
    }),
    { numRuns: 20, seed: 402 },
  )
})

type Channel = { readonly balance: bigint; readonly totalClaimed: bigint; readonly pending: bigint | undefined }
type Model = { readonly channels: readonly Channel[]; readonly claimed: bigint; readonly settled: bigint }
type Config = { readonly payer: Address; readonly [field: string]: unknown }
type Step = { readonly act: (typeof acts)[number]; readonly channel: number; readonly amount: bigint }

const acts = ['deposit', 'claim', 'settle', 'refund', 'initiateWithdraw', 'finalizeWithdraw'] as const
const unopened: Channel = { balance: 0n, totalClaimed: 0n, pending: undefined }
const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(...acts),
  channel: fc.nat({ max: 1 }),
  amount: fc.bigInt({ min: 0n, max: 12n }),
})

/** What a step makes of the model, or undefined when it must be refused. */
function expected(model: Model, { act, channel: at, amount }: Step): Model | undefined {
  const channel = model.channels[at] ?? fail()
  const free = channel.balance - channel.totalClaimed
  const becomes = (change: Partial<Channel>, rest: Partial<Model> = {}): Model => ({
    ...model,
    ...rest,
    channels: model.channels.map((each, i) => (i === at ? { ...each, ...change } : each)),
  })
  switch (act) {
    case 'deposit':
      return amount === 0n ? undefined : becomes({ balance: channel.balance + amount })
    case 'claim': {
      if (amount <= channel.totalClaimed) return model
      if (amount > channel.balance) return undefined
      return becomes({ totalClaimed: amount }, { claimed: model.claimed + amount - channel.totalClaimed })
    }
    case 'settle':
      return { ...model, settled: model.claimed }
    case 'refund': {
      if (amount === 0n) return undefined
      const paid = least(amount, free)
      const left = channel.pending === undefined || channel.pending <= paid ? undefined : channel.pending - paid
      return paid === 0n ? model : becomes({ balance: channel.balance - paid, pending: left })
    }
    case 'initiateWithdraw':
      if (amount === 0n || amount > free || channel.pending !== undefined) return undefined
      return becomes({ pending: amount })
    case 'finalizeWithdraw':
      if (channel.pending === undefined) return undefined
      return becomes({ balance: channel.balance - least(channel.pending, free), pending: undefined })
  }
}

/** Does a step on the chain, if it goes through. */
async function attempt({ act, amount }: Step, config: Config): Promise<boolean> {
  const payer = config.payer === account('payer') ? 'payer' : 'payer3'
  const [role, args] = await call()
  if ((await refusal(role, batch, act, args)) !== 'nothing') return false
  await send(role, batch, act, args)
  return true

  async function call(): Promise<['seller' | 'payer' | 'payer3' | 'facilitator', readonly unknown[]]> {
    switch (act) {
      case 'deposit':
        return ['facilitator', [config, amount, collector, await permit(payer, config, amount)]]
      case 'claim': {
        const signature = await signed.voucher(payer, await idOf(config), amount)
        const voucher = { channel: config, maxClaimableAmount: amount }
        return ['seller', [[{ voucher, signature, totalClaimed: amount }]]]
      }
      case 'settle':
        return ['facilitator', [account('seller'), on.chain.usdc]]
      case 'refund':
        return ['seller', [config, amount]]
      case 'initiateWithdraw':
        return [payer, [config, amount]]
      case 'finalizeWithdraw':
        return [payer, [config]]
    }
  }
}

async function state(configs: readonly Config[]): Promise<Model> {
  const channels = await Promise.all(
    configs.map(async (config): Promise<Channel> => {
      const id = await idOf(config)
      const [balance, totalClaimed] = (await read(batch, 'channels', [id])) as [bigint, bigint]
      const [pending, since] = (await read(batch, 'pendingWithdrawals', [id])) as [bigint, number]
      return { balance, totalClaimed, pending: since === 0 ? undefined : pending }
    }),
  )
  const pair = [account('seller'), on.chain.usdc]
  const [claimed, settled] = (await read(batch, 'receivers', pair)) as [bigint, bigint]
  return { channels, claimed, settled }
}

const collector = evmContracts.permit2DepositCollector.address

async function permit(payer: 'payer' | 'payer3', config: Config, amount: bigint): Promise<Hex> {
  const [nonce, deadline] = [BigInt(randomWord()), 2_000_000_000n]
  const signature = await signed.permit2(
    payer,
    { permitted: { token: on.chain.usdc, amount }, spender: collector, nonce, deadline },
    {
      name: 'DepositWitness',
      fields: [{ name: 'channelId', type: 'bytes32' }],
      value: { channelId: await idOf(config) },
    },
  )
  return encodeAbiParameters(
    [{ type: 'uint256' }, { type: 'uint256' }, { type: 'bytes' }, { type: 'bytes' }],
    [nonce, deadline, signature, '0x'],
  )
}

const idOf = async (config: Config) => (await read(batch, 'getChannelId', [config])) as Hex

function channelOf(payer: 'payer' | 'payer3'): Config {
  return {
    payer: account(payer),
    payerAuthorizer: account(payer),
    receiver: account('seller'),
    receiverAuthorizer: account('payer2'),
    token: on.chain.usdc,
    withdrawDelay: 900,
    salt: zeroHash,
  }
}

const least = (a: bigint, b: bigint) => (a < b ? a : b)

function fail(): never {
  throw new Error('no such channel')
}
