import { interleave } from '../lib/interleave.mjs'
import { startLoad } from '../lib/load-process.mjs'
import { paymentsFor } from '../lib/payments.mjs'
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
      const paid = (name) => async () => {
        const url = `${servers[name].url}/paid`
        return load.run({ url, headers: await paymentsFor(url, 4000), ms: 600 })
      }
      printTable(
        `paid requests, stub facilitator, ${framework}`,
        await interleave({
          official: paid(`official ${framework}`),
          groat: paid(`groat ${framework}`),
          'the two calls': paid(`bare ${framework}`),
        }),
      )
    }
  } finally {
    load.stop()
    await servers.close()
    await facilitator.close()
  }
}
