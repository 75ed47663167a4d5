import { type Intents, memoryIntents } from '../../src/index.js'

/** The intent stores that one suite runs over. */
export const stores: readonly (readonly [name: string, open: () => Promise<Intents>])[] = [
  ['memory', async () => memoryIntents()],
]
