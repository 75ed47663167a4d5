export { callOver, type HttpAnswer, type HttpCall, type HttpRequest, NoAnswer } from './call.js'
export { nodeCall } from './node-call.js'
