import { type NodeStatus, X402Error } from '@groat/core'
import { createJsonRpc, type JsonRpc, type JsonRpcOptions, type RpcReply } from '@groat/rpc'
import { type Address, parseAddress } from './address.js'
import { type Hex, isHex } from './hex.js'
import { inPieces } from './log-pieces.js'

/**
 * The few questions that are put to an EVM chain. Calls of one tick travel together.
 * What the chain decides (a revert, a refused transaction) is an answer; a chain that cannot be asked throws `X402Error`
 * `rpc_unreachable`, `rpc_invalid_answer` or `rpc_wrong_chain`.
 */
export interface EvmRpc {
  /** Runs a call without sending it. Throws for a block, by its height, that the node does not have. */
  call(call: CallRequest, block?: 'latest' | 'pending' | bigint): Promise<CallOutcome>
  /** Runs calls one after the other, each on the state that the one before it left, without sending them (`eth_simulateV1`). */
  simulate(calls: readonly CallRequest[]): Promise<readonly SimulatedCall[]>
  /** The code of an account; `0x` for none. */
  code(address: Address): Promise<Hex>
  /** The next nonce of an account, behind its transactions that wait. */
  nextNonce(address: Address): Promise<bigint>
  /** The nonce below which everything of an account is in a block, or was at this one. Throws for a block that the node does not have. */
  minedNonce(address: Address, block?: bigint): Promise<bigint>
  /** The newest block. */
  latestBlock(): Promise<Block>
  /** A block by its height, or the newest one that is `safe` or `finalized`; `undefined` when there is none. */
  block(at: bigint | 'safe' | 'finalized'): Promise<BlockId | undefined>
  /** The tip, in wei per gas, that the node suggests; `undefined` when it has no opinion. */
  suggestedTip(): Promise<bigint | undefined>
  /** The receipt of an included transaction. */
  receipt(hash: Hex): Promise<Receipt | undefined>
  /** A transaction by its hash: whom it called, and with what. */
  transaction(hash: Hex): Promise<SeenTransaction | undefined>
  /** Logs of one contract from a block on; `null` matches any topic. */
  logs(filter: LogFilter): Promise<readonly Log[]>
  /** Hands in a signed transaction. */
  send(raw: Hex): Promise<SendReply>
  /** The same, and the answer comes with the receipt (EIP-7966); `undefined` from a node that does not know the method. */
  sendAndWait?(raw: Hex): Promise<(SendReply & { readonly receipt?: Receipt }) | undefined>
  /** What an account holds of the chain's coin, in wei. */
  balance(address: Address): Promise<bigint>
  /**
   * The same chain, where calls, code, receipts and logs count only when two nodes say the same, for what one node must not decide alone.
   * Throws `rpc_nodes_disagree` when they do not. Absent where there is one node.
   */
  readonly agreed?: EvmRpc
  /** How the nodes stand; absent where that is not known. */
  nodes?(): readonly NodeStatus[]
}

/** A call that is only tried. */
export type CallRequest = {
  readonly from?: Address
  readonly to: Address
  readonly data: Hex
  readonly gas?: bigint
  /** What it would offer for its gas; nothing unless told, which the code that runs can see. */
  readonly fees?: Fees
}

/** Wei per gas. */
export type Fees = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }

/** What a call came to. */
export type CallOutcome = { readonly ok: true; readonly data: Hex } | { readonly ok: false; readonly data: Hex }

/** What a call came to that was run after others, and what it logged. */
export type SimulatedCall = CallOutcome & { readonly logs: readonly Pick<Log, 'address' | 'topics' | 'data'>[] }

/** A block's head. */
export type Block = {
  readonly number: bigint
  /** Seconds since 1970. */
  readonly timestamp: bigint
  /** Wei per gas; zero on chains without a base fee. */
  readonly baseFee: bigint
}

/** Which block. */
export type BlockId = {
  readonly number: bigint
  readonly hash: Hex
  /** Seconds since 1970; absent where a connection of one's own does not say it. */
  readonly timestamp?: bigint
}

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

/** A transaction as others see it. `to` is absent where it creates a contract. */
export type SeenTransaction = { readonly to?: Address; readonly data: Hex }

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
  readonly topics: readonly (Hex | readonly Hex[] | null)[]
  readonly fromBlock: bigint
  /** The newest unless told. */
  readonly toBlock?: bigint
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

const METHOD_NOT_FOUND = -32601

/**
 * The chain over JSON-RPC.
 *
 * @example
 * const rpc = createEvmRpc({ urls: ['http://127.0.0.1:8545'], chainId: 84532n })
 * await rpc.latestBlock()
 */
