import { assetByAddress, formatUnits, type Network, network as networkOf, parseMoney, parseUnits } from '@groat/core'
import type { PayerChannel, PayerChannels } from '@groat/evm/batch-settlement/client'
import { type RefundAnswer, requestRefund } from '@groat/evm/batch-settlement/refund'
import { createWithdrawals, type LockedChannel, type Withdrawals } from '@groat/evm/batch-settlement/withdraw'
import { createEvmChain, type EvmChain } from '@groat/evm/chain'
import { evmAccounts } from '@groat/sandbox'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'
import { nodesOf } from './chains.js'
import { type PurseOptions, withPurse } from './purse.js'
import { accountOf, isLoopback, readKeys } from './wallet.js'

/** Options of `groat channels`. */
export type ChannelsCommand = Pick<PurseOptions, 'store'> & {
  readonly json?: boolean
  readonly keyFile?: readonly string[]
  readonly rpc?: readonly string[]
  /** A price, such as `$0.01`. */
  readonly amount?: string
}

type Known = Awaited<ReturnType<PayerChannels['list']>>[number]
type About = NonNullable<PayerChannel['about']>

/** `groat channels list`: where money is locked; with `--rpc` as the chain has it. */
export async function listChannels(options: ChannelsCommand, io: Io): Promise<number> {
  const channels = await withPurse(options, io, async (_, kept) => kept.list())
  const nodes = nodesOf([...new Set(channels.flatMap(({ about }) => about?.network ?? []))], options.rpc ?? [])
  const rows: string[][] = []
  for (const channel of channels) {
    const { about } = channel
    const node = about && nodes.get(about.network)
    const onChain =
      about && node !== undefined ? await (await readerOf(about.network, node)).read(about.config) : undefined
    if (options.json) io.out(`${JSON.stringify(lineOf(channel, onChain))}\n`)
    else rows.push(rowOf(channel, onChain))
  }
  if (!options.json) for (const line of columns(rows)) io.out(`${plain(line)}\n`)
  return exitCodes.ok
}

/** `groat channels refund URL`: asks a seller for what was not spent. */
export async function refundFrom(url: string, options: ChannelsCommand, io: Io): Promise<number> {
  const target = URL.canParse(url) ? new URL(url) : undefined
  if (target === undefined) throw new CliError('usage', `${url} is not a URL`)
  const { account } = await keyOf(options, isLoopback(target), io)
  const answer = await withPurse(options, io, async (_, channels) =>
    requestRefund(url, {
      account,
      channels,
      ...(options.amount === undefined ? {} : { amount: unitsOf(options.amount) }),
    }),
  )
  if (options.json) io.out(`${text(answer)}\n`)
  else sayRefund(answer, io)
  return answer.status === 'refunded' ? exitCodes.ok : exitCodes.no
}

/** `groat channels withdraw CHANNEL`: begins to take money out without the seller; said again once the delay is over, it ends that. */
export async function withdrawFrom(id: string, options: ChannelsCommand, io: Io): Promise<number> {
  const channel = await withPurse(options, io, async (_, channels) => found(id, await channels.list()))
  const { about } = channel
  const node = nodesOf([about.network], options.rpc ?? []).get(about.network)
  if (node === undefined)
    throw new CliError('usage', 'No node to send through', 'Name one with --rpc, as base=https://…')
  const { key } = await keyOf(options, isLoopback(new URL(node)), io)
  const chain = await createEvmChain({ network: networkOf(about.network), rpc: node, signers: [key] })
  const withdrawals = createWithdrawals({ chain })
  const { finalizeAfter } = await withdrawals.read(about.config)
  const step =
    finalizeAfter === undefined
      ? await withdrawals.initiate(
          about.config,
          options.amount === undefined ? undefined : unitsOf(options.amount, about),
        )
      : await withdrawals.finalize(about.config)
  if (options.json) io.out(`${text(step)}\n`)
  else if (!step.ok)
    io.say(`  ${step.code}${finalizeAfter === undefined ? '' : `: not before ${timeOf(finalizeAfter)}`}`)
  else if (step.channel.finalizeAfter !== undefined) {
    const { withdrawing, finalizeAfter: after } = step.channel
    io.out(`${moneyOf(withdrawing, about)} can be taken after ${timeOf(after)}: say the same again then\n`)
  } else io.out(`taken  ${step.transaction}\n`)
  return step.ok ? exitCodes.ok : exitCodes.no
}

