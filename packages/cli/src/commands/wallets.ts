import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createBuyer } from '@groat/client/buyer'
import { defaultAssets, formatUnits, type Network, network, networkFamily, v1NameOf } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { evmAccounts, startSvmChain, svmAccounts } from '@groat/sandbox'
import { createFacilitatorClient } from '@groat/server'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, type Io } from '../terminal/io.js'
import { sealEvmKey, sealSvmKey } from '../wallet/keystore.js'
import { balanceOf } from './balances.js'
import { nodesOf } from './chains.js'
import { type WalletAccount, walletAccount, walletFiles, walletFolder } from './purse.js'
import { isLoopback, readKeys, secretOf } from './wallet.js'

/** Options of `groat wallet`. */
export type WalletCommand = {
  readonly chain?: 'evm' | 'svm'
  readonly keyFile?: string
  readonly rpc?: readonly string[]
  readonly amount?: string
  readonly json?: boolean
}

/** `groat wallet new`: a key that exists only encrypted. */
export async function newWallet({ chain = 'evm', json }: WalletCommand, io: Io): Promise<number> {
  const secret = chain === 'evm' ? new Uint8Array(randomBytes(32)) : newSolanaKey()
  return keep(chain, secret, json, io)
}

/** `groat wallet import`: a key out of a file or a variable, from then on encrypted. */
export async function importWallet({ chain, keyFile, json }: WalletCommand, io: Io): Promise<number> {
  const { GROAT_EVM_KEY, GROAT_SVM_KEY } = io.environment
  const given = chain === 'svm' ? GROAT_SVM_KEY : (GROAT_EVM_KEY ?? (chain === undefined ? GROAT_SVM_KEY : undefined))
  if (keyFile === undefined && given === undefined) {
    throw new CliError(
      'usage',
      'No key to import',
      'Name a file with --key-file, or set GROAT_EVM_KEY or GROAT_SVM_KEY.',
    )
  }
  const [found] = keyFile === undefined ? [] : await readKeys({ keyFile: [keyFile] }, io.environment)
  const key = secretOf(found ?? { key: given ?? '', from: 'the variable' })
  if (chain !== undefined && key.chain !== chain) {
    throw new CliError('usage', `That is a key of the other kind than --chain ${chain}`)
  }
  return keep(key.chain, key.secret, json, io)
}

/** `groat wallet balance`: what the wallets have on networks of which a node is named. */
export async function walletBalance({ rpc = [], json }: WalletCommand, io: Io): Promise<number> {
  const addresses = await addressesOf(io)
  if (addresses.length === 0) throw new CliError('no', 'There is no wallet', 'Make one with groat wallet new.')
  const rows: (readonly [address: string, network: string, balance: string, asset: string])[] = []
  for (const [id, node] of nodesOf([], rpc)) {
    for (const { address, family } of addresses) {
      if (family !== networkFamily(id)) continue
      for (const asset of defaultAssets(id)) {
        const amount = await balanceOf(asset, address, node)
        rows.push([address, v1NameOf(id) ?? id, formatUnits(amount, asset.decimals), asset.symbol])
      }
    }
  }
  const isAsked = rpc.length > 0
  if (!isAsked) io.say('  Name a node of each network to see balances, such as --rpc base=https://…')
  const told = rows.map(([address, id, balance, asset]) => ({ address, network: id, balance, asset }))
  const lines = isAsked ? rows : addresses.map(({ address, family }) => [address, family])
  if (json) io.out(`${JSON.stringify(isAsked ? told : addresses)}\n`)
  else for (const line of columns(lines)) io.out(`${line}\n`)
  return exitCodes.ok
}

