import { wrapAxiosWithPaymentFromConfig } from '@x402/axios'
import { toFacilitatorEvmSigner } from '@x402/evm'
import { ExactEvmScheme as ClientScheme } from '@x402/evm/exact/client'
import { registerExactEvmScheme } from '@x402/evm/exact/facilitator'
import { ExactEvmScheme as ServerScheme } from '@x402/evm/exact/server'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import axios from 'axios'
import { createWalletClient, type Hex, http, nonceManager, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import type { PayingFetch } from '../rails/rail.js'
import type { Listening } from './listen.js'
import { officialFacilitator } from './official.js'

/** The official server's half. */
export const officialEvmScheme = () => new ServerScheme()

/** The official facilitator library on an EVM chain. */
export async function officialEvmFacilitator(chain: { readonly rpcUrl: string }, key: string): Promise<Listening> {
  const wallet = createWalletClient({
    account: privateKeyToAccount(key as Hex, { nonceManager }),
    chain: baseSepolia,
    transport: http(chain.rpcUrl, { batch: true }),
    pollingInterval: 20,
  }).extend(publicActions)
  // Its signer type is a subset of viem's client whose generics do not line up.
  const signer = toFacilitatorEvmSigner({ ...wallet, address: wallet.account.address } as never)
  return officialFacilitator((facilitator) => registerExactEvmScheme(facilitator, { signer, networks: 'eip155:84532' }))
}

/** The official paying fetch. */
export function officialEvmFetch(key: string, base: typeof fetch = fetch): typeof fetch {
  return wrapFetchWithPaymentFromConfig(base, {
    schemes: [{ network: 'eip155:*', client: new ClientScheme(privateKeyToAccount(key as Hex)) }],
  })
}

/** The official axios interceptor. */
export function officialAxios(key: string): PayingFetch {
  const client = wrapAxiosWithPaymentFromConfig(axios.create({ validateStatus: (status) => status < 400 }), {
    schemes: [{ network: 'eip155:*', client: new ClientScheme(privateKeyToAccount(key as Hex)) }],
  })
  return async (url: string) => {
    const { status, data, headers } = await client.get(url)
    return { status, json: async () => data, receipt: String(headers['payment-response'] ?? '') }
  }
}
