import { X402Error } from '@groat/core'
import { createJsonRpc, type JsonRpc, type JsonRpcOptions, type RpcReply } from '@groat/rpc'
import { type Address, parseAddress } from './address.js'
import { type Hex, isHex } from './hex.js'

/**
 * The few questions that are put to an EVM chain. Calls of one tick travel together.
 * What the chain decides (a revert, a refused transaction) is an answer; a chain that cannot be asked throws `X402Error`
 * `rpc_unreachable`, `rpc_invalid_answer` or `rpc_wrong_chain`.
 */
export interface EvmRpc {
  /** Runs a call without sending it. */
  call(call: CallRequest, block?: 'latest' | 'pending'): Promise<CallOutcome>
  /** The code of an account; `0x` for none. */
  code(address: Address): Promise<Hex>
  /** The next nonce of an account, behind its transactions that wait. */
  nextNonce(address: Address): Promise<bigint>
  /** The nonce below which everything of an account is in a block. */
  minedNonce(address: Address): Promise<bigint>
  /** The newest block. */
  latestBlock(): Promise<Block>
  /** A block by its height, or the newest one that is `safe` or `finalized`; `undefined` when there is none. */
  block(at: bigint | 'safe' | 'finalized'): Promise<BlockId | undefined>
  /** The tip, in wei per gas, that the node suggests; `undefined` when it has no opinion. */
  suggestedTip(): Promise<bigint | undefined>
  /** The receipt of an included transaction. */
  receipt(hash: Hex): Promise<Receipt | undefined>
  /** Logs of one contract from a block on; `undefined` topics match anything. */
  logs(filter: LogFilter): Promise<readonly Log[]>
  /** Hands in a signed transaction. */
  send(raw: Hex): Promise<SendReply>
}

/** A call that is only tried. */
export type CallRequest = { readonly from?: Address; readonly to: Address; readonly data: Hex; readonly gas?: bigint }

/** What a call came to. */
export type CallOutcome = { readonly ok: true; readonly data: Hex } | { readonly ok: false; readonly data: Hex }

/** A block's head. */
export type Block = {
  readonly number: bigint
  /** Seconds since 1970. */
  readonly timestamp: bigint
  /** Wei per gas; zero on chains without a base fee. */
  readonly baseFee: bigint
}

/** Which block. */
export type BlockId = { readonly number: bigint; readonly hash: Hex }

/** What a transaction did. */
export type Receipt = {
  readonly transactionHash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
  readonly success: boolean
  /** Wei, the data fee of a rollup included. */
  readonly fee: bigint
  readonly logs: readonly Log[]
}

/** One event of a contract. */
export type Log = {
  readonly address: Address
  readonly topics: readonly Hex[]
  readonly data: Hex
  readonly logIndex: number
  readonly transactionHash: Hex
}

/** Which logs. */
export type LogFilter = {
  readonly address: Address
  readonly topics: readonly (Hex | readonly Hex[])[]
  readonly fromBlock: bigint
}

/** What the node said to a transaction: its hash, or why not, in the node's own words. */
export type SendReply = { readonly ok: true; readonly hash: Hex } | { readonly ok: false; readonly message: string }

/** How to reach a chain's nodes. */
export type EvmRpcOptions = Omit<JsonRpcOptions, 'proof'> & {
  /** Checked at every node before its first answer counts, and again after it was gone. */
  readonly chainId: bigint
}

/** Milliseconds for handing in a transaction. */
const SEND_TIMEOUT_MS = 8_000

/**
 * The chain over JSON-RPC.
 *
 * @example
 * const rpc = createEvmRpc({ urls: ['http://127.0.0.1:8545'], chainId: 84532n })
 * await rpc.latestBlock()
 */
