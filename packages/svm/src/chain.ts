import {
  type Asset,
  assertSignersDiffer,
  type ChainDriver,
  type Clock,
  defaultAssets,
  type Fetch,
  type Network,
  type SendOutcome,
  type SignedTransaction,
  systemClock,
  X402Error,
} from '@groat/core'
import { accountAddress, type SvmKeyAccount, secretKeyAccount } from './account.js'
import { lifetimeDetails } from './lifetime.js'
import { isSvmNetwork } from './network.js'
import { type Commitment, createSvmRpc, type SvmRpc } from './rpc.js'
import { addressBytes, type Key } from './wire/address.js'
import { encodeBase58 } from './wire/base58.js'
import { encodeBase64 } from './wire/base64.js'
import { encodeTransaction } from './wire/message.js'
import { decodeMint, type Mint, tokenProgramName } from './wire/token.js'

export { keypairAccount, type LegacyKeypair, type SvmKeyAccount, secretKeyAccount } from './account.js'
export { type Commitment, createSvmRpc, type SvmRpc, type SvmRpcOptions } from './rpc.js'

/** A transaction that everybody has signed but the one who pays the fee. */
export type SvmCall = {
  readonly message: Uint8Array
  /** In the order of the message's keys; the first is made here. */
  readonly signatures: readonly Uint8Array[]
  /** Lamports that it costs at the most: what is signed within a limit has to say so. */
  readonly fee?: bigint
}

/** A mint, and the program that it lives under. */
export type ChainMint = Mint & { readonly program: Key }

/** One Solana chain as a facilitator has it: its nodes, the accounts that pay fees, the tokens that are accepted. */
export interface SvmChain extends ChainDriver<SvmCall> {
  readonly rpc: SvmRpc
  readonly commitment: Commitment
  /** The accounts that pay fees, as bytes. */
  readonly keys: readonly Key[]
  /** The accepted token at an address. */
  asset(mint: string): Asset | undefined
  /** A mint as the chain has it, at most a minute old; `undefined` when there is none. */
  mint(address: string): Promise<ChainMint | undefined>
}

/** What a chain is made of. */
export type SvmChainOptions = {
  readonly network: Network
  /** URLs of nodes, the preferred one first, or a connection of your own. */
  readonly rpc: string | readonly [string, ...string[]] | SvmRpc
  /**
   * Accounts that pay fees: base58 of 64 bytes, or accounts that sign elsewhere. Offers name the first; those behind it go on to settle what
   * was offered before.
   */
  readonly signers: readonly (string | SvmKeyAccount)[]
  /** The tokens that are accepted; the network's default ones unless told. Any other token could lie about transfers. */
  readonly assets?: readonly Asset[] | undefined
  /** How sure a block must be to count as settled; `confirmed` unless told. */
  readonly commitment?: Commitment
  /** Lamports below which a signer counts as empty; 0.01 SOL unless told. */
  readonly minLamports?: bigint
  readonly fetch?: Fetch
  readonly clock?: Clock
}

/** Milliseconds for which a mint that was read is good: what it can do was decided when it was made, and its fee changes by epochs. */
const MINT_LIFE_MS = 60_000

/** Milliseconds for which a height that was read is good. */
const HEIGHT_LIFE_MS = 1_000

/** Blocks for which a blockhash can be built on. */
const BLOCKHASH_BLOCKS = 150n

/** Blocks by which nodes may differ, and a height be old: a payment that is buried alive is worse than one that dies slowly. */
const MARGIN_BLOCKS = 32n

/**
 * A chain to settle on. Throws `X402Error` `invalid_network` and `invalid_config` (a signer that is no secret key, or that stands there twice).
 *
 * @example
 * const chain = createSvmChain({ network: network('solana'), rpc: process.env.SOLANA_RPC, signers: [process.env.SOLANA_KEY] })
 * await chain.ready()
 */
