import { readFile, stat } from 'node:fs/promises'
import type { Purse } from '@groat/client/buyer'
import { isNetwork, type Network, network, networkFamily, type SchemeClient, X402Error } from '@groat/core'
import { signerAccounts } from '@groat/core/http'
import { authCaptureEvm } from '@groat/evm/auth-capture/client'
import { batchEvm, type PayerChannels } from '@groat/evm/batch-settlement/client'
import {
  type EvmAccount,
  exactEvmWithPermit2,
  type KeyAccount,
  privateKeyAccount,
} from '@groat/evm/exact/permit2/client'
import { remoteEvmAccount } from '@groat/evm/signer'
import { type AllowanceNodes, uptoEvmWithSponsoring } from '@groat/evm/upto/sponsored/client'
import { evmAccounts, svmAccounts } from '@groat/sandbox'
import { exactSvm, type SvmKeyAccount, secretKeyAccount } from '@groat/svm/exact/client'
import { remoteSvmAccount } from '@groat/svm/signer'
import { decodeBase58, encodeBase58 } from '@groat/svm/wire'
import { CliError } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { isKeystore, openKeystore } from '../wallet/keystore.js'
import { nodesOf } from './chains.js'
import { walletAccount, walletFiles } from './purse.js'

/** Where the keys are, and whom Solana's blockhashes come from. A dry run signs nothing, and may do without a key. */
export type WalletOptions = {
  readonly keyFile?: readonly string[]
  readonly svmRpc?: string
  /** Nodes of EVM chains, as `base=https://…`: asked what Permit2 may take, so that what it lacks is signed along where a seller sponsors it. */
  readonly rpc?: readonly string[]
  /** URL of a remote signer, in the place of keys. */
  readonly signer?: string
  /** Name of a session key, in the place of all other keys. */
  readonly session?: string
  /** Where payments are kept: what a session has spent already is known from there. */
  readonly purse?: Pick<Purse, 'records'>
  readonly dryRun?: boolean
  /** Where channels are remembered; in memory unless told. */
  readonly channels?: PayerChannels
}

/** A key, and the variable or the file it stands in. */
export type FoundKey = { readonly key: string; readonly from: string }

/**
 * The schemes that the user's keys can pay with. The key is never an argument: arguments stand in the shell's history and in the list of
 * processes. On loopback, without a key, the published test keys of the sandbox pay.
 */
export async function openWallet(target: URL, options: WalletOptions, io: Io): Promise<readonly SchemeClient[]> {
  const { environment, say, style } = io
  const rpc = options.svmRpc ?? environment.GROAT_SVM_RPC
  if (options.session !== undefined)
    return (await import('./sessions.js')).sessionSchemes(options.session, io, options.purse)
  const signer = options.signer ?? environment.GROAT_SIGNER
  if (signer !== undefined)
    return signedElsewhere(signer, environment.GROAT_SIGNER_TOKEN, { rpc, channels: options.channels })
  const keys = await readKeys(options, environment, () => payingWallets(io))
  let found: ReturnType<typeof sandboxNodes> | undefined
  const near = () => {
    found ??= sandboxNodes(target)
    return found
  }
  // Asked when a payment needs it, and not before something has a price.
  const findNode: AllowanceNodes = async (id) => (await near()).get(id)
  const nodes = options.rpc ? evmNodes(nodesOf([], options.rpc)) : findNode
  if (keys.length > 0) return keys.flatMap((key) => schemesOf(key, rpc, { channels: options.channels, nodes }))
  const areClosed = environment.GROAT_PASSWORD === undefined && (await walletFiles(io)).length > 0
  if (!isLoopback(target) && !options.dryRun) {
    throw new CliError(
      'usage',
      areClosed ? 'No key to pay with: the wallets at home are closed' : 'No key to pay with',
      areClosed
        ? 'Set GROAT_PASSWORD to open them, or name a file with --key-file.'
        : 'Set GROAT_EVM_KEY or GROAT_SVM_KEY, or name a file with --key-file.',
    )
  }
  const what = options.dryRun ? 'asking for' : 'paying with'
  const why = areClosed ? 'the wallets at home are closed without GROAT_PASSWORD' : 'no key is set'
  say(style.quiet(`  ${why}: ${what} the published test keys of the sandbox`))
  const [evm, svm] = [evmAccounts[0].privateKey, svmAccounts[0].secretKey]
  const node = rpc ?? [...(await near())].find(([id]) => networkFamily(id) === 'solana')?.[1]
  const how = { channels: options.channels, nodes }
  return [evm, svm].flatMap((key) => schemesOf({ key, from: 'the sandbox' }, node, how))
}

