import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { generateArtifacts } from '../../scripts/gen-artifacts.mjs'

test('the generated files are what the generator writes', async () => {
  for (const [path, content] of Object.entries(await generateArtifacts())) {
    const committed = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
    expect(committed === content, `${path} is stale: run \`npm run gen\``).toBe(true)
  }
}, 300_000) // solc, as WebAssembly, for all contracts
