import { SandboxError } from '../sandbox-error.js'

/** One JSON-RPC request: the method, then its parameters. */
export type RpcRequest = readonly [method: string, ...params: unknown[]]

/** The few things the sandbox asks of a node. Both throw `chain_unreachable`, `cheat_missing`, `rpc_refused`. */
export interface JsonRpc {
  call(...request: RpcRequest): Promise<unknown>
  /** One HTTP request for all; answers in the order of the requests. The node may run them in any order. */
  batch(requests: readonly RpcRequest[]): Promise<unknown[]>
}

/** A JSON-RPC client over HTTP, as small as the levers need it. */
export function createJsonRpc(url: string): JsonRpc {
  return {
    async call(...request) {
      return resultOf(request, await post(url, encode(request, 0)))
    },
    async batch(requests) {
      const answers = await post(url, requests.map(encode))
      if (!Array.isArray(answers)) throw new SandboxError('rpc_refused', 'The node refused a JSON-RPC batch.')
      const byId = new Map(answers.map((answer: unknown) => [idOf(answer), answer]))
      return requests.map((request, id) => resultOf(request, byId.get(id)))
    },
  }
}

function encode([method, ...params]: RpcRequest, id: number) {
  return { jsonrpc: '2.0', id, method, params }
}

async function post(url: string, body: unknown): Promise<unknown> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return await response.json()
  } catch (cause) {
    throw new SandboxError('chain_unreachable', 'The chain did not answer.', { cause })
  }
}

function resultOf([method]: RpcRequest, answer: unknown): unknown {
  if (typeof answer === 'object' && answer !== null) {
    if ('result' in answer) return answer.result
    if ('error' in answer) throw refusal(method, answer.error)
  }
  throw new SandboxError('rpc_refused', `The node gave no answer to ${method}.`)
}

function refusal(method: string, cause: unknown): SandboxError {
  const missing = typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === -32601
  if (missing) return new SandboxError('cheat_missing', `The node does not know ${method}.`, { cause })
  return new SandboxError('rpc_refused', `The node refused ${method}.`, { cause })
}

function idOf(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null && 'id' in answer ? answer.id : undefined
}
