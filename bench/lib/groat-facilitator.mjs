// Our facilitator in a process of its own.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { openStore } from '@groat/store'

const { rpc, store: target, keys, options, chainOptions } = JSON.parse(process.argv[2] ?? '{}')
const chain = await createEvmChain({ network: network('base-sepolia'), rpc, signers: keys, ...chainOptions })
const store = await openStore(target)
const limits = { openPerPayer: 100_000 }
const service = createFacilitator({ schemes: [exactEvm({ chains: [chain] })], store, limits, ...options })
const { url, close } = await serveFacilitator(service, { port: 0 })
process.once(
  'SIGTERM',
  () =>
    void close()
      .then(() => store.close())
      .then(() => process.exit(0)),
)
process.once('disconnect', () => process.exit(1))
const delay = monitorEventLoopDelay()
let unhandled = 0
process.on('unhandledRejection', () => unhandled++)
process.on('message', (message) => {
  if (message !== 'figures') return
  const memoryMiB = process.memoryUsage.rss() / 1024 ** 2
  process.send({ figures: { memoryMiB, unhandled, longestBlockMs: delay.max / 1e6 } })
  delay.reset()
})
await service.start()
// What starting takes is no request's.
delay.enable()
process.send?.({ url })
