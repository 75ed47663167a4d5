import { type Clock, type ErrorContext, type Fetch, type NodeStatus, X402Error } from '@groat/core'
import { callOver, type HttpCall, nodeCall } from '@groat/core/http'
import { createNodePool, type Node } from './node-pool.js'
import { createQueue, MAX_WAITING } from './queue.js'

/** What a node answered to one call: its result, or its own error. */
export type RpcReply =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: number; readonly message: string; readonly data?: unknown }

/** A JSON-RPC connection to one chain. */
export interface JsonRpc {
  /**
   * One call. Calls that wait together leave together.
   * Throws `X402Error` `rpc_unreachable`, `rpc_invalid_answer`, `rpc_wrong_chain` (with what it `answered` and what was `expected`), all with the `network`
   * and the host of the `node`, or of all nodes where none may be asked now; an error of the node itself is a reply.
   */
  request(method: string, params: readonly unknown[], timeoutMs?: number): Promise<RpcReply>
  /** One call whose answer may take long: it travels alone, so that no other waits for it. Throws as `request` does. */
  requestAlone(method: string, params: readonly unknown[], timeoutMs?: number): Promise<RpcReply>
  /**
   * The same call put to so many different nodes, for what one node must not decide alone. Their replies may differ: comparing them is the
   * caller's, who knows what they mean. Throws also when fewer nodes answer.
   */
  requestOf(count: number, method: string, params: readonly unknown[], timeoutMs?: number): Promise<readonly RpcReply[]>
  /** How the nodes stand, in their configured order. */
  nodes(): readonly NodeStatus[]
}

/** The question by which a node shows which chain it serves. */
export type ChainProof = {
  readonly method: string
  readonly params?: readonly unknown[]
  /** The chain that is meant, for errors. */
  readonly expected: string | bigint
  accepts(result: unknown): boolean
}

/** The question after a node's newest block. */
export type HeadQuestion = {
  readonly method: string
  readonly params?: readonly unknown[]
  /** The height, or `undefined` when that is no answer. */
  read(result: unknown): bigint | undefined
}

/** How to reach a chain's nodes. */
export type JsonRpcOptions = {
  /** Nodes of this chain, the preferred one first; the next is asked when one does not answer, or lags behind. */
  readonly urls: readonly [string, ...string[]]
  /** The chain by its CAIP-2 id, for errors. */
  readonly network?: string
  /** Asked of every node before its first answer counts, and again after it was gone. */
  readonly proof: ChainProof
  /** Asked of all nodes now and then, where there are several: one that is behind the others is asked last. */
  readonly head?: HeadQuestion
  /** Blocks by which a node may be behind; 8 unless told. */
  readonly maxLag?: bigint
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
  /** Spreads the pauses between tries: a number from 0 to 1. Default `Math.random`. */
  readonly jitter?: () => number
}

/**
 * A small JSON-RPC client: calls of one tick, and those that wait while others are under way, travel as one batch over
 * kept-alive connections. A node that fails is asked once more after a moment, or the next one at once; one that keeps failing is left
 * alone, but for a question now and then; every wait has an end.
 *
 * @example
 * const proof = { method: 'eth_chainId', expected: 84532n, accepts: (id: unknown) => id === '0x14a34' }
 * const rpc = createJsonRpc({ urls: ['http://127.0.0.1:8545'], proof })
 * await rpc.request('eth_blockNumber', [])
 */
