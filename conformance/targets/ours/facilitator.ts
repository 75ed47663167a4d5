// Our facilitator, as a target that the kit starts.
import { network } from '@groat/core'
import { batchEvm } from '@groat/evm/batch-settlement/facilitator'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { withBuilderCodes } from '@groat/extensions/builder-code/facilitator'
import { createFacilitator, serveFacilitator, withScreening } from '@groat/facilitator'
import { createCatalogue, withCatalogue } from '@groat/facilitator/bazaar'
import { openMemoryStore } from '@groat/store'
import { createSvmChain } from '@groat/svm/chain'
import { exactSvm } from '@groat/svm/exact/facilitator'

/** What it claims to settle. */
export const supports = [
  { x402Version: 2, scheme: 'exact', network: 'eip155:*', transfer: ['permit2'] },
  { x402Version: 1, scheme: 'exact', network: 'eip155:*' },
  { x402Version: 2, scheme: 'upto', network: 'eip155:*' },
  { x402Version: 2, scheme: 'batch-settlement', network: 'eip155:*' },
  { x402Version: 2, scheme: 'exact', network: 'solana:*' },
] as const

/** Opens our facilitator on the chains that the environment names. */
export async function openFacilitator(env: Readonly<Record<string, string | undefined>>) {
  const {
    X402_EVM_RPC_URL,
    X402_EVM_NETWORK,
    X402_EVM_PRIVATE_KEY,
    X402_SVM_RPC_URL,
    X402_SVM_NETWORK,
    X402_SVM_SECRET_KEY,
  } = env
  const schemes = []
  if (X402_EVM_RPC_URL !== undefined) {
    const key = X402_EVM_PRIVATE_KEY as `0x${string}`
    const chain = await createEvmChain({
      network: network(X402_EVM_NETWORK ?? ''),
      rpc: X402_EVM_RPC_URL,
      signers: [key],
    })
    const chains = [chain]
    const coded = withBuilderCodes({ wallet: 'conformance_kit' })
    schemes.push(coded(exactEvm({ chains })), uptoEvm({ chains }), batchEvm({ chains }))
  }
  if (X402_SVM_RPC_URL !== undefined) {
    const key = X402_SVM_SECRET_KEY ?? ''
    schemes.push(
      exactSvm({
        chains: [createSvmChain({ network: network(X402_SVM_NETWORK ?? ''), rpc: X402_SVM_RPC_URL, signers: [key] })],
      }),
    )
  }
  const store = await openMemoryStore()
  const catalogue = createCatalogue({ store })
  const screened = withScreening({ provider: everybody, store })
  const service = withCatalogue(catalogue)(screened(createFacilitator({ schemes, store })))
  await service.start()
  const { url, close } = await serveFacilitator(service, { port: 0, catalogue })
  return {
    url,
    async close() {
      await close()
      await service.stop()
      await store.close()
    },
  }
}

/** Lets everybody pay whose words can be read. */
const everybody = { name: 'everybody', screen: async () => ({ allowed: true, version: '1' }) }
