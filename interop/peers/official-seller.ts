import { HTTPFacilitatorClient, x402ResourceServer } from '@x402/core/server'
import { ExactEvmScheme } from '@x402/evm/exact/server'

/** The official resource server, and its offer of `exact` for $0.001, for transports that it has no middleware for. */
export async function officialSeller(facilitatorUrl: string, payTo: string) {
  const seller = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitatorUrl })).register(
    'eip155:84532',
    new ExactEvmScheme(),
  )
  await seller.initialize()
  const offers = await seller.buildPaymentRequirements({
    scheme: 'exact',
    payTo,
    price: '$0.001',
    network: 'eip155:84532',
  })
  return { seller, offers }
}
