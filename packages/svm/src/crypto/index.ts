export { createSigner, verifySignature } from './ed25519.js'
