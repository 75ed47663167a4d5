// A facilitator in a process of its own, for tests that kill it.
import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { openStore } from '@groat/store'
import { createFacilitator, serveFacilitator, type WebhookEndpoint } from '../../src/index.js'

const [rpc = '', storePath = '', ...signers] = process.argv.slice(2)
const { GROAT_TEST_WEBHOOK: hook, GROAT_TEST_DEPTH: depth, GROAT_TEST_BATCH: selfBatch } = process.env
const more = selfBatch === undefined ? {} : { selfBatch }
const chain = await createEvmChain({ network: network('base-sepolia'), rpc, signers, ...more })
const endpoints: WebhookEndpoint[] =
  hook === undefined ? [] : [{ id: 'shop', url: hook, secrets: ['a secret of 16 and more'] }]
const service = createFacilitator({
  schemes: [exactEvm({ chains: [chain] }), uptoEvm({ chains: [chain] })],
  store: await openStore(storePath),
  ...(depth === undefined ? {} : { depth: Number(depth) }),
  webhooks: { endpoints, allowPrivate: true, interval: 50, timeout: 500 },
})
const { url, close } = await serveFacilitator(service, { port: 0 })
process.once('SIGTERM', () => void close().then(() => process.exit(0)))
await service.start()
process.stdout.write(`${url}\n`)