export function createEvmRpc({ chainId, ...options }: EvmRpcOptions): EvmRpc {
  const accepts = (id: unknown) => typeof id === 'string' && /^0x[0-9a-f]{1,16}$/i.test(id) && BigInt(id) === chainId
  const json = createJsonRpc({ ...options, proof: { method: 'eth_chainId', expected: chainId, accepts } })
  const rpc: EvmRpc = {
    async call({ from, to, data, gas }, block = 'latest') {
      const reply = await json.request('eth_call', [
        { from, to, data, gas: gas === undefined ? gas : quantity(gas) },
        block,
      ])
      if (reply.ok) return { ok: true, data: hex(reply.result, 'eth_call') }
      if (!isRevert(reply)) throw fault('eth_call', reply)
      return {
        ok: false,
        data: typeof reply.data === 'string' && /^0x[0-9a-f]*$/i.test(reply.data) ? asHex(reply.data) : '0x',
      }
    },
    code: async (address) => hex(await ask(json, 'eth_getCode', [address, 'latest']), 'eth_getCode'),
    async nextNonce(address) {
      return integer(await ask(json, 'eth_getTransactionCount', [address, 'pending']), 'eth_getTransactionCount')
    },
    async minedNonce(address) {
      return integer(await ask(json, 'eth_getTransactionCount', [address, 'latest']), 'eth_getTransactionCount')
    },
    async block(at) {
      const method = 'eth_getBlockByNumber'
      const reply = await json.request(method, [typeof at === 'bigint' ? quantity(at) : at, false])
      // A chain without such a notion refuses the question.
      if (!reply.ok && typeof at !== 'bigint') return undefined
      if (!reply.ok) throw fault(method, reply)
      if (reply.result === null || reply.result === undefined) return undefined
      const block = object(reply.result, method)
      return { number: integer(block.number, method), hash: hash32(block.hash, method) }
    },
    async latestBlock() {
      const method = 'eth_getBlockByNumber'
      const block = object(await ask(json, method, ['latest', false]), method)
      return {
        number: integer(block.number, method),
        timestamp: integer(block.timestamp, method),
        baseFee: block.baseFeePerGas === undefined ? 0n : integer(block.baseFeePerGas, method),
      }
    },
    async suggestedTip() {
      const method = 'eth_maxPriorityFeePerGas'
      const reply = await json.request(method, [])
      return reply.ok ? integer(reply.result, method) : undefined
    },
    async receipt(hash) {
      const method = 'eth_getTransactionReceipt'
      const found = await ask(json, method, [hash])
      return found === null || found === undefined ? undefined : decodeReceipt(object(found, method), hash)
    },
    async logs({ address, topics, fromBlock }) {
      const method = 'eth_getLogs'
      const found = await ask(json, method, [{ address, topics, fromBlock: quantity(fromBlock), toBlock: 'latest' }])
      const logs = array(found, method).map((log) => decodeLog(log, method))
      // A node that answers another question than the one asked must not become evidence.
      return logs.filter(
        (log) => log.address === address && topics.every((topic, i) => [topic].flat().includes(log.topics[i] ?? '0x')),
      )
    },
    async send(raw) {
      const method = 'eth_sendRawTransaction'
      const reply = await json.request(method, [raw], SEND_TIMEOUT_MS)
      return reply.ok ? { ok: true, hash: hash32(reply.result, method) } : { ok: false, message: reply.message }
    },
  }
  // Payments of one transaction all ask after the same receipt, and everybody asks after the newest block.
  const newest = shared(() => rpc.latestBlock())
  return { ...rpc, receipt: shared(rpc.receipt), latestBlock: () => newest('') }
}

/** Who asks the same before it is answered gets the same answer. */
function shared<T, K extends string>(ask: (key: K) => Promise<T>): (key: K) => Promise<T> {
  const asked = new Map<K, Promise<T>>()
  return (key) => {
    const known = asked.get(key)
    if (known !== undefined) return known
    const mine = ask(key).finally(() => asked.delete(key))
    asked.set(key, mine)
    return mine
  }
}

function decodeReceipt(receipt: Record<string, unknown>, hash: Hex): Receipt {
  const method = 'eth_getTransactionReceipt'
  const transactionHash = hash32(receipt.transactionHash, method)
  if (transactionHash !== hash.toLowerCase()) throw invalid(method)
  const price = receipt.effectiveGasPrice === undefined ? 0n : integer(receipt.effectiveGasPrice, method)
  const dataFee = receipt.l1Fee === undefined || receipt.l1Fee === null ? 0n : integer(receipt.l1Fee, method)
  return {
    transactionHash,
    blockNumber: integer(receipt.blockNumber, method),
    blockHash: hash32(receipt.blockHash, method),
    success: integer(receipt.status, method) === 1n,
    fee: integer(receipt.gasUsed, method) * price + dataFee,
    logs: array(receipt.logs, method).map((log) => decodeLog(log, method)),
  }
}

function decodeLog(value: unknown, method: string): Log {
  const log = object(value, method)
  const address = typeof log.address === 'string' ? parseAddress(log.address) : undefined
  if (address === undefined) throw invalid(method)
  return {
    address,
    topics: array(log.topics, method).map((topic) => hash32(topic, method)),
    data: hex(log.data, method),
    logIndex: Number(integer(log.logIndex, method)),
    transactionHash: hash32(log.transactionHash, method),
  }
}

/** A question that a working node always answers. */
async function ask(json: JsonRpc, method: string, params: readonly unknown[]): Promise<unknown> {
  const reply = await json.request(method, params)
  if (reply.ok) return reply.result
  throw fault(method, reply)
}

/** Nodes agree on code 3 at best; the rest are the words of the clients in use. */
function isRevert({ code, message }: { readonly code: number; readonly message: string }): boolean {
  return (
    code === 3 ||
    /revert|EVM error|out ?of ?gas|invalid opcode|bad (instruction|jump)|stack (over|under)flow|gas required exceeds|intrinsic gas/i.test(
      message,
    )
  )
}

function fault(method: string, { code, message }: { readonly code: number; readonly message: string }): X402Error {
  return new X402Error('rpc_unreachable', { method, code }, { cause: new Error(message) })
}

const invalid = (method: string) => new X402Error('rpc_invalid_answer', { method })
const quantity = (value: bigint) => `0x${value.toString(16)}`
// Each caller has just matched the digits.
const asHex = (text: string) => text.toLowerCase() as Hex

function hex(value: unknown, method: string): Hex {
  if (typeof value === 'string' && /^0x([0-9a-f]{2})*$/i.test(value)) return asHex(value)
  throw invalid(method)
}

function hash32(value: unknown, method: string): Hex {
  if (typeof value === 'string' && isHex(value, 32)) return asHex(value)
  throw invalid(method)
}

function integer(value: unknown, method: string): bigint {
  if (typeof value === 'string' && /^0x[0-9a-f]{1,64}$/i.test(value)) return BigInt(value)
  throw invalid(method)
}

function object(value: unknown, method: string): Record<string, unknown> {
  // Narrowed by the test before it; `typeof` cannot say that the members are unknown.
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  throw invalid(method)
}

function array(value: unknown, method: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw invalid(method)
}

export type { RpcReply }
