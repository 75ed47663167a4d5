import { exactEvm as settles } from '@groat/evm/exact/facilitator'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { type Catalogue, createCatalogue, createProber, type Prober, withCatalogue } from '@groat/facilitator/bazaar'
import { openMemoryStore } from '@groat/store'
import { beforeAll } from 'vitest'
import { settlingChain } from './extensions-kit.js'
import { useStage } from './test-kit.js'

type Listing = { readonly url: string; readonly catalogue: Catalogue; readonly prober: Prober }

/** A chain, our facilitator on it with a catalogue, and what asks the shops of this machine. */
export function useCatalogue() {
  const stage = useStage()
  let listing: Listing | undefined
  beforeAll(async () => {
    const chain = await settlingChain(stage)
    const store = await openMemoryStore()
    const catalogue = createCatalogue({ store, allowPrivate: true })
    const prober = createProber({ store, allowPrivate: true })
    const service = withCatalogue(catalogue)(createFacilitator({ schemes: [settles({ chains: [chain] })], store }))
    await service.start()
    const { url, close } = await serveFacilitator(service, { port: 0, catalogue })
    await stage.keep(Promise.resolve({ url, close: () => close().then(() => store.close()) }))
    listing = { url, catalogue, prober }
  })
  const up = (): Listing => {
    if (listing === undefined) throw new Error('the catalogue is not up')
    return listing
  }
  return {
    stage,
    /** Where the facilitator is. */
    get facilitator(): string {
      return up().url
    },
    get catalogue(): Catalogue {
      return up().catalogue
    },
    get prober(): Prober {
      return up().prober
    },
  }
}
