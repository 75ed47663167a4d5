import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'
import { expect, test } from 'vitest'

test('a browser bundle that signs contains noble and no other engine', () => {
  const [bundle] = buildSync({
    stdin: {
      contents: `import { nobleEngine, formatHex } from './index.ts'
                 export const sign = (digest, key) => formatHex(nobleEngine.sign(digest, key))`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    ...{ bundle: true, minify: true, platform: 'browser', format: 'esm', write: false, conditions: ['source'] },
  }).outputFiles
  // What core asks a platform for at run time, where that has it, is not loaded.
  const code = bundle!.text.replace('getBuiltinModule?.("node:crypto")', '')
  for (const forbidden of ['viem', 'elliptic', 'libauth', 'bindings.js', 'hash-wasm', 'WebAssembly', 'node:']) {
    expect([forbidden, code.includes(forbidden)]).toEqual([forbidden, false])
  }
  expect(gzipSync(bundle!.contents).length).toBeLessThan(7_000)
})
