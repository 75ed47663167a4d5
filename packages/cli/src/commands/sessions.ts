import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Purse, SpendingPolicy } from '@groat/client/buyer'
import {
  type Asset,
  assetByAddress,
  assetByTicker,
  formatUnits,
  type Network,
  network as networkNamed,
  parseMoney,
  parseUnits,
  type SchemeClient,
  sameAddress,
  v1NameOf,
  X402Error,
} from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvmByDelegation } from '@groat/evm/exact/erc7710/client'
import {
  createSession,
  type DelegationContracts,
  formatSession,
  parseSession,
  type Session,
  type SessionSpent,
  sessionAccount,
} from '@groat/evm/session'
import { endSession, readSession, type SessionState } from '@groat/evm/session/end'
import { disobeyManager, obeyManager } from '@groat/evm/session/obey'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'
import { openKeystore, sealEvmKey } from '../wallet/keystore.js'
import { spentOf } from '../wallet/session-spent.js'
import { nodesOf } from './chains.js'
import { homeOf, loadPolicy, withPurse } from './purse.js'
import { accountOf, type FoundKey, readKeys } from './wallet.js'

/** Options of `groat wallet session`. */
export type SessionCommand = {
  readonly json?: boolean
  readonly keyFile?: readonly string[]
  readonly rpc?: readonly string[]
  readonly policy?: string
}

/** Options of `groat wallet session new`. */
export type NewSessionCommand = SessionCommand & {
  readonly network: string
  /** JSON with `manager` and `enforcers`. */
  readonly contracts: string
  readonly total: string
  readonly perPayment?: string
  readonly perDay?: string
  readonly payTo?: readonly string[]
  /** `30m`, `12h`, `7d`. */
  readonly lasts: string
  readonly token?: string
  readonly delegator?: string
}

/** `groat wallet session new NAME`: the owner signs once what a new key may spend; the key is kept encrypted. */
export async function newSession(name: string, options: NewSessionCommand, io: Io): Promise<number> {
  await checkFree(name, io)
  const network = networkNamed(options.network)
  const asset = assetByTicker(network, options.token ?? 'USD')
  if (asset === undefined) throw new CliError('usage', `${options.token ?? 'USD'} is no token of ${options.network}`)
  const password = passwordOf(io)
  const contracts = await contractsOf(options.contracts)
  const { account: owner } = await ownerOf(options, io)
  const policy = await loadPolicy(options.policy === undefined ? {} : { policy: options.policy }, io)
  const perPayment = leastOf([options.perPayment, policy.perPayment], asset)
  const perDay = leastOf([options.perDay, policy.perDay], asset)
  const recipients = recipientsOf(options, policy)
  const secret = new Uint8Array(randomBytes(32))
  const key = privateKeyAccount(secret)
  const session = await createSession({
    ...{ owner, network, contracts, key: key.address },
    limits: {
      token: hexOf(asset.address),
      total: unitsOf(options.total, asset),
      expiresAt: Math.floor(Date.now() / 1000) + secondsOf(options.lasts),
      ...(perPayment !== undefined && { perPayment }),
      ...(perDay !== undefined && { perDay }),
      ...(recipients !== undefined && { recipients }),
    },
    ...(options.delegator !== undefined && { delegator: hexOf(options.delegator) }),
  }).catch((cause: unknown) => {
    if (!(cause instanceof TypeError)) throw cause
    throw new CliError('usage', `That is no session: ${cause.message}`, undefined, { cause })
  })
  const file = await keep(name, { session, sealed: sealEvmKey(secret, key.address, password) }, io)
  secret.fill(0)
  if (options.json) io.out(`${formatSession(session)}\n`)
  else {
    io.out(`${key.address}\n`)
    io.say(`  kept in ${file}; it pays with groat pay --session ${name}`)
  }
  return exitCodes.ok
}

/** Options of `groat wallet session enable` and `disable`. */
export type ObeyCommand = SessionCommand & { readonly network: string; readonly contracts: string }

