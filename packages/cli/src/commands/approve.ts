import type { SpendingPolicy } from '@groat/client/buyer'
import {
  type Asset,
  assetByAddress,
  assetByTicker,
  formatUnits,
  type Network,
  network as networkNamed,
  parseMoney,
  parseUnits,
  sameAddress,
  v1NameOf,
} from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { approvePermit2, PERMIT2, planApproval } from '@groat/evm/permit2'
import { CliError, exitCodes } from '../terminal/exit.js'
import { type Io, plain } from '../terminal/io.js'
import { nodesOf } from './chains.js'
import { loadPolicy } from './purse.js'
import { accountOf, readKeys } from './wallet.js'

/** Options of `groat wallet approve`. */
export type ApproveCommand = {
  readonly network: string
  readonly token: string
  /** `$5`, `0` or `unlimited`. */
  readonly amount: string
  readonly rpc?: readonly string[]
  readonly keyFile?: readonly string[]
  readonly policy?: string
  readonly yes?: boolean
  readonly json?: boolean
}

/** Everything there is: what Permit2 is let take once and for all. */
const UNLIMITED = 2n ** 256n - 1n

/**
 * `groat wallet approve`: lets Permit2 take so much of a token, which payments by Permit2 (`upto`, and `exact` of most tokens but USDC) go through. It shows what it
 * will do and asks; the account pays for the gas. Exits 1 where the policy or the token says no.
 */
export async function approve(options: ApproveCommand, io: Io): Promise<number> {
  const id = networkNamed(options.network)
  const rpc = nodesOf([id], options.rpc ?? []).get(id)
  if (rpc === undefined)
    throw new CliError('usage', 'No node to send through', 'Name one with --rpc, as base=https://…')
  const asset = assetOf(id, options.token)
  const amount = amountOf(options.amount, asset)
  checkPolicy(await loadPolicy(options.policy === undefined ? {} : { policy: options.policy }, io), asset, amount)
  const account = await ownerOf(options, io)
  const chain = await createEvmChain({ network: id, rpc, signers: [account], assets: [] })
  const { address: owner } = account
  const plan = await planApproval(chain.rpc, { owner, token: asset.address, amount })
  if (!plan.ok) throw new CliError('no', `${asset.symbol} takes no approval: ${plan.code}`)
  const say = (units: bigint) =>
    units === UNLIMITED ? 'everything' : `${formatUnits(units, asset.decimals)} ${asset.symbol}`
  const about = { network: id, owner, token: asset.address, spender: PERMIT2 }
  if (!options.json) {
    io.say(`  Permit2 (${PERMIT2}) may take ${say(plan.allowed)} of ${owner} on ${v1NameOf(id) ?? id}`)
    for (const step of plan.steps)
      io.say(`  ${step === amount ? 'will be let take' : 'first will be let take'} ${say(step)}`)
  }
  if (plan.steps.length > 0) await confirm(`  Let it take ${say(amount)}?`, options, io)
  const transactions = await approvePermit2(chain, asset.address, plan)
  const done = { ...about, before: plan.allowed.toString(), allowance: amount.toString(), transactions }
  if (options.json) io.out(`${JSON.stringify(done)}\n`)
  else io.out(`${transactions.length === 0 ? 'was so already' : `approved  ${transactions.at(-1)}`}\n`)
  return exitCodes.ok
}

/** By ticker, or by address where the registry has it: nobody counts in decimals that are not known. */
function assetOf(id: Network, text: string): Asset {
  const asset = text.startsWith('0x') ? assetByAddress(id, text) : assetByTicker(id, text)
  if (asset !== undefined) return asset
  throw new CliError('usage', `${plain(text)} is no known token of ${v1NameOf(id) ?? id}`)
}

function amountOf(text: string, { decimals }: Asset): bigint {
  if (text === 'unlimited') return UNLIMITED
  try {
    return parseUnits(parseMoney(text).decimal, decimals)
  } catch (cause) {
    throw new CliError('usage', `${plain(text)} is not an amount`, 'Write it as $5, as 0 or as unlimited.', { cause })
  }
}

/** What the policy says of payments holds for what is let be taken, too. */
function checkPolicy(policy: SpendingPolicy, asset: Asset, amount: bigint): void {
  const refuse = (rule: string, reason: string) => {
    throw new CliError('no', `The policy refuses it: ${reason}`, `It is decided by \`${rule}\`.`)
  }
  const { allowance, assets, networks, stopped } = policy
  // To take an approval back is always right.
  if (amount === 0n) return
  if (stopped) refuse('stopped', 'nothing is signed')
  if (networks?.map(networkNamed).includes(asset.network) === false) refuse('networks', `not on ${asset.network}`)
  const isNamed = (text: string) => text === asset.symbol || sameAddress(text, asset.address)
  if (assets?.some(isNamed) === false) refuse('assets', `not ${asset.symbol}`)
  if (allowance === 'exact') refuse('allowance', 'it approves for each payment what that takes, and no more')
  if (allowance === undefined || allowance === 'unlimited') return
  if (amount > amountOf(allowance, asset)) refuse('allowance', `at most ${allowance} is approved`)
}

async function confirm(question: string, { yes = false }: ApproveCommand, { ask }: Io): Promise<void> {
  if (yes) return
  if (ask === undefined)
    throw new CliError('usage', 'Nobody is there to be asked', 'Add --yes to approve without asking.')
  if (!(await ask(question))) throw new CliError('no', 'Not approved')
}

async function ownerOf({ keyFile }: ApproveCommand, { environment }: Io) {
  const keys = await readKeys(keyFile === undefined ? {} : { keyFile }, environment)
  const [account, ...others] = keys.flatMap((key) => accountOf(key).evm ?? [])
  if (account !== undefined && others.length === 0) return account
  throw new CliError(
    'usage',
    account === undefined ? 'No EVM key of the owner' : 'Which of the keys is meant?',
    'Set GROAT_EVM_KEY, or name one file with --key-file.',
  )
}
