import { type Clock, type Fetch, X402Error } from '@groat/core'
import { callOver, type HttpCall, nodeCall } from '@groat/core/http'

/** What a node answered to one call: its result, or its own error. */
export type RpcReply =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: number; readonly message: string; readonly data?: unknown }

/** A JSON-RPC connection to one chain. */
export interface JsonRpc {
  /**
   * One call. Calls that wait together leave together.
   * Throws `X402Error` `rpc_unreachable`, `rpc_invalid_answer`, `rpc_wrong_chain`; an error of the node itself is a reply.
   */
  request(method: string, params: readonly unknown[], timeoutMs?: number): Promise<RpcReply>
}

/** The question by which a node shows which chain it serves. */
export type ChainProof = {
  readonly method: string
  readonly params?: readonly unknown[]
  /** The chain that is meant, for errors. */
  readonly expected: string | bigint
  accepts(result: unknown): boolean
}

/** How to reach a chain's nodes. */
export type JsonRpcOptions = {
  /** Nodes of this chain, the preferred one first; the next is asked when one does not answer. */
  readonly urls: readonly [string, ...string[]]
  /** Asked of every node before its first answer counts, and again after it was gone. */
  readonly proof: ChainProof
  /** Default: Node's own client where there is one, which costs a third of its `fetch`; else the platform's `fetch`. */
  readonly fetch?: Fetch
  /** Milliseconds that one attempt may take; 3,000 unless told. */
  readonly timeoutMs?: number
  /** Calls in one HTTP request; 50 unless told, 1 for nodes that take no batches. */
  readonly maxBatch?: number
  /** HTTP requests at once; further calls wait and then leave together. 4 unless told. */
  readonly maxConcurrency?: number
  /** Bytes of an answer that are read; 8 MiB unless told. */
  readonly maxAnswerBytes?: number
  readonly clock?: Clock
}

/**
 * A small JSON-RPC client: calls of one tick, and those that wait while others are under way, travel as one batch over
 * kept-alive connections; a node that fails is asked once more, or the next one; every wait has an end.
 *
 * @example
 * const proof = { method: 'eth_chainId', expected: 84532n, accepts: (id: unknown) => id === '0x14a34' }
 * const rpc = createJsonRpc({ urls: ['http://127.0.0.1:8545'], proof })
 * await rpc.request('eth_blockNumber', [])
 */
export function createJsonRpc(options: JsonRpcOptions): JsonRpc {
  const { urls, timeoutMs = 3_000, maxBatch = 50, maxConcurrency = 4, clock = Date.now } = options
  const { maxAnswerBytes = 8 * 1024 * 1024, fetch } = options
  const call = (fetch === undefined ? nodeCall() : undefined) ?? callOver(fetch ?? globalThis.fetch)
  const asking: Asking = { call, proof: options.proof, maxBatch, maxAnswerBytes }
  const nodes = urls.map((url) => ({ url, trusted: false }))
  const queue: Call[] = []
  let preferred = 0
  let underWay = 0
  let scheduled = false

  function pump(): void {
    scheduled = false
    while (queue.length > 0 && underWay < maxConcurrency) {
      underWay++
      // Never rejects: every failure is handed to the calls of the batch.
      void answer(queue.splice(0, maxBatch)).then(() => {
        underWay--
        pump()
      })
    }
  }

  async function answer(batch: readonly Call[]): Promise<void> {
    let fault: unknown
    for (let attempt = 0; attempt < Math.max(2, nodes.length); attempt++) {
      const index = (preferred + attempt) % nodes.length
      const node = nodes[index]
      const waiting = batch.filter((call) => call.until > clock())
      if (node === undefined || waiting.length === 0) break
      try {
        await exchange(node, waiting, asking, Math.max(...waiting.map((call) => call.timeoutMs)))
        preferred = index
        break
      } catch (error) {
        node.trusted = false
        fault = error
      }
    }
    for (const call of batch) call.fail(fault ?? new X402Error('rpc_unreachable', { method: call.method }))
  }

  return {
    request(method, params, limit = timeoutMs) {
      if (queue.length >= MAX_WAITING)
        return Promise.reject(new X402Error('rpc_unreachable', { method, waiting: MAX_WAITING }))
      return new Promise((resolve, reject) => {
        // A promise settles once, so whatever is left of a batch can be failed as a whole.
        queue.push({ method, params, timeoutMs: limit, until: clock() + 2 * limit, resolve, fail: reject })
        if (scheduled) return
        scheduled = true
        queueMicrotask(pump)
      })
    },
  }
}