/** `groat wallet session enable`: the owner's account obeys the manager from now on (EIP-7702). `disable` takes it back. Exits 1 where that is refused. */
export async function changeObedience(wish: 'enable' | 'disable', options: ObeyCommand, io: Io): Promise<number> {
  const network = networkNamed(options.network)
  const { manager, account } = await namedIn(options.contracts)
  if (account === undefined) {
    throw new CliError(
      'usage',
      `${options.contracts} does not name \`account\``,
      'It is the code that an account runs to obey.',
    )
  }
  const node = nodesOf([network], options.rpc ?? []).get(network)
  if (node === undefined) throw new CliError('usage', 'No node to send through', NAME_A_NODE)
  const { account: owner, key } = await ownerOf(options, io)
  const chain = await createEvmChain({ network, rpc: node, signers: [key], assets: [] })
  const named = { manager: hexOf(manager), account: hexOf(account) }
  const done = await sending(options, owner.address, () =>
    (wish === 'enable' ? obeyManager : disobeyManager)(chain, owner, named),
  )
  if (options.json) io.out(`${JSON.stringify({ owner: owner.address, ...named, ...done })}\n`)
  else if (!done.ok) io.say(plain(`  ${io.style.bad('refused:')} ${done.detail ?? done.code}`))
  else {
    const state = wish === 'enable' ? `obeys ${named.manager}` : 'runs no code'
    io.out(`${owner.address} ${state}${done.transaction === undefined ? ' already' : ` since ${done.transaction}`}\n`)
  }
  return done.ok ? exitCodes.ok : exitCodes.no
}

/** Sends a transaction of the owner's own, who pays for its gas. */
async function sending<T>(
  { network }: { readonly network: string },
  owner: string,
  send: () => Promise<T>,
): Promise<T> {
  try {
    return await send()
  } catch (cause) {
    if (!X402Error.is(cause) || cause.code !== 'signer_out_of_gas') throw cause
    const id = networkNamed(network)
    throw new CliError(
      'no',
      `${owner}, the owner's wallet, has no coin on ${v1NameOf(id) ?? id} to pay for gas (${cause.code})`,
      'Send it some of the coin of the chain; on a sandbox, groat wallet fund gives a wallet money and coin.',
      { cause },
    )
  }
}

/** `groat wallet session list`: what keys may spend; with `--rpc` also what they have spent. */
export async function listSessions({ rpc = [], json }: SessionCommand, io: Io): Promise<number> {
  const sessions = await Promise.all((await namesOf(io)).map(async (name) => ({ name, ...(await kept(name, io)) })))
  const nodes = nodesOf([...new Set(sessions.map(({ session }) => session.network))], rpc)
  const rows: string[][] = []
  await withPurse({}, io, async (purse) => {
    for (const { name, session } of sessions) {
      const node = nodes.get(session.network)
      const state = node === undefined ? undefined : await readSession(await chainOf(session.network, node), session)
      const left = leftToday(session, await spentOf(session, purse), state)
      const more = { ...textOf(state), ...(left !== undefined && { leftToday: `${left}` }) }
      if (json) io.out(`${JSON.stringify({ name, ...JSON.parse(formatSession(session)), ...more })}\n`)
      else rows.push(rowOf(name, session, state, left))
    }
  })
  for (const line of columns(rows)) io.out(`${plain(line)}\n`)
  if (sessions.length === 0 && !json) io.say('There are no sessions: groat wallet session new makes one.')
  return exitCodes.ok
}

/** What is left of a day's limit, by the payments that are kept here; `undefined`: there is none, or the chain knows of others. */
function leftToday({ limits: { perDay } }: Session, { total, today }: SessionSpent, state: SessionState | undefined) {
  if (perDay === undefined || (state !== undefined && state.spent !== total)) return undefined
  return perDay > today ? perDay - today : 0n
}

/**
 * What holds a session, in words: for whoever was refused by the chain.
 *
 * @example
 * await sessionInWords('agent', io) // '1 USDC in all, 0.003 USDC a day, to anybody, until 2026-11-28 12:00'
 */
export async function sessionInWords(name: string, io: Io): Promise<string> {
  const { session } = await kept(name, io)
  const [, , total, others, to, until] = rowOf(name, session, undefined)
  return plain([`${total} in all`, others, to, until].filter(Boolean).join(', '))
}

