import { interleave } from '../lib/interleave.mjs'
import { startLoad } from '../lib/load-process.mjs'
import { startServers } from '../lib/servers.mjs'
import { startStubFacilitator } from '../lib/stub-facilitator.mjs'
import { printTable } from '../lib/table.mjs'

/** Paid requests with a facilitator that says yes at once: decode, match, claim, verify, run, settle, answer. Beside them the two calls to it alone. */
export async function run() {
  const facilitator = await startStubFacilitator()
  const servers = await startServers(facilitator.url)
  const load = startLoad()
  try {
    for (const framework of ['Express', 'Hono']) {
      // More than anything serves in that time.
      const paid = (name) => () => load.run({ url: `${servers[name].url}/paid`, payments: 12_000 })
      printTable(
        `paid requests, stub facilitator, ${framework}`,
        await interleave(
          {
            official: paid(`official ${framework}`),
            groat: paid(`groat ${framework}`),
            'the two calls': paid(`bare ${framework}`),
          },
          3,
        ),
      )
    }
  } finally {
    load.stop()
    await servers.close()
    await facilitator.close()
  }
}
