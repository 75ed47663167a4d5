import { createKeyPairSignerFromBytes, getBase58Encoder } from '@solana/kit'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { toFacilitatorSvmSigner } from '@x402/svm'
import { ExactSvmScheme as ClientScheme } from '@x402/svm/exact/client'
import { registerExactSvmScheme } from '@x402/svm/exact/facilitator'
import { ExactSvmScheme as ServerScheme } from '@x402/svm/exact/server'
import { ExactSvmSchemeV1 } from '@x402/svm/exact/v1/client'
import type { Listening } from './listen.js'
import { officialFacilitator } from './official.js'

const NETWORK = 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1'

/** The official server's half. */
export const officialSvmScheme = () => new ServerScheme()

/** The official facilitator library on Solana. */
export async function officialSvmFacilitator(chain: { readonly rpcUrl: string }, key: string): Promise<Listening> {
  const signer = toFacilitatorSvmSigner(await signerOf(key), { defaultRpcUrl: chain.rpcUrl })
  return officialFacilitator((facilitator) => registerExactSvmScheme(facilitator, { signer, networks: NETWORK }))
}

/** The official paying fetch, in the version that is asked for. */
export async function officialSvmFetch(
  key: string,
  { rpcUrl }: { readonly rpcUrl: string },
  base: typeof fetch = fetch,
  version: 1 | 2 = 2,
): Promise<typeof fetch> {
  const signer = await signerOf(key)
  const scheme =
    version === 2
      ? ({ network: 'solana:*', client: new ClientScheme(signer, { rpcUrl }) } as const)
      : ({ network: 'solana-devnet', client: new ExactSvmSchemeV1(signer, { rpcUrl }), x402Version: 1 } as const)
  return wrapFetchWithPaymentFromConfig(base, { schemes: [scheme as never] })
}

function signerOf(key: string) {
  return createKeyPairSignerFromBytes(getBase58Encoder().encode(key))
}
