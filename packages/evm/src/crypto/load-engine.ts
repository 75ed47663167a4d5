import type { CryptoEngine } from './engine.js'
import { loadNativeEngine } from './native.js'
import { nobleEngine } from './noble.js'
import { loadWasmEngine } from './wasm.js'

/**
 * The fastest engine this machine has: native, else wasm, else noble. Loaded once; every later call has the same answer.
 * For Node: browser code names `nobleEngine` and never contains the others.
 *
 * @example
 * const engine = await loadEngine()
 */
export function loadEngine(): Promise<CryptoEngine> {
  loading ??= fastest()
  return loading
}

let loading: Promise<CryptoEngine> | undefined

const fastest = async () => (await loadNativeEngine()) ?? (await loadWasmEngine()) ?? nobleEngine
