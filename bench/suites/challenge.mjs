import { interleave } from '../lib/interleave.mjs'
import { startLoad } from '../lib/load-process.mjs'
import { startServers } from '../lib/servers.mjs'
import { startStubFacilitator } from '../lib/stub-facilitator.mjs'
import { printTable } from '../lib/table.mjs'

/** 402 challenges, the same bytes from the framework alone, and what the gate costs a route that is free, over real HTTP. */
export async function run() {
  const facilitator = await startStubFacilitator()
  const servers = await startServers(facilitator.url)
  const load = startLoad()
  try {
    for (const framework of ['Express', 'Hono']) {
      const challenge = (name) => () => load.run({ url: `${servers[name].url}/paid`, expect: 402 })
      const free = (name) => () => load.run({ url: `${servers[name].url}/free`, expect: 200 })
      printTable(
        `402 challenges, ${framework}`,
        await interleave(
          {
            official: challenge(`official ${framework}`),
            groat: challenge(`groat ${framework}`),
            'the same bytes': challenge(`bare ${framework}`),
          },
          3,
        ),
      )
      printTable(
        `a free route, ${framework}`,
        await interleave(
          {
            'bare framework': free(`bare ${framework}`),
            official: free(`official ${framework}`),
            groat: free(`groat ${framework}`),
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
