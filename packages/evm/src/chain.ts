import {
  type Asset,
  assertSignersDiffer,
  type ChainDriver,
  type Clock,
  defaultAssets,
  type Fetch,
  type Network,
  parseUnits,
  type SendOutcome,
  type SentTransaction,
  type SignedTransaction,
  systemClock,
  X402Error,
} from '@groat/core'
import { type KeyAccount, privateKeyAccount } from './account.js'
import { type Address, formatAddress, parseAddress } from './address.js'
import { chainIdOf } from './chain-id.js'
import { domainSeparator } from './crypto/eip712.js'
import type { CryptoEngine } from './crypto/engine.js'
import { loadEngine } from './crypto/load-engine.js'
import { rememberKeys } from './crypto/remember-keys.js'
import { createGroups } from './groups.js'
import { formatHex, type Hex } from './hex.js'
import { MULTICALL3 } from './multicall.js'
import { createEvmRpc, type EvmRpc, type Fees, type Receipt } from './rpc.js'
import { createSignerCode } from './self-batch/standing.js'
import { chainSince } from './since.js'
import { createTogether, type TryTogether } from './together.js'
import { signTransaction } from './transaction.js'

export { type KeyAccount, privateKeyAccount } from './account.js'

/** A call into a contract, and the gas it may use at the most. */
export type EvmCall = {
  readonly to: Address
  readonly data: Hex
  readonly gas: bigint
  /** Set when it may travel with others, while its payer is an account without code. */
  readonly payer?: Address
  /** The one account that may send it; absent where it does not matter who does. */
  readonly sender?: Address
  /** Only the transfer itself will say that it was made: no other payment of its payer travels with it. */
  readonly unmarked?: true
  /** Payments that it carries; one unless told. */
  readonly payments?: number
}

/** One EVM chain as a facilitator has it: its nodes, the accounts that pay for gas, the tokens that are accepted. */
export interface EvmChain extends ChainDriver<EvmCall> {
  readonly chainId: bigint
  readonly rpc: EvmRpc
  readonly engine: CryptoEngine
  /** The accepted token at an address. */
  asset(address: Address): Asset | undefined
  /** What a transaction with so much gas would offer for it right now. Throws `fee_above_limit`. */
  fees(gas: bigint): Promise<Fees>
  /** Tries payments of concurrent callers in one call. `undefined` where the chain has no Multicall3, and before it was asked for. */
  readonly tryTogether: TryTogether | undefined
  /** The chain as it decides over so many atomic units of an asset: from the operator's tier on, what counts is what two nodes say. */
  worth(asset: string, amount: bigint): EvmChain
  /**
   * The chain as it stands at this block or after it, whatever node answers; as it is where there is none. Its calls throw `X402Error` `rpc_invalid_answer` while
   * the node that is asked is behind.
   */
  since(block: bigint | undefined): EvmChain
}

/** What a chain is made of. */
export type EvmChainOptions = {
  readonly network: Network
  /** URLs of nodes, the preferred one first, or a connection of your own. */
  readonly rpc: string | readonly [string, ...string[]] | EvmRpc
  /** Accounts that pay for gas: private keys, or accounts that sign elsewhere. */
  readonly signers: readonly (string | KeyAccount)[]
  /** The tokens that are accepted; the network's default ones unless told. Any other token could lie about transfers. */
  readonly assets?: readonly Asset[] | undefined
  /** Tokens, as decimal text, from which on two nodes must agree about a payment: `100` is $100 for most. Default: one node decides. */
  readonly agreeFrom?: string
  /** Wei that the transaction of one payment may cost at the most, and per payment where it carries several; 0.01 of the chain's coin unless told. */
  readonly maxTransactionFee?: bigint
  /** Gas that a transaction with several payments may use at the most; 15,000,000 unless told, 0 for no groups. */
  readonly groupGas?: bigint
  /**
   * The delegate of the signers (EIP-7702), `SELF_BATCH` for most: what only a signer may send, `upto` and `auth-capture`, then travels together in a
   * transaction of the signer to itself. That a signer runs it is looked at before each group; where it does not, its payments travel
   * alone. `delegateSigner` of `@groat/evm/self-batch` makes a signer run it.
   */
  readonly selfBatch?: string
  /**
   * Whether transactions are handed in by `eth_sendRawTransactionSync` (EIP-7966) while blocks come fast: one question instead of three. A node
   * that does not know it is asked the usual way. Default: no.
   */
  readonly sendAndWait?: boolean
  /** The fastest engine of this machine unless told. */
  readonly engine?: CryptoEngine
  readonly fetch?: Fetch
  readonly clock?: Clock
}

