export { type ChainProof, createJsonRpc, type JsonRpc, type JsonRpcOptions, type RpcReply } from './json-rpc.js'
