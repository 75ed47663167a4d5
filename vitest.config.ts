import { defineConfig } from 'vitest/config'

// Tests run from source: the `source` condition of every package is taken before its build.
const conditions = ['source', 'node']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'spec/test/**/*.test.ts',
      'conformance/**/*.test.ts',
      'interop/**/*.test.ts',
      'scripts/**/*.test.mjs',
    ],
    setupFiles: ['./scripts/lib/platform-fetch.mjs'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Files share what they import: reading it anew for each of them took most of the time.
    isolate: false,
    // The parser has a condition called `source` too, for sources that Node cannot read; the transport is what loads it.
    server: { deps: { inline: [/sdk\/dist\/esm\/client\/streamableHttp\.js/, /eventsource-parser/] } },
    maxWorkers: 2,
  },
})