/** `groat wallet session revoke NAME`: ends a session on chain, and then forgets its key. */
export async function revokeSession(name: string, options: SessionCommand, io: Io): Promise<number> {
  const { session } = await kept(name, io)
  const node = nodesOf([session.network], options.rpc ?? []).get(session.network)
  if (node === undefined) {
    throw new CliError('usage', 'No node to send through', NAME_A_NODE)
  }
  const { account: owner, key } = await ownerOf(options, io)
  const chain = await createEvmChain({ network: session.network, rpc: node, signers: [key] })
  const named = { network: session.network }
  const transaction = await sending(named, owner.address, () => endSession(chain, session))
  if (!(await readSession(chain, session)).ended) throw new CliError('no', `${name} is not ended`)
  await rm(fileOf(name, io))
  if (options.json) io.out(`${JSON.stringify({ name, transaction })}\n`)
  else io.out(`ended  ${transaction}\n`)
  return exitCodes.ok
}

/** The one scheme that a session pays by; the owner's key is not looked at. */
export async function sessionSchemes(
  name: string,
  io: Io,
  purse?: Pick<Purse, 'records'>,
): Promise<readonly SchemeClient[]> {
  const { session, sealed } = await kept(name, io)
  const { secret } = openKeystore(sealed, passwordOf(io))
  const known = purse && (await spentOf(session, purse))
  const spent = known && { spent: () => known }
  return [exactEvmByDelegation({ account: sessionAccount({ session, key: privateKeyAccount(secret), ...spent }) })]
}

type Kept = { readonly session: Session; readonly sealed: string }

async function keep(name: string, { session, sealed }: Kept, io: Io): Promise<string> {
  const file = fileOf(name, io)
  await mkdir(folderOf(io), { recursive: true, mode: 0o700 })
  const text = JSON.stringify({ session: JSON.parse(formatSession(session)), key: JSON.parse(sealed) })
  // A key that is there is never written over.
  await writeFile(file, `${text}\n`, { mode: 0o600, flag: 'wx' }).catch((cause: unknown) => {
    throw new CliError('usage', `${file} is there already or cannot be written`, undefined, { cause })
  })
  return file
}

/** Before anybody is asked to sign. */
async function checkFree(name: string, io: Io): Promise<void> {
  fileOf(name, io)
  if (!(await namesOf(io)).includes(name)) return
  throw new CliError('usage', `There is a session ${name} already`, 'Revoke it, or choose another name.')
}

async function kept(name: string, io: Io): Promise<Kept> {
  const file = fileOf(name, io)
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliError('no', `There is no session ${name}`, 'groat wallet session list shows what there is.', { cause })
  })
  const { session, key } = parsed(text)
  const read = parseSession(JSON.stringify(session ?? null))
  if (read === undefined) throw new CliError('usage', `${file} is no session`)
  return { session: read, sealed: JSON.stringify(key ?? null) }
}

async function namesOf(io: Io): Promise<readonly string[]> {
  const names = await readdir(folderOf(io)).catch(() => [])
  return names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length))
}

const folderOf = (io: Io) => join(homeOf(io), 'sessions')

function fileOf(name: string, io: Io): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) {
    throw new CliError('usage', `${name} is no name`, 'Letters, digits, - and _.')
  }
  return join(folderOf(io), `${name}.json`)
}

async function ownerOf(options: SessionCommand, { environment }: Io) {
  for (const found of await readKeys({ ...(options.keyFile && { keyFile: options.keyFile }) }, environment)) {
    const { evm } = accountOf(found)
    if (evm !== undefined) return { account: evm, key: keyOf(found) }
  }
  throw new CliError('usage', 'No EVM key of the owner', 'Set GROAT_EVM_KEY, or name a file with --key-file.')
}

const keyOf = ({ key }: FoundKey): string => key

/** What the owner's policy says holds on chain too: the lesser of both. */
function leastOf(texts: readonly (string | undefined)[], asset: Asset): bigint | undefined {
  const limits = texts.flatMap((text) => (text === undefined ? [] : [unitsOf(text, asset)]))
  return limits.sort((a, b) => (a < b ? -1 : 1))[0]
}

/** Those who are named, as far as the owner's policy allows them; without any, its own. */
function recipientsOf({ payTo }: NewSessionCommand, policy: SpendingPolicy): readonly `0x${string}`[] | undefined {
  const allowed = policy.recipients?.filter((text) => text.startsWith('0x')).map(hexOf)
  const named = payTo?.map(hexOf)
  const both = named?.filter((each) => allowed?.some((other) => sameAddress(each, other)) !== false) ?? allowed
  if (both?.length === 0) throw new CliError('usage', 'The policy allows none of those recipients')
  return both
}

