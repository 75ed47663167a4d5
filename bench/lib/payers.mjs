import { decodeRequirements, encodeFacilitatorRequest, network, systemRandom } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { generatePrivateKey } from 'viem/accounts'

/** Atomic units of every payment. */
export const PRICE = 1000n

/** Atomic units that every payer starts with. */
const FUNDS = 10n ** 12n

/** What the seller of the sandbox asks for. */
export function termsOf(chain, maxTimeoutSeconds = 3600) {
  return {
    scheme: 'exact',
    network: network(chain.network),
    amount: PRICE,
    asset: chain.usdc,
    payTo: chain.account('seller').address,
    maxTimeoutSeconds,
    extra: { name: 'USDC', version: '2' },
  }
}

/** Payers with money, who sign in turn what the seller of the sandbox asks for, or what a challenge does. */
export async function createPayers(chain, count, challenge) {
  const accounts = Array.from({ length: count }, () => privateKeyAccount(generatePrivateKey()))
  for (const { address } of accounts) await chain.fund(address, FUNDS)
  const schemes = accounts.map((account) => exactEvm({ account }))
  const requirements = challenge ? decodeRequirements(2, challenge.accepts[0]).value : termsOf(chain)
  let turn = 0

  /** A signed payment. */
  async function sign() {
    const context = { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 3600 }
    const prepared = await schemes[turn++ % schemes.length].prepare(requirements, context)
    if (!prepared.ok) throw new Error(prepared.code)
    const payload = await prepared.sign()
    return { x402Version: 2, scheme: 'exact', network: requirements.network, accepted: requirements, payload }
  }

  return {
    addresses: accounts.map(({ address }) => address),

    /** What they had before the first payment. */
    opening: ({ network: on, usdc: asset }) =>
      accounts.map(({ address }) => ({ network: on, asset, account: address, balance: String(FUNDS) })),

    requirements,
    sign,

    /** A signed payment, as the body of a request to a facilitator. */
    async request() {
      const request = { requirements, payment: await sign(), resource: { url: 'https://load.example/' } }
      return JSON.stringify(encodeFacilitatorRequest(request))
    },

    /** So many signed payments, as the headers of requests to the shop whose challenge it is. */
    async headers(number) {
      const made = []
      for (let at = 0; at < number; at++) {
        const { payload } = await sign()
        const payment = { x402Version: 2, resource: challenge.resource, accepted: challenge.accepts[0], payload }
        made.push({ 'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(payment)).toString('base64') })
      }
      return made
    },

    async requests(number) {
      const made = []
      for (let at = 0; at < number; at++) made.push(await this.request())
      return made
    },
  }
}