export function createEvmRpc({ chainId, ...options }: EvmRpcOptions): EvmRpc {
  const accepts = (id: unknown) => typeof id === 'string' && /^0x[0-9a-f]{1,16}$/i.test(id) && BigInt(id) === chainId
  const read = (height: unknown) => (typeof height === 'string' && isQuantity(height) ? BigInt(height) : undefined)
  const json = createJsonRpc({
    head: { method: 'eth_blockNumber', read },
    ...options,
    network: `eip155:${chainId}`,
    proof: { method: 'eth_chainId', expected: chainId, accepts },
  })
  const one = over(json, async (method, params, decode) => decode(await json.request(method, params)))
  if (options.urls.length < 2) return one
  const agreed = over(json, async (method, params, decode, join) => {
    const [first, second] = await json.requestOf(2, method, params)
    if (first === undefined || second === undefined) throw invalid(method)
    const agree = join ?? ((a, b) => theSame(method, a, b))
    return agree(decode(first), decode(second))
  })
  return { ...one, agreed }
}

/** Asks, reads the answer, and where there are two of them makes them one: by `join`, or because they are the same. */
type Ask = <T>(
  method: string,
  params: readonly unknown[],
  decode: (reply: RpcReply) => T,
  join?: (first: T, second: T) => T,
) => Promise<T>

function over(json: JsonRpc, ask: Ask): EvmRpc {
  const rpc: EvmRpc = {
    call({ data, ...call }, block = 'latest') {
      const request = { ...requestOf(call), data }
      return ask('eth_call', [request, typeof block === 'bigint' ? quantity(block) : block], readCall)
    },
    simulate(calls) {
      const method = 'eth_simulateV1'
      const requests = calls.map(({ data, ...call }) => ({ ...requestOf(call), input: data }))
      const decode = (reply: RpcReply) => {
        const [block] = array(result(method, reply), method)
        const outcomes = array(object(block, method).calls, method).map((each) => decodeSimulated(each, method))
        if (outcomes.length !== calls.length) throw invalid(method)
        return outcomes as readonly SimulatedCall[]
      }
      return ask(method, [{ blockStateCalls: [{ calls: requests }], validation: false }, 'latest'], decode)
    },
    code: (address) =>
      ask('eth_getCode', [address, 'latest'], (reply) => hex(result('eth_getCode', reply), 'eth_getCode')),
    nextNonce(address) {
      const method = 'eth_getTransactionCount'
      // A node that is behind names one that is used.
      return ask(method, [address, 'pending'], (reply) => integer(result(method, reply), method), greater)
    },
    minedNonce(address, block) {
      const method = 'eth_getTransactionCount'
      return ask(
        method,
        [address, block === undefined ? 'latest' : quantity(block)],
        (reply) => integer(result(method, reply), method),
        lesser,
      )
    },
    block(at) {
      const method = 'eth_getBlockByNumber'
      const decode = (reply: RpcReply): BlockId | undefined => {
        // A chain without such a notion refuses the question.
        if (!reply.ok && typeof at !== 'bigint') return undefined
        const found = result(method, reply)
        if (found === null || found === undefined) return undefined
        const block = object(found, method)
        return {
          number: integer(block.number, method),
          hash: hash32(block.hash, method),
          timestamp: integer(block.timestamp, method),
        }
      }
      return ask(
        method,
        [typeof at === 'bigint' ? quantity(at) : at, false],
        decode,
        (a, b) => a && b && (typeof at === 'bigint' ? theSame(method, a, b) : a.number <= b.number ? a : b),
      )
    },
    latestBlock() {
      const method = 'eth_getBlockByNumber'
      const older = (a: Block, b: Block) => (a.number <= b.number ? a : b)
      return ask(
        method,
        ['latest', false],
        (reply) => decodeBlock(object(result(method, reply), method), method),
        older,
      )
    },
    suggestedTip() {
      const method = 'eth_maxPriorityFeePerGas'
      return ask(
        method,
        [],
        (reply) => (reply.ok ? integer(reply.result, method) : undefined),
        (a, b) => (a !== undefined && b !== undefined && a < b ? a : b),
      )
    },
    receipt(hash) {
      const method = 'eth_getTransactionReceipt'
      const decode = (reply: RpcReply) => {
        const found = result(method, reply)
        return found === null || found === undefined ? undefined : decodeReceipt(object(found, method), hash)
      }
      // What one node does not know yet is not agreed upon yet.
      return ask(method, [hash], decode, (a, b) => a && b && theSame(method, a, b))
    },
    transaction(hash) {
      const method = 'eth_getTransactionByHash'
      const decode = (reply: RpcReply): SeenTransaction | undefined => {
        const found = result(method, reply)
        if (found === null || found === undefined) return undefined
        const { hash: own, to, input } = object(found, method)
        if (hash32(own, method) !== hash.toLowerCase()) throw invalid(method)
        const called = typeof to === 'string' ? parseAddress(to) : undefined
        return { data: hex(input, method), ...(called ? { to: called } : {}) }
      }
      return ask(method, [hash], decode, (a, b) => a && b && theSame(method, a, b))
    },
    logs({ address, topics, fromBlock, toBlock }) {
      const method = 'eth_getLogs'
      const decode = (reply: RpcReply) => {
        const logs = array(result(method, reply), method).map((log) => decodeLog(log, method))
        // A node that answers another question than the one asked must not become evidence.
        return logs.filter(
          (log) =>
            log.address === address &&
            topics.every((topic, i) => topic === null || [topic].flat().includes(log.topics[i] ?? '0x')),
        )
      }
      const both = (a: readonly Log[], b: readonly Log[]) => a.filter((log) => b.some((other) => isSame(log, other)))
      return ask(
        method,
        [
          {
            address,
            topics,
            fromBlock: quantity(fromBlock),
            toBlock: toBlock === undefined ? 'latest' : quantity(toBlock),
          },
        ],
        decode as (reply: RpcReply) => readonly Log[],
        both,
      )
    },
    async send(raw) {
      const method = 'eth_sendRawTransaction'
      const reply = await json.request(method, [raw], SEND_TIMEOUT_MS)
      return reply.ok ? { ok: true, hash: hash32(reply.result, method) } : { ok: false, message: reply.message }
    },
    async sendAndWait(raw) {
      const method = 'eth_sendRawTransactionSync'
      const reply = await json.requestAlone(method, [raw], SEND_TIMEOUT_MS)
      if (reply.ok) {
        const hash = hash32(object(reply.result, method).transactionHash, method)
        return { ok: true, hash, receipt: decodeReceipt(object(reply.result, method), hash) }
      }
      const isUnknown =
        reply.code === METHOD_NOT_FOUND || /not (found|supported|available)|unsupported/i.test(reply.message)
      return isUnknown ? undefined : { ok: false, message: reply.message }
    },
    balance(address) {
      const method = 'eth_getBalance'
      return ask(method, [address, 'latest'], (reply) => integer(result(method, reply), method), lesser)
    },
    nodes: json.nodes,
  }
  // Payments of one transaction all ask after the same receipt, those of one payer after the same account, and everybody after the newest block.
  const newest = shared(() => rpc.latestBlock())
  return {
    ...rpc,
    logs: inPieces(rpc),
    receipt: shared(rpc.receipt),
    code: shared(rpc.code),
    latestBlock: () => newest(''),
  }
}