/** The schemes of the accounts that a remote signer signs for. */
async function signedElsewhere(
  url: string,
  token: string | undefined,
  { rpc, channels }: { readonly rpc: string | undefined; readonly channels: PayerChannels | undefined },
): Promise<readonly SchemeClient[]> {
  if (!URL.canParse(url)) throw new CliError('usage', `${url} is not a URL`)
  if (token === undefined) throw new CliError('usage', 'No token for the signer', 'Set GROAT_SIGNER_TOKEN.')
  const accounts = await signerAccounts({ url, token }).catch((cause: unknown) => {
    throw unreachedSigner(url, cause) ?? cause
  })
  return accounts.flatMap(({ family, address }) => {
    if (family === 'eip155') return evmSchemes(remoteEvmAccount({ url, token, address }), { channels, nodes: {} })
    return family === 'solana' ? [svmScheme(remoteSvmAccount({ url, token, address }), rpc)] : []
  })
}

/** A signer that is not there, or does not know who asks, is no wallet that would not sign. */
function unreachedSigner(url: string, cause: unknown): CliError | undefined {
  if (!X402Error.is(cause) || cause.code !== 'signer_failed') return undefined
  const { status, reason } = cause.context
  if (reason === 'no answer')
    return new CliError('unreachable', `The signer at ${url} does not answer`, 'Start one with groat signer.', {
      cause,
    })
  return status === 401
    ? new CliError('no', `The signer at ${url} does not know you`, 'Set GROAT_SIGNER_TOKEN to its token.', { cause })
    : undefined
}

/** Whether a URL is on this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.[0-9.]+$/.test(hostname)
}

/** Of the wallets at home the first that was made on each chain family pays. */
async function payingWallets({ environment, say, style }: Io): Promise<readonly string[]> {
  const files = await walletFiles({ environment })
  const familyOf = (file: string) => walletAccount(file)?.family
  const isFirst = (file: string) => files.find((other) => familyOf(other) === familyOf(file)) === file
  const paying = files.filter((file) => familyOf(file) === undefined || isFirst(file))
  for (const account of paying.flatMap((file) => walletAccount(file) ?? [])) {
    const alike = files.filter((file) => familyOf(file) === account.family).length
    if (alike === 1) continue
    const kind = account.family === 'eip155' ? 'EVM' : 'Solana'
    say(style.quiet(`  of ${alike} ${kind} wallets the oldest pays, ${account.address}; --key-file names another`))
  }
  return paying
}

/** The keys that are named, set or at home. */
export async function readKeys(
  { keyFile = [] }: WalletOptions,
  environment: Io['environment'],
  filesAtHome: () => Promise<readonly string[]> = () => walletFiles({ environment }),
): Promise<readonly FoundKey[]> {
  const password = environment.GROAT_PASSWORD
  if (keyFile.length > 0) return Promise.all(keyFile.map((file) => readKeyFile(file, password)))
  const given = ['GROAT_EVM_KEY', 'GROAT_SVM_KEY'].flatMap((from) => {
    const key = environment[from]
    return key === undefined ? [] : [{ key, from }]
  })
  // The wallets at home are opened only where the password says so.
  if (given.length > 0 || password === undefined) return given
  return Promise.all((await filesAtHome()).map((file) => readKeyFile(file, password)))
}

async function readKeyFile(file: string, password: string | undefined): Promise<FoundKey> {
  const { mode } = await stat(file).catch((cause: unknown) => {
    throw new CliError('usage', `${file} cannot be read`, undefined, { cause })
  })
  if ((mode & 0o077) !== 0) throw new CliError('usage', `${file} can be read by others`, `chmod 600 ${file}`)
  return { key: opened((await readFile(file, 'utf8')).trim(), file, password), from: file }
}

