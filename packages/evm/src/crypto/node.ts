export { loadEngine } from './load-engine.js'
export { loadNativeEngine } from './native.js'
export { loadWasmEngine } from './wasm.js'
