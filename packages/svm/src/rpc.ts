import { isJsonObject, type JsonObject, type Network, type NodeStatus, networkReference, X402Error } from '@groat/core'
import { createJsonRpc, type JsonRpc, type JsonRpcOptions, type RpcReply } from '@groat/rpc'
import { type Key, parseAddress } from './wire/address.js'
import { decodeBase64 } from './wire/base64.js'

/**
 * The few questions that are put to a Solana chain. Calls of one tick travel together. What the chain decides is an answer; a chain that
 * cannot be asked throws `X402Error` `rpc_unreachable`, `rpc_invalid_answer` or `rpc_wrong_chain`. Transactions are base64, addresses and
 * signatures base58.
 */
export interface SvmRpc {
  /** Runs a transaction without sending it; signatures are not looked at. `watch`: accounts to be shown as it would leave them. */
  simulate(transaction: string, watch: readonly string[]): Promise<Simulation>
  /** Accounts as they are; `undefined` for those that do not exist. */
  accounts(addresses: readonly string[]): Promise<readonly (Account | undefined)[]>
  /** A blockhash to build on. */
  latestBlockhash(): Promise<string>
  /** How many blocks the chain has, as far as this node has seen it. */
  blockHeight(): Promise<bigint>
  /** What can never be undone any more. */
  finality(): Promise<Finality>
  /** How many final blocks of these slots, the first and the last among them, the node still has. */
  finalBlocks(from: bigint, to: bigint): Promise<number>
  /** What became of transactions, back to the beginning of the chain. */
  statuses(signatures: readonly string[]): Promise<Statuses>
  /** What a transaction did; `undefined` until it is as sure as the connection asks. */
  transaction(signature: string): Promise<LandedTransaction | undefined>
  /** Whether a transaction that builds on a blockhash could still land: in the newest block, or in one of those that may yet be final. */
  isBlockhashValid(blockhash: string): Promise<boolean>
  /** Transactions that named an account, the newest first, behind one of them or from the newest on; a thousand at the most. */
  signatures(
    address: string,
    before?: string,
  ): Promise<readonly { readonly signature: string; readonly failed: boolean }[]>
  /** Hands in a signed transaction. */
  send(transaction: string): Promise<SendReply>
  /** How the nodes stand; absent where that is not known. */
  nodes?(): readonly NodeStatus[]
}

/** What an account holds. */
export type Account = { readonly owner: Key; readonly lamports: bigint; readonly data: Uint8Array }

/** What a transaction would come to. */
export type Simulation =
  | { readonly ok: true; readonly accounts: readonly (Account | undefined)[] }
  | { readonly ok: false; readonly error: TransactionFault }

/** Why a transaction fails, as far as anybody here wants to know. */
export type TransactionFault = {
  /** The runtime's name for it: `BlockhashNotFound`, `InstructionError`, … */
  readonly name: string
  /** Which account it is about, from 0: the first pays the fee. */
  readonly account?: number
  /** Which instruction failed, from 0. */
  readonly instruction?: number
  /** The number that a program gave as its reason. */
  readonly custom?: number
}

/** The newest block that can never be undone. */
export type Finality = { readonly slot: bigint; readonly blockHeight: bigint }

/** What a node knows of transactions, and up to which slot it knows anything. */
export type Statuses = { readonly slot: bigint; readonly statuses: readonly (SignatureStatus | undefined)[] }

/** A transaction that is in a block. */
export type SignatureStatus = { readonly slot: bigint; readonly sure: boolean; readonly error?: TransactionFault }

/** What a transaction did to token accounts. */
export type LandedTransaction = {
  readonly slot: bigint
  /** When its block was made, in seconds since 1970, as far as the node knows. */
  readonly time?: bigint
  /** The transaction itself; absent where a connection of one's own does not say it. */
  readonly bytes?: Uint8Array
  /** Lamports. */
  readonly fee: bigint
  readonly error?: TransactionFault
  /** Accounts that it took from lookup tables, as they stand behind its own. */
  readonly loaded: readonly string[]
  readonly before: readonly TokenBalance[]
  readonly after: readonly TokenBalance[]
}

/** What a token account held. */
export type TokenBalance = {
  /** Its place among the transaction's accounts. */
  readonly index: number
  readonly mint: string
  readonly owner?: string
  /** Atomic units. */
  readonly amount: bigint
}

/** What the node said to a transaction: its signature, or why not, in the node's own words. */
export type SendReply =
  | { readonly ok: true; readonly signature: string }
  | { readonly ok: false; readonly message: string }

/** How sure a block must be to count. */
export type Commitment = 'confirmed' | 'finalized'

/** How to reach a chain's nodes. */
export type SvmRpcOptions = Omit<JsonRpcOptions, 'proof'> & {
  /** Checked at every node by its genesis hash, before its first answer counts, and again after it was gone. */
  readonly network: Network
  /** How sure the end of a transaction must be; `confirmed` unless told. */
  readonly commitment?: Commitment
}

