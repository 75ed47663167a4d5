import { openStore, type Store } from '@groat/store'
import type { KyselyPlugin } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { createBuyer } from '../src/buyer/index.js'
import { sqlIntents } from '../src/sql.js'
import { honest, startSeller } from './support/seller.js'
import { spyScheme } from './support/spy-scheme.js'
import { temporaryFile } from './support/stores.js'

test('CL-3 a payment on disk waits for the disk once, before it leaves, and for few statements', async () => {
  const inner = await openStore(await temporaryFile('purse.db'))
  onTestFinished(() => inner.close())
  const said: string[] = []
  const seller = await startSeller((seen, nth) => {
    if (seen.payment !== undefined) said.push('sent')
    return honest()(seen, nth)
  })
  const purse = await sqlIntents(watched(inner, said))
  const buyer = createBuyer({
    schemes: [spyScheme({ local: true })],
    purse,
    policy: { perDay: '$10', eachOrigin: { perHour: '$1' } },
  })
  const pay = async (nth: number) => {
    said.length = 0
    await (await buyer.fetch(`${seller.url}?${nth}`)).text()
    await buyer.idle()
    return [...said]
  }
  await pay(1)
  const steps = await pay(2)
  expect(steps.filter((step) => !step.startsWith('sql'))).toEqual(['durable', 'sent', 'lazy', 'lazy'])
  // One statement more is a payment that is slower for everybody: say why where this number is raised.
  expect(steps.filter((step) => step.startsWith('sql')).length).toBe(10)
})

/** The same store, which says what is asked of it and when it commits. */
function watched(store: Awaited<ReturnType<typeof openStore>>, said: string[]): typeof store {
  const counting: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      said.push('sql')
      return result
    },
  }
  return {
    ...store,
    withTables<Tables>(): Store<Tables> {
      const typed = store.withTables<Tables>()
      return {
        ...typed,
        // What a store reads by is a Kysely, of which it shows the half that reads.
        db: (typed.db as never as { withPlugin(plugin: KyselyPlugin): typeof typed.db }).withPlugin(counting),
        async transaction(run, options) {
          const done = await typed.transaction((trx) => run(trx.withPlugin(counting) as never), options)
          said.push(options?.durable === false ? 'lazy' : 'durable')
          return done
        },
      }
    },
  }
}