export function createSvmChain(options: SvmChainOptions): SvmChain {
  const { network, commitment = 'confirmed', clock = systemClock, minLamports = 10_000_000n } = options
  if (!isSvmNetwork(network)) throw new X402Error('invalid_network', { network })
  const rpc = rpcOf(options, commitment, clock)
  const accounts = options.signers.map(accountOf)
  const signers = accounts.map(({ address }) => address)
  assertSignersDiffer(network, signers)
  const assets = new Map((options.assets ?? defaultAssets(network)).map((asset) => [asset.address, asset]))
  const mints = createMemory(clock, MINT_LIFE_MS, (address) => readMint(rpc, address))
  const heights = createMemory(clock, HEIGHT_LIFE_MS, () => Promise.all([rpc.blockHeight(), rpc.finality()]))

  /** What a call costs, where that is known and no more than it may. */
  function costOf({ fee }: SvmCall, limit?: bigint): bigint {
    if (fee !== undefined && (limit === undefined || fee <= limit)) return fee
    throw new X402Error('fee_above_limit', { network, cost: fee ?? 'unknown', limit: limit ?? 'none' })
  }

  return {
    network,
    rpc,
    commitment,
    signers,
    keys: signers.map(addressBytes),
    asset: (mint) => assets.get(mint),
    mint: mints,
    async ready() {
      const [purses] = await Promise.all([
        rpc.accounts(signers),
        ...[...assets.values()].map((asset) => proveAsset(asset, mints, options.assets !== undefined)),
      ])
      for (const [at, purse] of purses.entries()) {
        if ((purse?.lamports ?? 0n) < minLamports)
          throw new X402Error('signer_out_of_gas', { network, signer: signers[at] })
      }
    },
    async gasBalance(signer) {
      const [purse] = await rpc.accounts([signer])
      return purse?.lamports ?? 0n
    },
    async head() {
      const { slot } = await rpc.finality()
      // Newer slots are nowhere asked for: what is settled is as sure as the connection asks, and final behind this one.
      return { latest: slot, safe: slot, final: slot }
    },
    ...(rpc.nodes ? { nodes: rpc.nodes } : {}),
    async sign(call, { signer, maxCost }): Promise<SignedTransaction> {
      const { message, signatures, fee } = call
      if (maxCost !== undefined) costOf(call, maxCost)
      const account = accounts.find(({ address }) => address === signer)
      if (account === undefined) throw new X402Error('invalid_config', { signer })
      // Read after the message was seen to be valid, so it can land in no block after the last one.
      const [height, since] = await heights('')
      const lastBlockHeight = height + BLOCKHASH_BLOCKS + MARGIN_BLOCKS
      const signature = await account.sign(message)
      const raw = encodeBase64(encodeTransaction([signature, ...signatures.slice(1)], message))
      const details = lifetimeDetails({ since, lastBlockHeight })
      return { hash: encodeBase58(signature), raw, signer, details, ...(fee === undefined ? {} : { maxCost: fee }) }
    },
    price: async (call) => costOf(call),
    send: (transaction) => sendTransaction(rpc, transaction),
  }
}

function rpcOf({ rpc, network, fetch }: SvmChainOptions, commitment: Commitment, clock: Clock): SvmRpc {
  if (typeof rpc === 'object' && 'simulate' in rpc) return rpc
  const urls = typeof rpc === 'string' ? ([rpc] as const) : rpc
  return createSvmRpc({ urls, network, commitment, clock, ...(fetch ? { fetch } : {}) })
}

function accountOf(signer: string | SvmKeyAccount): SvmKeyAccount {
  try {
    if (typeof signer === 'string') return secretKeyAccount(signer)
    accountAddress(signer)
    return signer
  } catch (cause) {
    throw new X402Error('invalid_config', { signers: 'a signer is no secret key of 64 bytes' }, { cause })
  }
}

/**
 * The token must be what payers take it for, or nothing that verifies would settle. One that nobody named may be missing: chains for tests have
 * the name of a public one and not all of its tokens.
 */
async function proveAsset(
  { network, symbol, address, decimals, transfer }: Asset,
  mint: SvmChain['mint'],
  isNamed: boolean,
): Promise<void> {
  const found = await mint(address)
  if (found === undefined && !isNamed) return
  const isSame = found && found.decimals === decimals && tokenProgramName(found.program) === transfer
  if (!isSame) throw new X402Error('unknown_asset', { network, asset: symbol, address })
}

async function readMint(rpc: SvmRpc, address: string): Promise<ChainMint | undefined> {
  const [account] = await rpc.accounts([address])
  const mint = account && tokenProgramName(account.owner) ? decodeMint(account.data) : undefined
  return account && mint && { ...mint, program: account.owner }
}

/** What was asked a moment ago; concurrent callers share one answer. */
function createMemory<T>(
  clock: Clock,
  lifeMs: number,
  read: (name: string) => Promise<T>,
): (name: string) => Promise<T> {
  const known = new Map<string, { readonly until: number; readonly answer: Promise<T> }>()
  return (name) => {
    const last = known.get(name)
    if (last !== undefined && clock() < last.until) return last.answer
    const mine = { until: clock() + lifeMs, answer: read(name) }
    known.set(name, mine)
    mine.answer.catch(() => {
      if (known.get(name) === mine) known.delete(name)
    })
    return mine.answer
  }
}

async function sendTransaction(rpc: SvmRpc, { raw, hash }: SignedTransaction): Promise<SendOutcome> {
  try {
    const reply = await rpc.send(raw)
    if (reply.ok) {
      return reply.signature === hash
        ? { status: 'accepted' }
        : { status: 'unknown', reason: 'the node answered another signature' }
    }
    return /already (been )?processed/i.test(reply.message)
      ? { status: 'accepted' }
      : { status: 'unknown', reason: reply.message.slice(0, 200) }
  } catch (error) {
    return { status: 'unknown', reason: X402Error.is(error) ? error.code : 'rpc_unreachable' }
  }
}
