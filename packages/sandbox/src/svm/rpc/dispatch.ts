import { encodeJson } from './json.js'
import { RpcError } from './rpc-error.js'

/** One call: what it is about and whether an answer is wanted. */
export type Call = { readonly id: unknown; readonly method: string; readonly params: readonly unknown[] }

/**
 * Answers the text of a JSON-RPC request or batch; undefined when no answer is wanted. `answer` returns the result of
 * one call, or throws an `RpcError`; undefined stands for a method that is not known.
 */
export function dispatch(text: string, answer: (call: Call) => unknown): string | undefined {
  let request: unknown
  try {
    request = JSON.parse(text)
  } catch {
    return encodeJson(failure(null, new RpcError(-32700, 'Parse error')))
  }
  if (!Array.isArray(request)) {
    const reply = respondTo(request, answer)
    return reply && encodeJson(reply)
  }
  if (request.length === 0) return encodeJson(failure(null, invalidRequest()))
  const replies = request.flatMap((each) => respondTo(each, answer) ?? [])
  return replies.length === 0 ? undefined : encodeJson(replies)
}

function respondTo(request: unknown, answer: (call: Call) => unknown): object | undefined {
  const call = callOf(request)
  if (call === undefined) return failure(null, invalidRequest())
  try {
    if (call.params === undefined) throw new RpcError(-32602, 'Invalid params: expected a sequence.')
    const result = answer({ ...call, params: call.params })
    if (result === undefined) throw new RpcError(-32601, 'Method not found')
    return call.id === undefined ? undefined : { jsonrpc: '2.0', result, id: call.id }
  } catch (error) {
    // What is not foreseen must not end the chain, nor show its inside.
    const known = error instanceof RpcError ? error : new RpcError(-32603, 'Internal error')
    return call.id === undefined ? undefined : failure(call.id, known)
  }
}

function callOf(request: unknown) {
  if (typeof request !== 'object' || request === null || !('method' in request) || !('jsonrpc' in request))
    return undefined
  const { jsonrpc, method } = request
  if (jsonrpc !== '2.0' || typeof method !== 'string') return undefined
  const params = 'params' in request ? request.params : []
  return { id: 'id' in request ? request.id : undefined, method, params: Array.isArray(params) ? params : undefined }
}

function failure(id: unknown, { code, message, data }: RpcError) {
  return { jsonrpc: '2.0', error: { code, message, data }, id }
}

function invalidRequest(): RpcError {
  return new RpcError(-32600, 'Invalid request')
}
