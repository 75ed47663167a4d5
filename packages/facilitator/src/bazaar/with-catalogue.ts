import type { FacilitatorRequest, Wrap } from '@groat/core'
import type { FacilitatorService } from '../service.js'
import type { Catalogue } from './catalogue.js'

/** Who speaks for what is sold. */
export type CatalogueSources = {
  /** Whether a tenant is the seller of a payment: its own name, as keys have proved it, and what was settled. Nobody is unless told. */
  readonly isSeller?: (tenant: string, request: Pick<FacilitatorRequest, 'requirements' | 'payment'>) => boolean
}

/**
 * A facilitator whose settled payments fill a catalogue. What comes of the listing changes nothing about a payment.
 *
 * @example
 * const facilitator = withCatalogue(createCatalogue({ store }))(createFacilitator({ schemes, store }))
 */
export function withCatalogue(catalogue: Catalogue, { isSeller }: CatalogueSources = {}): Wrap<FacilitatorService> {
  return (next) => ({
    ...next,
    async start() {
      await catalogue.start()
      await next.start()
    },
    async stop() {
      await next.stop()
      await catalogue.stop()
    },
    async settle(request, options) {
      const settlement = await next.settle(request, options)
      if (settlement.status !== 'settled') return settlement
      const inspected = next.inspect(request)
      const known = inspected.ok ? inspected : inspected.late
      const tenant = options?.claim?.tenant
      const bySeller = tenant !== undefined && isSeller?.(tenant, request) === true
      if (known !== undefined) catalogue.settled(request, { pid: known.pid, payer: settlement.receipt.payer, bySeller })
      return settlement
    },
  })
}
