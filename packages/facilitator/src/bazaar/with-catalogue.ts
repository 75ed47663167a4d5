import type { Wrap } from '@groat/core'
import type { FacilitatorService } from '../service.js'
import type { Catalogue } from './catalogue.js'

/**
 * A facilitator whose settled payments fill a catalogue. What comes of the listing changes nothing about a payment.
 *
 * @example
 * const facilitator = withCatalogue(createCatalogue({ store }))(createFacilitator({ schemes, store }))
 */
export function withCatalogue(catalogue: Catalogue): Wrap<FacilitatorService> {
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
      if (known !== undefined) catalogue.settled(request, { pid: known.pid, payer: settlement.receipt.payer })
      return settlement
    },
  })
}