export function createJsonRpc(options: JsonRpcOptions): JsonRpc {
  const { urls, timeoutMs = 3_000, maxBatch = 50, maxConcurrency = 4, clock = Date.now } = options
  const { maxAnswerBytes = 8 * 1024 * 1024, fetch, jitter = Math.random, maxLag = 8n, head } = options
  const call = (fetch === undefined ? nodeCall() : undefined) ?? callOver(fetch ?? globalThis.fetch)
  const network = options.network === undefined ? {} : { network: options.network }
  const asking: Asking = { call, network, proof: options.proof, maxBatch, maxAnswerBytes }
  const pool = createNodePool({ urls, clock, jitter, maxLag })
  const limits = { maxBatch, maxConcurrency }
  const anyNode = createQueue<Call>(limits, (batch) => answer(batch, new Set()))
  const alone = createQueue<Call>({ maxBatch: 1, maxConcurrency: MOST_ALONE }, (batch) => answer(batch, new Set()))
  let headsAt = Number.NEGATIVE_INFINITY

  /** Has a batch answered by a node that is not taken yet, and takes every node that it tries. */
  async function answer(batch: readonly Call[], taken: Set<Node>, several = false): Promise<void> {
    if (!several) watchHeads()
    let fault: unknown
    let last: Node | undefined
    const attempts = Math.max(2, urls.length)
    for (let attempt = 0; attempt < attempts; attempt++) {
      const order = pool.order()
      const node = order.find((each) => !taken.has(each)) ?? (several ? undefined : order[0])
      if (node === undefined) break
      taken.add(node)
      // Another node can be asked at once; the same one is given a moment.
      if (node === last) await pause(RETRY_MS * attempt * (0.5 + jitter()))
      last = node
      const waiting = batch.filter((each) => !each.answered && each.until > clock())
      if (waiting.length === 0) break
      try {
        await exchange(node, waiting, Math.max(...waiting.map((each) => each.timeoutMs)))
        break
      } catch (error) {
        fault = error
      }
    }
    // Those for which no node was left, and those that had waited too long when others were asked for.
    for (const each of batch) if (!each.answered) each.fail(fault ?? unasked(each))
  }

  /** Why nobody was asked. */
  function unasked({ method }: Call): X402Error {
    const [left = 'rpc_unreachable' as const] = pool.nodes.flatMap(({ fault }) => fault ?? [])
    return new X402Error(left, { ...network, node: pool.nodes.map(({ name }) => name).join(', '), method })
  }

  /** One HTTP request. Resolves the calls it has answers for; throws when the node has to be left for another. */
  async function exchange(node: Node, calls: readonly Call[], limit: number): Promise<void> {
    const began = clock()
    node.onTrial = true
    try {
      await put(node, calls, asking, limit)
      pool.succeeded(node, clock() - began)
    } catch (error) {
      const retryAfter = X402Error.is(error) ? Number(error.context.retryAfter) : Number.NaN
      const code = X402Error.is(error) ? error.code : 'rpc_invalid_answer'
      pool.failed(node, { code, began, restMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : 0 })
      throw located(error, { ...network, node: node.name })
    } finally {
      node.onTrial = false
    }
  }

  /** Asks all nodes at once how far they are, and waits for nobody: it only moves the order for later. */
  function watchHeads(): void {
    const now = clock()
    if (head === undefined || pool.nodes.length < 2 || now - headsAt < HEADS_MS) return
    headsAt = now
    const found = new Map<Node, bigint>()
    const asked = pool.order().map(async (node) => {
      const [reply] = await ask(node, [{ method: head.method, params: head.params ?? [] }], asking, timeoutMs)
        .then((replies) => [replies.get(0)])
        .catch((): RpcReply[] => [])
      const height = reply?.ok ? head.read(reply.result) : undefined
      if (height !== undefined) found.set(node, height)
    })
    void Promise.all(asked).then(() => pool.heads(found))
  }

  const queues = new Map<number, (calls: readonly Call[]) => boolean>()
  /** Calls that go to several nodes travel together too. */
  function queueOf(count: number): (calls: readonly Call[]) => boolean {
    const known = queues.get(count)
    if (known !== undefined) return known
    const made = createQueue<readonly Call[]>(limits, async (batch) => {
      watchHeads()
      const taken = new Set<Node>()
      const opinions = Array.from({ length: count }, (_, nth) => batch.flatMap((calls) => calls[nth] ?? []))
      await Promise.all(opinions.map((calls) => answer(calls, taken, true)))
    })
    queues.set(count, made)
    return made
  }

  const asker =
    (queue: (call: Call) => boolean): JsonRpc['request'] =>
    async (method, params, limit = timeoutMs) => {
      const { call, reply } = createCall(method, params, limit, clock)
      if (!queue(call)) throw new X402Error('rpc_unreachable', { ...network, method, waiting: MAX_WAITING })
      return reply
    }

  return {
    request: asker(anyNode),
    requestAlone: asker(alone),
    async requestOf(count, method, params, limit = timeoutMs) {
      if (count > urls.length) throw new X402Error('invalid_config', { rpc: `${count} nodes are needed` })
      const parts = Array.from({ length: count }, () => createCall(method, params, limit, clock))
      if (!queueOf(count)(parts.map(({ call }) => call))) {
        throw new X402Error('rpc_unreachable', { ...network, method, waiting: MAX_WAITING })
      }
      return Promise.all(parts.map(({ reply }) => reply))
    },
    nodes: pool.status,
  }
}