/** `DOMAIN_SEPARATOR()` */
const DOMAIN_SEPARATOR: Hex = '0x3644e515'

const DEFAULT_MAX_FEE = 10n ** 16n

/** Wei per gas to offer as a tip where the node suggests none. */
const DEFAULT_TIP = 1_000_000_000n

/** What a transfer of nothing to oneself costs; some rollups count more than the 21,000 of the first chain. */
const IDLE_GAS = 60_000n

/** Blocks after which a block counts as final where the node has no notion of that. */
const FINAL_DEPTH = 64n

/** Milliseconds for which a fee that was read is good. */
const FEE_LIFE_MS = 1_000

/**
 * A chain to settle on. Throws `X402Error` `invalid_network` and `invalid_config` (a signer that is no private key, or that stands there twice:
 * a signer is one line of nonces).
 *
 * @example
 * const chain = await createEvmChain({ network: network('base'), rpc: process.env.BASE_RPC, signers: [process.env.KEY] })
 * await chain.ready()
 */
export async function createEvmChain(options: EvmChainOptions): Promise<EvmChain> {
  const { network, fetch, clock = systemClock, maxTransactionFee = DEFAULT_MAX_FEE } = options
  const chainId = chainIdOf(network)
  if (chainId === undefined) throw new X402Error('invalid_network', { network })
  const engine = rememberKeys(options.engine ?? (await loadEngine()))
  const { rpc: reading, recentCode } = rememberCode(rpcOf(options.rpc, chainId, fetch, clock), clock)
  const { rpc, landing } = rememberReceipts(reading, clock)
  const accounts = options.signers.map((signer) => accountOf(signer, engine))
  const shown = accounts.map(({ address }) => formatAddress(address))
  assertSignersDiffer(network, shown)
  const assets = new Map(
    (options.assets ?? defaultAssets(network)).map((asset) => [parseAddress(asset.address), asset]),
  )
  const feeCap = createFeeSource(rpc, clock)
  const delegate = options.selfBatch === undefined ? undefined : parseAddress(options.selfBatch)
  if (delegate === undefined && options.selfBatch !== undefined) {
    throw new X402Error('invalid_config', { network, selfBatch: 'is no address' })
  }
  const signerCode = createSignerCode({ rpc, clock, delegate })
  const signers = accounts.map(({ address }) => address)
  const groups = createGroups({ rpc: { code: recentCode }, groupGas: options.groupGas, signers, signerCode })
  const tiers = tiersOf(options, [...assets.values()], rpc)
  const together = rpc.agreed && createTogether(rpc.agreed)
  let multicall: TryTogether | undefined

  const chain: EvmChain = {
    network,
    chainId,
    rpc,
    engine,
    signers: shown,
    asset: (address) => assets.get(address),
    get tryTogether() {
      return multicall
    },
    worth(asset, amount) {
      const tier = tiers.get(asset.toLowerCase())
      return tier !== undefined && amount >= tier ? sure : chain
    },
    since: (block) => chainSince(chain, block),
    async ready() {
      await rpc.latestBlock()
      const [code] = await Promise.all([
        multicall === undefined ? rpc.code(MULTICALL3) : '0x',
        ...[...assets.values()].map((asset) => proveAsset(rpc, engine, chainId, asset)),
        // What signers run changes how payments travel, and never whether they do.
        ...signers.map((signer) => signerCode.batches(signer).catch(() => false)),
      ])
      if (code !== '0x') multicall = createTogether(rpc)
    },
    groups,
    fees: async (gas) => capFees(await feeCap(), gas, maxTransactionFee, network),
    async nextNonce(signer) {
      const { address } = accountFor(accounts, signer)
      // Two nodes know better than one, and one better than none.
      return (await rpc.agreed?.nextNonce(address).catch(() => undefined)) ?? rpc.nextNonce(address)
    },
    gasBalance: async (signer) => rpc.balance(accountFor(accounts, signer).address),
    ...(rpc.nodes ? { nodes: rpc.nodes } : {}),
    minedNonce: async (signer) => rpc.minedNonce(accountFor(accounts, signer).address),
    // Nodes keep one transaction at a time of an account that runs code, for anything could take its coin away.
    mostPending: (signer) => (signerCode.hasCode(accountFor(accounts, signer).address) ? 1 : undefined),
    idle: (signer) => ({ to: accountFor(accounts, signer).address, data: '0x', gas: IDLE_GAS }),
    async head() {
      const [{ number: latest }, safe, final] = await Promise.all([
        rpc.latestBlock(),
        rpc.block('safe'),
        rpc.block('finalized'),
      ])
      const deep = final?.number ?? (latest > FINAL_DEPTH ? latest - FINAL_DEPTH : 0n)
      return { latest, safe: safe?.number ?? deep, final: deep }
    },
    blockHash: async (number) => (await rpc.block(number))?.hash,
    async sign(
      { to, data, gas, payments = 1 },
      { signer, nonce = 0n, outbids = [], maxCost },
    ): Promise<SignedTransaction> {
      const account = accountFor(accounts, signer)
      const own = maxTransactionFee * BigInt(payments)
      const most = maxCost !== undefined && maxCost < own ? maxCost : own
      const fees = outbid(capFees(await feeCap(), gas, most, network), outbids, gas, most, network)
      const { raw, hash } = await signTransaction(engine, { chainId, nonce, gas, to, data, ...fees }, account)
      const details = {
        gas: gas.toString(),
        maxFeePerGas: fees.maxFeePerGas.toString(),
        maxPriorityFeePerGas: fees.maxPriorityFeePerGas.toString(),
        ...(payments > 1 ? { payments } : {}),
      }
      return { hash, raw, signer, nonce, details, maxCost: gas * fees.maxFeePerGas }
    },
    async price({ gas, payments = 1 }) {
      const facts = await feeCap()
      capFees(facts, gas, maxTransactionFee * BigInt(payments), network)
      return gas * (facts.baseFee + facts.tip)
    },
    send: async (transaction, wait = false) =>
      (wait && options.sendAndWait ? await landing(transaction) : undefined) ?? sendTransaction(rpc, transaction),
  }
  const sure: EvmChain = {
    ...chain,
    rpc: rpc.agreed ?? rpc,
    worth: () => sure,
    since: (block) => chainSince(sure, block),
    get tryTogether() {
      return multicall && together
    },
  }
  return chain
}

