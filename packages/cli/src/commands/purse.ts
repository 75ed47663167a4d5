import { access, mkdir, readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Purse, SpendingPolicy } from '@groat/client/buyer'
import { sqlIntents } from '@groat/client/sql'
import type { PayerChannels } from '@groat/evm/batch-settlement/client'
import { sqlChannels } from '@groat/evm/batch-settlement/client/sql'
import { type PolicyWords, readPolicyWords } from '../config/policy-file.js'
import { CliError } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { openNamedStore } from './open-store.js'

/** Where a buyer's things are kept. */
export type PurseOptions = { readonly store?: string; readonly policy?: string }

/** The folder of everything that `groat` keeps for its user. */
export function homeOf({ environment }: Pick<Io, 'environment'>): string {
  return environment.GROAT_HOME ?? join(homedir(), '.groat')
}

/** The folder of the user's keystores. */
export function walletFolder(io: Pick<Io, 'environment'>): string {
  return join(homeOf(io), 'wallets')
}

/** The user's keystores, in the order in which they were made: who pays does not change because another is added. */
export async function walletFiles(io: Pick<Io, 'environment'>): Promise<readonly string[]> {
  const folder = walletFolder(io)
  const names = await readdir(folder).catch(() => [])
  const files = names.filter((name) => name.endsWith('.json')).map((name) => join(folder, name))
  const made = await Promise.all(files.map(async (file) => ({ file, at: (await stat(file)).mtimeMs })))
  return made.toSorted((a, b) => a.at - b.at || (a.file < b.file ? -1 : 1)).map(({ file }) => file)
}

/** The account of a keystore, which stands in the file's name: no password is needed to see it. */
export function walletAccount(file: string): WalletAccount | undefined {
  const [, chain, address = ''] = /(evm|svm)-([0-9A-Za-z]+)\.json$/.exec(file) ?? []
  return chain === undefined ? undefined : { address, family: chain === 'evm' ? 'eip155' : 'solana' }
}

/** Whose keystore a file is. */
export type WalletAccount = { readonly address: string; readonly family: 'eip155' | 'solana' }

/** Opens the purse, with the channels that were paid from, works with it, and closes it. */
export async function withPurse<T>(
  options: PurseOptions,
  io: Io,
  use: (purse: Purse, channels: PayerChannels) => Promise<T>,
): Promise<T> {
  const file = options.store ?? join(homeOf(io), 'purse.db')
  await mkdir(dirname(file), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new CliError('usage', `${dirname(file)} cannot be made`, 'Say with --store where to keep payments.', {
      cause,
    })
  })
  const store = await openNamedStore(file)
  try {
    let opened: Promise<PayerChannels> | undefined
    const channels = () => (opened ??= sqlChannels(store))
    return await use(await sqlIntents(store), {
      get: async (id) => (await channels()).get(id),
      change: async (id, next) => (await channels()).change(id, next),
      list: async () => (await channels()).list(),
    })
  } finally {
    await store.close()
  }
}

/** The policy that was named, or the one at home; without either, what protects where nothing is said. */
export async function loadPolicy(options: PurseOptions, io: Io): Promise<SpendingPolicy> {
  return (await loadPolicyWords(options, io)).policy
}

/** The same, with what else stands in its file. */
export async function loadPolicyWords(options: PurseOptions, { environment, ...io }: Io): Promise<PolicyWords> {
  if (options.policy !== undefined) return readPolicyWords(options.policy, environment)
  const file = join(homeOf({ environment, ...io }), 'policy.yaml')
  const isThere = await access(file).then(
    () => true,
    () => false,
  )
  return isThere ? readPolicyWords(file, environment) : { policy: {}, fields: {}, signIn: [] }
}