/** A keystore is opened by the password; anything else is a key as it stands. */
function opened(text: string, file: string, password: string | undefined): string {
  if (!isKeystore(text)) return text
  if (password === undefined) {
    throw new CliError('usage', `${file} is a keystore and there is no password`, 'Set GROAT_PASSWORD.')
  }
  const { family, secret } = openKeystore(text, password)
  return family === 'evm' ? `0x${Buffer.from(secret).toString('hex')}` : encodeBase58(secret)
}

function schemesOf(found: FoundKey, rpc: string | undefined, how: PaysOnEvm): readonly SchemeClient[] {
  const { evm, svm } = accountOf(found)
  if (evm !== undefined) return evmSchemes(evm, how)
  return svm === undefined ? [] : [svmScheme(svm, rpc)]
}

/** Where channels are remembered, and nodes by network. */
type PaysOnEvm = {
  readonly channels: PayerChannels | undefined
  readonly nodes: AllowanceNodes
}

const evmSchemes = (account: EvmAccount, { channels, nodes: rpc }: PaysOnEvm) => [
  exactEvmWithPermit2({ account, rpc }),
  uptoEvmWithSponsoring({ account, rpc }),
  authCaptureEvm({ account }),
  batchEvm({ account, rpc, ...(channels && { channels }) }),
]

const evmNodes = (nodes: Iterable<readonly [Network, string]>): Readonly<Partial<Record<Network, string>>> =>
  Object.fromEntries([...nodes].filter(([id]) => networkFamily(id) === 'eip155'))

const svmScheme = (account: SvmKeyAccount, rpc: string | undefined) =>
  exactSvm({ account, ...(rpc === undefined ? {} : { rpc }) })

/** A key says by its form which family it is of. */
export function accountOf({ key, from }: FoundKey): { readonly evm?: KeyAccount; readonly svm?: SvmKeyAccount } {
  if (/^0x[0-9a-fA-F]{64}$/.test(key)) return { evm: privateKeyAccount(key) }
  try {
    return { svm: secretKeyAccount(key.startsWith('[') ? bytesOf(key) : key) }
  } catch {
    throw new CliError(
      'usage',
      `${from} is not a private key`,
      'For EVM it is 0x and 64 hex digits; for Solana base58 of 64 bytes, or the JSON that solana-keygen writes.',
    )
  }
}

/** The bytes of a key, and which kind it is. Throws a usage error for what is none. */
export function secretOf(found: FoundKey): { readonly chain: 'evm' | 'svm'; readonly secret: Uint8Array } {
  const { evm } = accountOf(found)
  if (evm !== undefined) return { chain: 'evm', secret: new Uint8Array(Buffer.from(found.key.slice(2), 'hex')) }
  return {
    chain: 'svm',
    secret: found.key.startsWith('[') ? bytesOf(found.key) : (decodeBase58(found.key) ?? new Uint8Array()),
  }
}

function bytesOf(json: string): Uint8Array {
  const list: unknown = JSON.parse(json)
  const isBytes = Array.isArray(list) && list.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256)
  return Uint8Array.from(isBytes ? list : [])
}

/** The nodes of the sandbox that sells here, if it is one, by network. They are asked, and told nothing. */
export async function sandboxNodes(target: URL): Promise<ReadonlyMap<Network, string>> {
  const nodes = new Map<Network, string>()
  if (!isLoopback(target)) return nodes
  try {
    const response = await fetch(new URL('/sandbox/ready', target), {
      signal: AbortSignal.timeout(2_000),
      redirect: 'error',
    })
    const ready = (await response.json()) as { evm?: SandboxChain; svm?: SandboxChain }
    for (const chain of [ready.evm, ready.svm]) {
      const [id, url] = [String(chain?.network), String(chain?.rpcUrl)]
      if (isNetwork(id) && SANDBOXED.has(id) && URL.canParse(url) && isLoopback(new URL(url))) nodes.set(id, url)
    }
  } catch {
    // Somebody else sells here.
  }
  return nodes
}

/** Anybody may listen on this machine, and what is signed along with a payment hangs on what a node says: never of a chain with money. */
const SANDBOXED: ReadonlySet<Network> = new Set([network('base-sepolia'), network('solana-devnet')])

type SandboxChain = { readonly network?: unknown; readonly rpcUrl?: unknown }