/** From how many atomic units on a token's payments need two nodes. */
function tiersOf(
  { network, agreeFrom }: EvmChainOptions,
  assets: readonly Asset[],
  { agreed }: EvmRpc,
): ReadonlyMap<string, bigint> {
  if (agreeFrom === undefined) return new Map()
  if (agreed === undefined) throw new X402Error('invalid_config', { network, agreeFrom: 'needs two nodes' })
  return new Map(assets.map(({ address, decimals }) => [address.toLowerCase(), parseUnits(agreeFrom, decimals)]))
}

function rpcOf(rpc: EvmChainOptions['rpc'], chainId: bigint, fetch: Fetch | undefined, clock: Clock): EvmRpc {
  if (typeof rpc === 'object' && 'call' in rpc) return rpc
  return createEvmRpc({ urls: typeof rpc === 'string' ? [rpc] : rpc, chainId, clock, ...(fetch ? { fetch } : {}) })
}

/** Milliseconds for which an account that had no code is taken to have none by who only travels with it. */
const CODELESS_MS = 1_000

/** A payment is checked right before it joins others: whether its payer has code is known by then. */
function rememberCode(rpc: EvmRpc, clock: Clock) {
  let [recent, older] = [new Map<Address, number>(), new Map<Address, number>()]
  let turnedAt = clock()

  async function code(address: Address): Promise<Hex> {
    const found = await rpc.code(address)
    const now = clock()
    if (now - turnedAt > CODELESS_MS) {
      ;[recent, older] = [new Map(), recent]
      turnedAt = now
    }
    if (found === '0x') recent.set(address, now)
    else for (const known of [recent, older]) known.delete(address)
    return found
  }

  async function recentCode(address: Address): Promise<Hex> {
    const at = recent.get(address) ?? older.get(address)
    return at !== undefined && clock() - at < CODELESS_MS ? '0x' : rpc.code(address)
  }

  return { rpc: { ...rpc, code }, recentCode }
}