async function readerOf(network: Network, node: string): Promise<Pick<Withdrawals, 'read'>> {
  const chain: EvmChain = await createEvmChain({ network, rpc: node, signers: [] })
  return createWithdrawals({ chain })
}

function found(id: string, channels: readonly Known[]): Known & { readonly about: About } {
  const [channel, ...others] = channels.filter(({ channelId }) => channelId.startsWith(id.toLowerCase()))
  if (channel === undefined) throw new CliError('no', `There is no channel ${id}`)
  if (others.length > 0) throw new CliError('usage', `More than one channel begins with ${id}`)
  const { about } = channel
  if (about === undefined)
    throw new CliError('no', `Nothing is known of channel ${id} but its sums`, 'Pay from it once.')
  return { ...channel, about }
}

/** The user's EVM key; on this machine, without one, the published test key of the sandbox. */
async function keyOf(options: ChannelsCommand, local: boolean, { environment }: Io) {
  for (const read of await readKeys(options, environment)) {
    const { evm } = accountOf(read)
    if (evm !== undefined) return { account: evm, key: hexOf(read.key) }
  }
  if (!local) throw new CliError('usage', 'No key', 'Set GROAT_EVM_KEY, or name a file with --key-file.')
  const { privateKey } = evmAccounts[0]
  const { evm } = accountOf({ key: privateKey, from: 'the sandbox' })
  if (evm === undefined) throw new TypeError('the key of the sandbox is none')
  return { account: evm, key: privateKey }
}

function hexOf(key: string): `0x${string}` {
  // `accountOf` has read it: it is 0x and 64 digits.
  return key as `0x${string}`
}

function sayRefund(answer: RefundAnswer, { out, say }: Io): void {
  if (answer.status === 'refunded') {
    const { amount, channel, transaction } = answer
    const given = amount === undefined ? 'refunded' : `${moneyOf(amount, channel.about)} refunded`
    out(`${plain(`${given}  ${transaction}`)}\n`)
  } else if (answer.status === 'refused') say(`  refused: ${plain(answer.detail ?? answer.code)}`)
  else say('  nobody knows yet: say the same again, it is granted once')
}

function lineOf({ channelId, charged, balance, about }: Known, onChain: LockedChannel | undefined) {
  return {
    ...{ channelId, network: about?.network, payTo: about?.config.receiver, asset: about?.config.token },
    ...{ charged: `${charged}`, balance: `${balance}`, refundable: `${balance - charged}` },
    ...(onChain && {
      locked: `${onChain.locked}`,
      withdrawing: `${onChain.withdrawing}`,
      ...(onChain.finalizeAfter === undefined ? {} : { finalizeAfter: onChain.finalizeAfter }),
    }),
  }
}

function rowOf({ channelId, charged, balance, about }: Known, onChain: LockedChannel | undefined): string[] {
  const row = [`${channelId.slice(0, 14)}…`, about?.network ?? '', about?.config.receiver ?? '']
  row.push(`${moneyOf(charged, about)} spent`, `${moneyOf(balance - charged, about)} left`)
  if (onChain !== undefined) row.push(`${moneyOf(onChain.locked, about)} locked on chain`)
  if (onChain?.finalizeAfter !== undefined) {
    row.push(`${moneyOf(onChain.withdrawing, about)} on its way out, after ${timeOf(onChain.finalizeAfter)}`)
  }
  return row
}

const assetOf = (about: About | undefined) => about && assetByAddress(about.network, about.config.token)

function moneyOf(amount: bigint, about: About | undefined): string {
  const asset = assetOf(about)
  return asset === undefined ? `${amount}` : `${formatUnits(amount, asset.decimals)} ${asset.symbol}`
}

/** Atomic units of a price; of a token of six decimals where the token is not known. */
function unitsOf(price: string, about?: About): bigint {
  return parseUnits(parseMoney(price).decimal, assetOf(about)?.decimals ?? 6)
}

const timeOf = (seconds: number) => new Date(seconds * 1000).toISOString()

const text = (value: object) => JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? each.toString() : each))