const greater = (a: bigint, b: bigint) => (a > b ? a : b)
const lesser = (a: bigint, b: bigint) => (a < b ? a : b)

function theSame<T>(method: string, first: T, second: T): T {
  if (isSame(first, second)) return first
  throw new X402Error('rpc_nodes_disagree', { method })
}

function isSame(first: unknown, second: unknown): boolean {
  return plain(first) === plain(second)
}

/** What was decoded has its members in one order. */
const plain = (value: unknown) => JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}n` : each))

function readCall(reply: RpcReply): CallOutcome {
  if (reply.ok) return { ok: true, data: hex(reply.result, 'eth_call') }
  if (!isRevert(reply)) throw fault('eth_call', reply)
  return {
    ok: false,
    data: typeof reply.data === 'string' && /^0x[0-9a-f]*$/i.test(reply.data) ? asHex(reply.data) : '0x',
  }
}

function requestOf({ from, to, gas, fees }: Omit<CallRequest, 'data'>) {
  const offered = fees && {
    maxFeePerGas: quantity(fees.maxFeePerGas),
    maxPriorityFeePerGas: quantity(fees.maxPriorityFeePerGas),
  }
  return { from, to, gas: gas === undefined ? gas : quantity(gas), ...offered }
}

function decodeSimulated(value: unknown, method: string): SimulatedCall {
  const { status, returnData, logs } = object(value, method)
  const parts = array(logs ?? [], method).map((each) => {
    const log = object(each, method)
    const address = typeof log.address === 'string' ? parseAddress(log.address) : undefined
    if (address === undefined) throw invalid(method)
    const topics = array(log.topics, method).map((topic) => hash32(topic, method))
    return { address, topics, data: hex(log.data, method) }
  })
  return { ok: integer(status, method) === 1n, data: hex(returnData, method), logs: parts }
}

function decodeBlock(block: Record<string, unknown>, method: string): Block {
  return {
    number: integer(block.number, method),
    timestamp: integer(block.timestamp, method),
    baseFee: block.baseFeePerGas === undefined ? 0n : integer(block.baseFeePerGas, method),
  }
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

/** The answer to a question that a working node always answers. */
function result(method: string, reply: RpcReply): unknown {
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
const isQuantity = (text: string) => /^0x[0-9a-f]{1,64}$/i.test(text)
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
  if (typeof value === 'string' && isQuantity(value)) return BigInt(value)
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