/** Milliseconds for which the receipt that came with a transaction is what the node says of it. */
const RECEIPT_MS = 250

/** A node that answers with the receipt need not be asked for it a moment later. */
function rememberReceipts(rpc: EvmRpc, clock: Clock) {
  const came = new Map<string, { readonly at: number; readonly receipt: Receipt }>()
  let isKnown = rpc.sendAndWait !== undefined

  async function landing({ raw, hash }: SignedTransaction): Promise<SendOutcome | undefined> {
    if (!isKnown) return undefined
    // The engine gives back the text that `sign` gave out. Whatever else it says, the usual way says it better.
    const reply = await rpc.sendAndWait?.(raw as Hex).catch(() => 'unreachable' as const)
    if (reply === undefined) isKnown = false
    if (typeof reply !== 'object' || !reply.ok || reply.receipt === undefined || reply.hash !== hash) return undefined
    const at = clock()
    for (const [other, known] of came) if (at - known.at >= RECEIPT_MS) came.delete(other)
    came.set(hash, { at, receipt: reply.receipt })
    return { status: 'accepted', included: true }
  }

  async function receipt(hash: Hex): Promise<Receipt | undefined> {
    const known = came.get(hash)
    return known !== undefined && clock() - known.at < RECEIPT_MS ? known.receipt : rpc.receipt(hash)
  }

  return { rpc: { ...rpc, receipt }, landing }
}

type Signer = KeyAccount & { readonly address: Address }

function accountOf(signer: string | KeyAccount, engine: CryptoEngine): Signer {
  try {
    if (typeof signer === 'string') return privateKeyAccount(signer, { engine })
  } catch (cause) {
    throw new X402Error('invalid_config', { signers: 'a signer is not a private key' }, { cause })
  }
  const address = parseAddress(signer.address)
  if (address === undefined) throw new X402Error('invalid_config', { signers: 'a signer has no address' })
  return { address, signDigest: (digest) => signer.signDigest(digest) }
}

function accountFor(accounts: readonly Signer[], signer: string): Signer {
  const address = parseAddress(signer)
  const account = accounts.find((each) => each.address === address)
  if (account === undefined) throw new X402Error('invalid_config', { signer })
  return account
}

/** The token must be there and have the domain that payers sign under, or nothing that verifies would settle. */
async function proveAsset(rpc: EvmRpc, engine: CryptoEngine, chainId: bigint, asset: Asset): Promise<void> {
  const { network, symbol, address, domain } = asset
  const verifyingContract = parseAddress(address)
  if (verifyingContract === undefined) throw new X402Error('unknown_asset', { network, asset: address })
  const [code, separator] = await Promise.all([
    rpc.code(verifyingContract),
    rpc.call({ to: verifyingContract, data: DOMAIN_SEPARATOR }),
  ])
  if (code === '0x') throw new X402Error('asset_not_deployed_contract', { network, asset: symbol, address })
  if (domain === undefined || !separator.ok) return
  if (separator.data !== formatHex(domainSeparator(engine, { ...domain, chainId, verifyingContract }))) {
    throw new X402Error('domain_mismatch', { network, asset: symbol, address })
  }
}

