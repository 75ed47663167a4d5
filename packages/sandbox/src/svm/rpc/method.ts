import type { Node } from './node.js'
import type { Params } from './params.js'

/** A JSON-RPC method: what it answers, or an `RpcError` that it throws. */
export type Method = (params: Params, node: Node) => unknown

/** Methods by name. */
export type Methods = { readonly [name: string]: Method }