/** `groat wallet fund URL`: money of a sandbox for the wallets. There is no other money to be had for nothing. */
export async function fundWallet(url: string, { amount = '$1' }: WalletCommand, io: Io): Promise<number> {
  const target = URL.canParse(url) ? new URL(url) : undefined
  if (target === undefined || !isLoopback(target)) {
    throw new CliError('usage', `${url} is not a sandbox on this machine`, 'Start one with groat sandbox.')
  }
  const ready = await sandboxOf(target)
  const buyer = createBuyer({
    schemes: [
      exactEvm({ account: privateKeyAccount(evmAccounts[0].privateKey) }),
      exactSvm({ account: secretKeyAccount(svmAccounts[0].secretKey), ...(ready.svm && { rpc: ready.svm.rpcUrl }) }),
    ],
    policy: { perPayment: amount },
    facilitator: createFacilitatorClient(ready.facilitator.url),
  })
  const addresses = await addressesOf(io)
  if (addresses.length === 0) throw new CliError('no', 'There is no wallet', 'Make one with groat wallet new.')
  const given = /^[0-9.]+$/.test(amount) ? `$${amount}` : amount
  // Solana pays into token accounts that exist; an empty one costs a sandbox nothing.
  const solana = ready.svm && (await startSvmChain({ rpcUrl: ready.svm.rpcUrl }))
  const networks = [ready.evm?.network, ready.svm?.network].flatMap((id) => (id === undefined ? [] : [network(id)]))
  for (const { address, family } of addresses) {
    for (const id of networks.filter((each: Network) => networkFamily(each) === family)) {
      if (family === 'solana') await solana?.fund(address, 0n)
      else if (ready.evm) await giveCoin(ready.evm.rpcUrl, address)
      const outcome = await buyer.pay({ amount, recipient: address, network: id })
      if (outcome.status !== 'settled') throw new CliError('no', `${address} was not funded: ${outcome.status}`)
      const gas = family === 'eip155' ? ', and coin for gas' : ''
      io.say(`  ${address} has ${given} more on ${v1NameOf(id) ?? id} of the sandbox at ${target.origin}${gas}`)
    }
  }
  return exitCodes.ok
}

/** Coin for gas: the node of a sandbox signs for the accounts that it knows. */
async function giveCoin(rpcUrl: string, to: string): Promise<void> {
  const params = [{ from: evmAccounts[0].address, to, value: `0x${(10n ** 17n).toString(16)}` }]
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_sendTransaction', params })
  const response = isLoopback(new URL(rpcUrl))
    ? await fetch(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    : undefined
  const answer: unknown = await response?.json()
  if (typeof answer === 'object' && answer !== null && 'result' in answer) return
  throw new CliError('no', `${to} got no coin: the node is no sandbox’s`)
}

async function keep(chain: 'evm' | 'svm', secret: Uint8Array, json: boolean | undefined, io: Io): Promise<number> {
  const password = io.environment.GROAT_PASSWORD
  if (password === undefined || password === '') {
    throw new CliError('usage', 'No password to encrypt it with', 'Set GROAT_PASSWORD.')
  }
  const { address } = chain === 'evm' ? privateKeyAccount(secret) : secretKeyAccount(secret)
  const text = chain === 'evm' ? sealEvmKey(secret, address, password) : sealSvmKey(secret, address, password)
  secret.fill(0)
  const folder = walletFolder(io)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, `${chain}-${address}.json`)
  // A key that is there is never written over.
  await writeFile(file, `${text}\n`, { mode: 0o600, flag: 'wx' }).catch((cause: unknown) => {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    throw isThere
      ? new CliError('usage', `The wallet is there already: ${file}`, undefined, { cause })
      : new CliError('usage', `${file} cannot be written`, undefined, { cause })
  })
  if (json) io.out(`${JSON.stringify({ chain, address, file })}\n`)
  else {
    io.out(`${address}\n`)
    io.say(`  kept in ${file}; whoever loses the password loses the money`)
  }
  return exitCodes.ok
}

/** The seed and the public key, as Solana's wallets keep it. */
function newSolanaKey(): Uint8Array {
  const { privateKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const key = createPublicKey(createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })))
  return Uint8Array.from([...seed, ...key.export({ format: 'der', type: 'spki' }).subarray(-32)])
}

const addressesOf = async (io: Io): Promise<readonly WalletAccount[]> =>
  (await walletFiles(io)).flatMap((file) => walletAccount(file) ?? [])

type Ready = {
  readonly evm?: { readonly network: string; readonly rpcUrl: string }
  readonly svm?: { readonly network: string; readonly rpcUrl: string }
  readonly facilitator: { readonly url: string }
}

async function sandboxOf(target: URL): Promise<Ready> {
  try {
    const response = await fetch(new URL('/sandbox/ready', target), {
      signal: AbortSignal.timeout(2_000),
      redirect: 'error',
    })
    const ready = (await response.json()) as Ready
    if (typeof ready.facilitator.url === 'string') return ready
  } catch (cause) {
    throw new CliError('unreachable', `${target.origin} is no sandbox`, 'Start one with groat sandbox.', { cause })
  }
  throw new CliError('unreachable', `${target.origin} is no sandbox`, 'Start one with groat sandbox.')
}
