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
  const code = bundle!.text
  for (const forbidden of ['viem', 'elliptic', 'libauth', 'bindings.js', 'hash-wasm', 'WebAssembly', 'node:']) {
    expect([forbidden, code.includes(forbidden)]).toEqual([forbidden, false])
  }
  expect(gzipSync(bundle!.contents).length).toBeLessThan(7_000)
})
