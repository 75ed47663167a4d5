export { type Address, addressOfKey, formatAddress, parseAddress, recoverAddress } from '../address.js'
export { formatHex, type Hex, isHex, parseHex, writeHex } from '../hex.js'
export {
  defineStruct,
  domainSeparator,
  type Eip712Domain,
  type StructHasher,
  typedDataDigest,
  type Word,
} from './eip712.js'
export { type CryptoEngine, isCanonicalSignature } from './engine.js'
export { nobleEngine } from './noble.js'
export { nobleSigningEngine } from './noble-signing.js'
export { personalMessage } from './personal-message.js'
export { type Erc6492, isErc6492, MAX_SIGNATURE_BYTES, parseSignature, unwrapErc6492 } from './signature.js'
export type { SignatureBytes, SigningEngine } from './signing.js'