type FeeFacts = { readonly baseFee: bigint; readonly tip: bigint }

/** What the network asks for right now; concurrent callers share one answer. */
function createFeeSource(rpc: EvmRpc, clock: Clock): () => Promise<FeeFacts> {
  let current: { readonly until: number; readonly facts: Promise<FeeFacts> } | undefined
  return () => {
    if (current === undefined || current.until <= clock()) {
      const facts = Promise.all([rpc.latestBlock(), rpc.suggestedTip()]).then(([{ baseFee }, tip = DEFAULT_TIP]) => ({
        baseFee,
        tip,
      }))
      const mine = { until: clock() + FEE_LIFE_MS, facts }
      current = mine
      facts.catch(() => {
        if (current === mine) current = undefined
      })
    }
    return current.facts
  }
}

/** Room for the base fee to double, within what the operator allows (EVM-EXACT-071). */
function capFees({ baseFee, tip }: FeeFacts, gas: bigint, limit: bigint, network: Network): Fees {
  const cap = limit / gas
  if (baseFee + tip > cap) throw new X402Error('fee_above_limit', { network, cost: gas * (baseFee + tip), limit })
  const wanted = 2n * baseFee + tip
  return { maxFeePerGas: wanted < cap ? wanted : cap, maxPriorityFeePerGas: tip }
}

/** Nodes take a replacement that pays an eighth more, in both fields. */
function outbid(fees: Fees, others: readonly SentTransaction[], gas: bigint, limit: bigint, network: Network): Fees {
  const least = (field: keyof Fees) =>
    others.reduce((most, { details }) => {
      const paid = details?.[field]
      const more = typeof paid === 'string' ? (BigInt(paid) * 9n + 7n) / 8n : 0n
      return more > most ? more : most
    }, fees[field])
  const [maxFeePerGas, maxPriorityFeePerGas] = [least('maxFeePerGas'), least('maxPriorityFeePerGas')]
  if (maxFeePerGas > limit / gas) throw new X402Error('fee_above_limit', { network, cost: gas * maxFeePerGas, limit })
  return { maxFeePerGas, maxPriorityFeePerGas }
}

async function sendTransaction(rpc: EvmRpc, { raw, hash }: SignedTransaction): Promise<SendOutcome> {
  try {
    // The engine gives back the text that `sign` gave out.
    const reply = await rpc.send(raw as Hex)
    if (!reply.ok) return readSendError(reply.message)
    return reply.hash === hash
      ? { status: 'accepted' }
      : { status: 'unknown', reason: 'the node answered another hash' }
  } catch (error) {
    return { status: 'unknown', reason: X402Error.is(error) ? error.code : 'rpc_unreachable' }
  }
}

/** The words are those of the clients in use (ENG-7). What is not understood is unknown, never final. */
function readSendError(message: string): SendOutcome {
  if (/already known|already imported|known transaction|already exists/i.test(message)) return { status: 'accepted' }
  if (/nonce (is )?too low|old nonce|nonce has already been used/i.test(message)) return { status: 'nonce_taken' }
  if (/insufficient (funds|balance)|not enough (funds|balance)/i.test(message)) {
    return { status: 'rejected', code: 'signer_out_of_gas' }
  }
  if (/underpriced|fee (is )?too low|less than (the )?block base fee|gas price (is )?too low/i.test(message)) {
    return { status: 'rejected', code: 'fee_above_limit' }
  }
  return { status: 'unknown', reason: message.slice(0, 200) }
}