function unitsOf(text: string, { decimals }: Asset): bigint {
  try {
    return parseUnits(parseMoney(text).decimal, decimals)
  } catch (cause) {
    throw new CliError('usage', `${text} is not an amount`, 'Write it as $1.50.', { cause })
  }
}

function secondsOf(text: string): number {
  const [, number, unit] = /^([1-9][0-9]{0,4})([mhd])$/.exec(text) ?? []
  if (number === undefined) throw new CliError('usage', `${text} is no duration`, 'Write it as 30m, 12h or 7d.')
  return Number(number) * (unit === 'm' ? 60 : unit === 'h' ? 3600 : 86_400)
}

const NAME_A_NODE = 'Name one with --rpc, as base=https://…'

async function namedIn(file: string): Promise<Members> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliError('usage', `${file} cannot be read`, undefined, { cause })
  })
  return parsed(text)
}

async function contractsOf(file: string): Promise<DelegationContracts> {
  const { manager, enforcers } = await namedIn(file)
  const { erc20TransferAmount, timestamp, allowedCalldata, ...rest } = (enforcers ?? {}) as Members
  if ([manager, erc20TransferAmount, timestamp, allowedCalldata].includes(undefined)) {
    throw new CliError('usage', `${file} does not name all contracts`, CONTRACTS)
  }
  const { erc20PaymentLimit, erc20PeriodTransfer, erc20Payees } = rest
  return {
    manager: hexOf(manager),
    enforcers: {
      erc20TransferAmount: hexOf(erc20TransferAmount),
      timestamp: hexOf(timestamp),
      allowedCalldata: hexOf(allowedCalldata),
      ...(erc20PaymentLimit !== undefined && { erc20PaymentLimit: hexOf(erc20PaymentLimit) }),
      ...(erc20PeriodTransfer !== undefined && { erc20PeriodTransfer: hexOf(erc20PeriodTransfer) }),
      ...(erc20Payees !== undefined && { erc20Payees: hexOf(erc20Payees) }),
    },
  }
}

const CONTRACTS =
  'Write it as {"manager":"0x…","enforcers":{"erc20TransferAmount":"0x…","timestamp":"0x…","allowedCalldata":"0x…"}}.'

type Members = Readonly<Record<string, unknown>>

function parsed(text: string): Members {
  try {
    const read: unknown = JSON.parse(text)
    // Every member is looked at where it is used.
    if (typeof read === 'object' && read !== null) return read as Members
  } catch {
    // Said below.
  }
  throw new CliError('usage', 'That is not JSON')
}

function hexOf(address: unknown): `0x${string}` {
  // Its form was just seen.
  if (typeof address === 'string' && /^0x[0-9a-fA-F]{40}$/.test(address)) return address as `0x${string}`
  throw new CliError('usage', `${address} is not an address`)
}

function passwordOf({ environment }: Io): string {
  const password = environment.GROAT_PASSWORD
  if (password !== undefined && password !== '') return password
  throw new CliError('usage', 'No password for the session key', 'Set GROAT_PASSWORD.')
}

const chainOf = (network: Network, rpc: string) => createEvmChain({ network, rpc, signers: [] })

const textOf = (state: SessionState | undefined) => state && { spent: `${state.spent}`, ended: state.ended }

function rowOf(name: string, { network, limits }: Session, state: SessionState | undefined, left?: bigint): string[] {
  const { token, total, perPayment, perDay, recipients, expiresAt } = limits
  const asset = assetByAddress(network, token)
  const money = (units: bigint) =>
    asset ? `${formatUnits(units, asset.decimals)} ${asset.symbol}` : `${units} of ${token}`
  const until = new Date(expiresAt * 1000).toISOString().replace('T', ' ').slice(0, 16)
  return [
    name,
    v1NameOf(network) ?? network,
    state === undefined ? money(total) : `${money(state.spent)} of ${money(total)}`,
    [
      ...(perPayment === undefined ? [] : [`${money(perPayment)} at once`]),
      ...(perDay === undefined
        ? []
        : [`${money(perDay)} a day${left === undefined ? '' : ` (${money(left)} left today)`}`]),
    ].join(', '),
    `to ${recipients?.join(', ') ?? 'anybody'}`,
    state?.ended ? 'ended' : `${expiresAt * 1000 <= Date.now() ? 'over since' : 'until'} ${until}`,
  ]
}