const MAX_WAITING = 10_000

type Call = {
  readonly method: string
  readonly params: readonly unknown[]
  readonly timeoutMs: number
  readonly until: number
  resolve(reply: RpcReply): void
  fail(reason: unknown): void
}

type Node = { readonly url: string; trusted: boolean }
type Question = { readonly method: string; readonly params: readonly unknown[] }
type Asking = {
  readonly call: HttpCall
  readonly proof: ChainProof
  readonly maxBatch: number
  readonly maxAnswerBytes: number
}

/** One HTTP request. Resolves the calls it has answers for; throws when the node gave no usable answer at all. */
async function exchange(node: Node, calls: readonly Call[], asking: Asking, timeoutMs: number): Promise<void> {
  const { proof } = asking
  const question = { method: proof.method, params: proof.params ?? [] }
  const questions: Question[] = calls.map(({ method, params }) => ({ method, params }))
  if (!node.trusted && asking.maxBatch === 1) {
    trust(node, proof, (await ask(node, [question], asking, timeoutMs)).get(0))
  } else if (!node.trusted) questions.push(question)
  const replies = await ask(node, questions, asking, timeoutMs)
  if (!node.trusted) trust(node, proof, replies.get(calls.length))
  calls.forEach((call, id) => {
    const reply = replies.get(id)
    if (reply) call.resolve(reply)
    else call.fail(new X402Error('rpc_invalid_answer', { method: call.method }))
  })
}

function trust(node: Node, { method, expected, accepts }: ChainProof, reply: RpcReply | undefined): void {
  if (reply?.ok !== true) throw new X402Error('rpc_invalid_answer', { method })
  if (!accepts(reply.result)) throw new X402Error('rpc_wrong_chain', { expected })
  node.trusted = true
}

async function ask(
  { url }: Node,
  questions: readonly Question[],
  { call, maxAnswerBytes: maxBytes }: Asking,
  timeoutMs: number,
): Promise<Map<number, RpcReply>> {
  const requests = questions.map(({ method, params }, id) => ({ jsonrpc: '2.0', id, method, params }))
  const body = JSON.stringify(requests.length === 1 ? requests[0] : requests)
  const headers = { 'content-type': 'application/json' }
  // One limit over the head and the body: a node that dribbles is a node that does not answer.
  const answer = await call({ url, method: 'POST', headers, body, timeoutMs, maxBytes }).catch((cause: unknown) => {
    throw new X402Error('rpc_unreachable', {}, { cause })
  })
  const { status, text } = answer
  // A redirect is not followed: it would show the questions to somebody else.
  if (status < 200 || status > 299) throw new X402Error('rpc_unreachable', { status })
  if (text === undefined) throw new X402Error('rpc_invalid_answer', { maxBytes })
  return parseReplies(text)
}

function parseReplies(text: string): Map<number, RpcReply> {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch (cause) {
    throw new X402Error('rpc_invalid_answer', {}, { cause })
  }
  const replies = new Map<number, RpcReply>()
  for (const each of Array.isArray(answer) ? answer : [answer]) {
    if (!isObject(each) || typeof each.id !== 'number') continue
    if (isObject(each.error)) {
      const { code, message, data } = each.error
      replies.set(each.id, { ok: false, code: Number(code), message: String(message).slice(0, 500), data })
    } else if ('result' in each) {
      replies.set(each.id, { ok: true, result: each.result })
    }
  }
  if (replies.size === 0) throw new X402Error('rpc_invalid_answer')
  return replies
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
