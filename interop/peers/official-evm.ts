import { wrapAxiosWithPaymentFromConfig } from '@x402/axios'
import { toFacilitatorEvmSigner } from '@x402/evm'
import { AuthCaptureEvmScheme as HoldScheme } from '@x402/evm/auth-capture/client'
import { BatchSettlementEvmScheme as BatchScheme } from '@x402/evm/batch-settlement/client'
import { ExactEvmScheme as ClientScheme } from '@x402/evm/exact/client'
import { registerExactEvmScheme } from '@x402/evm/exact/facilitator'
import { ExactEvmScheme as ServerScheme } from '@x402/evm/exact/server'
import { UptoEvmScheme as UptoScheme } from '@x402/evm/upto/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import axios from 'axios'
import { createWalletClient, type Hex, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import { createNonceManager, jsonRpc } from 'viem/nonce'
import type { PayingFetch } from '../rails/rail.js'
import type { Listening } from './listen.js'
import { officialFacilitator } from './official.js'

/** The official server's half. */
export const officialEvmScheme = () => new ServerScheme()

/** The official facilitator library on an EVM chain. */
export async function officialEvmFacilitator(chain: { readonly rpcUrl: string }, key: string): Promise<Listening> {
  const signer = officialSigner(chain, key)
  return officialFacilitator((facilitator) => registerExactEvmScheme(facilitator, { signer, networks: 'eip155:84532' }))
}

/** What signs and sends for an official facilitator. Its nonces are its own: viem's shared manager outlives the chain that it counted on. */
export function officialSigner({ rpcUrl }: { readonly rpcUrl: string }, key: string) {
  const nonceManager = createNonceManager({ source: jsonRpc() })
  const wallet = createWalletClient({
    account: privateKeyToAccount(key as Hex, { nonceManager }),
    chain: baseSepolia,
    transport: http(rpcUrl, { batch: true }),
    pollingInterval: 20,
  }).extend(publicActions)
  // Its signer type is a subset of viem's client whose generics do not line up.
  return toFacilitatorEvmSigner({ ...wallet, address: wallet.account.address } as never)
}

/** The official paying fetch, for a price that is known, for a ceiling, out of channels and into escrow. */
export function officialEvmFetch(key: string, base: typeof fetch = fetch): typeof fetch {
  const account = privateKeyToAccount(key as Hex)
  return wrapFetchWithPaymentFromConfig(base, {
    schemes: [
      { network: 'eip155:*', client: new ClientScheme(account) },
      { network: 'eip155:*', client: new UptoScheme(account) as never },
      { network: 'eip155:*', client: new BatchScheme(account) as never },
      { network: 'eip155:*', client: new HoldScheme(account as never) as never },
    ],
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
