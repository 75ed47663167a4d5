import { type FacilitatorRequest, sameAddress, type Wrap } from '@groat/core'
import type { Tenant } from '../access/tenants.js'
import type { FacilitatorService } from '../service.js'
import type { Catalogue } from './catalogue.js'

/** Who speaks for what is sold. */
export type CatalogueSources = {
  /**
   * Whether a tenant may speak for what a payment was made for: its own name, as keys have proved it, and what was settled. Nobody may unless told. It is asked only of what the tenant's server has
   * written itself, as its request says (BAZAAR-038): what it forwards of a payer's echo is nobody's word.
   */
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
      const bySeller = tenant !== undefined && isOwnWord(request) && isSeller?.(tenant, request) === true
      if (known !== undefined) catalogue.settled(request, { pid: known.pid, payer: settlement.receipt.payer, bySeller })
      return settlement
    },
  })
}

/**
 * Tenants speak for what is at an origin of theirs and is paid to an account of theirs, as far as the operator has named both (BAZAAR-037): an account alone could be said to be that of anybody's URL.
 *
 * @example
 * withCatalogue(catalogue, { isSeller: sellersAmong(tenants) })
 */
export function sellersAmong(tenants: readonly Tenant[]): NonNullable<CatalogueSources['isSeller']> {
  const byId = new Map(tenants.map((tenant) => [tenant.id, tenant]))
  return (id, { payment, requirements }) => {
    const { origins = [], recipients = [] } = byId.get(id) ?? {}
    const url = payment.x402Version === 1 ? requirements.received?.resource : payment.resource?.url
    const isThere = typeof url === 'string' && URL.canParse(url) && origins.includes(new URL(url).origin)
    return isThere && recipients.some((account) => sameAddress(account, requirements.payTo))
  }
}

/** Whether the server that asks says what is sold itself: version 1 has it in the requirements, which are the server's own, version 2 in what the payer sends. */
function isOwnWord({ payment, vouched = [] }: FacilitatorRequest): boolean {
  return payment.x402Version === 1 || vouched.includes('bazaar')
}