/** Calls that travel alone at once. */
const MOST_ALONE = 64

/** Milliseconds before the same node is asked again. */
const RETRY_MS = 50

/** Milliseconds between two looks at how far the nodes are. */
const HEADS_MS = 5_000

/** A node's way of saying that it is asked too much: the call is another node's then. */
const LIMIT_EXCEEDED = -32005

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

type Call = {
  readonly method: string
  readonly params: readonly unknown[]
  readonly timeoutMs: number
  readonly until: number
  answered: boolean
  resolve(reply: RpcReply): void
  fail(reason: unknown): void
}

function createCall(method: string, params: readonly unknown[], timeoutMs: number, clock: Clock) {
  let resolve: (reply: RpcReply) => void = () => {}
  // A promise settles once, so whatever is left of a batch can be failed as a whole.
  let fail: (reason: unknown) => void = () => {}
  const reply = new Promise<RpcReply>((onReply, onFault) => {
    resolve = onReply
    fail = onFault
  })
  const call: Call = {
    method,
    params,
    timeoutMs,
    until: clock() + 2 * timeoutMs,
    answered: false,
    resolve(reply) {
      call.answered = true
      resolve(reply)
    },
    fail: (reason) => fail(reason),
  }
  return { call, reply }
}

type Question = { readonly method: string; readonly params: readonly unknown[] }
type Asking = {
  readonly call: HttpCall
  readonly network: ErrorContext
  readonly proof: ChainProof
  readonly maxBatch: number
  readonly maxAnswerBytes: number
}

/** One HTTP request. Resolves the calls it has answers for; throws when the node gave no usable answer at all, or is over its limit. */
async function put(node: Node, calls: readonly Call[], asking: Asking, timeoutMs: number): Promise<void> {
  const { proof } = asking
  const question = { method: proof.method, params: proof.params ?? [] }
  const questions: Question[] = calls.map(({ method, params }) => ({ method, params }))
  if (!node.trusted && asking.maxBatch === 1) {
    trust(node, proof, (await ask(node, [question], asking, timeoutMs)).get(0))
  } else if (!node.trusted) questions.push(question)
  const replies = await ask(node, questions, asking, timeoutMs)
  if (!node.trusted) trust(node, proof, replies.get(calls.length))
  let limited: RpcReply | undefined
  calls.forEach((call, id) => {
    const reply = replies.get(id)
    if (reply?.ok === false && reply.code === LIMIT_EXCEEDED) limited = reply
    else if (reply) call.resolve(reply)
    else call.fail(new X402Error('rpc_invalid_answer', { ...asking.network, node: node.name, method: call.method }))
  })
  if (limited) throw new X402Error('rpc_unreachable', { limited: true })
}

/** The same fault, with where it was. */
function located(error: unknown, at: ErrorContext): unknown {
  return X402Error.is(error) ? new X402Error(error.code, { ...at, ...error.context }, { cause: error.cause }) : error
}

function trust(node: Node, { method, expected, accepts }: ChainProof, reply: RpcReply | undefined): void {
  if (reply?.ok !== true) throw new X402Error('rpc_invalid_answer', { method })
  if (!accepts(reply.result)) {
    const answered = chainNamed(reply.result, expected)
    throw new X402Error('rpc_wrong_chain', { expected, answered })
  }
  node.trusted = true
}

/** The chain that a node says it serves, as the one that was expected is written; `undefined` for what names none. */
function chainNamed(result: unknown, expected: string | bigint): string | bigint | undefined {
  if (typeof result !== 'string' || !/^[0-9A-Za-z]{1,64}$/.test(result)) return undefined
  if (typeof expected === 'string') return result.slice(0, expected.length)
  return /^0x[0-9a-f]+$/i.test(result) ? BigInt(result) : result
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
  const { status, text, retryAfter } = answer
  // A redirect is not followed: it would show the questions to somebody else.
  if (status < 200 || status > 299) throw new X402Error('rpc_unreachable', { status, retryAfter })
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
