export {
  type ChainProof,
  createJsonRpc,
  type HeadQuestion,
  type JsonRpc,
  type JsonRpcOptions,
  type RpcReply,
} from './json-rpc.js'
export { createQueue, type QueueLimits } from './queue.js'
