// A process that makes one paid request and can be made to die at a named point of it.
import { openStore } from '@groat/store'
import { createPayer, type Intents } from '../../src/index.js'
import { sqlIntents } from '../../src/sql.js'
import { spyScheme } from './spy-scheme.js'

const { PURSE = '', URL: url = '', CRASH = '', SIGNER } = process.env

async function point<T>(name: string, value: T): Promise<T> {
  if (name === CRASH) {
    process.kill(process.pid, 'SIGKILL')
    await new Promise(() => {})
  }
  return value
}

// A key in this process signs within the step that writes the intent: what it signed is not kept before that is done.
const local = SIGNER === 'local'
const half = spyScheme({ local, sign: async (payload) => (local ? point('after-signature', payload) : payload) })
const intents = await sqlIntents(await openStore(PURSE), { claimMs: 400 })
const store: Intents = {
  ...intents,
  create: async (...args) => point(local ? 'after-kept' : 'after-intent', await intents.create(...args)),
  sign: async (...args) => {
    await point('after-signature', undefined)
    return point('after-kept', await intents.sign(...args))
  },
  release: async (...args) => {
    await point('before-end', undefined)
    return intents.release(...args)
  },
}
const payer = createPayer({ schemes: [half], store })
const response = await payer.fetch(url)
process.stdout.write(JSON.stringify({ status: response.status, outcome: payer.outcome(response)?.status }))
process.exit(0)