/** Slots by which a node may be behind the foremost: some ten seconds. */
const MAX_LAG_SLOTS = 25n

/** Milliseconds for handing in a transaction. */
const SEND_TIMEOUT_MS = 8_000

/**
 * A connection to a Solana chain.
 *
 * @example
 * const rpc = createSvmRpc({ urls: ['http://127.0.0.1:8899'], network: network('solana-devnet') })
 * await rpc.latestBlockhash()
 */
export function createSvmRpc({ network, commitment = 'confirmed', ...options }: SvmRpcOptions): SvmRpc {
  const reference = networkReference(network)
  const accepts = (hash: unknown) => typeof hash === 'string' && hash.startsWith(reference)
  const json = createJsonRpc({
    head: {
      method: 'getSlot',
      params: [{ commitment: 'processed' }],
      read: (slot) => (typeof slot === 'number' && Number.isSafeInteger(slot) && slot >= 0 ? BigInt(slot) : undefined),
    },
    maxLag: MAX_LAG_SLOTS,
    ...options,
    network,
    proof: { method: 'getGenesisHash', expected: reference, accepts },
  })
  // How sure an end must be is one thing; what payers build on and with is another.
  const base64 = { encoding: 'base64', commitment: 'confirmed' }

  return {
    async simulate(transaction, watch) {
      const method = 'simulateTransaction'
      const accounts = { encoding: 'base64', addresses: watch }
      const config = { ...base64, sigVerify: false, replaceRecentBlockhash: false, accounts }
      const value = objectIn(await ask(json, method, [transaction, config]), 'value', method)
      const error = readFault(value.err)
      if (error !== undefined) return { ok: false, error }
      return { ok: true, accounts: listIn(value, 'accounts', method).map((each) => readAccount(each, method)) }
    },
    async accounts(addresses) {
      const method = 'getMultipleAccounts'
      const answer = await ask(json, method, [addresses, base64])
      return listIn(answer, 'value', method).map((each) => readAccount(each, method))
    },
    async latestBlockhash() {
      const method = 'getLatestBlockhash'
      return textIn(
        objectIn(await ask(json, method, [{ commitment: 'confirmed' }]), 'value', method),
        'blockhash',
        method,
      )
    },
    async blockHeight() {
      const method = 'getBlockHeight'
      return integer(resultOf(await json.request(method, [{ commitment: 'processed' }]), method), method)
    },
    async finality() {
      const method = 'getEpochInfo'
      const { absoluteSlot, blockHeight } = await ask(json, method, [{ commitment: 'finalized' }])
      return { slot: integer(absoluteSlot, method), blockHeight: integer(blockHeight, method) }
    },
    async finalBlocks(from, to) {
      const method = 'getBlocks'
      const answer = await json.request(method, [Number(from), Number(to), { commitment: 'finalized' }])
      const slots = resultOf(answer, method)
      if (!Array.isArray(slots)) throw invalid(method)
      return new Set(slots.map((each) => integer(each, method)).filter((slot) => slot >= from && slot <= to)).size
    },
    async statuses(signatures) {
      const method = 'getSignatureStatuses'
      const answer = await ask(json, method, [signatures, { searchTransactionHistory: true }])
      const statuses = listIn(answer, 'value', method).map((each) => readStatus(each, commitment, method))
      if (statuses.length !== signatures.length) throw invalid(method)
      return { slot: integer(objectIn(answer, 'context', method).slot, method), statuses }
    },
    async transaction(signature) {
      const method = 'getTransaction'
      const config = { encoding: 'base64', commitment, maxSupportedTransactionVersion: 0 }
      const result = resultOf(await json.request(method, [signature, config]), method)
      return result === null ? undefined : readLanded(object(result, method), method)
    },
    async isBlockhashValid(blockhash) {
      const method = 'isBlockhashValid'
      const [newest, final] = await Promise.all(
        ['processed', 'finalized'].map(
          async (commitment) => (await ask(json, method, [blockhash, { commitment }])).value,
        ),
      )
      return newest !== false || final !== false
    },
    async signatures(address, before) {
      const method = 'getSignaturesForAddress'
      const config = { commitment, ...(before === undefined ? {} : { before }) }
      const found = resultOf(await json.request(method, [address, config]), method)
      if (!Array.isArray(found)) throw invalid(method)
      return found.map((each: unknown) => {
        const { signature, err } = object(each, method)
        if (typeof signature !== 'string') throw invalid(method)
        return { signature, failed: err !== null && err !== undefined }
      })
    },
    nodes: json.nodes,
    async send(transaction) {
      const method = 'sendTransaction'
      // It has just been simulated, and a node that refuses it for what it happens to know would not say so for certain.
      const config = { encoding: 'base64', skipPreflight: true, preflightCommitment: commitment }
      const reply = await json.request(method, [transaction, config], SEND_TIMEOUT_MS)
      if (!reply.ok) return { ok: false, message: reply.message }
      if (typeof reply.result !== 'string') throw invalid(method)
      return { ok: true, signature: reply.result }
    },
  }
}

