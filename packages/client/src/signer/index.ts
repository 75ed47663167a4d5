export { type SignerHandlerOptions, signerHandler } from './handler.js'
export { createSigner, type Signer, type SignerOptions, type SignerPolicy, type SignRequest } from './signer.js'
