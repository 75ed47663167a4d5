// The part of the optional package `secp256k1` that is used; it ships no types.
declare module 'secp256k1/bindings.js' {
  const curve: {
    ecdsaSign(digest: Uint8Array, privateKey: Uint8Array): { signature: Uint8Array; recid: number }
    ecdsaRecover(signature: Uint8Array, recid: number, digest: Uint8Array, compressed: boolean): Uint8Array
    publicKeyCreate(privateKey: Uint8Array, compressed: boolean): Uint8Array
  }
  // biome-ignore lint/style/noDefaultExport: how a CommonJS module is seen from here
  export default curve
}