async function ask(json: JsonRpc, method: string, params: readonly unknown[]): Promise<JsonObject> {
  return object(resultOf(await json.request(method, params), method), method)
}

function resultOf(reply: RpcReply, method: string): unknown {
  if (!reply.ok) throw new X402Error('rpc_invalid_answer', { method, error: reply.code })
  return reply.result
}

function readAccount(value: unknown, method: string): Account | undefined {
  if (value === null) return undefined
  const account = object(value, method)
  const [text] = listIn(account, 'data', method)
  const data = typeof text === 'string' ? decodeBase64(text) : undefined
  const owner = parseAddress(textIn(account, 'owner', method))
  if (data === undefined || owner === undefined) throw invalid(method)
  return { owner, lamports: integer(account.lamports, method), data }
}

function readStatus(value: unknown, commitment: Commitment, method: string): SignatureStatus | undefined {
  if (value === null) return undefined
  const { slot, err, confirmationStatus } = object(value, method)
  const sure = confirmationStatus === 'finalized' || confirmationStatus === commitment
  const error = readFault(err)
  return { slot: integer(slot, method), sure, ...(error ? { error } : {}) }
}

function readLanded(landed: JsonObject, method: string): LandedTransaction {
  const meta = objectIn(landed, 'meta', method)
  const loaded = isJsonObject(meta.loadedAddresses) ? meta.loadedAddresses : { writable: [], readonly: [] }
  const error = readFault(meta.err)
  const { blockTime } = landed
  const [text] = Array.isArray(landed.transaction) ? landed.transaction : []
  const bytes = typeof text === 'string' ? decodeBase64(text) : undefined
  return {
    slot: integer(landed.slot, method),
    ...(typeof blockTime === 'number' ? { time: integer(blockTime, method) } : {}),
    ...(bytes ? { bytes } : {}),
    fee: integer(meta.fee, method),
    ...(error ? { error } : {}),
    loaded: [...listIn(loaded, 'writable', method), ...listIn(loaded, 'readonly', method)].map(String),
    before: listIn(meta, 'preTokenBalances', method).map((each) => readBalance(each, method)),
    after: listIn(meta, 'postTokenBalances', method).map((each) => readBalance(each, method)),
  }
}

function readBalance(value: unknown, method: string): TokenBalance {
  const balance = object(value, method)
  const amount = textIn(objectIn(balance, 'uiTokenAmount', method), 'amount', method)
  const { accountIndex, owner } = balance
  if (typeof accountIndex !== 'number' || !/^[0-9]{1,20}$/.test(amount)) throw invalid(method)
  const mint = textIn(balance, 'mint', method)
  return { index: accountIndex, mint, amount: BigInt(amount), ...(typeof owner === 'string' ? { owner } : {}) }
}

/** A name, or an object of one member whose name it is; the rest is told only of instructions. */
function readFault(value: unknown): TransactionFault | undefined {
  if (value === null || value === undefined) return undefined
  if (!isJsonObject(value)) return { name: typeof value === 'string' ? value : 'unknown' }
  const [entry] = Object.entries(value)
  if (entry === undefined) return { name: 'unknown' }
  const [name, what] = entry
  if (isJsonObject(what) && typeof what.account_index === 'number') return { name, account: what.account_index }
  if (name !== 'InstructionError' || !Array.isArray(what)) return { name }
  const [instruction, reason] = what
  const custom = isJsonObject(reason) ? reason.Custom : undefined
  return {
    name,
    ...(typeof instruction === 'number' ? { instruction } : {}),
    ...(typeof custom === 'number' ? { custom } : {}),
  }
}

const invalid = (method: string) => new X402Error('rpc_invalid_answer', { method })

function object(value: unknown, method: string): JsonObject {
  if (isJsonObject(value)) return value
  throw invalid(method)
}

function objectIn(value: JsonObject, name: string, method: string): JsonObject {
  return object(value[name], method)
}

function listIn(value: JsonObject, name: string, method: string): readonly unknown[] {
  const list = value[name]
  if (Array.isArray(list)) return list
  throw invalid(method)
}

function textIn(value: JsonObject, name: string, method: string): string {
  const text = value[name]
  if (typeof text === 'string') return text
  throw invalid(method)
}

/** Slots, heights and lamports are numbers in JSON; only what fits into one exactly is believed. */
function integer(value: unknown, method: string): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value)
  throw invalid(method)
}
