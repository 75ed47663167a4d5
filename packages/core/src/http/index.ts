export { callOver, type HttpAnswer, type HttpCall, type HttpRequest, NoAnswer } from './call.js'
export { type NodeCallOptions, nodeCall } from './node-call.js'
export { type PublicAddresses, publicAddresses } from './public-address.js'
