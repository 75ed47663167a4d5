import { randomBytes } from 'node:crypto'
import { interleave } from '../lib/interleave.mjs'
import { startLoad } from '../lib/load-process.mjs'
import { samplePayment } from '../lib/sample.mjs'
import { startServers } from '../lib/servers.mjs'
import { startStubFacilitator } from '../lib/stub-facilitator.mjs'
import { printTable } from '../lib/table.mjs'

/** Paid requests with a facilitator that says yes at once: decode, match, claim, verify, run, settle, answer. */
export async function run() {
  const facilitator = await startStubFacilitator()
  const servers = await startServers(facilitator.url)
  const load = startLoad()
  try {
    for (const framework of ['Express', 'Hono']) {
      const paid = (name) => async () => {
        const url = `${servers[name].url}/paid`
        return load.run({ url, headers: await payments(url, 4000), ms: 600 })
      }
      printTable(
        `paid requests, stub facilitator, ${framework}`,
        await interleave({ official: paid(`official ${framework}`), groat: paid(`groat ${framework}`) }),
      )
    }
  } finally {
    load.stop()
    await servers.close()
    await facilitator.close()
  }
}

/** As many payments as a load can use up, each with a nonce of its own. The stub does not look at signatures. */
async function payments(url, count) {
  const challenge = JSON.parse(Buffer.from((await fetch(url)).headers.get('payment-required'), 'base64').toString())
  const { accepts, resource } = challenge
  const validBefore = String(Math.floor(Date.now() / 1000) + 200)
  return Array.from({ length: count }, () => {
    const authorization = {
      ...samplePayment.payload.authorization,
      validBefore,
      nonce: `0x${randomBytes(32).toString('hex')}`,
    }
    const payment = {
      ...samplePayment,
      resource,
      accepted: accepts[0],
      payload: { ...samplePayment.payload, authorization },
    }
    return { 'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(payment)).toString('base64') }
  })
}
