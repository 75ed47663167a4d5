export { callOver, type HttpAnswer, type HttpCall, type HttpRequest, NoAnswer } from './call.js'
export { type NodeCallOptions, nodeCall } from './node-call.js'
export { type PublicAddresses, publicAddresses, publicCall } from './public-address.js'
export { askSigner, type RemoteSigner, type SignerAccount, signerAccounts } from './remote-signer.js'
